"""The port of storage: node tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from escalator.model.progress import Event, NodeTask, TaskKind


class Tasks(Protocol):
    """Node tasks, and the memo of each: what its steps have to remember (found state, backup, boot id, ...)."""

    async def put(self, task: NodeTask, events: Sequence[Event] = ()) -> None:
        """Store the task as it is now and append the events, in one transaction."""
        ...

    async def get(self, campaign: str, node: str) -> NodeTask | None:
        """The latest attempt."""
        ...

    async def list(self, campaign: str, *, ladders: bool = True) -> Sequence[NodeTask]:
        """The latest attempt of each node, in order of wave and node; without their ladders there is much less to read."""
        ...

    async def last_of(self, campaign: str, node: str, kind: TaskKind) -> NodeTask | None:
        """The latest attempt of that kind, whatever came after it."""
        ...

    async def firsts(self, campaign: str, kind: TaskKind) -> Mapping[str, int]:
        """The attempt with which each node's turns of that kind began, by node; nodes without any are left out."""
        ...

    async def memo(self, task_id: str) -> Mapping[str, Any]:
        """What the steps of the task have written down so far."""
        ...

    async def remember(self, task_id: str, key: str, value: object, *, once: bool = False) -> Any:  # noqa: ANN401 - JSON
        """Write down a JSON value and return what stands there; with `once` the first value stays."""
        ...
