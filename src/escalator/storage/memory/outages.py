"""What probes saw of the VNFs' services, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.storage.port import OutageRow, WatchRow


class MemoryOutages:
    """Outages by campaign, probe and begin."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, float], OutageRow] = {}
        self._watches: dict[tuple[str, str], WatchRow] = {}

    async def put(self, row: OutageRow) -> None:
        """Store, in place of what is known of that outage."""
        self._rows[row.campaign, row.probe, row.started_at] = row

    async def watch(self, row: WatchRow) -> None:
        """Store how long, and how often, a probe looked."""
        self._watches[row.campaign, row.probe] = row

    async def list(self, campaign: str) -> Sequence[OutageRow]:
        """Return a campaign's outages, oldest first."""
        found = (row for row in self._rows.values() if row.campaign == campaign)
        return sorted(found, key=lambda row: (row.started_at, row.probe))

    async def watches(self, campaign: str) -> Sequence[WatchRow]:
        """Return what each probe did during a campaign, in order of their names."""
        return sorted((row for row in self._watches.values() if row.campaign == campaign), key=lambda row: row.probe)
