"""What storage does for the break-glass sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from escalator.model.progress import Restoration


class Restorations(Protocol):
    """What Escalator changed and has to put back."""

    async def add(self, row: Restoration) -> Restoration:
        """Write down before changing. The first row of an id stays: what was found first is what is restored.

        An id that has been put back is written anew: this is another change.
        """
        ...

    async def say(self, row_id: str, commands: Sequence[str]) -> None:
        """Replace the commands of a row: another thing is to be done by hand now. Nothing happens when it is not open."""
        ...

    async def done(self, row_id: str, at: float) -> None:
        """Mark as put back; nothing happens when it is not open."""
        ...

    async def open(self, campaign: str | None = None, node: str | None = None) -> Sequence[Restoration]:
        """What is not put back yet, oldest first: of everything, of a campaign, of a node, or of a campaign's node."""
        ...

    async def written(self, campaign: str) -> Sequence[Restoration]:
        """All that was ever written down of a campaign, put back or not, oldest first."""
        ...
