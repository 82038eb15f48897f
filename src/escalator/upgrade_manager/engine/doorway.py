"""The way of nodes out of service: who is out already, the gates before each node, and the door itself.

Gates are asked by commands that may take minutes. What was seen of the cloud before is not what decides after them.
"""

from __future__ import annotations

from collections.abc import Mapping

from escalator.cloud_manager.port import ServiceState
from escalator.model.campaign import Campaign
from escalator.model.progress import NodeTask
from escalator.storage.port import NodeSlot
from escalator.upgrade_manager.engine import gates
from escalator.upgrade_manager.engine.admission import NodeDoor
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.failures import host_failure
from escalator.upgrade_manager.engine.in_service import tell_owed
from escalator.upgrade_manager.engine.tonight import fits_now

OLD_S = 5.0
"""For so long what was seen of the cloud is good enough."""


class Doorway:
    """One look at which nodes may begin. `refusal`: why the first one that was refused may not."""

    def __init__(self, ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
        self._ctx, self._name, self._campaign, self._board = ctx, name, campaign, board
        self._out: Mapping[str, ServiceState] = {}
        self._seen_at = 0.0
        self.refusal: str | None = None
        self.closed = False
        """Whether it is so for every other node too."""

    async def look(self) -> bool:
        """See who is out of service; whether no host failed on its own. Raises TemporaryError when the cloud does not answer."""
        ctx, board = self._ctx, self._board
        out = {node: service for node, service in (await ctx.cloud.unavailable()).items() if node in board.limits.scope}
        board.owed_seen = board.owed_seen or not await tell_owed(ctx, self._name, out)
        self.closed = await host_failure(ctx, self._name, board, out)
        self._out, self._seen_at = out, ctx.clock.now()
        return not self.closed

    async def admits(self, task: NodeTask) -> bool:
        """Whether the node's turn may begin: it has its slot then."""
        if await self._has_slot(task):
            # It is out of service since an earlier turn, and stays so whatever the gate says.
            opened = await gates.opened_for(self._ctx, self._campaign, self._board, task)
            return opened and await self._may_still(task)
        if not await self._current() or not await self._enters(task):
            return False
        opened = await gates.opened_for(self._ctx, self._campaign, self._board, task)
        if opened and not self._is_old:
            return True
        await self._ctx.store.admission.leave_node(self._name, task.node)
        return opened and await self._may_still(task)

    @property
    def _is_old(self) -> bool:
        return self._ctx.clock.now() > self._seen_at + OLD_S

    async def _has_slot(self, task: NodeTask) -> bool:
        if task.attempt == 1:
            return False
        slots = await self._ctx.store.admission.node_slots()
        return any((slot.campaign, slot.node) == (self._name, task.node) for slot in slots)

    async def _may_still(self, task: NodeTask) -> bool:
        """Whether it may begin by what is seen now."""
        return await self._current() and fits_now(self._ctx, self._campaign, self._board, task) and await self._enters(task)

    async def _current(self) -> bool:
        return not self.closed and (not self._is_old or await self.look())

    async def _enters(self, task: NodeTask) -> bool:
        slot = NodeSlot(campaign=self._name, node=task.node, task=task.id, since=self._ctx.clock.now())
        door = NodeDoor(self._board.limits.most, self._out, task.node, self._board.limits.spread)
        refused = await self._ctx.store.admission.enter_node(slot, door)
        self.refusal = self.refusal or door.refusal
        self.closed = self.closed or door.full
        return refused is None
