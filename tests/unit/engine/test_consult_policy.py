"""Answers and policies together, on whole campaigns: what each combination does to the node."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.records import VnfmRow
from escalator.world.world import World

PLANS = {"live": {}, "in-place": {"migration": "none", "vacate": "in-place"}}
BEHAVIOURS = {"silent": "on_timeout", "refuse": "on_reject", "unreachable": "on_undeliverable"}
CODES = {"silent": Code.UPG_SILENT, "refuse": Code.UPG_REJECTED, "unreachable": Code.UPG_UNDELIVERABLE}


async def begin(sim: Simulation, clock: virtual_time.VirtualClock, spec: dict[str, Any]) -> None:
    """Plan and start a campaign."""
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
    await import_release(sim.store, RELEASE, clock.now())
    await sim.campaigns.create(json.dumps(document))
    assert (await sim.campaigns.plan("c")).smooth
    await sim.campaigns.start("c")


async def turn(plan: str, behaviour: str, policy: str) -> tuple[CampaignState, str, str, list[str]]:
    """State of the campaign, state and code of the node's task, and what happened to the instance."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    vm = Instance(id="v", project="p", node="a", demand={"pcpu": 1.0}, **PLANS[plan])
    nodes = tuple(Node(id=name, numa=({"pcpu": 8.0},)) for name in ("a", "b"))
    world.load(Inventory(nodes=nodes, instances=(vm,)), (VnfmRow(name="m", projects=("p",)),))
    spec = {
        "release": RELEASE.id,
        "mode": "smooth",
        "scope": {"select": {}},
        "waves": {"max_unavailable": 1},
        "node": {"driver": "simulated"},
        "workloads": {"notify": {BEHAVIOURS[behaviour]: policy}},
    }
    async with simulate(world, clock, strict=True) as sim:
        await begin(sim, clock, spec)
        world.vnfms.behave("m", behaviour)  # type: ignore[arg-type]
        await clock.sleep(10_000.0)
        row = await sim.store.campaigns.get("c")
        task = await sim.store.tasks.get("c", "a")
        assert row is not None
        assert task is not None
        happened = [e.what for e in world.audit.history("move-done", "stop") if e.instance == "v"]
        return row.state, task.state.value, task.code, happened


async def once_for_all(nodes: int) -> list[str]:
    """Pauses and resumes of a campaign whose VNF manager, on several nodes at once, is away for a while."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    names = [f"n{number}" for number in range(nodes)]
    vms = tuple(Instance(id=f"v-{n}", project="p", node=n, demand={"pcpu": 1.0}) for n in names)
    spare = tuple(Node(id=f"spare-{n}", numa=({"pcpu": 8.0},)) for n in names)
    busy = tuple(Node(id=n, numa=({"pcpu": 8.0},)) for n in names)
    world.load(Inventory(nodes=(*busy, *spare), instances=vms), (VnfmRow(name="m", projects=("p",)),))
    spec = {
        "release": RELEASE.id,
        "mode": "smooth",
        "scope": {"select": {}},
        "waves": {"max_unavailable": nodes},
        "migration": {"per_node": 1, "total": nodes},
        "node": {"driver": "simulated"},
    }
    async with simulate(world, clock, strict=True) as sim:
        await begin(sim, clock, spec)
        world.vnfms.behave("m", "unreachable")
        await clock.sleep(10_000.0)
        world.vnfms.behave("m", "moves")
        await sim.campaigns.resume("c")
        await clock.sleep(50_000.0)
        events = await sim.store.events.read(0, limit=10_000)
        return [e.action for e in events if e.action in ("campaign.pause", "campaign.running", "campaign.completed")]


def test_one_resume_is_about_a_vnf_manager_that_is_back_on_all_nodes() -> None:
    assert virtual_time.run(once_for_all(4)) == ["campaign.pause", "campaign.running", "campaign.completed"]


@pytest.mark.parametrize(("plan", "behaviour", "policy"), [*product(PLANS, BEHAVIOURS, ("proceed", "skip-node", "pause"))])
def test_policy_never_lets_silence_or_a_lost_notice_stop_anything(plan: str, behaviour: str, policy: str) -> None:
    state, task, code, happened = virtual_time.run(turn(plan, behaviour, policy))
    if policy == "pause":
        assert (state, task, code) == (CampaignState.PAUSED, "held", CODES[behaviour].value)
        assert happened == []
    elif policy == "skip-node" or plan == "in-place":
        assert (state, task, code) == (CampaignState.COMPLETED, "skipped", CODES[behaviour].value)
        assert happened == []
    else:
        assert (state, task, code) == (CampaignState.COMPLETED, "done", "")
        assert happened == ["move-done"]
