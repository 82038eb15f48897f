"""The durable runtime: DBOS on SQLite (embedded) or PostgreSQL. The only module that imports dbos.

What DBOS needs to be told, and why, stands at each setting. One engine per process: DBOS is a singleton.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.storage.engine import unavailable
from escalator.upgrade_manager.engine.runtime import Course, Json
from escalator.upgrade_manager.engine.runtimes.rest import Connection, Rest, writable

WORKFLOW_VERSION = "escalator-wf-1"
"""Constant, so that an upgrade of the manager takes up what is under way. A change of a course needs a patch, or a new one."""
POOL_SIZE = 4
"""Measured on SQLite: 78 ms a node instead of 103 with the default."""
THREADS = 8
"""DBOS asks its tables in threads, by default in as many as there are questions: more than these only wait for a connection.
Every course is a coroutine, so none of them is held for longer than a question takes."""
STORAGE_RETRY_S = 5.0
"""How long to wait before what our storage, or the engine's own, did not take is tried again."""
FILE = "engine.sqlite"
"""DBOS's own SQLite file in the state directory; our tables are in another one, so that each migrates alone."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class DbosSettings:
    """Where the durable runtime keeps its tables and under which name it takes up its work.

    `url` is a PostgreSQL URL, or null for a SQLite file in `folder`.
    """

    folder: Path
    executor_id: str
    url: str | None = None
    schema: str = "dbos"
    poll_s: float = 0.5
    """How often SQLite is asked for messages; PostgreSQL tells by itself."""


class DbosRuntime:
    """The runtime that one workflow sees."""

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        """Run the work once and remember its result."""

        async def named() -> Json:
            while True:
                try:
                    return await work()
                except TemporaryError as error:
                    # Our storage did not answer: an error that left the step would end the workflow for ever.
                    about = {"object_id": self.workflow_id, "step": name, "code": error.code.value, "message": error.message}
                    _log.warning("step.again", **about)
                    await asyncio.sleep(STORAGE_RETRY_S)

        return await DBOS.run_step_async({"name": name}, named)

    async def receive(self, topic: str, timeout_s: float) -> Json | None:
        """The next message on the topic; None when none came in time."""
        return await DBOS.recv_async(topic, timeout_seconds=timeout_s)


class DbosEngine:
    """Starts workflows and sends them messages. Use `open_engine` to get one."""

    def __init__(self, workflows: Mapping[str, Callable[..., Coroutine[Any, Any, Json]]]) -> None:
        self._workflows = workflows

    async def start(self, course: str, workflow_id: str, arguments: Mapping[str, Json]) -> None:
        """Start the named course under a fixed id; nothing happens when the id is known.

        Raises TemporaryError (`UPG_NOT_DRIVEN`) when the database of workflows does not take it.
        """

        async def begin() -> None:
            with SetWorkflowID(workflow_id):
                await DBOS.start_workflow_async(self._workflows[course], dict(arguments))

        try:
            await _outside(begin())
        except (SQLAlchemyError, dbos_error.DBOSException) as error:
            # The statement and its values, which follow, tell a person nothing.
            why = (str(error).splitlines() or [type(error).__name__])[0]
            message = f"The database of workflows did not take {workflow_id}: {why}"[:500]
            raise TemporaryError(Code.UPG_NOT_DRIVEN, message) from error

    async def send(self, workflow_id: str, topic: str, message: Json, *, key: str) -> None:
        """Send a message; the same key twice arrives once. Nothing happens when there is no such workflow.

        Raises TemporaryError (`STO_UNAVAILABLE`) when the database of workflows does not take it.
        """

        async def deliver() -> None:
            try:
                await DBOS.send_async(workflow_id, message, topic, idempotency_key=f"{workflow_id}/{topic}/{key}")
            except dbos_error.DBOSNonExistentWorkflowError:
                return
            except SQLAlchemyError as error:
                raise unavailable(error) from error

        await _outside(deliver())

    async def result(self, workflow_id: str) -> Json:
        """Wait for the workflow's end; its result."""
        handle = await _outside(DBOS.retrieve_workflow_async(workflow_id))
        return await _outside(handle.get_result())


