"""Who waits for a target keeps its place, whatever its node does meanwhile."""

from __future__ import annotations

from escalator.model.inventory import Instance
from escalator.upgrade_manager.planner.actions import action_for
from escalator.upgrade_manager.planner.cloud import Cloud, build
from escalator.upgrade_manager.planner.flow import Flow
from escalator.upgrade_manager.planner.standing import Arrivals
from escalator.upgrade_manager.planner.turns import Midway, Placed, Policy, Rules
from unit.planner.clouds import campaign, cloud, node, vm

WISH = campaign(estimates={"upgrade_s": 1000.0, "migration": {"base_s": 0.0, "s_per_gib": 1.0}})


def lasting(name: str, where: str, seconds: int) -> Instance:
    return vm(name, where, demand={"pcpu": 1.0, "mem_mib": 1024.0 * seconds})


def made(*instances: Instance) -> Cloud:
    inventory = cloud(*(node(name) for name in ("a", "b", "c", "d", "t", "u")), *instances)
    actions = {one.id: action_for(one, WISH.spec, managed=False) for one in instances}
    return build(WISH, inventory, actions, inventory.nodes, [])


def test_who_waits_longest_for_a_target_is_next_though_another_of_its_moves_ran_when_the_target_was_free() -> None:
    there = made(
        lasting("a", "a", 10), lasting("b", "b", 100), lasting("c", "c", 50), lasting("c2", "c", 40), lasting("d", "d", 5)
    )
    numbers = {one.id: number for number, one in enumerate(there.nodes)}
    flow = Flow(there, Rules(6, 1, 10, 0.0, 1.0, 0), Midway(), Arrivals(6), Policy())
    for name in ("a", "b", "c", "d"):
        goes = {"c2": numbers["u"]}
        number = numbers[name]
        placed = [Placed(g, goes.get(g.instance.id, numbers["t"]), (), extra=False) for g in there.guests[number]]
        flow.begin(number, placed, (), 1, 0.0)
    flow.advance(10_000.0)
    starts = {move.placed.guest.instance.id: move.start_s for turn in flow.turns for move in turn.moves}
    assert starts == {"a": 0.0, "c2": 0.0, "b": 10.0, "c": 110.0, "d": 160.0}
