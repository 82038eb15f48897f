"""What VNFs declare counts from the next look on, for what the plan knew and for what came since."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from escalator.model.campaign import Migration
from escalator.model.constraint import Constraint, ConstraintKind
from escalator.model.document import Source, load
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.simulation.setup import Simulation, simulate
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.planner.constraints import constrained, declared
from escalator.world.world import World

POLICY = Migration()


@asynccontextmanager
async def site() -> AsyncIterator[tuple[Simulation, Inventory]]:
    """Three instances of a VNF, and the cloud as a plan saw it before there was any group."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    nodes = tuple(Node(id=name, numa=({"pcpu": 8.0},)) for name in "abc")
    vms = tuple(
        Instance(id=f"v{n}", project="p", vnf="n", node="abc"[n], demand={"pcpu": 1.0}, groups=("later",)) for n in range(3)
    )
    world.load(Inventory(nodes=nodes, instances=vms, groups=(Group(id="later", policy="anti-affinity"),)), ())
    planned = Inventory(nodes=nodes, instances=tuple(vm.model_copy(update={"groups": ()}) for vm in vms))
    async with simulate(world, clock, strict=True) as sim:
        yield sim, planned


async def says(sim: Simulation, kind: ConstraintKind, name: str, **spec: object) -> None:
    await sim.store.constraints.put(load(Constraint, Source({"kind": kind, "id": name, "spec": spec})))


async def limits(sim: Simulation, planned: Inventory) -> dict[str, int]:
    """How many of each of v0's groups may be impacted, as its door asks."""
    found = await observed.instance(sim.ctx, "v0")
    assert found is not None
    groups = await observed.groups(sim.ctx, planned, found.groups, POLICY, counted=True)
    return {group.id: group.limit(len(members)) for group, members in groups}


def test_a_group_of_the_cloud_that_came_since_has_the_limit_of_its_policy() -> None:
    async def run() -> None:
        async with site() as (sim, planned):
            assert await limits(sim, planned) == {"later": 1}

    virtual_time.run(run())


def test_limits_that_depend_on_the_size_of_a_group_that_came_since_know_its_size() -> None:
    async def run() -> None:
        async with site() as (sim, planned):
            await says(sim, "vnf", "n", min_number_of_preserved_instances=[{"min_number_of_preserved_instances": 1}])
            rows = [{"group_size": 3, "max_number_of_impacted_instances": 2}]
            await says(sim, "group", "later", max_number_of_impacted_instances=rows)
            for number in range(2):
                await says(sim, "instance", f"v{number}", member_of=["g"], declared_by="p")
            rows = [{"min_number_of_preserved_instances": 1}]
            await says(sim, "group", "g@p", min_number_of_preserved_instances=rows, declared_by="p")
            assert await limits(sim, planned) == {"later": 2, "declared/p/g": 1, "vnf:n": 2}

    virtual_time.run(run())


def test_a_group_that_is_there_no_more_holds_nobody() -> None:
    async def run() -> None:
        async with site() as (sim, planned):
            assert await observed.groups(sim.ctx, planned, ["gone", "vnf:gone", "declared/p/gone"], POLICY) == []

    virtual_time.run(run())


def test_members_that_are_gone_since_the_plan_are_none_to_preserve_others_by() -> None:
    async def run() -> None:
        async with site() as (sim, planned):
            rows = [{"min_number_of_preserved_instances": 2}]
            await says(sim, "vnf", "n", min_number_of_preserved_instances=rows)
            under = constrained(planned, declared(await sim.store.constraints.list()))
            (name,) = under.group_by_id
            assert [g.limit(len(m)) for g, m in await observed.groups(sim.ctx, under, [name], POLICY, counted=True)] == [1]
            sim.world.tenants.delete("v2")
            assert [g.limit(len(m)) for g, m in await observed.groups(sim.ctx, under, [name], POLICY, counted=True)] == [0]
            fixed = under.model_copy(update={"groups": (Group(id=name, min_preserved=2),)})
            await sim.store.constraints.remove("vnf", "n")
            assert [g.limit(len(m)) for g, m in await observed.groups(sim.ctx, fixed, [name], POLICY, counted=True)] == [0]

    virtual_time.run(run())
