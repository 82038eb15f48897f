"""Nodes that the cloud does not tell of come from the settings; who is master comes from the clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.clocks import SystemClock
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Inventory, Node
from escalator.model.progress import Restoration
from escalator.simulation.setup import simulate
from escalator.system_support.clusters.port import FLAG, ROUTING, Control, Network, Storage
from escalator.system_support.clusters.simulated import SimulatedClusters
from escalator.upgrade_manager.engine import by_hand, observed
from escalator.upgrade_manager.engine.kinds import in_the_way
from escalator.upgrade_manager.engine.steps.out_of_band import KIND as POWER
from escalator.world.world import World


class Told(SimulatedClusters):
    """Clusters of nodes that the world does not know, with a master that it is told."""

    silent = False
    routing = Network()
    storing = Storage(ok_to_stop=True, clean=True)
    serving: tuple[str, ...] = ("k1", "k2")

    def nodes(self) -> Sequence[Node]:
        return [Node(id=f"k{n}", roles=("control",), rack=f"r{n}") for n in (1, 2)] + [
            Node(id="a", roles=("storage",), rack="r9", labels={"storage-cluster": "fast"})
        ]

    async def control(self, node: str) -> Control:
        if self.silent:
            raise TemporaryError(Code.SYS_CLUSTER, f"nobody answers for {node}")
        return Control(members={name: name in self.serving for name in ("k1", "k2", "k3")}, master="k2", quorum=2)

    async def network(self, node: str) -> Network:
        return self.routing

    async def storage(self, node: str, together: Sequence[str] = ()) -> Storage:
        if self.silent:
            raise TemporaryError(Code.SYS_CLUSTER, f"nobody answers for {node}")
        return self.storing


def world() -> World:
    made = World.in_memory(SystemClock())
    made.load(Inventory(nodes=(Node(id="a", rack="r1", labels={"site": "x"}), Node(id="b"))))
    return made


async def test_nodes_and_roles_of_the_settings_are_seen_with_the_master() -> None:
    there = world()
    async with simulate(there, SystemClock()) as sim:
        clusters = Told(there)
        ctx = replace(sim.ctx, clusters=clusters)
        seen = (await observed.inventory(ctx, Migration())).node_by_id
        assert {name: node.master for name, node in seen.items()} == {"a": False, "b": False, "k1": False, "k2": True}
        assert (seen["a"].roles, seen["a"].rack) == (("compute", "storage"), "r1")
        assert seen["a"].labels == {"site": "x", "storage-cluster": "fast"}
        assert (seen["k1"].roles, seen["k1"].rack) == (("control",), "r1")
        clusters.silent = True
        seen = (await observed.inventory(ctx, Migration())).node_by_id
        assert not any(node.master for node in seen.values())


async def test_what_stands_in_the_way_is_said_in_words() -> None:
    there = world()
    async with simulate(there, SystemClock()) as sim:
        clusters = Told(there)
        ctx = replace(sim.ctx, clusters=clusters)
        assert await in_the_way(ctx, "k3", "control") == ""
        assert await in_the_way(ctx, "k1", "control") == "1 other member would serve, the quorum is 2: k3 does not serve"
        assert await in_the_way(ctx, "a", "storage") == ""
        clusters.storing = Storage(ok_to_stop=False, clean=True)
        assert await in_the_way(ctx, "a", "storage") == "something that is stored would be out of reach"
        clusters.storing = Storage(ok_to_stop=True, clean=False, why="3 pgs are degraded")
        assert await in_the_way(ctx, "a", "storage") == "3 pgs are degraded"
        clusters.silent = True
        assert await in_the_way(ctx, "k3", "control") == "nobody answers for k3"
        assert await in_the_way(ctx, "a", "compute") == ""


async def test_what_a_person_put_back_of_a_member_is_taken_off_the_sheet() -> None:
    there = world()
    async with simulate(there, SystemClock()) as sim:
        clusters = Told(there)
        ctx = replace(sim.ctx, clusters=clusters)
        for kind, found in ((FLAG, {"flagged": False}), (ROUTING, {"active": ["r1", "r2"]}), (POWER, {})):
            row = Restoration(id=kind, campaign="c", kind=kind, object_id="k1", node="k1", found=found, commands=(), created_at=0)
            await sim.store.restorations.add(row)
        clusters.storing, clusters.routing = Storage(ok_to_stop=True, clean=True, flagged=True), Network(active=("r1",))
        assert {row.kind for row in await by_hand.take_off(ctx, "c")} == {FLAG, ROUTING, POWER}
        clusters.silent = True
        assert {row.kind for row in await by_hand.take_off(ctx, "c")} == {FLAG, ROUTING, POWER}
        clusters.silent, clusters.routing = False, Network(active=("r2", "r1", "r3"))
        clusters.storing = Storage(ok_to_stop=True, clean=False)
        # Of a node that is no compute node the cloud does not tell whether it is up.
        assert {row.kind for row in await by_hand.take_off(ctx, "c")} == {POWER}
