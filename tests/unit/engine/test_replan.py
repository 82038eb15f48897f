"""What of a new plan goes beyond what was approved."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.plan import Move, Plan
from escalator.upgrade_manager.engine.replan import Approved, _beyond, _more_moves
from unit.planner.clouds import cloud, node, plan_of, vm


def move(instance: str, origin: str = "a", target: str = "b") -> Move:
    return Move.model_validate({"instance": instance, "from": origin, "to": target, "start_s": 0.0, "end_s": 1.0})


def plan(*moves: Move) -> Plan:
    return Plan(smooth=True, moves=moves)


THREE = "3 moves would be made beyond one per instance, 2 are allowed"
APPROVED = plan(*(move(f"v{n}") for n in range(100)))


@pytest.mark.parametrize(
    ("child", "moved", "said"),
    [
        pytest.param([move("v1"), move("v2")], {"v3"}, [], id="the rest of what was approved"),
        pytest.param([move("v1", target="c")], set(), [], id="another target"),
        pytest.param([move("v1"), move("v2")], {"v1", "v2"}, [], id="as many again as the campaign allows"),
        pytest.param(
            [move("v1"), move("v2"), move("v3")], {"v1", "v2", "v3"}, [THREE],
            id="more again",
        ),
        pytest.param([move("v1"), move("v1", "b", "c")] * 2, set(), [THREE],
                     id="one several times"),
        pytest.param([move("w")], set(), ["1 instance would move that were not to: w"], id="one that was to stay"),
    ],
)  # fmt: skip
def test_moves_beyond_the_approval_are_told(child: list[Move], moved: set[str], said: list[str]) -> None:
    approved = Approved.by(APPROVED, cloud(node("a")), ())
    assert _more_moves(approved, plan(*child), frozenset(moved), 0.02) == said


def test_an_approved_plan_that_moved_some_twice_allows_as_many() -> None:
    approved = plan(move("v1"), move("v1", "b", "c"), move("v2"))
    scope = Approved.by(approved, cloud(node("a")), ())
    assert _more_moves(scope, plan(move("v1", "b", "c")), frozenset({"v1"}), 0.0) == []


def test_other_nodes_and_owners_are_told() -> None:
    def made(*things: Any) -> tuple[Plan, Any]:
        return plan_of(*things), cloud(*things)

    before, there = made(node("a"), node("b"), vm("v", "a"))
    after, now = made(node("a"), node("b"), node("c"), vm("v", "a"), vm("w", "b", project="q", vnf="smf"))
    approved = Approved.by(before, there, ())
    found = _beyond(approved, after, now)
    assert found[0] == "nodes c would be upgraded too"
    assert "would be impacted too" in found[1]
    assert _beyond(approved, before, there) == []


def test_turns_that_room_is_asked_for_are_approved_with_what_moves_for_them() -> None:
    things = (node("a"), node("b"), node("c"), vm("v", "a"), vm("w", "b", project="q"), vm("x", "c", project="r"))
    there = cloud(*things)
    approved = Approved.by(plan(), there, ("a", "b"))
    assert approved.nodes == {"a", "b"}
    assert approved.moving == {"v", "w"}
    assert "project q" in approved.owners
    assert "project r" not in approved.owners
    assert _more_moves(approved, plan(move("v"), move("w")), frozenset(), 0.0) == []
    assert _more_moves(approved, plan(move("x")), frozenset(), 0.0) == ["1 instance would move that were not to: x"]
