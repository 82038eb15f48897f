"""Which campaign has the cloud: what is done to everything at that moment is a line of its history, too."""

from __future__ import annotations

from escalator.storage.port import Campaigns
from escalator.storage.rules import OCCUPYING


async def holder(campaigns: Campaigns) -> str | None:
    """Name of the campaign that is under way, there or back; None when there is none."""
    return next((row.name for row in await campaigns.list() if row.state in OCCUPYING), None)
