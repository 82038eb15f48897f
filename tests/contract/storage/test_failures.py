"""What happens when the database does not answer, or not as it should."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from beds.postgresql.server import Server
from contract.storage.conftest import Opener
from contract.storage.samples import campaign, event, notice, restoration, slot, task
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, PermanentError, TemporaryError
from escalator.model.progress import CampaignState
from escalator.storage import engine
from escalator.storage.engine import Lock
from escalator.storage.opening import open_postgresql, open_sqlite
from escalator.storage.port import Store
from escalator.storage.sql import sql_store as sql_store_over
from escalator.storage.sqlite import sqlite_database
from escalator.upgrade_manager.engine.runtimes.dbos import DbosSettings, open_engine

PATIENCE_S = 60.0
UNSTORABLE = "out\x00put \ud800 å"


@pytest.fixture
async def sql_store(sql_opener: Opener) -> AsyncIterator[Store]:
    async with sql_opener() as opened:
        yield opened


@pytest.fixture
async def postgresql_store(postgresql_opener: Opener) -> AsyncIterator[Store]:
    async with postgresql_opener() as opened:
        yield opened


async def test_what_a_database_cannot_store_is_replaced_in_what_others_said(sql_store: Store) -> None:
    said = "out\ufffdput ? å"
    await sql_store.tasks.put(task(message=UNSTORABLE), [event(message=UNSTORABLE)])
    await sql_store.campaigns.add(campaign(reason=UNSTORABLE))
    await sql_store.notices.add([notice(error=UNSTORABLE)])
    [row], [found], [sent], [history] = (
        await sql_store.tasks.list("c1"),
        await sql_store.campaigns.list(),
        await sql_store.notices.list(),
        await sql_store.events.read(),
    )
    assert [row.message, found.reason, sent.error, history.message] == [said] * 4


async def test_what_a_database_cannot_store_as_text_is_kept_inside_json(sql_store: Store) -> None:
    assert await sql_store.tasks.remember("t", "output", UNSTORABLE) == UNSTORABLE
    await sql_store.restorations.add(restoration(found={"output": UNSTORABLE}))
    assert [row.found for row in await sql_store.restorations.open()] == [{"output": UNSTORABLE}]


async def test_a_change_that_is_cancelled_leaves_the_database_free(sql_store: Store) -> None:
    for turns in range(40):
        doomed = asyncio.create_task(sql_store.admission.enter_node(slot("n1", task=f"t{turns}"), lambda _: None))
        for _ in range(turns):
            await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_S):
        await sql_store.tasks.put(task(), [event()])
        assert await sql_store.tasks.get("c1", "n1") == task()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("insert into vnfms (name, spec_json) values ('v', '{\"dialect\": \"klingon\"}')", "VnfmSpec dialect: Input should be"),
        ("insert into vnfms (name, spec_json) values ('v', '{\"dialect\": ')", "VnfmSpec : Invalid JSON"),
        ("insert into vnfms (name, spec_json) values ('v', '{\"password\": \"KLINGON\"}')", "VnfmSpec password: Extra inputs"),
    ],
)
async def test_a_row_that_cannot_be_read_is_told_without_what_stands_there(tmp_path: Path, change: str, why: str) -> None:
    async with open_sqlite(tmp_path / "e.sqlite") as store:
        with sqlite3.connect(tmp_path / "e.sqlite") as connection:
            connection.execute(change)
        connection.close()
        with pytest.raises(PermanentError) as caught:
            await store.vnfms.list()
    assert caught.value.code is Code.STO_FILE
    assert why in caught.value.message
    assert "KLINGON" not in caught.value.message


async def test_a_document_that_cannot_be_read_is_told_as_well(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "e.sqlite") as store:
        await store.campaigns.add(campaign())
        with sqlite3.connect(tmp_path / "e.sqlite") as connection:
            connection.execute("update campaigns set document_json = '{'")
        connection.close()
        with pytest.raises(PermanentError, match="A row of the database cannot be read"):
            await store.campaigns.list()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "escalator.sqlite"
    file.write_text("this is no database " * 100)
    with pytest.raises(PermanentError) as caught:
        async with open_sqlite(file):
            pass
    assert caught.value.code is Code.STO_FILE
    assert str(file) in caught.value.message
    assert "break-glass sheet" in caught.value.remedy


async def test_a_journal_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "engine.sqlite"
    file.write_text("this is no database " * 100)
    with pytest.raises(PermanentError) as caught:
        async with open_engine(DbosSettings(folder=tmp_path, executor_id="here"), {}):
            pass
    assert caught.value.code is Code.STO_FILE
    assert str(file) in caught.value.message
    assert "move engine.sqlite away" in caught.value.remedy


async def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PermanentError) as caught:
        async with open_sqlite(tmp_path / "file" / "escalator.sqlite"):
            pass
    assert caught.value.code is Code.STO_FILE


async def test_a_writer_that_does_not_end_makes_the_database_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "escalator.sqlite"
    async with open_sqlite(file):
        pass
    database = sqlite_database(file, busy_timeout_s=0.01)
    store = sql_store_over(database)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError) as caught:
        await store.tasks.put(task(), [event()])
    assert caught.value.code is Code.STO_UNAVAILABLE
    assert "INSERT" not in str(caught.value)
    other.close()
    await store.tasks.put(task(), [event()])
    assert len(await store.events.read()) == 1
    await database.close()


@pytest.mark.postgresql
async def test_a_server_that_does_not_answer_is_said_without_its_password(postgresql_server: Server) -> None:
    nowhere = "postgresql://escalator:swordfish@127.0.0.1:1/test"
    with pytest.raises(TemporaryError) as caught:
        async with open_postgresql(nowhere, "escalator"):
            pass
    assert caught.value.code is Code.STO_UNAVAILABLE
    assert "swordfish" not in str(caught.value)


@pytest.mark.postgresql
async def test_broken_connections_are_made_anew_and_nothing_is_stored_twice(
    postgresql_store: Store, postgresql_server: Server, migrated_url: str
) -> None:
    await asyncio.gather(*(postgresql_store.events.append([event("before")]) for _ in range(5)))
    name = migrated_url.rsplit("/", 1)[1]
    postgresql_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    await asyncio.gather(*(postgresql_store.tasks.put(task(), [event("after")]) for _ in range(5)))
    assert [found.action for found in await postgresql_store.events.read()] == ["before"] * 5 + ["after"] * 5


async def until(observer: psycopg.AsyncConnection, question: str, work: asyncio.Task[object]) -> None:
    """Return when the answer is one row, while the work is under way."""
    async with asyncio.timeout(PATIENCE_S):
        while (await (await observer.execute(question)).fetchone()) is None:
            assert not work.done()
            await asyncio.sleep(0)


@pytest.mark.postgresql
@pytest.mark.parametrize("lock", [Lock.NODES, Lock.EVENTS])
async def test_a_replica_waits_for_the_one_that_holds_the_lock(postgresql_store: Store, migrated_url: str, lock: Lock) -> None:
    """Without the lock on events a reader could see a number before a lower one; see `storage.sql.events`."""
    question = f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {lock.value}"
    async with await psycopg.AsyncConnection.connect(migrated_url, autocommit=True) as observer:
        async with await psycopg.AsyncConnection.connect(migrated_url) as other:
            await other.execute("SELECT pg_advisory_xact_lock(%s, %s)", (engine._LOCKS_OF_ESCALATOR, lock.value))
            if lock is Lock.NODES:
                work = asyncio.create_task(postgresql_store.admission.enter_node(slot(), lambda _: None))
            else:
                work = asyncio.create_task(postgresql_store.tasks.put(task(), [event()]))
            await until(observer, question, work)
        async with asyncio.timeout(PATIENCE_S):
            await work


@pytest.mark.postgresql
async def test_the_index_keeps_a_cloud_to_one_campaign_when_two_replicas_ask_before_either_writes(
    postgresql_store: Store, migrated_url: str
) -> None:
    for name in ("first", "second"):
        await postgresql_store.campaigns.add(campaign(name))
    change = postgresql_store.campaigns.change
    question = "SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    async with await psycopg.AsyncConnection.connect(migrated_url, autocommit=True) as observer:
        async with await psycopg.AsyncConnection.connect(migrated_url) as other:
            await other.execute("UPDATE escalator.campaigns SET state = 'running', cloud = 'cloud-1' WHERE name = 'first'")
            work = asyncio.create_task(change("second", [CampaignState.DRAFT], state=CampaignState.RUNNING, cloud="cloud-1"))
            await until(observer, question, work)
        with pytest.raises(ConflictError) as caught:
            await work
    assert caught.value.code is Code.UPG_ONE_RUNNING
    assert await postgresql_store.campaigns.state("second") is CampaignState.DRAFT
