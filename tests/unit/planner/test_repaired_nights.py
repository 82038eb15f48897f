"""What an earlier night has left over, and what passes the end of its own, is put off; nobody else is later for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.progress import Progress, Started
from escalator.upgrade_manager.planner.repair.repaired import repaired
from escalator.upgrade_manager.planner.verify.check import verify
from properties.midway import moment, state_at
from properties.rolling import late
from unit.planner.clouds import campaign

CELL = {"pcpu": 16.0, "mem_mib": 65536.0}
FRIDAY_S = datetime(2026, 12, 4, tzinfo=UTC).timestamp()
NIGHT_S = 14400.0
NODES = 110
DAY_BETWEEN_S = 20 * 3600.0
GROUP = Group(id="g", max_impacted=1, recovery_s=DAY_BETWEEN_S + 600.0)
MISSED = "n003"


def _wish(**spec: Any) -> Campaign:
    windows = ({"days": ("sat", "sun"), "start": "01:00", "length_s": NIGHT_S},)
    return campaign(windows=windows, waves={"max_unavailable": 2}, **spec)


def _cloud(number: int = NODES, *, grouped: tuple[int, ...] = (3,), **labels: str) -> Inventory:
    """One instance on each node but the first two."""
    nodes = tuple(Node(id=f"n{n:03}", numa=(CELL,), labels={} if n % 2 else labels) for n in range(number))
    demand = {"pcpu": 4.0, "mem_mib": 8192.0}
    instances = tuple(
        Instance(
            id=f"v{n:03}", project="p", node=f"n{n:03}", numa_cell=0, demand=demand, groups=(GROUP.id,) if n in grouped else ()
        )
        for n in range(2, number)
    )
    return Inventory(nodes=nodes, instances=instances, groups=(GROUP,))


def _left_over(there: Inventory, plan: Plan, progress: str) -> tuple[Inventory, Progress]:
    """The second night begins, and one node of the first one waits or is upgraded still."""
    now, so_far = state_at(there, plan, NIGHT_S)
    nodes = tuple(node.model_copy(update={"progress": progress}) if node.id == MISSED else node for node in now.nodes)
    instances = now.instances
    if progress == "old":
        instances = tuple(there.instance_by_id[i.id] if there.instance_by_id[i.id].node == MISSED else i for i in instances)
    over = {node: at for node, at in so_far.over.items() if node != MISSED}
    return Inventory(nodes=nodes, instances=instances, groups=now.groups), replace(so_far, over=over, ended={})


def _said(child: Plan) -> str:
    return next(condition.message for condition in child.conditions if condition.code == Code.PLN_REPAIRED.value)


def test_a_turn_missed_last_night_shifts_nobody_when_its_group_recovers() -> None:
    there, wish = _cloud(), _wish()
    plan = make_plan(wish, there, (), FRIDAY_S)
    assert plan.upgrade_of[MISSED].window == 0
    now, progress = _left_over(there, plan, "old")
    last = max((u for u in plan.upgrades if u.window == 1), key=lambda u: u.start_s)
    instances = tuple(i.model_copy(update={"groups": (GROUP.id,)}) if i.node == last.node else i for i in now.instances)
    now = Inventory(nodes=now.nodes, instances=instances, groups=now.groups)
    progress = replace(progress, ended={GROUP.id: NIGHT_S - 100.0})
    child = repaired(wish, now, (), FRIDAY_S, progress)
    assert child is not None
    assert verify(wish, now, child, (), FRIDAY_S) == []
    assert "later" not in _said(child)
    assert child.moves_from[MISSED][0].start_s >= NIGHT_S + 500.0


def test_a_turn_that_goes_on_since_last_night_shifts_nobody() -> None:
    there, wish = _cloud(), _wish()
    plan = make_plan(wish, there, (), FRIDAY_S)
    now, progress = _left_over(there, plan, "upgrading")
    turn = plan.upgrade_of[MISSED]
    progress = replace(progress, started={**progress.started, MISSED: Started(away_s=turn.start_s, start_s=turn.start_s)})
    child = repaired(wish, now, (), FRIDAY_S, progress)
    assert child is not None
    assert verify(wish, now, child, (), FRIDAY_S) == []
    assert "later" not in _said(child)


def _next_night(recovery_s: float) -> tuple[float, float]:
    """When the first turn of the next night begins, in the plan so far and in its repair: its group was hit just now."""
    there, wish = _cloud(), _wish()
    plan = make_plan(wish, there, (), FRIDAY_S)
    first = min((u for u in plan.upgrades if u.window == 1), key=lambda u: u.start_s)
    move = plan.moves_from[first.node][0]
    now, progress = state_at(there, plan, NIGHT_S - 10.0)
    instances = tuple(i.model_copy(update={"groups": (GROUP.id,)}) if i.id == move.instance else i for i in now.instances)
    group = GROUP.model_copy(update={"recovery_s": recovery_s})
    now = Inventory(nodes=now.nodes, instances=instances, groups=(group,))
    child = repaired(wish, now, (), FRIDAY_S, replace(progress, ended={GROUP.id: NIGHT_S - 20.0}))
    assert child is not None
    assert verify(wish, now, child, (), FRIDAY_S) == []
    assert "later" not in _said(child)
    return move.start_s, child.moves_from[first.node][0].start_s


def test_a_turn_of_the_next_night_waits_until_its_group_has_recovered() -> None:
    _, begins_s = _next_night(DAY_BETWEEN_S + 600.0)
    assert begins_s >= NIGHT_S + 580.0


def test_a_turn_of_the_next_night_stays_where_its_group_recovers_on_the_day_between() -> None:
    planned_s, begins_s = _next_night(DAY_BETWEEN_S - 600.0)
    assert begins_s == planned_s


@pytest.mark.parametrize("late_s", [60.0, 900.0, 1500.0, 2400.0])
def test_what_passes_the_end_of_its_night_is_put_off_however_late_it_is(late_s: float) -> None:
    there, wish = _cloud(), _wish()
    plan = make_plan(wish, there, (), FRIDAY_S)
    now, progress = state_at(there, plan, moment(plan, 0.1, moving=True))
    progress = late(progress, late_s)
    child = repaired(wish, now, (), FRIDAY_S, progress)
    assert child is not None
    assert verify(wish, now, child, (), FRIDAY_S) == []


def test_time_for_a_rollback_is_that_of_the_slowest_node() -> None:
    there = _cloud(26, grouped=(), model="old")
    wish = _wish(estimates={"hardware": ({"labels": {"model": "old"}, "upgrade_s": 2400.0},)})
    plan = make_plan(wish, there, (), FRIDAY_S)
    assert plan.upgrade_of[MISSED].window == 0
    now, progress = _left_over(there, plan, "old")
    child = repaired(wish, now, (), FRIDAY_S, progress)
    assert child is not None
    assert verify(wish, now, child, (), FRIDAY_S) == []


def test_a_node_lost_of_those_that_may_be_away_costs_the_turns_that_are_one_too_many() -> None:
    there, wish = _cloud(grouped=()), campaign(waves={"max_unavailable": 30})
    plan = make_plan(wish, there)
    now, progress = state_at(there, plan, moment(plan, 0.3, moving=True))
    waiting = [node.id for node in now.nodes if node.progress == "old"]
    nodes = tuple(node.model_copy(update={"state": "down"}) if node.id == waiting[-1] else node for node in now.nodes)
    now = Inventory(nodes=nodes, instances=now.instances, groups=now.groups)
    child = repaired(wish, now, (), None, progress)
    assert child is not None
    assert verify(wish, now, child) == []
    kept = [u for u in child.upgrades if u.start_s == plan.upgrade_of[u.node].start_s]
    assert len(kept) >= len(child.upgrades) - 4
