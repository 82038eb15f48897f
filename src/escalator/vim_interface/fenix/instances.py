"""What a project has in the cloud: looked up for its VNF managers, and not more often than the cloud bears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from escalator.model.clock import Clock
from escalator.model.inventory import Instance

AGE_S = 30.0
"""How old a list of a project's instances may be: all callers together cost the cloud one look in this time."""


class ProjectInstances:
    """Instances by project. `all_of_them` looks through the whole cloud, `one` at a single instance (None when unknown)."""

    def __init__(
        self,
        all_of_them: Callable[[], Awaitable[Sequence[Instance]]],
        one: Callable[[str], Awaitable[Instance | None]],
        clock: Clock,
    ) -> None:
        self._all = all_of_them
        self._one = one
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: Sequence[Instance] = ()
        self._seen_at = float("-inf")

    async def of(self, project: str) -> list[str]:
        """Ids of the project's instances, at most `AGE_S` old. Raises what the cloud raises."""
        async with self._looking:
            if self._clock.now() - self._seen_at > AGE_S:
                self._seen, self._seen_at = await self._all(), self._clock.now()
        return [instance.id for instance in self._seen if instance.project == project]

    async def project_of(self, instance: str) -> str | None:
        """The project of an instance as the cloud shows it now; None when there is no such instance."""
        found = await self._one(instance)
        return None if found is None else found.project
