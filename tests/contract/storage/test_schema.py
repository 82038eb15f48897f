"""The schema: migrations together equal the tables, and a newer schema is refused."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from contract.storage.samples import campaign
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.settings import Settings
from escalator.storage import migrations
from escalator.storage.engine import Database, postgresql_database
from escalator.storage.opening import FILE, open_sqlite, open_store
from escalator.storage.sqlite import sqlite_database
from escalator.storage.tables import campaigns, constraints, metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(state_dir=str(tmp_path / "state"))
    url = request.getfixturevalue("postgresql_url")
    return Settings.model_validate({"state_dir": str(tmp_path), "database": {"url": url, "schema_name": "ours"}})


def database_of(settings: Settings) -> Database:
    url = settings.database.url
    return sqlite_database(settings.state / FILE) if url is None else postgresql_database(url, settings.database.schema_name)


def shape(connection: sa.Connection) -> object:
    """All that a database tells about its tables."""
    found = sa.inspect(connection)
    shapes = {}
    for table in found.get_table_names():
        indexes = sorted(str([index, *map(str, index.pop("dialect_options", {}).values())]) for index in found.get_indexes(table))
        columns = [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)]
        keys = (found.get_pk_constraint(table), found.get_foreign_keys(table), found.get_unique_constraints(table))
        shapes[table] = repr((columns, indexes, keys))
    return shapes


async def test_migrations_together_equal_the_tables(settings: Settings) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
        return compare_metadata(context, metadata)

    def remade(connection: sa.Connection) -> object:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        return shape(connection)

    async with open_store(settings):
        database = database_of(settings)
        try:
            assert await database.read(differences) == []
            # What Alembic does not compare (conditions of indexes, constraints on SQLite) the database itself tells.
            migrated = await database.read(shape)
            assert await database.write(remade) == migrated
        finally:
            await database.close()


async def test_a_store_that_is_opened_again_has_its_rows(settings: Settings) -> None:
    async with open_store(settings) as store:
        await store.campaigns.add(campaign())
    async with open_store(settings) as store:
        assert await store.campaigns.list() == [campaign()]


async def test_the_database_itself_keeps_a_cloud_to_one_campaign(settings: Settings) -> None:
    async with open_store(settings) as store:
        for name in ("first", "second"):
            await store.campaigns.add(campaign(name))
        database = database_of(settings)
        both = campaigns.update().values(cloud="cloud-1", state="suspended")
        with pytest.raises(IntegrityError):
            await database.write(lambda connection: connection.execute(both).close())
        await database.write(lambda connection: connection.execute(both.values(state="completed")).close())
        await database.close()


async def test_a_newer_schema_is_refused(settings: Settings) -> None:
    async with open_store(settings):
        pass
    database = database_of(settings)
    await database.write(lambda connection: connection.exec_driver_sql("UPDATE schema_revision SET version_num = '9999'").close())
    await database.close()
    with pytest.raises(PermanentError) as caught:
        async with open_store(settings):
            pass
    assert caught.value.code is Code.STO_SCHEMA
    assert "9999" in str(caught.value)


async def test_groups_that_projects_declared_before_their_ids_named_them_are_kept(settings: Settings) -> None:
    words = {"workers": {"declared_by": "p"}, "theirs": {"is_impact_mitigation_requested": True}}
    async with open_store(settings):
        pass
    database = database_of(settings)

    def as_before(connection: sa.Connection) -> None:
        rows = [{"kind": "group", "id": name, "spec_json": json.dumps(spec)} for name, spec in words.items()]
        connection.execute(constraints.insert(), [*rows, {**rows[0], "kind": "instance", "id": "vm"}])
        connection.exec_driver_sql("UPDATE schema_revision SET version_num = '0009'").close()

    await database.write(as_before)
    await database.close()
    async with open_store(settings) as store:
        found = [(one.kind, one.id, one.spec.declared_by) for one in await store.constraints.list()]
    assert found == [("group", "theirs", None), ("group", "workers@p", "p"), ("instance", "vm", "p")]


async def test_several_servers_may_open_a_new_database_at_once(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(*(stack.enter_async_context(open_store(settings)) for _ in range(4)))
        await stores[0].campaigns.add(campaign())
        assert [await store.campaigns.list() for store in stores] == [[campaign()]] * 4


def test_revisions_are_one_line_with_four_digits() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert revisions[::-1] == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert migrations.newest() == revisions[0]


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "state" / FILE) as store:
        await store.campaigns.add(campaign())
        files = [*(tmp_path / "state").iterdir()]
        assert {file.name for file in files} >= {FILE, f"{FILE}-wal"}
        assert {file.stat().st_mode & 0o077 for file in files} == {0}
        assert (tmp_path / "state").stat().st_mode & 0o077 == 0


@pytest.mark.postgresql
async def test_our_tables_stand_in_a_schema_of_their_own(postgresql_url: str, tmp_path: Path) -> None:
    database = {"url": postgresql_url, "schema_name": "ours"}
    async with open_store(Settings.model_validate({"state_dir": str(tmp_path), "database": database})):
        pass
    engine = sa.create_engine(sa.make_url(postgresql_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        found = sa.inspect(connection)
        assert found.get_table_names("public") == []
        assert {*found.get_table_names("ours")} == {*metadata.tables, migrations.VERSION_TABLE}
    engine.dispose()
