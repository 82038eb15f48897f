"""A sheet that names what the database knows nothing of is never lost: the server does not start, or keeps and tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contract.storage.samples import campaign
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.progress import NOTHING_OPEN, SHEET_FILE, Restoration
from escalator.settings import Database, Settings
from escalator.storage.opening import FILE, open_sqlite
from escalator.upgrade_manager.engine.earlier_sheet import KIND, entries, open_known, rows_of_earlier
from escalator.upgrade_manager.engine.sheet import FileSheet

T0 = 1_767_225_600.5
STOP = "instance-stopped"


class Fixed:
    """Time stands still."""

    def now(self) -> float:
        return T0

    async def sleep(self, seconds: float) -> None:
        """Nothing here waits."""


def row(kind: str, node: str, object_id: str = "", at: float = T0, name: str = "night") -> Restoration:
    return Restoration(
        id=f"{name}/{node}/1/{kind}/{object_id or node}",
        campaign=name,
        kind=kind,
        object_id=object_id or node,
        node=node,
        found={"reason": "x by campaign y since 2026-01-01T00:00:00Z; found: z"},
        commands=("true",),
        created_at=at,
    )


async def changed(state: Path, *rows: Restoration, name: str = "night") -> None:
    """A campaign changes things, and the sheet is written."""
    async with open_sqlite(state / FILE) as store:
        if await store.campaigns.get(name) is None:
            await store.campaigns.add(campaign(name))
        for one in rows:
            await store.restorations.add(one)
        await FileSheet(state).rewrite(store.restorations)


async def started(state: Path) -> list[str]:
    """A server starts: what it finds open; its sheet is the new one."""
    async with open_known(Settings(state_dir=str(state)), Fixed()) as store:
        await FileSheet(state).rewrite(store.restorations)
        events = [f"{event.action} {event.campaign}" for event in await store.events.read(0, limit=100)]
        return [*(one.object_id for one in await store.restorations.open()), *events]


async def refused(state: Path) -> PermanentError:
    before = sheets(state)
    with pytest.raises(PermanentError) as caught:
        await started(state)
    assert sheets(state) == before
    assert caught.value.code is Code.STO_LOST
    return caught.value


def sheets(state: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in state.glob("break-glass*")}


def in_files(state: Path) -> set[str]:
    return {file.name for file in state.iterdir()}


def test_what_a_sheet_names_is_read_from_it() -> None:
    (one,) = entries(
        "# cordon of n1 on n1 by campaign c since 2026-01-01T00:00:00Z; found: reason=a by campaign b since x\ntrue\n"
    )
    assert (one.what, one.campaign, one.since) == ("cordon of n1 on n1 by campaign c", "c", "2026-01-01T00:00:00Z")
    assert entries(f"# Break-glass sheet of Escalator\n{NOTHING_OPEN}\n") == []


async def test_no_server_starts_where_the_database_is_gone_and_the_sheet_names_changes(tmp_path: Path) -> None:
    await changed(tmp_path, row("cordon", "n1"), row(STOP, "n1", "vm-1"))
    (tmp_path / FILE).unlink()
    error = await refused(tmp_path)
    assert f"{FILE} is not there" in error.message
    assert "2 changes" in error.message
    assert "instance-stopped of vm-1 on n1 by campaign night" in error.message
    assert f"mv {tmp_path / SHEET_FILE}" in error.remedy
    assert in_files(tmp_path) == {SHEET_FILE}  # no new database, and what lay beside the old one is not touched


async def test_the_log_of_a_database_that_is_gone_is_not_removed(tmp_path: Path) -> None:
    wal = tmp_path / f"{FILE}-wal"
    wal.write_bytes(b"what was written last")
    with pytest.raises(PermanentError) as caught:
        await started(tmp_path)
    assert caught.value.code is Code.STO_LOST
    assert wal.read_bytes() == b"what was written last"


async def test_no_server_starts_on_a_new_database_that_does_not_have_the_campaign(tmp_path: Path) -> None:
    await changed(tmp_path, row("cordon", "n1"))
    (tmp_path / FILE).unlink()
    async with open_sqlite(tmp_path / FILE):
        pass
    error = await refused(tmp_path)
    assert "does not have 1 campaign night" in error.message


async def test_a_sheet_that_a_person_moved_aside_is_told_of_until_it_is_removed(tmp_path: Path) -> None:
    await changed(tmp_path, row("cordon", "n1"))
    (tmp_path / FILE).unlink()
    aside = (tmp_path / SHEET_FILE).rename(tmp_path / "break-glass-lost.txt")
    with capture_logs() as lines:
        assert await started(tmp_path) == ["sheet.kept night"]
    assert [(line["event"], line["file"]) for line in lines] == [("sheet.kept", str(aside))]
    text = (tmp_path / SHEET_FILE).read_text()
    assert "# WARNING: break-glass-lost.txt beside this file is an earlier sheet" in text
    assert NOTHING_OPEN not in text
    (shown,) = rows_of_earlier(tmp_path)
    assert (shown.kind, shown.object_id) == (KIND, "break-glass-lost.txt")
    assert "cordon of n1 on n1 by campaign night" in shown.commands[0]
    aside.unlink()
    assert await started(tmp_path) == ["sheet.kept night"]  # that of before
    assert NOTHING_OPEN in (tmp_path / SHEET_FILE).read_text()
    assert rows_of_earlier(tmp_path) == []


async def test_the_sheet_of_a_later_moment_is_kept_where_the_database_is_older(tmp_path: Path) -> None:
    await changed(tmp_path, row("cordon", "n1"))
    older = (tmp_path / FILE).read_bytes()
    await changed(tmp_path, row(STOP, "n1", "vm-1"), row("cordon", "n2"))
    sheet = (tmp_path / SHEET_FILE).read_bytes()
    (tmp_path / FILE).write_bytes(older)
    with capture_logs() as lines:
        assert await started(tmp_path) == ["n1", "sheet.kept night"]
    assert [line["event"] for line in lines] == ["sheet.kept"]
    kept = tmp_path / "break-glass-20260101T000000Z.txt"
    assert kept.read_bytes() == sheet
    assert kept.stat().st_mode & 0o077 == 0
    assert f"# WARNING: {kept.name}" in (tmp_path / SHEET_FILE).read_text()
    with capture_logs():
        await started(tmp_path)
    assert in_files(tmp_path) == {FILE, SHEET_FILE, kept.name}  # once


@pytest.mark.parametrize("at", [T0, T0 + 60.0])
async def test_what_the_database_has_put_back_since_is_known(tmp_path: Path, at: float) -> None:
    """A server that died before it wrote the sheet, or one that was away while others worked."""
    await changed(tmp_path, row("cordon", "n1"))
    async with open_sqlite(tmp_path / FILE) as store:
        await store.restorations.done(row("cordon", "n1").id, T0 + 1.0)
        await store.restorations.add(row("cordon", "n1", at=at))
        await store.restorations.done(row("cordon", "n1").id, T0 + 90.0)
    assert await started(tmp_path) == []
    assert in_files(tmp_path) == {FILE, SHEET_FILE}
    assert NOTHING_OPEN in (tmp_path / SHEET_FILE).read_text()


async def test_a_restore_outside_of_campaigns_is_no_campaign_that_is_missing(tmp_path: Path) -> None:
    await changed(tmp_path)
    older = (tmp_path / FILE).read_bytes()
    await changed(tmp_path, row("cordon", "n1", name="restore"))
    (tmp_path / FILE).write_bytes(older)
    with capture_logs():
        assert await started(tmp_path) == ["sheet.kept restore"]


async def test_a_sheet_aside_that_cannot_be_read_keeps_no_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "break-glass-lost.txt").mkdir()  # for root, too, it cannot be read
    with capture_logs() as lines:
        assert await started(tmp_path) == ["sheet.kept None"]
    assert "break-glass-lost.txt cannot be read" in lines[0]["message"]
    assert "cannot be read" in rows_of_earlier(tmp_path)[0].commands[0]


async def test_a_sheet_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / SHEET_FILE).mkdir()
    with pytest.raises(PermanentError) as caught:
        await started(tmp_path)
    assert caught.value.code is Code.STO_FILE


@pytest.mark.postgresql
async def test_no_server_starts_on_an_empty_postgresql_database_with_a_sheet_of_another(
    tmp_path: Path, postgresql_url: str
) -> None:
    await changed(tmp_path, row("cordon", "n1"))
    settings = Settings(state_dir=str(tmp_path), database=Database(url=postgresql_url))
    with pytest.raises(PermanentError) as caught:
        async with open_known(settings, Fixed()):
            pass
    assert caught.value.code is Code.STO_LOST
    assert caught.value.message.startswith("The database does not have 1 campaign night, but ")
    (tmp_path / SHEET_FILE).rename(tmp_path / "break-glass-lost.txt")
    with capture_logs() as lines:
        async with open_known(settings, Fixed()) as store:
            assert [event.action for event in await store.events.read(0, limit=10)] == ["sheet.kept"]
    assert [line["event"] for line in lines] == ["sheet.kept"]


async def test_a_server_that_ends_before_it_has_written_its_own_sheet_keeps_the_earlier_one_once(tmp_path: Path) -> None:
    await changed(tmp_path, row("cordon", "n1"))
    database = (tmp_path / FILE).read_bytes()
    await changed(tmp_path, row("cordon", "n2", at=T0 + 60))
    before = (tmp_path / SHEET_FILE).read_bytes()
    (tmp_path / FILE).write_bytes(database)
    (tmp_path / "break-glass-unreadable.txt").mkdir()
    for _ in range(3):
        async with open_known(Settings(state_dir=str(tmp_path)), Fixed()):
            pass  # its settings are wrong, for one
    (tmp_path / "break-glass-unreadable.txt").rmdir()
    kept = sheets(tmp_path)
    assert kept.pop(SHEET_FILE) == before
    assert list(kept.values()) == [before]
