"""A break-glass sheet that names what the database knows nothing of: the database was lost, or an older one was put in its place.

That sheet is then the only record of what was changed in the cloud. Where the database does not have the campaigns that it names,
no server starts until a person has put the database back, or has moved the sheet aside. Where only entries are not known, the
database is of an earlier moment: the sheet is kept beside the new one. Log, history and the new sheet point to each that is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import PermanentError
from escalator.model.progress import SHEET_FILE, SHEET_WARNING, Event, Restoration
from escalator.settings import Settings
from escalator.storage.opening import FILE, open_store
from escalator.storage.port import Store
from escalator.upgrade_manager.engine.restore import BY_HAND
from escalator.upgrade_manager.engine.sheet import earlier_sheets, heading

KIND = "earlier-sheet"
NAMED = 3
"""How many entries a message names."""
_ENTRY = re.compile(
    r"^# (?P<what>.+? by campaign (?P<campaign>.+?)) since (?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ); found: ", re.MULTILINE
)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a sheet says of one change."""

    what: str
    campaign: str
    since: str


def entries(text: str) -> list[Entry]:
    """What a sheet names as not put back."""
    return [Entry(**found.groupdict()) for found in _ENTRY.finditer(text)]


@asynccontextmanager
async def open_known(settings: Settings, clock: Clock) -> AsyncIterator[Store]:
    """Open storage, and keep the sheet that is there where storage is older.

    Raises PermanentError (`STO_LOST`) where it is not the database that the sheet belongs to, and what opening storage raises.
    """
    sheet = settings.state / SHEET_FILE
    named = entries(_read(sheet))
    if settings.database.url is None:
        _refuse_missing(settings.state / FILE, sheet, named)
    async with open_store(settings) as store:
        unknown = await _unknown(store, named)
        await _refuse_strange(store, sheet, unknown, "the database" if settings.database.url else str(settings.state / FILE))
        if unknown:
            _keep(sheet, clock.now())
        for kept in earlier_sheets(settings.state):
            await _tell(store, kept, clock.now())
        yield store


def rows_of_earlier(state: Path) -> list[Restoration]:
    """The sheets that are kept, as what is not put back: nobody knows how much of what they name is."""
    return [
        Restoration(
            id=f"{KIND}/{kept.name}",
            campaign="",
            kind=KIND,
            object_id=kept.name,
            node="",
            found={},
            commands=(f"{SHEET_WARNING}{_named_by(kept)[1]}",),
            created_at=_changed_at(kept),
        )
        for kept in earlier_sheets(state)
    ]


def _read(sheet: Path) -> str:
    try:
        return sheet.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        message = f"{sheet} cannot be read: {error.strerror}. What it names would be lost."
        raise PermanentError(Code.STO_FILE, message, remedy="Give it to the user that the server runs as.") from error


def _refuse_missing(file: Path, sheet: Path, named: Sequence[Entry]) -> None:
    """Before anything is opened: SQLite makes a new file, and removes the log beside it, with what was written last."""
    if file.exists() and file.stat().st_size:
        return
    wal = file.with_name(f"{file.name}-wal")
    if named:
        raise _lost(f"The database {file} is not there", sheet, named)
    if wal.exists() and wal.stat().st_size:
        message = f"The database {file} is not there, but {wal.name} beside it is: it has what was written to it last."
        remedy = f"Put {file.name} back beside it. Where that is lost for good: mv {wal} {wal}.lost"
        raise PermanentError(Code.STO_LOST, message, remedy=remedy)


async def _refuse_strange(store: Store, sheet: Path, unknown: Sequence[Entry], database: str) -> None:
    have = {row.name for row in await store.campaigns.list()} if unknown else set()
    strange = [entry for entry in unknown if entry.campaign not in have and not (have and entry.campaign == BY_HAND)]
    if strange:
        names = sorted({entry.campaign for entry in strange})
        raise _lost(f"{database} does not have {counted(len(names), 'campaign')} {', '.join(names)}", sheet, strange)


def _lost(why: str, sheet: Path, named: Sequence[Entry]) -> PermanentError:
    aside = sheet.with_name(f"{sheet.stem}-lost{sheet.suffix}")
    message = (
        f"{why}, but {sheet} names {counted(len(named), 'change')} in the cloud that {_are(named)} not put back: {_some(named)}."
    )
    remedy = (
        "Put the database back: see mounts and database.url, else the backup (docs/howto/operate-the-server.md#restore)."
        f" Where it is lost for good: mv {sheet} {aside}, start again, and put back by hand what that names"
        " (docs/howto/break-glass.md)"
    )
    return PermanentError(Code.STO_LOST, message[0].upper() + message[1:], remedy=remedy)


def _are(named: Sequence[Entry]) -> str:
    return "is" if len(named) == 1 else "are"


def _some(named: Sequence[Entry]) -> str:
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return ", ".join(entry.what for entry in named[:NAMED]) + more


async def _unknown(store: Store, named: Sequence[Entry]) -> list[Entry]:
    """Entries that the database has never had: neither as open nor, of that time or a later one, as put back."""
    latest: dict[str, str] = {}
    for campaign in sorted({entry.campaign for entry in named}):
        for row in await store.restorations.written(campaign):
            what, since = heading(row)
            latest[what] = max(since, latest.get(what, ""))
    return [entry for entry in named if latest.get(entry.what, "") < entry.since]


def _keep(sheet: Path, now: float) -> None:
    """A copy under a name of its own: the sheet itself stays until the new one takes its place.

    A server that ends before that, and is started again and again, keeps it once.
    """
    kept = sheet.with_name(f"{sheet.stem}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}{sheet.suffix}")
    try:
        text = sheet.read_bytes()
        if any(_holds(earlier, text) for earlier in earlier_sheets(sheet.parent)):
            return
        with os.fdopen(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        message = f"{sheet} names what the database knows nothing of, and cannot be kept as {kept.name}: {error.strerror}."
        raise PermanentError(Code.STO_FILE, message, remedy="See ls -l and df -h of the state directory.") from error


def _holds(kept: Path, text: bytes) -> bool:
    """Whether that is what is kept. It may not be readable for us: a person put it there."""
    try:
        return kept.read_bytes() == text
    except OSError:
        return False


async def _tell(store: Store, kept: Path, now: float) -> None:
    campaigns, message = _named_by(kept)
    _log.warning("sheet.kept", file=str(kept), message=message)
    campaign = next(iter(campaigns)) if len(campaigns) == 1 else None
    event = Event(at=now, action="sheet.kept", campaign=campaign, object_id=kept.name, outcome="open", message=message)
    await store.events.append((event,))


def _named_by(kept: Path) -> tuple[set[str], str]:
    """Campaigns that a kept sheet names, and what is to be said of it. It may not be readable for us: a person put it there."""
    try:
        named = entries(_read(kept))
    except PermanentError as error:
        return set(), error.message
    said = (
        f"{kept} names {counted(len(named), 'change')} that the database knows nothing of: {_some(named)}."
        f" Put back what is not, as that file says, then remove it"
    )
    return {entry.campaign for entry in named}, said


def _changed_at(kept: Path) -> float:
    """When it was written; 0 where a person has removed it by now."""
    try:
        return kept.stat().st_mtime
    except OSError:
        return 0.0
