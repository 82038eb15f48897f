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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.storage.sqlite import CACHE_KIB
from escalator.upgrade_manager.engine.runtime import Course, Json

WORKFLOW_VERSION = "escalator-wf-1"
"""Constant, so that an upgrade of the manager takes up what is under way. A change of a course needs a patch, or a new one."""
POOL_SIZE = 4
"""Measured on SQLite: 78 ms a node instead of 103 with the default."""
THREADS = 8
"""DBOS asks its tables in threads, by default in as many as there are questions: more than these only wait for a connection.
Every course is a coroutine, so none of them is held for longer than a question takes."""
STORAGE_RETRY_S = 5.0
"""How long to wait before a step is tried again whose record could not be written."""
FILE = "engine.sqlite"
"""DBOS's own SQLite file in the state directory; our tables are in another one, so that each migrates alone."""


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
                except TemporaryError:
                    # Our storage did not answer: an error that left the step would end the workflow for ever.
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
        """Send a message; the same key twice arrives once. Nothing happens when there is no such workflow."""

        async def deliver() -> None:
            try:
                await DBOS.send_async(workflow_id, message, topic, idempotency_key=f"{workflow_id}/{topic}/{key}")
            except dbos_error.DBOSNonExistentWorkflowError:
                return

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
    DBOS(config=_config(settings))
    running: set[asyncio.Task[Any]] = set()
    engine = DbosEngine({name: _workflow(name, course, running) for name, course in courses.items()})
    try:
        DBOS.launch()
        yield engine
    finally:
        # Workflows under way stay as they are in the database, and go on at the next launch: a cancelled task is no
        # outcome that DBOS records.
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # DBOS made its thread pool the loop's default one and has just shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def _workflow(name: str, course: Course, running: set[asyncio.Task[Any]]) -> Callable[..., Coroutine[Any, Any, Json]]:
    # Unlimited recovery: a campaign lives for weeks and over many restarts, and none of these is its fault.
    @DBOS.workflow(name=name, max_recovery_attempts=None)
    async def workflow(arguments: dict[str, Json]) -> Json:
        task = asyncio.current_task()
        if task is not None:
            running.add(task)
            task.add_done_callback(running.discard)
        return await course(DbosRuntime(DBOS.workflow_id or ""), arguments)

    return workflow


def _config(settings: DbosSettings) -> DBOSConfig:
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
        config["db_engine_kwargs"] = {"connect_args": {"factory": _Connection}}
    return config


class _Connection(sqlite3.Connection):
    """A connection of DBOS with a small cache of its own: the system's holds the file, once for all of them."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - the driver's own
        super().__init__(*arguments, **settings)
        self.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


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
