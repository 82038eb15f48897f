"""As a campaign begins each VNF manager hears which of its instances it touches, how, and when first."""

from __future__ import annotations

import json

from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.notice import Notice, NoticeType
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.records import VnfmRow
from escalator.world.world import World

SPEC = {
    "release": RELEASE.id,
    "mode": "smooth",
    "scope": {"select": {}},
    "waves": {"max_unavailable": 1},
    "windows": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "01:00", "length_s": 4 * 3600}],
    "node": {"driver": "simulated"},
}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}
INVENTORY = Inventory(
    nodes=tuple(Node(id=name, numa=({"pcpu": 8.0},)) for name in "abc"),
    instances=(
        Instance(id="vm-1", project="p", node="b", numa_cell=0, demand={"pcpu": 1.0}),
        Instance(id="vm-2", name="amf", project="p", node="c", numa_cell=0, demand={"pcpu": 1.0}, vacate="in-place"),
        Instance(id="vm-3", project="q", node="c", numa_cell=0, demand={"pcpu": 1.0}),
    ),
)


async def _announced() -> list[Notice]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    owners = (("voice", "p"), ("data", "q"), ("idle", "r"))
    world.load(INVENTORY, [VnfmRow(name=name, behaviour="silent", projects=(project,)) for name, project in owners])
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(DOCUMENT))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        while not (found := [n for n in await sim.store.notices.list("c", 100) if n.type is NoticeType.MAINTENANCE_PLANNED]):
            await clock.sleep(1.0)
        return sorted(found, key=lambda notice: notice.vnfm)


def test_each_vnf_manager_hears_of_its_instances_and_of_the_first_window() -> None:
    data, voice = virtual_time.run(_announced())
    assert (data.vnfm, voice.vnfm) == ("data", "voice")
    assert [(r.resource_id, r.planned_action) for r in data.resources] == [("vm-3", "live")]
    assert {(r.resource_id, r.resource_name, r.planned_action) for r in voice.resources} == {
        ("vm-1", None, "live"),
        ("vm-2", "amf", "in-place"),
    }
    assert voice.details["release"] == RELEASE.id
    opens, closes = "2026-01-01T01:00:00.000Z", "2026-01-01T05:00:00.000Z"
    assert (voice.details["windowStart"], voice.details["windowEnd"]) == (opens, closes)
    assert (voice.details["instances"], data.details["instances"]) == ("2", "1")
    assert opens <= voice.details["firstAt"] < data.details["firstAt"] < closes
    assert voice.reply_token is None
