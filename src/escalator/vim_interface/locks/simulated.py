"""The lock service of a simulated world."""

from __future__ import annotations

from escalator.world.locks import Locks


class SimulatedLocks:
    """Leases in the world's own file."""

    def __init__(self, world: Locks) -> None:
        self._world = world

    async def acquire(self, key: str, owner: str, ttl_s: float) -> str | None:
        """Take the lease unless another one is good."""
        has = self._world.take(key, owner, ttl_s)
        return None if has is None else f"key {key} is not free: {has} has it"

    async def renew(self, key: str, owner: str, ttl_s: float) -> bool:
        """Take it anew while it is the owner's and good."""
        return self._world.owner(key) == owner and self._world.take(key, owner, ttl_s) is None

    async def release(self, key: str, owner: str) -> None:
        """Give the owner's lease back."""
        if self._world.owner(key) == owner:
            self._world.give_back(key)
