"""The port to a lock service: leases, by key and owner, that end by themselves unless they are renewed."""

from __future__ import annotations

from typing import Protocol


class LockService(Protocol):
    """Each call raises TemporaryError or PermanentError when it cannot be told how it ended: nothing counts as held then."""

    async def acquire(self, key: str, owner: str, ttl_s: float) -> str | None:
        """Hold the key for so many seconds from now on; None when that is so, else who has it or why not.

        An owner that has the key already has it for longer.
        """
        ...

    async def renew(self, key: str, owner: str, ttl_s: float) -> bool:
        """Hold it for so many seconds from now on; False when it is not the owner's any more."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Give it back; nothing happens when it is not the owner's."""
        ...
