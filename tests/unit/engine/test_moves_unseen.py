"""A move that goes on while the cloud refuses to say where it stands: it holds its slots, and no other one is begun beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from escalator.cloud_manager.port import CloudManager, MoveOrder, MoveStatus
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Move, Plan
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.job import TaskRef, job_of
from escalator.upgrade_manager.engine.moves import move_away
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.world import World

SPEC = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}
MOVE = Move(instance="vm-a", origin="a", target="t1", start_s=0.0, end_s=9.0)


@dataclass
class _Forbidding:
    """A cloud that takes moves and then answers that we may not see them: a password or a role was changed."""

    cloud: CloudManager
    asked: list[MoveOrder] = field(default_factory=list)

    async def start_move(self, order: MoveOrder) -> None:
        self.asked.append(order)
        await self.cloud.start_move(order)

    async def move_status(self, order: MoveOrder) -> MoveStatus:
        if self.asked:
            raise PermanentError(Code.CLD_FORBIDDEN, "Our user may not list the migrations.")
        return await self.cloud.move_status(order)

    def __getattr__(self, name: str) -> object:
        return getattr(self.cloud, name)


async def _moved() -> tuple[Sequence[str], Sequence[float | None]]:
    """The targets that the cloud was asked for, and when the impacts of the moves ended."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    nodes = tuple(Node(id=name, numa=({"pcpu": 16.0},)) for name in ("a", "t1", "t2"))
    instance = Instance(id="vm-a", project="p", node="a", demand={"pcpu": 8.0})
    inventory = Inventory(nodes=nodes, instances=(instance,))
    world.load(inventory, [])
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(DOCUMENT))
        sim.ctx.book.add(Plan(id="plan", smooth=True, moves=(MOVE,)), inventory)
        cloud = _Forbidding(sim.ctx.cloud)
        job = await job_of(replace(sim.ctx, cloud=cloud), TaskRef("c", "a", 1, 1, "plan"))  # type: ignore[arg-type]
        with pytest.raises(PermanentError) as caught:
            await move_away(job, instance, "live", MOVE, None)
        assert caught.value.code is Code.CLD_FORBIDDEN
        return [order.target for order in cloud.asked], [row.ended_at for row in await sim.store.admission.impacts("c")]


def test_a_move_that_is_not_seen_any_more_holds_its_slots_and_no_other_is_begun() -> None:
    assert virtual_time.run(_moved()) == (["t1"], [None])
