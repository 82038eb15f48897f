"""Subscriptions of VNF managers, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.subscription import Subscription
from escalator.storage import rules
from escalator.storage.memory.registry import MemoryVnfms


class MemorySubscriptions:
    """Subscriptions, kept beside the registrations that they hang on."""

    def __init__(self, vnfms: MemoryVnfms) -> None:
        self._rows = vnfms.subscriptions
        self._vnfms = vnfms

    async def add(self, row: Subscription) -> None:
        """Store; raises ConflictError when the VNF manager has one, NotFoundError when it is not registered."""
        if await self._vnfms.get(row.vnfm) is None:
            raise rules.no_vnfm(row.vnfm)
        if row.vnfm in self._rows:
            raise rules.subscribed_already(row.vnfm)
        self._rows[row.vnfm] = row

    async def replace(self, row: Subscription) -> None:
        """Store in place of the VNF manager's own; raises NotFoundError when it has none."""
        if row.vnfm not in self._rows:
            raise rules.no_subscription(row.vnfm)
        self._rows[row.vnfm] = row

    async def remove(self, vnfm: str) -> None:
        """Forget; raises NotFoundError when the VNF manager has none."""
        if self._rows.pop(vnfm, None) is None:
            raise rules.no_subscription(vnfm)

    async def get(self, vnfm: str) -> Subscription | None:
        """Return that of the VNF manager, or None."""
        return self._rows.get(vnfm)

    async def list(self) -> Sequence[Subscription]:
        """Return all in order of the VNF managers' names."""
        return [self._rows[key] for key in sorted(self._rows)]
