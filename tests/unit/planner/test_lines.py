"""Instances arrive at a node in the order in which they got their places, so that the cloud gives them the planned entries."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.actions import action_for
from escalator.upgrade_manager.planner.cloud import build
from escalator.upgrade_manager.planner.lines import Lines
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.turns import Placed
from escalator.upgrade_manager.planner.verify.check import verify
from escalator.world.placement import Usage
from unit.planner.clouds import campaign, cloud, node, vm

CELL = {"pcpu": 16.0, "mem_mib": 65536.0, "vf": 6.0}
SIZES = ((2.0, 1.0, 1), (4.0, 2.0, 1), (8.0, 1.0, 1), (12.0, 0.0, 1), (5.0, 1.0, 2))


def lines_of(*kept: str, entries: int = 2) -> tuple[Lines, list[Placed]]:
    """Three instances on their way to one node, the groups of some of which keep their places for others."""
    inventory = cloud(node("t", numa=(CELL,) * entries), *(node(f"n{k}") for k in "abc"), *(vm(k, f"n{k}") for k in "abc"))
    wish = campaign()
    made = build(
        wish, inventory, {i.id: action_for(i, wish.spec, managed=False) for i in inventory.instances}, inventory.nodes, []
    )
    number = {one.id: index for index, one in enumerate(made.nodes)}
    names = {number[f"n{k}"]: k for k in "abc"}
    lines = Lines(made, lambda _, origin, __: names[origin] in kept)
    found = [Placed(made.guests[number[f"n{k}"]][0], number["t"], (), extra=False) for k in "abc"]
    for one, k in zip(found, "abc", strict=True):
        one.guest.groups = (0,)
        lines.join(number[f"n{k}"], [one])
    return lines, found


def test_the_first_goes_first_and_then_the_next() -> None:
    lines, (a, b, c) = lines_of()
    assert [lines.is_next(one, 0.0) for one in (a, b, c)] == [True, False, False]
    lines.leave(a)
    assert [lines.is_next(one, 0.0) for one in (b, c)] == [True, False]


def test_who_is_kept_by_a_group_without_end_is_passed() -> None:
    lines, (a, b, c) = lines_of("a")
    assert [lines.is_next(one, 0.0) for one in (a, b, c)] == [True, True, False]


def test_those_behind_are_told_once_that_one_steps_aside_until_one_waits_for_it_again() -> None:
    lines, (a, b, _) = lines_of()
    assert [lines.steps_aside(a), lines.steps_aside(a)] == [True, False]
    assert not lines.is_next(b, 0.0)
    assert lines.steps_aside(a)


def test_a_node_with_one_entry_has_nothing_to_choose() -> None:
    lines, placed = lines_of(entries=1)
    assert all(lines.is_next(one, 0.0) for one in placed)


def drawn(seed: int) -> Inventory:
    chance, usage = random.Random(seed), Usage(balances=True)
    nodes = [Node(id=f"n{n:02}", numa=(CELL, CELL)) for n in range(14)]
    instances: list[Instance] = []
    for host in nodes:
        usage.add_node(host)
    for number in range(70):
        host = chance.choice(nodes[1:])
        pcpu, vf, span = chance.choice(SIZES)
        groups = (f"g{chance.randrange(12)}",) if chance.random() < 0.4 else ()
        if any(other.node == host.id and set(other.groups) & set(groups) for other in instances):
            continue
        demand = {"pcpu": pcpu, "mem_mib": 1024.0 * chance.randint(2, 12), **({"vf": vf} if vf else {})}
        one = Instance(id=f"i{number:03}", project="p", node=host.id, demand=demand, groups=groups, numa_span=span)
        cells = usage.fit(host, one)
        if cells is not None:
            usage.claim(host.id, cells, demand)
            instances.append(one.model_copy(update={"numa_cell": cells if span > 1 else cells[0]}))
    limits = [Group(id=f"g{n}", policy="anti-affinity", max_impacted=1, recovery_s=60.0) for n in range(12)]
    return Inventory(nodes=tuple(nodes), instances=tuple(instances), groups=tuple(limits))


def given(inventory: Inventory, target: Node, arriving: Sequence[str]) -> list[tuple[int, ...] | None]:
    """What the simulated cloud gives to these, one after the other, on an empty node."""
    usage, found = Usage(balances=True), []
    usage.add_node(target)
    for name in arriving:
        one = inventory.instance_by_id[name]
        found.append(usage.fit(target, one))
        usage.claim(target.id, found[-1] or (), one.demand)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_cloud_gives_every_instance_the_entries_that_the_plan_tells(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "FEW", 10)  # as in a cloud of more nodes than fit here
    inventory = drawn(seed)
    wish = campaign(waves={"max_unavailable": 4}, migration={"per_node": 1, "total": 20})
    plan = make_plan(wish, inventory)
    assert verify(wish, inventory, plan) == []
    assert len(plan.moves) > 30
    for target in inventory.nodes:
        rows = sorted((move for move in plan.moves if move.target == target.id), key=lambda move: move.start_s)
        told = [(move.numa_cell,) if isinstance(move.numa_cell, int) else move.numa_cell for move in rows]
        assert told == given(inventory, target, [move.instance for move in rows])
