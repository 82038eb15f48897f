"""How a plan changed, in a line that fits on a screen."""

from __future__ import annotations

from escalator.upgrade_manager.engine.changed_plan import in_short, named


def test_nodes_are_named_and_moves_are_counted() -> None:
    lines = ["- node n1: held by a person", "+ node n2", *(f"+ instance vm-{n}: n1 -> n2" for n in range(40))]
    lines += ["- instance vm-90 leaves n3", "~ instance vm-91: n1 -> n2, not n3", "~ instance vm-92: n1 -> n2, not n3"]
    lines += ["+ instance vm-93 stays on n1", "- instance vm-94 stays on n1", "- instance vm-95 stays on n1"]
    said = "- node n1: held by a person; + node n2; 40 moves more; 1 move fewer; 2 moves go elsewhere; 1 more instance stays"
    assert in_short(lines) == f"{said}; 2 instances do not stay any more"


def test_of_many_nodes_the_first_are_named() -> None:
    assert in_short([f"+ node n{n}" for n in range(9)]) == "+ node n0; + node n1; + node n2; 6 more nodes changed"


def test_of_many_instances_the_first_are_named() -> None:
    assert (named(["a", "b"]), named(list("abcde"))) == ("a, b", "a, b, c and 2 more")
