"""What moves took in earlier campaigns, by the ledger and the probes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from escalator.model.campaign import Migration
from escalator.model.constraint import Constraint, MaintenanceInfo
from escalator.model.inventory import Group, Instance, Inventory, Node, Seen
from escalator.simulation.setup import Simulation, simulate
from escalator.storage.port import CampaignRow, ImpactRow, OutageRow, PlanRow, WatchRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.seen_before import NEWEST
from escalator.world.world import World

VMS = tuple(
    Instance(id=name, project="p", vnf=vnf, node="a", demand={"pcpu": 1.0}, groups=("g",) if vnf == "two" else ())
    for name, vnf in (("alone", "one"), ("pair-1", "two"), ("pair-2", "two"), ("other", None))
)
CLOUD = Inventory(nodes=(Node(id="a", numa=({"pcpu": 8.0},)),), instances=VMS, groups=(Group(id="g"),))


async def campaign(sim: Simulation, name: str, ended_at: float | None, *moves: tuple[str, str, float, float]) -> None:
    """A campaign with moves: instance, kind, from, until."""
    document = CLOUD.model_dump_json(by_alias=True, exclude_defaults=True)
    await sim.store.campaigns.add(CampaignRow(name=name, document={}, plan=f"plan-{name}", started_at=0.0, ended_at=ended_at))
    row = PlanRow(id=f"plan-{name}", campaign=name, parent=None, digest="", document="", inventory=document, created_at=0.0)
    await sim.store.campaigns.add_plan(row)
    for instance, kind, start, end in moves:
        impact = ImpactRow(
            id=f"{name}/{instance}/{kind}/{start}",
            campaign=name,
            node="a",
            instance=instance,
            kind=kind,
            groups=CLOUD.instance_by_id[instance].groups,
            started_at=start,
        )
        await sim.store.admission.enter_impact(impact, start, lambda _: None)
        await sim.store.admission.end_impact(impact.id, end)


async def probe(sim: Simulation, campaign: str, vnf: str, *away: tuple[float, float], until: float = 1000.0) -> None:
    watch = WatchRow(campaign=campaign, probe=vnf, vnf=vnf, interval_s=0.1, since=0.0, until=until)
    await sim.store.outages.watch(watch)
    for start, end in away:
        row = OutageRow(campaign=campaign, probe=vnf, vnf=vnf, reason="silent", started_at=start, ended_at=end)
        await sim.store.outages.put(row)


async def seen(sim: Simulation) -> dict[str, tuple[Seen, ...]]:
    inventory = await observed.inventory(sim.ctx, Migration())
    for vm in inventory.instances:  # a step that looks at one instance, or at one node, sees the same
        assert await observed.instance(sim.ctx, vm.id) == vm
        assert vm in await observed.instances_on(sim.ctx, vm.node, Migration())
    return {vm.id: vm.seen for vm in inventory.instances if vm.seen}


def live(longest_s: float, campaign: str = "one", *, at_least: bool = False) -> Seen:
    return Seen(kind="live", longest_s=longest_s, at_least=at_least, campaign=campaign)


@asynccontextmanager
async def site(*, declared: bool = True) -> AsyncIterator[Simulation]:
    """A cloud whose VNFs say what they do not notice."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    world.load(CLOUD, ())
    async with simulate(world, clock, strict=True) as sim:
        if declared:
            said = MaintenanceInfo(max_undetectable_interruption_time=0.2)
            await sim.store.constraints.put(Constraint(kind="project", id="p", spec=said))
        yield sim


def test_of_a_vnf_with_one_instance_the_longest_outage_over_its_moves_is_what_they_take() -> None:
    async def run() -> None:
        async with site() as sim:
            await campaign(sim, "one", 900.0, ("alone", "live", 100.0, 120.0), ("alone", "live", 300.0, 320.0))
            await probe(sim, "one", "one", (119.9, 120.3), (310.0, 310.2), (500.0, 509.0))
            assert await seen(sim) == {"alone": (live(0.4),)}
            # An outage away from its moves is another matter; a later campaign that saw more counts, an unfinished one does not.
            await campaign(sim, "two", 2000.0, ("alone", "live", 1100.0, 1120.0), ("alone", "cold", 1200.0, 1260.0))
            await probe(sim, "two", "one", (1110.0, 1110.7), until=2000.0)
            await campaign(sim, "three", None, ("alone", "cold", 2100.0, 2300.0))
            cold = Seen(kind="cold", longest_s=60.0, campaign="two")
            assert await seen(sim) == {"alone": (live(0.7, "two"), cold)}

    virtual_time.run(run())


def test_where_no_outage_was_seen_it_was_no_longer_than_the_pause_between_two_looks() -> None:
    async def run() -> None:
        async with site() as sim:
            await campaign(sim, "one", 900.0, ("alone", "live", 100.0, 120.0), ("other", "live", 100.0, 120.0))
            assert await seen(sim) == {}
            await probe(sim, "one", "one", until=110.0)
            sim.ctx.seen_before.clear()
            assert await seen(sim) == {}, "nobody looked until the end of the move"
            await probe(sim, "one", "one")
            sim.ctx.seen_before.clear()
            assert await seen(sim) == {"alone": (live(0.1),)}

    virtual_time.run(run())


def test_of_several_instances_it_is_the_least_and_holds_for_members_of_the_group_that_did_not_move() -> None:
    async def run() -> None:
        async with site() as sim:
            await campaign(sim, "one", 900.0, ("pair-1", "live", 100.0, 120.0))
            await probe(sim, "one", "two", (110.0, 113.0))
            expected = (live(3.0, at_least=True),)
            assert await seen(sim) == {"pair-1": expected, "pair-2": expected}

    virtual_time.run(run())


def test_who_says_nothing_is_told_nothing() -> None:
    async def run() -> None:
        async with site(declared=False) as sim:
            await campaign(sim, "one", 900.0, ("alone", "cold", 100.0, 120.0))
            assert await seen(sim) == {}
            assert sim.ctx.seen_before == {}

    virtual_time.run(run())


def test_no_more_campaigns_are_remembered_than_are_looked_at() -> None:
    async def run() -> None:
        async with site() as sim:
            for number in range(NEWEST + 2):
                seconds = 50.0 - number
                await campaign(sim, f"c{number}", 900.0 + number, ("alone", "cold", 100.0, 100.0 + seconds))
            (found,) = (await seen(sim))["alone"]
            assert (found.longest_s, found.campaign) == (48.0, "c2")
            assert len(sim.ctx.seen_before) == NEWEST

    virtual_time.run(run())
