"""Cells are chosen by the proportions of what is free in them, and what changed is put right."""

from __future__ import annotations

from escalator.model.inventory import Instance, Node
from escalator.upgrade_manager.planner.actions import action_for
from escalator.upgrade_manager.planner.cloud import Cloud, Guest, build
from escalator.upgrade_manager.planner.space import Space
from escalator.upgrade_manager.planner.standing import Standing
from unit.planner.clouds import campaign, cloud, node, vm

THIRSTY, FRUGAL = {"pcpu": 2.0, "vf": 1.0}, {"pcpu": 16.0, "vf": 2.0}


def host(name: str, pcpu: float, vf: float) -> Node:
    return node(name, numa=({"pcpu": pcpu, "vf": vf},))


def made(*hosts: Node) -> Cloud:
    """The hosts beside one that `thirsty` and `frugal` leave."""
    instances: tuple[Instance, ...] = (vm("thirsty", "old", demand=THIRSTY), vm("frugal", "old", demand=FRUGAL))
    inventory = cloud(host("old", 48.0, 16.0), *hosts, *instances)
    actions = {one.id: action_for(one, campaign().spec, managed=False) for one in instances}
    return build(campaign(), inventory, actions, inventory.nodes, [])


def space_of(there: Cloud, *, angle: bool) -> Space:
    space = Space(Standing(there, 1.0), renewed=True, angle=angle)
    for number in range(1, len(there.nodes)):
        space.add(number)
    return space


def guest_of(there: Cloud, name: str) -> Guest:
    return next(guest for guest in there.guests[0] if guest.instance.id == name)


def first(there: Cloud, space: Space, name: str) -> str:
    return there.nodes[space.places(guest_of(there, name), 1, soft=False)[0][0]].id


def test_thirsty_instances_go_where_vfs_are_left_and_frugal_ones_where_cpus_are() -> None:
    there = made(host("cpus", 32.0, 4.0), host("vfs", 40.0, 16.0))
    space = space_of(there, angle=True)
    assert first(there, space, "thirsty") == "vfs"
    assert first(there, space, "frugal") == "cpus"
    assert first(there, space_of(there, angle=False), "thirsty") == "cpus"


def test_of_cells_that_suit_alike_the_tighter_is_taken() -> None:
    there = made(host("wide", 48.0, 16.0), host("tight", 24.0, 8.0))
    assert first(there, space_of(there, angle=True), "frugal") == "tight"


def test_what_is_taken_and_given_back_is_seen_at_once() -> None:
    there = made(host("cpus", 32.0, 4.0), host("vfs", 40.0, 16.0))
    space, frugal = space_of(there, angle=True), guest_of(there, "frugal")
    node_, cells = space.places(frugal, 1, soft=False)[0]
    for _ in range(2):
        space.take(frugal, node_, cells)
    assert first(there, space, "frugal") == "vfs"
    space.take(frugal, node_, cells, -1)
    assert first(there, space, "frugal") == "cpus"
    space.remove(node_)
    assert first(there, space, "frugal") == "vfs"
    assert len(space.places(frugal, 9, soft=False)) == 1
