"""The memory runtime: a journal per workflow, mailboxes, and whatever clock it is given.

Used by demo, rehearsal and property tests. It keeps the same promises as the durable one within one process: with the
journal kept, workflows that were cancelled take up where they were.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from escalator.model.clock import Clock
from escalator.model.errors import TemporaryError
from escalator.upgrade_manager.engine.runtime import Course, Json

STORAGE_RETRY_S = 5.0
"""How long to wait before a step is tried again whose record could not be written."""


@dataclass(slots=True)
class Journal:
    """Everything that survives a crash: what each workflow was asked, did, received and returned."""

    arguments: dict[str, tuple[str, Mapping[str, Json]]] = field(default_factory=dict)
    steps: defaultdict[str, list[tuple[str, Json]]] = field(default_factory=lambda: defaultdict(list))
    mail: defaultdict[tuple[str, str], deque[Json]] = field(default_factory=lambda: defaultdict(deque))
    seen: set[tuple[str, str]] = field(default_factory=set)
    deadlines: dict[tuple[str, int], float] = field(default_factory=dict)
    results: dict[str, Json] = field(default_factory=dict)


class JournalMismatchError(RuntimeError):
    """A workflow took another way on its replay than the journal says: its code is not deterministic."""


class MemoryRuntime:
    """The runtime that one workflow sees."""

    def __init__(self, workflow_id: str, engine: MemoryEngine) -> None:
        self.workflow_id = workflow_id
        self._engine = engine
        self._position = 0

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        """Run the work once and remember its result."""
        known = self._next(name)
        if known is not None:
            return known[0]
        result = await self._engine.patiently(work)
        return self._engine.write(self.workflow_id, name, result)

    async def receive(self, topic: str, timeout_s: float) -> Json | None:
        """The next message on the topic; None when none came in time."""
        place = self._position
        known = self._next(f"receive {topic}")
        if known is not None:
            return known[0]
        message = await self._engine.message(self.workflow_id, topic, place, timeout_s)
        return self._engine.write(self.workflow_id, f"receive {topic}", message)

    def _next(self, name: str) -> tuple[Json] | None:
        steps = self._engine.journal.steps[self.workflow_id]
        place, self._position = self._position, self._position + 1
        if place >= len(steps):
            return None
        if steps[place][0] != name:
            raise JournalMismatchError(f"{self.workflow_id}: step {place} is {steps[place][0]!r} in the journal, now {name!r}")
        return (steps[place][1],)


class MemoryEngine:
    """Starts workflows as tasks of the running loop. `strict` sends every value through JSON, as the durable runtime does."""

    def __init__(
        self, courses: Mapping[str, Course], clock: Clock, journal: Journal | None = None, *, strict: bool = False
    ) -> None:
        self.journal = journal if journal is not None else Journal()
        self._courses = courses
        self._clock = clock
        self._strict = strict
        self._tasks: dict[str, asyncio.Task[Json]] = {}
        self._arrivals: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    async def start(self, course: str, workflow_id: str, arguments: Mapping[str, Json]) -> None:
        """Start the named course under a fixed id; nothing happens when the id is known."""
        if workflow_id in self.journal.arguments:
            return
        self.journal.arguments[workflow_id] = (course, self._plain(arguments))
        self._run(workflow_id)

    async def send(self, workflow_id: str, topic: str, message: Json, *, key: str) -> None:
        """Send a message; the same key twice arrives once."""
        if (workflow_id, key) in self.journal.seen or workflow_id in self.journal.results:
            return
        self.journal.seen.add((workflow_id, key))
        self.journal.mail[workflow_id, topic].append(self._plain(message))
        self._arrivals[workflow_id, topic].set()

    def recover(self) -> None:
        """Take up every workflow of the journal that has not ended."""
        for workflow_id in self.journal.arguments:
            if workflow_id not in self.journal.results and workflow_id not in self._tasks:
                self._run(workflow_id)

    async def result(self, workflow_id: str) -> Json:
        """Wait for the workflow's end; its result."""
        if workflow_id in self.journal.results:
            return self.journal.results[workflow_id]
        return await self._tasks[workflow_id]

    async def crash(self) -> None:
        """End every workflow where it is; the journal stays."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def patiently(self, work: Callable[[], Awaitable[Json]]) -> Json:
        """Do the work, again after a pause when storage did not answer: as the durable runtime does with steps and courses."""
        while True:
            try:
                return await work()
            except TemporaryError:
                await self._clock.sleep(STORAGE_RETRY_S)

    def write(self, workflow_id: str, name: str, result: Json) -> Json:
        """Add a result to the workflow's journal; the value as it will be read."""
        plain = self._plain(result)
        self.journal.steps[workflow_id].append((name, plain))
        return plain

    async def message(self, workflow_id: str, topic: str, place: int, timeout_s: float) -> Json | None:
        """The next message, until a deadline that a crash does not move."""
        deadline = self.journal.deadlines.setdefault((workflow_id, place), self._clock.now() + timeout_s)
        mail = self.journal.mail[workflow_id, topic]
        while not mail:
            left = deadline - self._clock.now()
            if left <= 0:
                return None
            await self._arrival(workflow_id, topic, left)
        return mail.popleft()

    async def _arrival(self, workflow_id: str, topic: str, timeout_s: float) -> None:
        event = self._arrivals[workflow_id, topic]
        event.clear()
        timer = asyncio.ensure_future(self._clock.sleep(timeout_s))
        arrival = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((timer, arrival), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            arrival.cancel()

    def _run(self, workflow_id: str) -> None:
        self._tasks[workflow_id] = asyncio.get_running_loop().create_task(self._course(workflow_id), name=workflow_id)

    async def _course(self, workflow_id: str) -> Json:
        name, arguments = self.journal.arguments[workflow_id]
        result = await self.patiently(lambda: self._courses[name](MemoryRuntime(workflow_id, self), arguments))
        self.journal.results[workflow_id] = result = self._plain(result)
        self._tasks.pop(workflow_id, None)
        return result

    def _plain(self, value: Any) -> Json:  # noqa: ANN401 - JSON
        return json.loads(json.dumps(value)) if self._strict else value
