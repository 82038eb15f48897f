"""The world's history: many lines that hardly anybody reads, so they stay in the file where there is one."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter

from escalator.world.file import Sink
from escalator.world.records import Entry

KIND = "history"

_ADAPTER = TypeAdapter(Entry)


class History:
    """Lines by key. Without a file, and for an onlooker, whose lines are his own, they are in memory."""

    def __init__(self, sink: Sink | None) -> None:
        self._file = sink if sink is not None and sink.lasting else None
        self._lines: dict[str, Entry] = {}
        if sink is not None and self._file is None:
            self._lines |= {key: _ADAPTER.validate_json(body) for key, body in sink.rows_of(KIND)}

    def put(self, key: str, line: Entry) -> None:
        """Keep the line, in place of the one with that key."""
        if self._file is None:
            self._lines[key] = line
        else:
            self._file.put(KIND, key, _ADAPTER.dump_json(line, exclude_defaults=True))

    def __iter__(self) -> Iterator[Entry]:
        """All lines, in no particular order."""
        if self._file is None:
            return iter(self._lines.values())
        return (_ADAPTER.validate_json(body) for _, body in self._file.rows_of(KIND))
