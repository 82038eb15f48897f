"""A group's budget: time beyond its limit, over all campaigns of the period."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.constraint import Constraint, MaintenanceInfo
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine.budget import spent, warn
from escalator.upgrade_manager.engine.context import Availability
from escalator.upgrade_manager.engine.ledger import interruptions
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.world import World


@asynccontextmanager
async def site(*, played: bool = True) -> AsyncIterator[Simulation]:
    """A group of three of which one may be impacted; after a campaign that kept to it, where one was played."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    nodes = tuple(Node(id=name, numa=({"pcpu": 8.0},)) for name in "abcd")
    vms = tuple(Instance(id=f"v{n}", project="p", node="abc"[n], demand={"pcpu": 1.0}, groups=("g",)) for n in range(3))
    world.load(Inventory(nodes=nodes, instances=vms, groups=(Group(id="g", max_impacted=1),)), ())
    async with simulate(world, clock, strict=True) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        declared = MaintenanceInfo(max_undetectable_interruption_time=0.5)
        await sim.store.constraints.put(Constraint(kind="instance", id="v0", spec=declared))
        if played:
            await play(sim, "one")
        yield sim


async def play(sim: Simulation, name: str) -> None:
    await begin(sim, name)
    await sim.engine.result(f"campaign/{name}")


async def begin(sim: Simulation, name: str, **more: object) -> None:
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}, **more}
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": name}, "spec": spec}
    await sim.campaigns.create(json.dumps(document))
    await sim.campaigns.plan(name)
    await sim.campaigns.start(name)


async def hit(sim: Simulation, campaign: str, seconds: float) -> None:
    """Two members at once for that long: what no door lets through, and a host that does not come back does."""
    now = sim.ctx.clock.now()
    for instance in ("v0", "v1"):
        row = ImpactRow(id=f"{campaign}/{instance}/x", campaign=campaign, node="a", instance=instance, kind="own", groups=("g",))
        await sim.store.admission.enter_impact(replace(row, started_at=now), now, lambda _: None)
    await sim.ctx.clock.sleep(seconds)
    for instance in ("v0", "v1"):
        await sim.store.admission.end_impact(f"{campaign}/{instance}/x", sim.ctx.clock.now())


def test_a_campaign_within_the_limits_spends_nothing() -> None:
    async def run() -> None:
        async with site() as sim:
            (one,) = (await spent(sim.ctx)).values()
            assert (one.spent_s, round(one.budget_s), one.exceeded) == (0.0, 315, False)
            await warn(sim.ctx, "one")
            assert [e for e in await sim.store.events.read(0, limit=1000) if e.action == "workload.budget"] == []

    virtual_time.run(run())


def test_what_is_beyond_the_limit_adds_up_over_campaigns_and_is_told_once_it_is_too_much() -> None:
    async def run() -> None:
        async with site() as sim:
            await hit(sim, "one", 200.0)
            await warn(sim.ctx, "one")
            assert (await spent(sim.ctx, ["g"]))["g"].spent_s == 200.0
            assert [e for e in await sim.store.events.read(0, limit=1000) if e.action == "workload.budget"] == []
            await play(sim, "two")
            await hit(sim, "two", 200.0)
            await warn(sim.ctx, "two")
            (told,) = [e for e in await sim.store.events.read(0, limit=1000) if e.action == "workload.budget"]
            assert (told.object_id, told.code) == ("g", Code.UPG_BUDGET.value)
            assert "for 400 s, of 315 s" in told.message

    virtual_time.run(run())


def test_what_is_older_than_the_period_is_forgiven() -> None:
    async def run() -> None:
        async with site() as sim:
            await hit(sim, "one", 200.0)
            await sim.ctx.clock.sleep(150.0)
            short = replace(sim.ctx, availability=Availability(0.99, 360.0))
            assert (await spent(short, ["g"]))["g"].spent_s == 200.0
            await sim.ctx.clock.sleep(200.0)
            assert (await spent(short, ["g"]))["g"].spent_s == 0.0

    virtual_time.run(run())


def test_an_instance_tells_what_its_vnf_bears() -> None:
    async def run() -> None:
        async with site() as sim:
            found = {row.name: row.tolerates_s for row in await interruptions(sim.ctx, "one", "instance")}
            assert found == {"v0": 0.5, "v1": None, "v2": None}

    virtual_time.run(run())


def test_where_policy_says_so_an_overspent_group_calls_a_person_before_the_next_node() -> None:
    async def run() -> None:
        async with site(played=False) as sim:
            await begin(sim, "one", workloads={"on_budget": "suspend"})
            await hit(sim, "one", 400.0)
            await sim.ctx.clock.sleep(1800.0)
            row = (await sim.campaigns.show("one")).row
            assert (row.state, row.code) == (CampaignState.SUSPENDED, Code.UPG_BUDGET.value)
            assert "1 group was impacted beyond its limit for longer than it may be: g for " in row.reason
            # Who lets it go on has accepted that.
            await sim.campaigns.resume("one")
            await sim.engine.result("campaign/one")
            assert (await sim.campaigns.show("one")).row.state is CampaignState.COMPLETED

    virtual_time.run(run())


def test_what_a_campaign_that_is_over_has_cost_is_worked_out_once() -> None:
    async def run() -> None:
        async with site() as sim:
            await hit(sim, "one", 200.0)
            first = (await spent(sim.ctx, ["g"]))["g"].spent_s
            (kept,) = sim.ctx.budgets_before.values()
            assert sum(end - start for start, end in kept["g"]) == first == 200.0
            assert (await spent(sim.ctx, ["g"]))["g"].spent_s == 200.0

    virtual_time.run(run())
