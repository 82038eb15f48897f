"""Node tasks and their memos in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.progress import Event, NodeTask, TaskKind
from escalator.storage import rules
from escalator.storage.memory.events import MemoryEvents


class MemoryTasks:
    """Node tasks: per campaign and node, its attempts."""

    def __init__(self, events: MemoryEvents) -> None:
        self._events = events
        self._attempts: dict[str, dict[str, dict[int, NodeTask]]] = {}
        self._bare: dict[str, dict[str, NodeTask]] = {}
        """Latest attempts without their ladders, of the nodes that did not change since somebody asked for all of them."""
        self._memos: dict[str, dict[str, Any]] = {}

    async def put(self, task: NodeTask, events: Sequence[Event] = ()) -> None:
        """Store the task as it is now and append the events."""
        self.store(task, events)

    def store(self, task: NodeTask, events: Sequence[Event]) -> None:
        """The same, for those who may not wait."""
        nodes = self._attempts.setdefault(task.campaign, {})
        nodes.setdefault(task.node, {})[task.attempt] = task
        self._bare.get(task.campaign, {}).pop(task.node, None)
        self._events.extend(events)

    async def get(self, campaign: str, node: str) -> NodeTask | None:
        """Return the latest attempt, or None."""
        return self.latest(campaign, node)

    def latest(self, campaign: str, node: str) -> NodeTask | None:
        """The same, for those who may not wait."""
        attempts = self._attempts.get(campaign, {}).get(node)
        return attempts[max(attempts)] if attempts else None

    async def list(self, campaign: str, *, ladders: bool = True) -> Sequence[NodeTask]:
        """Return the latest attempt of each node, in order of wave and node; without their ladders if so asked."""
        nodes = self._attempts.get(campaign, {})
        if ladders:
            latest = [attempts[max(attempts)] for attempts in nodes.values()]
        else:
            bare = self._bare.setdefault(campaign, {})
            bare |= {n: replace(attempts[max(attempts)], ladder=()) for n, attempts in nodes.items() if n not in bare}
            latest = list(bare.values())
        return sorted(latest, key=lambda task: (task.wave, task.node))

    async def last_of(self, campaign: str, node: str, kind: TaskKind) -> NodeTask | None:
        """Return the latest attempt of that kind, or None."""
        attempts = self._attempts.get(campaign, {}).get(node, {})
        return max((task for task in attempts.values() if task.kind is kind), key=lambda task: task.attempt, default=None)

    async def firsts(self, campaign: str, kind: TaskKind) -> Mapping[str, int]:
        """Return the attempt with which each node's turns of that kind began."""
        turns = ((node, task) for node, there in self._attempts.get(campaign, {}).items() for task in there.values())
        found: dict[str, int] = {}
        for node, task in turns:
            if task.kind is kind:
                found[node] = min(task.attempt, found.get(node, task.attempt))
        return found

    def begin(self, campaign: str, tasks: Sequence[NodeTask], memo: Mapping[str, object]) -> None:
        """Put these in the place of all that the campaign has, and remember the rest."""
        self.note(campaign, memo)
        self._attempts[campaign] = {task.node: {task.attempt: task} for task in tasks}
        self._bare.pop(campaign, None)

    def note(self, campaign: str, memo: Mapping[str, object]) -> None:
        """Remember all of this of the campaign."""
        self._memos.setdefault(campaign, {}).update(rules.plain(memo))

    def forget(self, campaign: str) -> None:
        """Forget the campaign's tasks and its memo."""
        self.begin(campaign, (), {})
        self._memos.pop(campaign, None)

    async def memo(self, task_id: str) -> Mapping[str, Any]:
        """Return what the steps of the task have written down so far."""
        return dict(self._memos.get(task_id, {}))

    async def remember(self, task_id: str, key: str, value: object, *, once: bool = False) -> Any:  # noqa: ANN401 - JSON
        """Write down a JSON value and return what stands there; with `once` the first value stays."""
        memo = self._memos.setdefault(task_id, {})
        if not (once and key in memo):
            memo[key] = rules.plain(value)
        return memo[key]
