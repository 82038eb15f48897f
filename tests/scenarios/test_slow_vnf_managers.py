"""Two hundred VNF managers that take their time, all asked at once: nodes wait for their own, and for nobody else's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from escalator.model.clock import Clock
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.notice import Notice, Vnfm
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.vim_interface.dialects.simulated import Simulated
from escalator.world.records import VnfmRow
from escalator.world.world import World

VNFMS = 200
ASKED, OTHERS = 20, 40
"""Nodes on which ten VNF managers each have an instance; nodes on which nobody has one who is asked."""
ANSWER_S = 30.0
HANDOVER_S = 9.0
"""How long a VNF manager keeps the connection on which it is told: just within the time-out of deliveries."""
AT_ONCE = 30
SPEC = {
    "release": RELEASE.id,
    "mode": "smooth",
    "scope": {"select": {}},
    "waves": {"max_unavailable": AT_ONCE},
    "workloads": {"default": {"action": "stop-start"}, "notify": {"reply_timeout_s": 3600}},
    "node": {"driver": "simulated"},
}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}


class Slow(Simulated):
    """As the simulated ones, but each holds the connection for a while."""

    def __init__(self, world: World, clock: Clock, seconds: float) -> None:
        super().__init__(world.vnfms)
        self._clock = clock
        self._seconds = seconds

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        await self._clock.sleep(self._seconds)
        await super().deliver(vnfm, notice)

    async def test(self, vnfm: Vnfm) -> None:
        await self._clock.sleep(self._seconds)
        await super().test(vnfm)


@dataclass(frozen=True, slots=True)
class Seen:
    """Seconds from the start of the campaign."""

    steps: Mapping[tuple[str, str], float]
    """When each step of each node ended."""
    asked: Mapping[str, float]
    """When each node's VNF managers heard of it, the last of them."""
    done: float


def _inventory() -> Inventory:
    asked, others = [f"asked-{n:02}" for n in range(ASKED)], [f"other-{n:02}" for n in range(OTHERS)]
    per_node = VNFMS // ASKED
    owned = [
        Instance(id=f"vm-{n:03}", project=f"p-{n:03}", node=asked[n // per_node], demand={"pcpu": 1.0}, vacate="in-place")
        for n in range(VNFMS)
    ]
    free = [
        Instance(id=f"free-{n:02}", project="free", node=name, demand={"pcpu": 1.0}, migration="none")
        for n, name in enumerate(others)
    ]
    nodes = tuple(Node(id=name, numa=({"pcpu": 16.0},)) for name in [*asked, *others])
    return Inventory(nodes=nodes, instances=(*owned, *free))


async def _run(answer_s: float, handover_s: float) -> Seen:
    clock = VirtualClock()
    world = World.in_memory(clock)
    vnfms = [VnfmRow(name=f"vnfm-{n:03}", behaviour="moves", delay_s=answer_s, projects=(f"p-{n:03}",)) for n in range(VNFMS)]
    world.load(_inventory(), vnfms)
    async with simulate(world, clock, dialects={"simulated": Slow(world, clock, handover_s)}) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(DOCUMENT))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        began = clock.now()
        while await sim.store.campaigns.state("c") is not CampaignState.COMPLETED:
            await clock.sleep(60.0)
        events = await sim.store.events.read(limit=100_000)
        steps = {(e.node or "", e.action.removeprefix("node.")): e.at - began for e in events if e.outcome == "done"}
        asked: dict[str, float] = {}
        for heard in world.vnfms.heard():
            if heard.node is not None and heard.type == "HostMaintenanceUpcoming":
                asked[heard.node] = max(asked.get(heard.node, 0.0), heard.at - began)
        done = next(e.at for e in events if e.action == "campaign.completed") - began
        return Seen(steps, asked, done)


NEAR_S = 0.01


def _others(seen: Seen, step: str) -> list[float]:
    return sorted(at for (node, name), at in seen.steps.items() if name == step and node.startswith("other"))


def test_two_hundred_answers_of_half_a_minute_cost_half_a_minute() -> None:
    quick, slow = virtual_time.run(_run(1.0, 0.0)), virtual_time.run(_run(ANSWER_S, HANDOVER_S))
    assert len(slow.asked) == ASKED
    # All two hundred are told at once, and none waits for another one's answer.
    assert {round(at, 2) for at in slow.asked.values()} == {HANDOVER_S}
    answered = [at for (_, step), at in slow.steps.items() if step == "consult"]
    assert {round(at, 2) for at in answered} == {HANDOVER_S + ANSWER_S}
    # The others do not notice: what begins beside them is as far at each moment as if the answers came at once.
    beside = AT_ONCE - ASKED
    for step in ("cordon", "back-up", "upgrade", "announce"):
        assert _others(slow, step)[:beside] == pytest.approx(_others(quick, step)[:beside], abs=NEAR_S)
    assert _others(slow, "back-up")[beside - 1] < HANDOVER_S
    # At the end all of it is the wait of one.
    assert slow.done - quick.done == pytest.approx(HANDOVER_S + ANSWER_S - 1.0, abs=NEAR_S)


def test_nodes_begin_and_end_while_two_hundred_are_still_to_answer() -> None:
    seen = virtual_time.run(_run(1800.0, HANDOVER_S))
    answered = min(at for (_, step), at in seen.steps.items() if step == "consult")
    assert answered == pytest.approx(HANDOVER_S + 1800.0, abs=NEAR_S)
    ends, begins = _others(seen, "announce"), _others(seen, "cordon")
    beside = AT_ONCE - ASKED
    # Ten at a time: the next ones begin the moment that those before are through, and twice ten are before anybody has answered.
    assert begins[beside : 3 * beside] == pytest.approx(ends[: 2 * beside], abs=NEAR_S)
    assert ends[2 * beside - 1] < answered
