"""Cells are chosen by the proportions of what is free in them, and what changed is put right."""

from __future__ import annotations

from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

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


def space_of(there: Cloud, *, angle: bool, standing: Standing | None = None) -> Space:
    space = Space(standing or Standing(there, 1.0), renewed=True, angle=angle, queue_weight=0.02 if standing else 0.0)
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


AMOUNTS = st.sampled_from((4.0, 8.0, 12.0, 16.0, 24.0))
CELLS = st.tuples(AMOUNTS, AMOUNTS)


def suits(there: Cloud, guest: Guest, cell: int) -> float:
    """The negative cosine of what is free in the cell and what the instance needs, and a thousandth of how much that is."""
    free = there.capacity[cell]
    need = dict(guest.shape.demand)
    sizes = [sqrt(sum(amount * amount * there.scale[r] for r, amount in row)) for row in (enumerate(free), need.items())]
    return sizes[0] / 1000 - sum(free[r] * amount * there.scale[r] for r, amount in need.items()) / sizes[0] / sizes[1]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.lists(st.integers(0, 6), min_size=13), st.integers(1, 2))
def test_the_best_cell_is_found_whatever_the_nodes_expect(
    hosts: list[tuple[tuple[float, float], tuple[float, float]]], arriving: list[int], span: int
) -> None:
    instances = (vm("guest", "old", demand=FRUGAL | {"pcpu": 4.0}, numa_span=span, numa_cell=(0, 1)[:span]),)
    nodes = [
        node(f"host-{n:02}", numa=tuple({"pcpu": pcpu, "vf": vf} for pcpu, vf in cells))
        for n, cells in enumerate([((24.0, 24.0),) * 2, *hosts])
    ]
    inventory = cloud(nodes[0].model_copy(update={"id": "old"}), *nodes[1:], *instances)
    actions = {one.id: action_for(one, campaign().spec, managed=False) for one in instances}
    there = build(campaign(), inventory, actions, inventory.nodes, [])
    standing = Standing(there, 1.0)
    space, guest = space_of(there, angle=True, standing=standing), guest_of(there, "guest")
    for number, expects in enumerate(arriving[: len(there.nodes)]):
        standing.arriving.expect(number, expects)
        space.best(guest, soft=False)
    fitting = [
        [cell for cell in there.cells[number] if standing.fits(guest.shape, cell)]
        for number in range(1, len(nodes))
        if standing.together(guest.shape, number)
    ]
    costs = [suits(there, guest, cell) + 0.02 * arriving[there.host[cell]] for cells in fitting for cell in cells]
    best = space.best(guest, soft=False)
    assert (best is None) == (not costs)
    if best is not None:
        assert abs(min(suits(there, guest, cell) for cell in best[1]) + 0.02 * arriving[best[0]] - min(costs)) < 1e-9