async def _outside(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work returns
    """Do the work outside any workflow: a step may not start one, and the caller may well be a step."""
    return await asyncio.get_running_loop().create_task(work, context=contextvars.Context())


@asynccontextmanager
async def open_engine(settings: DbosSettings, courses: Mapping[str, Course]) -> AsyncIterator[DbosEngine]:
    """Launch DBOS on the running loop, take up what was under way, and end it at the end.

    Launched inside the loop it runs on it; otherwise it would run one of its own in a thread, and clients shared
    between the two would break.
    """
    lives = _Lives(settings.folder / FILE if settings.url is None else None)
    DBOS(config=_config(settings, lives.rest))
    engine = DbosEngine({name: _workflow(name, course, lives) for name, course in courses.items()})
    care = asyncio.get_running_loop().create_task(lives.care())
    try:
        DBOS.launch()
        yield engine
    finally:
        # Workflows under way stay as they are in the database, and go on at the next launch: a cancelled task is no
        # outcome that DBOS records.
        ending = [*lives.running.values(), care]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # DBOS made its thread pool the loop's default one and has just shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


@dataclass(slots=True)
class _Lives:
    """The workflows that run here, and those that ended before their end, which are taken up again as after a crash."""

    file: Path | None
    """The engine's SQLite file; none on PostgreSQL, whose failures DBOS waits for by itself."""
    rest: Rest = field(default_factory=Rest)
    running: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def begun(self, workflow_id: str, task: asyncio.Task[Any]) -> None:
        self.running[workflow_id] = task
        self.ended.discard(workflow_id)
        task.add_done_callback(partial(self._over, workflow_id))

    def _over(self, workflow_id: str, task: asyncio.Task[Any]) -> None:
        if self.running.get(workflow_id) is task:
            del self.running[workflow_id]
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or isinstance(error, SQLAlchemyError):
            self.ended.add(workflow_id)
        elif error is not None:
            _log.error("workflow.failed", object_id=workflow_id, message=f"{type(error).__name__}: {error}")

    async def care(self) -> None:
        """Take up again what ended because it could not be recorded, once it can; until cancelled."""
        while True:
            await asyncio.sleep(STORAGE_RETRY_S)
            try:
                await self._take_up()
            except (SQLAlchemyError, dbos_error.DBOSException) as error:
                _log.error("workflows.rest", message=f"They are not taken up yet: {(str(error).splitlines() or [''])[0]}")

    async def _take_up(self) -> None:
        if self.rest.on and not await self._rested():
            _log.error(
                "workflows.rest", message=f"{self.file} cannot be written: nothing goes on before there is room on its disk."
            )
            return
        for workflow_id in sorted(self.ended):
            # Not afterwards: while a database comes and goes, it may have begun and ended anew before the answer is here.
            self.ended.discard(workflow_id)
            try:
                await DBOS.resume_workflow_async(workflow_id)
            except dbos_error.DBOSNonExistentWorkflowError:
                continue
            except (SQLAlchemyError, dbos_error.DBOSException):
                if workflow_id not in self.running:
                    self.ended.add(workflow_id)
                raise
            _log.info("workflow.resumed", object_id=workflow_id)

    async def _rested(self) -> bool:
        """End the rest when the file can be written; whether it has ended."""
        if self.file is None or not self.rest.quiet or not await asyncio.to_thread(writable, self.file):
            return False
        # Nothing can have begun in the rest: what is not running here although it should, ended without anybody seeing it.
        rows = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        self.ended |= {row.workflow_id for row in rows} - set(self.running)
        self.rest.end()
        return True


def _workflow(name: str, course: Course, lives: _Lives) -> Callable[..., Coroutine[Any, Any, Json]]:
    # Unlimited recovery: a campaign lives for weeks and over many restarts, and none of these is its fault.
    @DBOS.workflow(name=name, max_recovery_attempts=None)
    async def workflow(arguments: dict[str, Json]) -> Json:
        workflow_id = DBOS.workflow_id or ""
        task = asyncio.current_task()
        if task is not None:
            lives.begun(workflow_id, task)
        try:
            return await course(DbosRuntime(workflow_id), arguments)
        except (SQLAlchemyError, TemporaryError) as error:
            # As an outcome it would stand for ever. A task that is cancelled has none, and is taken up again.
            if isinstance(error, TemporaryError):  # read between two steps: in one it is waited for there
                _log.warning("workflow.again", object_id=workflow_id, code=error.code.value, message=error.message)
            raise asyncio.CancelledError from error

    return workflow


def _config(settings: DbosSettings, rest: Rest) -> DBOSConfig:
    config = DBOSConfig(
        name="escalator",
        system_database_url=settings.url or f"sqlite:///{_wal(settings.folder / FILE)}",
        sys_db_pool_size=POOL_SIZE,
        max_executor_threads=THREADS,
        executor_id=settings.executor_id,
        application_version=WORKFLOW_VERSION,
        # JSON only: the default is pickle, with which whoever writes to the database could run code in the manager.
        serializer=DBOSPortableJSONSerializer(),
        enable_otlp=False,
        notification_listener_polling_interval_sec=settings.poll_s,
        # Its warnings tell of tasks cancelled at shutdown and of workflows found again: neither needs a person.
        log_level="ERROR",
    )
    if settings.url is not None:
        config["dbos_system_schema"] = settings.schema
    else:
        config["db_engine_kwargs"] = {"connect_args": {"factory": partial(Connection, rest)}}
    return config


def _wal(file: Path) -> Path:
    """The SQLite file in write-ahead mode, readable by its owner only: DBOS itself opens it in the slower mode."""
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.DatabaseError as error:
        remedy = (
            f"See ls -l and df -h of its folder. Where it is damaged, move {FILE} away with its -wal and -shm and start again:"
            " what is under way goes on from what the other database knows, at the first step of each node"
        )
        raise PermanentError(Code.STO_FILE, f"The engine's database {file} cannot be used: {error}.", remedy=remedy) from error
    finally:
        connection.close()
    return file
