"""What both runtimes promise to the courses, over restarts: one suite for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from escalator.clocks import SystemClock
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.upgrade_manager.engine.runtime import Course, Launcher, Runtime
from escalator.upgrade_manager.engine.runtimes import dbos, memory
from escalator.upgrade_manager.engine.runtimes.dbos import DbosSettings, open_engine
from escalator.upgrade_manager.engine.runtimes.memory import Journal, JournalMismatchError, MemoryEngine

WAIT_S = 20.0


class Engine(Launcher, Protocol):
    async def result(self, workflow_id: str) -> Any: ...


class Machine(Protocol):
    """Where an engine lives; leaving the context crashes it, entering again is the restart."""

    def running(self, courses: Mapping[str, Course]) -> AbstractAsyncContextManager[Engine]: ...


class MemoryMachine:
    def __init__(self) -> None:
        self._journal = Journal()

    @asynccontextmanager
    async def running(self, courses: Mapping[str, Course]) -> AsyncIterator[Engine]:
        engine = MemoryEngine(courses, SystemClock(), self._journal, strict=True)
        engine.recover()
        try:
            yield engine
        finally:
            await engine.crash()


class DbosMachine:
    def __init__(self, folder: Path, url: str | None = None) -> None:
        self._settings = DbosSettings(folder=folder, executor_id="test", url=url, poll_s=0.05)

    @asynccontextmanager
    async def running(self, courses: Mapping[str, Course]) -> AsyncIterator[Engine]:
        async with open_engine(self._settings, courses) as engine:
            yield engine


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    if request.param == "memory":
        return MemoryMachine()
    if request.param == "sqlite":
        return DbosMachine(tmp_path)
    url = request.getfixturevalue("postgresql_url").replace("postgresql://", "postgresql+psycopg://")
    return DbosMachine(tmp_path, url)


class Work:
    """Steps that count how often they ran, and one that hangs until it is let go."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.hangs = False
        self.reached = asyncio.Event()

    async def step(self, name: str) -> dict[str, Any]:
        self.ran.append(name)
        if self.hangs and name == "second":
            self.reached.set()
            await asyncio.Event().wait()
        return {"name": name, "times": self.ran.count(name)}

    async def course(self, rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        first = await rt.step("first", lambda: self.step("first"))
        second = await rt.step("second", lambda: self.step("second"))
        return [first, second, arguments["given"]]


async def waiting(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
    first = await rt.receive("answers", arguments["patience_s"])
    return [first, await rt.receive("answers", 0.3)]


async def test_results_of_steps_and_arguments_come_back(machine: Machine) -> None:
    work = Work()
    async with machine.running({"work": work.course}) as engine:
        await engine.start("work", "w/1", {"given": "x"})
        result = await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert result == [{"name": "first", "times": 1}, {"name": "second", "times": 1}, "x"]


async def test_a_result_that_is_remembered_is_not_made_again_and_a_step_in_flight_is(machine: Machine) -> None:
    work = Work()
    work.hangs = True
    async with machine.running({"work": work.course}) as engine:
        await engine.start("work", "w/1", {"given": "x"})
        await asyncio.wait_for(work.reached.wait(), WAIT_S)
    work.hangs = False
    async with machine.running({"work": work.course}) as engine:
        result = await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert work.ran == ["first", "second", "second"]
    assert result == [{"name": "first", "times": 1}, {"name": "second", "times": 2}, "x"]


async def test_what_has_ended_is_not_run_again(machine: Machine) -> None:
    work = Work()
    async with machine.running({"work": work.course}) as engine:
        await engine.start("work", "w/1", {"given": "x"})
        await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    async with machine.running({"work": work.course}) as engine:
        await engine.start("work", "w/1", {"given": "y"})
        result = await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert work.ran == ["first", "second"]
    assert result[2] == "x"


async def test_the_same_id_starts_once(machine: Machine) -> None:
    work = Work()
    async with machine.running({"work": work.course}) as engine:
        await asyncio.gather(*(engine.start("work", "w/1", {"given": n}) for n in range(5)))
        await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert work.ran == ["first", "second"]


async def test_a_message_that_comes_before_it_is_waited_for_is_received(machine: Machine) -> None:
    gate = asyncio.Event()

    async def late(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        await rt.step("hold", lambda: _nothing_after(gate))
        return await rt.receive("answers", 5.0)

    async with machine.running({"late": late}) as engine:
        await engine.start("late", "w/1", {})
        await engine.send("w/1", "answers", {"said": 1}, key="k")
        gate.set()
        assert await asyncio.wait_for(engine.result("w/1"), WAIT_S) == {"said": 1}


async def _nothing_after(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_the_same_key_twice_arrives_once(machine: Machine) -> None:
    async with machine.running({"waiting": waiting}) as engine:
        await engine.start("waiting", "w/1", {"patience_s": 5.0})
        for _ in range(3):
            await engine.send("w/1", "answers", {"said": 1}, key="k")
        assert await asyncio.wait_for(engine.result("w/1"), WAIT_S) == [{"said": 1}, None]


async def test_two_keys_are_two_messages_in_order(machine: Machine) -> None:
    async with machine.running({"waiting": waiting}) as engine:
        await engine.start("waiting", "w/1", {"patience_s": 5.0})
        await engine.send("w/1", "answers", {"said": 1}, key="k1")
        await engine.send("w/1", "answers", {"said": 2}, key="k2")
        assert await asyncio.wait_for(engine.result("w/1"), WAIT_S) == [{"said": 1}, {"said": 2}]


async def test_a_message_on_another_topic_wakes_nobody(machine: Machine) -> None:
    async with machine.running({"waiting": waiting}) as engine:
        await engine.start("waiting", "w/1", {"patience_s": 0.3})
        await engine.send("w/1", "control", {"said": 1}, key="k")
        assert await asyncio.wait_for(engine.result("w/1"), WAIT_S) == [None, None]


async def test_a_message_sent_before_a_crash_is_received_after_it(machine: Machine) -> None:
    work = Work()
    work.hangs = True

    async def course(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        await rt.step("second", lambda: work.step("second"))
        return await rt.receive("answers", 5.0)

    async with machine.running({"course": course}) as engine:
        await engine.start("course", "w/1", {})
        await asyncio.wait_for(work.reached.wait(), WAIT_S)
        await engine.send("w/1", "answers", {"said": 1}, key="k")
    work.hangs = False
    async with machine.running({"course": course}) as engine:
        await engine.send("w/1", "answers", {"said": 1}, key="k")
        assert await asyncio.wait_for(engine.result("w/1"), WAIT_S) == {"said": 1}


async def test_a_deadline_survives_a_crash(machine: Machine) -> None:
    clock, patience_s = SystemClock(), 3.0
    began = clock.now()

    async def tell() -> float:
        return clock.now()

    async def course(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        return [await rt.receive("answers", patience_s), await rt.step("tell", tell)]

    async with machine.running({"course": course}) as engine:
        await engine.start("course", "w/1", {})
        await clock.sleep(1.0)
    await clock.sleep(patience_s)
    async with machine.running({"course": course}) as engine:
        up = clock.now()
        message, ended = await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert message is None
    # The deadline lay before the restart: nothing of the wait is left. A new one would last as long as the first.
    assert began + patience_s <= ended < up + patience_s


async def test_a_message_to_nobody_and_to_what_has_ended_is_ignored(machine: Machine) -> None:
    work = Work()
    async with machine.running({"work": work.course}) as engine:
        await engine.send("w/none", "answers", {}, key="k")
        await engine.start("work", "w/1", {"given": 1})
        await asyncio.wait_for(engine.result("w/1"), WAIT_S)
        await engine.send("w/1", "answers", {}, key="k")
        assert (await engine.result("w/1"))[2] == 1


async def test_a_step_may_start_other_workflows_and_send_to_them(machine: Machine) -> None:
    async def parent(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        async def launch() -> None:
            await engine.start("waiting", "w/child", {"patience_s": 5.0})
            await engine.send("w/child", "answers", "hello", key="k")

        await rt.step("launch", launch)
        return "launched"

    async with machine.running({"parent": parent, "waiting": waiting}) as engine:
        await engine.start("parent", "w/parent", {})
        assert await asyncio.wait_for(engine.result("w/parent"), WAIT_S) == "launched"
        assert await asyncio.wait_for(engine.result("w/child"), WAIT_S) == ["hello", None]


async def test_a_course_that_our_storage_does_not_answer_between_two_steps_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Courses read what is stored between their steps, too: a database that is restarted then is nothing to end them for ever."""
    for module in (dbos, memory):
        monkeypatch.setattr(module, "STORAGE_RETRY_S", 0.2)
    work, away = Work(), 2

    async def course(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        nonlocal away
        first = await rt.step("first", lambda: work.step("first"))
        if away:
            away -= 1
            raise TemporaryError(Code.STO_UNAVAILABLE, "The database does not answer.")
        return [first, await rt.receive("answers", 5.0), await rt.step("second", lambda: work.step("second"))]

    async with machine.running({"course": course}) as engine:
        await engine.start("course", "w/1", {})
        await engine.send("w/1", "answers", "yes", key="k")
        result = await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert result == [{"name": "first", "times": 1}, "yes", {"name": "second", "times": 1}]
    assert work.ran == ["first", "second"]


async def test_the_journal_tells_a_course_that_took_another_way() -> None:
    machine, work = MemoryMachine(), Work()
    work.hangs = True
    async with machine.running({"work": work.course}) as engine:
        await engine.start("work", "w/1", {"given": 1})
        await asyncio.wait_for(work.reached.wait(), WAIT_S)

    async def other(rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        return await rt.step("another", lambda: work.step("another"))

    async with machine.running({"work": other}) as engine:
        with pytest.raises(JournalMismatchError, match="step 0 is 'first' in the journal, now 'another'"):
            await engine.result("w/1")
