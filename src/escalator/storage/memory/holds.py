"""Nodes that people hold, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.hold import Hold
from escalator.model.progress import CampaignState
from escalator.storage.memory.campaigns import MemoryCampaigns


class MemoryHolds:
    """Holds by node."""

    def __init__(self, campaigns: MemoryCampaigns) -> None:
        self._campaigns = campaigns
        self._rows: dict[str, Hold] = {}

    async def put(self, hold: Hold) -> None:
        """Store, in place of the node's hold so far."""
        self._rows[hold.node] = hold

    async def remove(self, node: str) -> bool:
        """Forget; whether there was one."""
        return self._rows.pop(node, None) is not None

    async def gate(self, campaign: str, node: str) -> tuple[CampaignState | None, Hold | None]:
        """Return the campaign's state and the node's hold, each None where there is none."""
        return await self._campaigns.state(campaign), self._rows.get(node)

    async def list(self) -> Sequence[Hold]:
        """Return all of them, in order of node."""
        return sorted(self._rows.values(), key=lambda hold: hold.node)
