"""The port of a neighbour: told that a host goes into maintenance, and that it is back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Host:
    """A host in its turn."""

    node: str
    campaign: str


class Neighbour(Protocol):
    """One system that is told. Both verbs are safe to repeat."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    @property
    def required(self) -> bool:
        """Whether a host may not be touched unless it knows."""
        ...

    async def in_maintenance(self, host: Host) -> bool:
        """Whether it has the host in maintenance already, by somebody else: then that is left as it is.

        Raises TemporaryError or PermanentError when it cannot be asked.
        """
        ...

    async def enter(self, host: Host) -> None:
        """The host is in maintenance from now on. Raises TemporaryError or PermanentError when it cannot be told."""
        ...

    async def leave(self, host: Host) -> None:
        """The host is back. Raises TemporaryError or PermanentError when it cannot be told."""
        ...

    def by_hand(self, host: Host) -> tuple[str, ...]:
        """Commands that tell it by hand that the host is back."""
        ...
