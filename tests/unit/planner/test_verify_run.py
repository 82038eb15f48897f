"""The verifier sees every way in which a run can be wrong, and nothing wrong in one that is right."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.inventory import Group
from escalator.upgrade_manager.planner.verify.run import Impacted, Made, Record, verify_run
from unit.planner.clouds import campaign, cloud, node, vm

G = Group(id="g", policy="anti-affinity", max_impacted=1, recovery_s=60)
CLOUD = cloud(
    node("a", rack="r1"), node("b", rack="r1"), node("c", rack="r2"), node("lab", labels={"lab": "yes"}),
    vm("v1", "a", groups=("g",)), vm("v2", "b", groups=("g",)), vm("x", "b"), vm("s", "c"), G,
)  # fmt: skip
SPEC: dict[str, Any] = {
    "scope": {"select": {"names": ["a", "b", "c"]}},
    "waves": {"max_unavailable": 2, "spread": [{"by": "rack", "max": 1}]},
    "migration": {"total": 2, "per_node": 1},
}


def moved(instance: str, origin: str, target: str, start: float, end: float) -> Impacted:
    groups = CLOUD.instance_by_id[instance].groups
    return Impacted(instance=instance, groups=groups, node=origin, target=target, start_s=start, end_s=end)


def stayed(instance: str, there: str, start: float, end: float) -> Impacted:
    return Impacted(instance=instance, groups=(), node=there, target=None, start_s=start, end_s=end)


def made(instance: str, origin: str, target: str, at: float) -> Made:
    return Made(instance=instance, origin=origin, target=target, at_s=at)


def record(**changes: Any) -> Record:
    """Node c stands still with its instance on it, a is emptied onto it, and b onto a."""
    right: dict[str, Any] = {
        "away": ((0.0, 100.0, "c"), (100.0, 300.0, "a"), (310.0, 600.0, "b")),
        "installed": ((10.0, 90.0, "c"), (200.0, 290.0, "a"), (500.0, 590.0, "b")),
        "upgraded": {"c": 90.0, "a": 290.0, "b": 590.0},
        "impacts": (
            stayed("s", "c", 5, 100), moved("v1", "a", "c", 110, 150),
            moved("x", "b", "a", 320, 350), moved("v2", "b", "a", 350, 400),
        ),
        "moves": (made("v1", "a", "c", 150), made("x", "b", "a", 350), made("v2", "b", "a", 400)),
        "windows": ((0.0, 320.0),),
    }  # fmt: skip
    return Record(**{**right, **changes})


def found(what: Record, **spec: Any) -> list[tuple[str, str | None, str | None]]:
    violations = verify_run(campaign(**{**SPEC, **spec}), CLOUD, what)
    return [(v.code.name, v.node, v.instance) for v in violations]


def test_a_run_by_the_rules_breaks_none() -> None:
    assert found(record()) == []


def test_an_empty_record_breaks_none() -> None:
    assert found(Record()) == []


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        pytest.param(
            record(away=((0, 100, "c"), (50, 300, "a"), (60, 600, "b")), moves=(), impacts=(), installed=()),
            [("PLN_V_UNAVAILABLE", "b", None), ("PLN_V_UNAVAILABLE", "b", None)],
            id="three away at once, two of them in one rack",
        ),
        pytest.param(
            record(away=((0, 100, "c"), (330, 600, "b")), moves=(), impacts=(), installed=()),
            [("PLN_V_WINDOW", "b", None)],
            id="a turn that began after the window",
        ),
        pytest.param(
            record(impacts=(stayed("s", "c", 5, 100), moved("v1", "a", "c", 110, 390), moved("v2", "b", "a", 350, 400))),
            [("PLN_V_GROUP", None, "v2")],
            id="two of a group at once",
        ),
        pytest.param(
            record(impacts=(stayed("s", "c", 5, 100), moved("v1", "a", "c", 110, 300), moved("v2", "b", "a", 350, 400))),
            [("PLN_V_GROUP", None, "v2")],
            id="one of a group before the other had recovered",
        ),
        pytest.param(
            record(
                impacts=(
                    stayed("s", "c", 5, 100),
                    moved("v1", "a", "c", 110, 150),
                    moved("x", "b", "a", 320, 350),
                    moved("v2", "b", "lab", 340, 400),
                ),
            ),
            [("PLN_V_CONCURRENCY", None, "v2")],
            id="two moves at once from one node",
        ),
        pytest.param(
            record(moves=(made("v1", "a", "c", 50), made("x", "b", "a", 350), made("v2", "b", "a", 400))),
            [("PLN_V_TARGET", "c", "v1")],
            id="a move to a node in its turn",
        ),
        pytest.param(
            record(
                moves=(
                    made("v1", "a", "lab", 150),
                    made("v1", "lab", "c", 160),
                    made("x", "b", "a", 350),
                    made("v2", "b", "a", 400),
                )
            ),
            [("PLN_V_EXTRA", None, None)],
            id="one instance moved twice",
        ),
        pytest.param(
            record(
                impacts=(
                    stayed("s", "c", 20, 100),
                    moved("v1", "a", "c", 110, 150),
                    moved("x", "b", "a", 320, 350),
                    moved("v2", "b", "a", 350, 400),
                )
            ),
            [("PLN_V_STAY", "c", "s")],
            id="software changed under an instance before that was let through",
        ),
        pytest.param(
            record(
                installed=((10, 90, "c"), (140, 290, "a"), (500, 590, "b")),
            ),
            [("PLN_V_STAY", "a", "v1")],
            id="software changed before an instance had left",
        ),
    ],
)
def test_each_rule_that_was_broken_is_told(what: Record, wrong: list[tuple[str, str | None, str | None]]) -> None:
    assert found(what, waves={**SPEC["waves"], "max_extra_moves": 0.0}) == wrong


def test_more_moves_at_once_than_the_cloud_takes_are_told() -> None:
    hurried = (moved("v1", "a", "c", 110, 150), moved("x", "b", "lab", 120, 140))
    what = record(impacts=(stayed("s", "c", 5, 100), *hurried), moves=(), installed=())
    assert found(what, migration={"total": 1, "per_node": 1}) == [("PLN_V_CONCURRENCY", None, "x")]


def test_what_lasted_no_time_and_what_ended_nowhere_is_no_violation() -> None:
    refused = moved("v2", "b", "a", 120, 120)  # refused at once, while v1 was on its way
    right = record()
    gone = record(impacts=(*right.impacts, refused))
    assert found(gone) == []
    # A move that did not end well: the node fails and a person is called, whether or not its software changes later.
    lost = record(impacts=(*right.impacts[:3], moved("v2", "b", "a", 350, 400)), moves=right.moves[:2])
    assert found(lost) == []


def test_one_instance_that_two_turns_of_its_node_count_is_one() -> None:
    left = moved("v2", "b", "a", 400, 900)  # it was not started again, and the next turn found it so
    again = moved("v2", "b", "a", 700, 800)
    right = record()
    assert "PLN_V_GROUP" not in [code for code, _, _ in found(record(impacts=(*right.impacts[:3], left, again)))]
    other = moved("v1", "a", "c", 700, 800)
    assert "PLN_V_GROUP" in [code for code, _, _ in found(record(impacts=(left, again, other)))]


def test_messages_name_the_code_the_numbers_and_the_limit() -> None:
    what = record(impacts=(moved("v1", "a", "c", 110, 300), moved("v2", "b", "a", 350, 400)), installed=())
    (violation,) = verify_run(campaign(**SPEC), CLOUD, what)
    assert (violation.code, violation.time_s, violation.group) == (Code.PLN_V_GROUP, 350, "g")
    assert violation.message == "v2 was impacted 50.0 s after another of g, which recovers in 60 s"
