"""A VNF manager that says again and again that it is at work: that extends its time within a bound, and silence does not."""

from __future__ import annotations

import json

import pytest

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.notice import Reply
from escalator.model.progress import CampaignState
from escalator.settings import Vim
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.vim_interface.times import to_rfc3339
from escalator.vim_interface.vim import DEFER_GRACE_S
from escalator.world.records import VnfmRow
from escalator.world.world import World

REPLY_S, BEAT_S, ASKS_S = 300.0, 60.0, 120.0
"""The time to reply; how often a heartbeat comes, and for how long it asks."""
BOUND_S = REPLY_S + Vim().max_defer_s
NEAR_S = 2.0
SPEC = {
    "release": RELEASE.id,
    "mode": "smooth",
    "scope": {"select": {}},
    "workloads": {"notify": {"reply_timeout_s": REPLY_S}},
    "node": {"driver": "simulated"},
}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}
INVENTORY = Inventory(
    nodes=tuple(Node(id=name, numa=({"pcpu": 8.0},)) for name in "ab"),
    instances=(Instance(id="vm", project="p", node="b", numa_cell=0, demand={"pcpu": 1.0}),),
)


async def _beat(sim: Simulation, beats_s: float, *, ack: bool) -> None:
    """From the time that it is asked: heartbeats for that long, until one is refused; and then the answer, or nothing more."""
    clock = sim.ctx.clock
    while not (asked := [n for n in await sim.store.notices.list("c", 100) if n.delivered_at and n.reply_token]):
        await clock.sleep(1.0)
    token = str(asked[0].reply_token)
    end = clock.now() + beats_s
    while clock.now() < end:
        until = to_rfc3339(clock.now() + ASKS_S)
        try:
            await sim.vim.inbox.receive(token, Reply(result="DEFER", until=until), clock.now())
        except EscalatorError:
            return
        await clock.sleep(BEAT_S)
    if ack:
        await sim.vim.inbox.receive(token, Reply(result="ACK"), clock.now())


async def _waited(beats_s: float, *, ack: bool) -> tuple[float, str]:
    """How long the node waited for its VNF manager, and what it made of that."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.load(INVENTORY, [VnfmRow(name="vnfm", behaviour="silent", projects=("p",))])
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(DOCUMENT))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        await _beat(sim, beats_s, ack=ack)
        while await sim.store.campaigns.state("c") is not CampaignState.COMPLETED:
            await clock.sleep(60.0)
        at = {e.action: e for e in await sim.store.events.read(limit=10_000) if e.node == "b" and e.outcome == "done"}
        return at["node.consult"].at - at["node.notify"].at, at["node.consult"].message


@pytest.mark.parametrize(
    ("beats_s", "ack", "waited_s", "said"),
    [
        (0.0, False, REPLY_S, "silent"),
        (900.0, True, 900.0, "ACK"),
        (900.0, False, 900.0 - BEAT_S + ASKS_S + DEFER_GRACE_S, "silent"),
        (1e6, False, BOUND_S, "silent"),
    ],
    ids=["silence", "work-that-ends", "work-that-falls-silent", "work-without-an-end"],
)
def test_heartbeats_extend_the_time_within_a_bound_and_silence_does_not(
    beats_s: float, ack: bool, waited_s: float, said: str
) -> None:
    seconds, message = virtual_time.run(_waited(beats_s, ack=ack))
    assert said in message
    assert seconds == pytest.approx(waited_s, abs=BEAT_S if beats_s > BOUND_S else NEAR_S)
    assert seconds <= BOUND_S + DEFER_GRACE_S
