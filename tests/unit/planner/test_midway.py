"""Plans from the middle of a campaign: what is under way counts before anything begins."""

from __future__ import annotations

from typing import Any

from escalator.model.inventory import Group
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.progress import Progress, Started
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, vm

AT_S = 100.0


def running(instance: str, origin: str, target: str) -> Move:
    return Move.model_validate({"instance": instance, "from": origin, "to": target, "start_s": AT_S - 2, "end_s": AT_S + 8.0})


def child_of(things: tuple[Any, ...], started: dict[str, Started], *moves: Move, **spec: Any) -> dict[str, tuple[str, float]]:
    """Target and start of each move of a sound plan from there."""
    wish = campaign(waves={"max_unavailable": 3}, **spec)
    progress = Progress(at_s=AT_S, started=started, moves=moves)
    plan = make_plan(wish, cloud(*things), progress=progress)
    assert verify(wish, cloud(*things), plan) == []
    return {move.instance: (move.target, move.start_s) for move in plan.moves}


def test_a_move_under_way_keeps_those_of_other_nodes_from_its_target() -> None:
    things = (
        node("a", progress="draining"), node("b", progress="draining"), node("x", progress="done"),
        vm("v", "a"), vm("w", "b"),
    )  # fmt: skip
    both = {"a": Started(away_s=90.0), "b": Started(away_s=90.0)}
    found = child_of(things, both, running("w", "b", "x"))
    assert found["w"] == ("x", AT_S - 2)
    assert found["v"][0] == "x"
    assert found["v"][1] > AT_S  # only one arrives at a time


def test_a_move_under_way_keeps_the_other_members_of_its_group() -> None:
    pair = Group(id="pair", policy="anti-affinity", max_impacted=1, recovery_s=60)
    things = (
        node("a", progress="draining"), node("b", progress="draining"), node("x", progress="done"), node("y", progress="done"),
        vm("v", "a", groups=("pair",)), vm("w", "b", groups=("pair",)), pair,
    )  # fmt: skip
    both = {"a": Started(away_s=90.0), "b": Started(away_s=90.0)}
    found = child_of(things, both, running("w", "b", "x"))
    assert found["v"][1] >= AT_S + 60


def test_an_upgrade_under_way_keeps_the_other_members_of_what_stays_there() -> None:
    pair = Group(id="pair", policy="anti-affinity", max_impacted=1, recovery_s=60)
    stays = {"vacate": "in-place", "groups": ("pair",)}
    things = (
        node("a", progress="draining"), node("b", progress="upgrading"), node("x", progress="done"),
        vm("v", "a", groups=("pair",)), vm("w", "b", **stays), pair,
    )  # fmt: skip
    both = {"a": Started(away_s=90.0), "b": Started(away_s=50.0, start_s=50.0)}
    found = child_of(things, both, estimates={"upgrade_s": 300})
    assert found["v"][1] >= 50 + 300 + 60
