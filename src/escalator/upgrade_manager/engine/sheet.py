"""The break-glass sheet as a file: readable without the database, without Escalator, and without its cloud access."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from escalator.cloud_manager.probe_vms import DOOR_KIND
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, TemporaryError
from escalator.model.progress import NOTHING_OPEN, SHEET_FILE, SHEET_WARNING, Restoration
from escalator.storage.changes import Restorations

HEAD = """\
# Break-glass sheet of Escalator
# What Escalator has changed and not yet put back. When the manager is dead, run the commands from top to bottom with
# an administrator's OpenStack credentials; each is safe to repeat. Lines that start with '#' explain. Read each WARNING: what
# stands below it as "only then" is not to be run before that is done.
"""
EARLIER = (
    "{} beside this file is an earlier sheet: it names what the database of this one knows nothing of. Put back what it names"
    " and is not put back, too, then remove it."
)
NOTHING_BUT_EARLIER = "# Nothing else that the database knows of."


About = Callable[[str], Awaitable[Mapping[str, str]]]
"""What is to be known of each node of a campaign, in one line: which software it goes from, and to."""


class FileSheet:
    """Keeps the sheet in one file of the state directory, replaced atomically at each change.

    Changes of several nodes at the same moment share one writing: each waits for one that has begun after its own change.

    `places` says where more is told than here; `about` is asked once for each campaign.
    """

    def __init__(self, state: Path, places: Sequence[str] = (), about: About | None = None) -> None:
        self.path = state / SHEET_FILE
        self._head = HEAD + "".join(f"# {_plain(place)}\n" for place in places)
        self._about = about
        self._notes: dict[str, Mapping[str, str]] = {}
        self._behind = False
        self._asked = 0
        self._written = 0
        self._turn = asyncio.Lock()
        self._replaced = 0
        self._replacing = threading.Lock()

    async def rewrite(self, restorations: Restorations) -> None:
        """Replace the sheet by all that is open now; when this returns, it shows what was open before.

        Raises TemporaryError (`STO_UNAVAILABLE`) when it cannot be written: a full disk, a folder that is not ours any more.
        """
        self._asked += 1
        mine = self._asked
        async with self._turn:
            if self._written >= mine:
                return
            shows = self._asked
            try:
                rows = await restorations.open()
                await self._note({row.campaign for row in rows})
                await asyncio.to_thread(self._replace, shows, rows)
            except (EscalatorError, asyncio.CancelledError):
                self._behind = True
                raise
            self._written, self._behind = shows, False

    async def catch_up(self, restorations: Restorations) -> None:
        """Replace it when that failed the last time; raises as `rewrite`. What is repeated finds its change stored already."""
        if self._behind:
            await self.rewrite(restorations)

    async def _note(self, campaigns: Collection[str]) -> None:
        """Of the campaigns that are on the sheet now, what is to be known of their nodes."""
        known = {name: self._notes.get(name) for name in campaigns}
        about = self._about
        self._notes = {
            name: ((await about(name)) if about is not None else {}) if found is None else found for name, found in known.items()
        }

    def _replace(self, shows: int, rows: Sequence[Restoration]) -> None:
        # Who is cancelled leaves the writing to its thread, which may be slower than the one after it.
        with self._replacing:
            if shows <= self._replaced:
                return
            entries = "".join(_lines(from_top_to_bottom(rows), self._notes))
            _write(self.path, self._head, entries, [kept.name for kept in earlier_sheets(self.path.parent)])
            self._replaced = shows


def earlier_sheets(state: Path) -> list[Path]:
    """Sheets of the state directory that name what the database knows nothing of, oldest first; a person removes them."""
    sheet = Path(SHEET_FILE)
    return sorted(state.glob(f"{sheet.stem}-*{sheet.suffix}"))


def _write(path: Path, head: str, entries: str, earlier: Sequence[str]) -> None:
    nothing = NOTHING_BUT_EARLIER if earlier else NOTHING_OPEN
    warnings = "".join(f"{SHEET_WARNING}{_plain(EARLIER.format(name))}\n" for name in earlier)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".break-glass")
        with os.fdopen(handle, "w") as file:
            file.write(head + warnings + (entries or f"{nothing}\n"))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        message = f"The break-glass sheet {path} cannot be written: {error.strerror or error}."
        raise TemporaryError(Code.STO_UNAVAILABLE, message, remedy=f"See df -h {path.parent} and ls -ld {path.parent}") from error


def from_top_to_bottom(rows: Iterable[Restoration]) -> list[Restoration]:
    """What was changed, in the order in which it is put back by hand: node by node, of each the last change first.

    That is how the engine undoes a turn: a node is enabled when the rest of it is as it was. What is no node's comes last, as
    a quota is for the time after the nodes, and a pin for when all run one version.

    A door that is open for a probe VM is shut before anything else: Nova looks at a node that is both enabled and marked as
    disabled only minutes later, and lets nothing onto it until then.
    """
    by_node: dict[str, list[Restoration]] = {}
    for row in sorted(rows, key=lambda row: row.created_at):
        by_node.setdefault(row.node, []).append(row)
    of_none = by_node.pop("", [])
    return [row for there in (*by_node.values(), of_none) for row in _last_first(there)]


def _last_first(rows: Sequence[Restoration]) -> list[Restoration]:
    doors = [row for row in rows if row.kind == DOOR_KIND]
    return [*doors, *(row for row in reversed(rows) if row.kind != DOOR_KIND)]


class NoSheet:
    """For worlds that end with the process: demo and rehearsal."""

    async def rewrite(self, restorations: Restorations) -> None:
        """Keep nothing."""

    async def catch_up(self, restorations: Restorations) -> None:
        """Keep nothing."""


def _lines(rows: Iterable[Restoration], notes: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """An entry for each, and a heading where another node begins, with what is to be known of it."""
    last = None
    for row in rows:
        if row.node != last:
            yield f"\n# ---- {_plain(row.node) or 'No single node'}\n"
            last = row.node
            note = notes.get(row.campaign, {}).get(row.node)
            yield f"# {_plain(note)}\n" if note else ""
        yield _entry(row)


def _plain(text: str) -> str:
    """One line of it, whatever people wrote: a line break would turn the rest into a command for whoever copies line by line.

    It is read with whatever shows a file. Nearly all is plain already, and this runs for each row at each change.
    """
    plain = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())


def heading(row: Restoration) -> tuple[str, str]:
    """What an entry says was changed, by whom, and since when: by that a sheet is compared with the database."""
    since = datetime.fromtimestamp(row.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    where = f" on {row.node}" if row.node else ""
    return _plain(f"{row.kind} of {row.object_id}{where} by campaign {row.campaign}"), since


def _entry(row: Restoration) -> str:
    what, since = heading(row)
    found = ", ".join(f"{key}={value}" for key, value in sorted(row.found.items()))
    head = f"{what} since {since}; found: {found}"
    return f"\n# {_plain(head)}\n" + "".join(f"{' '.join(command.split())}\n" for command in row.commands)
