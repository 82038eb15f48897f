"""Whatever is asked of the world, in whatever order: room, anti-affinity and instances hold, and its file tells the same."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Group, Inventory
from escalator.world.rules import Fault
from escalator.world.state import Table
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, a_node, a_release, an_instance

NODES = ("a", "b", "c", "d")
CLOUD = Inventory(
    nodes=tuple(a_node(name) for name in NODES),
    instances=(
        an_instance(1, "a", groups=("g",)),
        an_instance(2, "b", groups=("g",)),
        an_instance(3, "a", numa_cell=1, demand={"pcpu": 6.0}),
        an_instance(4, "b", numa_cell=(0, 1), numa_span=2, demand={"pcpu": 4.0}),
        an_instance(5, "c", numa_cell=0),
        an_instance(6, "c", numa_cell=0),
    ),
    groups=(Group(id="g", policy="anti-affinity"),),
)
FAULTS = (
    Fault(kind="live_migration", probability=0.2),
    Fault(kind="cold_migration", effect="hang", probability=0.2),
    Fault(kind="upgrade", effect="lost", probability=0.2),
    Fault(kind="stop", probability=0.2),
    Fault(kind="reboot", effect="slow", factor=2, probability=0.2),
    Fault(kind="node_crash", probability=0.2),
)

instances = st.sampled_from([f"vm-{n}" for n in range(1, 7)])
nodes = st.sampled_from(NODES)
kinds = st.sampled_from(["live", "cold"])
actions = st.one_of(
    st.tuples(st.just("move"), instances, nodes, kinds),
    st.tuples(st.sampled_from(["confirm", "revert", "abort", "stop", "start"]), instances),
    st.tuples(st.sampled_from(["cordon", "restore", "reboot", "upgrade", "crash"]), nodes),
    st.tuples(st.just("delete"), st.sampled_from(["vm-4", "vm-5", "vm-6"])),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 7.0, 30.0, 200.0])),
    st.tuples(st.just("reopen")),
)


def act(world: World, clock: TurnedClock, number: int, action: tuple[object, ...]) -> None:
    match action:
        case ("move", instance, target, kind):
            found = world.instance(instance)
            world.moves.start(instance, found.node if found is not None else "a", target, kind)
        case ("confirm" | "revert" | "abort" as verb, instance):
            getattr(world.moves, verb)(instance)
        case ("stop" | "start" as verb, instance):
            getattr(world.power, verb)(instance)
        case ("cordon", node):
            world.hosts.cordon(node, "campaign c")
        case ("restore", node):
            world.hosts.restore(node, enabled=True, reason=None)
        case ("reboot", node):
            world.hosts.reboot(node, world.hosts.boot_id(node) or "")
        case ("upgrade", node):
            world.operations.upgrade(node, a_release(f"{number}.0.0"), f"u-{number}")
        case ("delete", instance):
            world.tenants.delete(instance)
        case ("crash", node):
            world.hosts.crash(node, down_s=20)
        case ("wait", seconds):
            clock.time += seconds


def attempt(world: World, clock: TurnedClock, number: int, action: tuple[object, ...]) -> str:
    try:
        act(world, clock, number, action)
    except EscalatorError as error:
        return error.code.value
    return ""


def check(world: World) -> None:
    inventory = world.inventory()
    used: Counter[tuple[str, int]] = Counter()
    for instance in inventory.instances:
        ends = {instance.node: instance.cells}
        move = world.moves.get(instance.id)
        if move is not None and move.state in ("running", "confirm"):
            ends = {move.origin: move.origin_cells, move.target: move.cells}
        for node, cells in ends.items():
            for cell in cells:
                used[node, cell] += instance.demand["pcpu"]
    for node in inventory.nodes:
        counted = [cell.get("pcpu", 0.0) for cell in world.state.usage.used(node.id)]
        assert counted == [used[node.id, cell] for cell in range(2)]
        assert all(amount <= 8.0 for amount in counted)
    first, second = (inventory.instance_by_id[name].node for name in ("vm-1", "vm-2"))
    assert first != second
    assert len(inventory.instances) == 6 - len(world.audit.history("delete"))
    assert {n for n in NODES if n in world.hosts.unavailable()} == {
        n.id for n in inventory.nodes if n.maintenance or n.state == "down"
    }


def everything(world: World) -> dict[str, object]:
    world.inventory()
    tables = {table.kind: table.rows for table in vars(world.state).values() if isinstance(table, Table)}
    return tables | {
        "usage": {node: world.state.usage.used(node) for node in NODES},
        "due": world.state.next_due(),
        "unavailable": set(world.state.unavailable),
        "inbound": {node: set(there) for node, there in world.state.inbound.items() if there},
        "at work": {node: set(there) for node, there in world.state.at_work.items() if there},
    }


@given(plan=st.lists(actions, max_size=30), faults=st.booleans())
@settings(max_examples=60, deadline=None)
def test_room_anti_affinity_and_instances_hold_and_a_reopened_world_is_the_same(
    plan: list[tuple[object, ...]], faults: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept_clock, told_clock = TurnedClock(), TurnedClock()
        kept = World.in_memory(kept_clock, TIMINGS)
        told = World.open(Path(folder) / "w.sqlite", told_clock, TIMINGS)
        for world in (kept, told):
            world.load(CLOUD)
            world.faults.add(*(FAULTS if faults else ()))
        for number, action in enumerate(plan):
            if action == ("reopen",):
                told.close()
                told = World.open(Path(folder) / "w.sqlite", told_clock, TIMINGS)
            assert attempt(kept, kept_clock, number, action) == attempt(told, told_clock, number, action)
            check(kept)
            check(told)
        assert everything(kept) == everything(told)
        told.close()
