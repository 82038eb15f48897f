"""The port between the courses (campaign.py, node.py) and durable execution. Two runtimes: DBOS and memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

Json = Any
"""A value of plain JSON: null, booleans, numbers, strings, lists, mappings with string keys."""


class Runtime(Protocol):
    """Durable execution of one workflow. A workflow awaits one thing at a time; parallel work lives inside one step."""

    workflow_id: str

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        """Run the work once and remember its JSON result; after a crash a result that is remembered is not made again.

        Work that was under way at a crash runs again, so it has to be safe to repeat. Time, chance and ids are results
        of steps.
        """
        ...

    async def receive(self, topic: str, timeout_s: float) -> Json | None:
        """The next message on the topic; None when none came in time. The deadline survives a crash."""
        ...


Course = Callable[[Runtime, Mapping[str, Json]], Awaitable[Json]]
"""A workflow: takes its runtime and JSON arguments, returns JSON."""


class Launcher(Protocol):
    """Starts workflows and sends messages to them, from outside any workflow."""

    async def start(self, course: str, workflow_id: str, arguments: Mapping[str, Json]) -> None:
        """Start the named course under a fixed id. When the id is known, nothing happens."""
        ...

    async def send(self, workflow_id: str, topic: str, message: Json, *, key: str) -> None:
        """Send a message; the same key twice arrives once. A workflow that has ended ignores it."""
        ...
