"""Plans from the middle of a campaign: what is under way counts before anything begins."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.inventory import Group
from escalator.model.plan import Move, Plan, Upgrade
from escalator.upgrade_manager.planner import verified
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


def test_an_extra_move_under_way_frees_the_room_that_it_leaves() -> None:
    things = (node("a", progress="draining"), node("b"), vm("v", "a", demand={"pcpu": 4.0}), vm("w", "b", demand={"pcpu": 4.0}))
    extra = running("v", "a", "b").model_copy(update={"extra": True})
    found = child_of(things, {"a": Started(away_s=90.0)}, extra)
    assert found["w"][0] == "a"
    assert found["v"] == ("a", found["v"][1])  # back from b, when that has its turn
    assert found["v"][1] > AT_S


def test_what_still_leaves_a_node_for_others_that_go_later_does_so_as_the_parent_said() -> None:
    """Where no node is empty, the first one is emptied onto others: cut in the middle of that."""
    things = (node("a"), node("b"), node("c"), vm("v", "a"), vm("w", "a"), *(vm(f"b{n}", "bc"[n % 2]) for n in range(4)))
    wish = campaign(waves={"max_unavailable": 1})
    parent = make_plan(wish, cloud(*things))
    first = min(parent.moves, key=lambda move: move.start_s)
    assert first.extra
    late = [move for move in parent.moves if move.origin == first.origin and move is not first]
    now = tuple(t.model_copy(update={"progress": "draining"}) if t.id == first.origin else t for t in things)
    at_s = (first.start_s + first.end_s) / 2
    progress = Progress(at_s=at_s, parent=parent, started={first.origin: Started(away_s=0.0)}, moves=(first,))
    child = make_plan(wish, cloud(*now), progress=progress)
    assert verify(wish, cloud(*now), child) == []
    assert len(child.upgrades) == 3
    again = {move.instance: move.target for move in child.moves if move.origin == first.origin}
    assert again == {move.instance: move.target for move in (first, *late)}


def test_a_reserve_that_is_gone_is_not_held_against_a_turn_that_had_just_begun() -> None:
    wish = campaign(waves={"max_unavailable": 1, "reserve_hosts": 1})
    there = cloud(node("a", progress="upgrading"), node("b", state="down"))
    progress = Progress(at_s=1e-6, started={"a": Started(away_s=0.0, start_s=0.0)})
    plan = make_plan(wish, there, progress=progress)
    assert [upgrade.node for upgrade in plan.upgrades] == ["a"]
    assert verify(wish, there, plan) == []


def test_a_defect_of_the_repair_leaves_nobody_without_a_plan_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise KeyError("vm-1")

    monkeypatch.setattr(verified, "repaired", breaks)
    plan = verified.verified_plan(campaign(), cloud(node("a")), frozenset(), None)
    assert [upgrade.node for upgrade in plan.upgrades] == ["a"]
    said = [condition.message for condition in plan.conditions if condition.code == "ESC-PLN-017"]
    assert said == ["the plan so far could not be repaired (KeyError); this one was searched for"]


def test_nodes_that_have_begun_and_would_wait_for_one_another_are_upgraded_one_after_the_other() -> None:
    """A group allows less than when they began."""
    stays = {"vacate": "in-place", "groups": ("pair",)}
    things = (
        node("a", progress="draining"), node("b", progress="draining"), node("c"), node("x", progress="done"),
        vm("s", "a", **stays), vm("t", "b", **stays), vm("r", "c", **stays), vm("v", "a"), vm("w", "b"),
        Group(id="pair", max_impacted=1, recovery_s=60.0),
    )  # fmt: skip
    wish, there = campaign(waves={"max_unavailable": 3}), cloud(*things)
    both = {"a": Started(away_s=90.0), "b": Started(away_s=90.0)}
    plan = make_plan(wish, there, progress=Progress(at_s=AT_S, started=both))
    assert plan.smooth
    assert verify(wish, there, plan) == []
    assert {upgrade.node for upgrade in plan.upgrades} == {"a", "b", "c"}


def test_so_are_those_of_which_each_keeps_a_place_that_the_other_ones_instance_needs() -> None:
    things = (
        node("a", progress="draining"), node("b", progress="draining"), node("x", progress="done"),
        vm("a1", "a", vacate="in-place", groups=("g",)), vm("a2", "a", groups=("h",)),
        vm("b1", "b", vacate="in-place", groups=("h",)), vm("b2", "b", groups=("g",)),
        Group(id="g", max_impacted=1), Group(id="h", max_impacted=1),
    )  # fmt: skip
    both = {"a": Started(away_s=90.0), "b": Started(away_s=90.0)}
    assert set(child_of(things, both)) == {"a2", "b2"}


def rest_where_a_target_is_late(late_s: float) -> Plan:
    """A plan for the rest 60 s after node a was to begin its upgrade, which takes 300 s and began that much late.

    What is on b was to go to a, and what is on c to y. Nodes x and y are upgraded and empty.
    """
    things = (node("a"), node("b"), node("c"), node("x"), node("y"), vm("v", "b"), vm("w", "c"))
    wish = campaign(waves={"max_unavailable": 3}, estimates={"upgrade_s": 300})
    moves = [("v", "b", "a", 340.0), ("w", "c", "y", 330.0)]
    parent = make_plan(wish, cloud(*things)).model_copy(
        update={
            "moves": tuple(
                Move.model_validate({"instance": v, "from": o, "to": t, "start_s": s, "end_s": s + 10.0}) for v, o, t, s in moves
            ),
            "upgrades": tuple(
                Upgrade(node=n, wave=wave, start_s=s, end_s=s + 300.0)
                for wave, (n, s) in enumerate([("a", 40.0), ("c", 340.0), ("b", 350.0)], 1)
            ),
        }
    )
    parent = parent.model_copy(update={"totals": parent.totals.model_copy(update={"makespan_s": 650.0})})
    now = (node("a", progress="upgrading"), node("b"), node("c"), node("x", progress="done"), node("y", progress="done"))
    began = {"a": Started(away_s=40.0, start_s=40.0 + late_s)}
    here = cloud(*now, *things[-2:])
    plan = make_plan(wish, here, progress=Progress(at_s=AT_S, parent=parent.sealed("parent"), started=began))
    assert verify(wish, here, plan) == []
    return plan


def test_a_plan_for_the_rest_that_ends_about_as_soon_keeps_where_everything_goes() -> None:
    plan = rest_where_a_target_is_late(5.0)
    assert {move.instance: move.target for move in plan.moves} == {"v": "a", "w": "y"}


def test_a_plan_for_the_rest_that_would_end_later_sends_others_elsewhere_that_wait_and_nobody_else() -> None:
    plan = rest_where_a_target_is_late(20.0)
    targets = {move.instance: move.target for move in plan.moves}
    assert targets["v"] != "a"
    assert targets["w"] == "y"  # planned anew, both would go to x
    assert plan.totals.makespan_s < AT_S + 300.0 + 20.0
