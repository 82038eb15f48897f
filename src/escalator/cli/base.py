"""Bases of commands: cliff's, without its scan of installed packages, with output as people and programs want it."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

from cliff import command, lister, show
from cliff.columns import FormattableColumn
from cliff.formatters.commaseparated import CSVLister
from cliff.formatters.json_format import JSONFormatter
from cliff.formatters.table import TableFormatter
from cliff.formatters.value import ValueFormatter
from cliff.formatters.yaml_format import YAMLFormatter

from escalator.cli.failures import UsageError
from escalator.cli.interrupts import interrupted_afterwards
from escalator.cli.widths import READ, fit, least, screen_width
from escalator.model.printable import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from escalator.cli.client import Client

_FORMULA = ("=", "+", "-", "@", "\t")
_NUMBER = re.compile(r"[-+]?[\d .,:()/-]*%?", re.ASCII)
"""Numbers, times and telephone numbers."""
LONG_S = 900.0
"""Longest wait for a plan or a start: both read the whole cloud."""
PIPE_WIDTH = 160
"""Width of what is drawn for people when nobody's terminal says how wide it is."""


class Shown(FormattableColumn[Any]):
    """A value that programs get as it is and people as a text."""

    def __init__(self, value: object, text: str) -> None:
        super().__init__(value)
        self._text = text

    def human_readable(self) -> str:
        """The text."""
        return self._text


class Table(TableFormatter):
    """cliff's table with titles for people, nothing at all for an empty list, and ids that stay in one piece.

    `read` is the column that is read: on a narrow screen the others give way to it, until it has `room` columns of that.
    """

    def __init__(self, read: str = "", room: int = READ) -> None:
        self._read, self._room = title(read), room

    def emit_list(self, column_names: Sequence[str], data: Iterable[Sequence[Any]], stdout: Any, parsed_args: Any) -> None:  # noqa: ANN401 - cliff's
        """Print the table."""
        rows = list(data)
        if rows or parsed_args.print_empty:
            cells = zip(*rows, strict=True) if rows else ((),) * len(column_names)
            titles = [_heading(name, column) for name, column in zip(column_names, cells, strict=True)]
            super().emit_list(titles, rows, stdout, parsed_args)

    def _assign_max_widths(self, table: Any, max_width: int, min_width: int = 0, fit_width: bool = False) -> None:  # type: ignore[override]  # noqa: ANN401, ARG002, FBT001, FBT002 - cliff's
        width = max_width if max_width > 0 else screen_width(fit=fit_width)
        if width:
            fit(table, width, self._read, self._room)

    def emit_one(self, column_names: Sequence[str], data: Sequence[Any], stdout: Any, parsed_args: Any) -> None:  # noqa: ANN401 - cliff's
        """Print one object."""
        super().emit_one([title(name) for name in column_names], [human(value) for value in data], stdout, parsed_args)


class Value(ValueFormatter):
    """cliff's bare values as scripts read them: a list or mapping as JSON, and what is missing as nothing."""

    def emit_list(self, column_names: Sequence[str], data: Iterable[Sequence[Any]], stdout: Any, parsed_args: Any) -> None:  # noqa: ANN401 - cliff's
        """Print the rows."""
        super().emit_list(column_names, [[bare(value) for value in row] for row in data], stdout, parsed_args)

    def emit_one(self, column_names: Sequence[str], data: Sequence[Any], stdout: Any, parsed_args: Any) -> None:  # noqa: ANN401 - cliff's
        """Print one object."""
        super().emit_one(column_names, [bare(value) for value in data], stdout, parsed_args)


class Csv(CSVLister):
    """cliff's CSV for lists; one object is a list of one, and cells are as those of `Value`."""

    def emit_list(self, column_names: Sequence[str], data: Iterable[Sequence[Any]], stdout: Any, parsed_args: Any) -> None:  # noqa: ANN401 - cliff's
        """Print the rows."""
        super().emit_list(column_names, [[_no_formula(bare(value)) for value in row] for row in data], stdout, parsed_args)

    def emit_one(self, column_names: Sequence[str], data: Sequence[Any], stdout: Any, parsed_args: Any) -> None:  # noqa: ANN401 - cliff's
        """Print one object."""
        self.emit_list(column_names, [data], stdout, parsed_args)


def _no_formula(value: object) -> object:
    """A cell that no spreadsheet calculates: what names begin with is for others to choose, and change requests have them."""
    formula = isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value)
    return f"'{value}" if formula else value


def _heading(name: str, cells: Sequence[object]) -> str:
    """The title of a column; its unit stands with each value where people get texts."""
    if not all(isinstance(cell, Shown) for cell in cells):
        return title(name)
    return "Lasted" if name == "seconds" else title(name.removesuffix("_s"))


def bare(value: object) -> object:
    """A value in one cell of a script's: what JSON has no number or text for is written as JSON, nothing as nothing."""
    plain = printable(value.machine_readable() if isinstance(value, Shown) else value)
    if plain is None:
        return ""
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (bool, Mapping, list, tuple)) else plain


def title(name: str) -> str:
    """`started_at` as `Started at`."""
    return name[:1].upper() + name[1:].replace("_", " ")


def human(value: object) -> object:
    """Plain data as people read it in a cell."""
    value = printable(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {human(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return "\n".join(str(human(inner)) for inner in value)
    return value


@dataclass(frozen=True, slots=True)
class _Format:
    obj: Any


class _Formats:
    """The output formats by name, where cliff expects a plug-in manager."""

    def __init__(self, formats: Mapping[str, Any]) -> None:
        self._formats = formats

    def names(self) -> list[str]:
        return list(self._formats)

    def __getitem__(self, name: str) -> _Format:
        return _Format(self._formats[name])

    def __iter__(self) -> Iterator[_Format]:
        return map(_Format, self._formats.values())


def _formats(table: Table) -> _Formats:
    return _Formats({"csv": Csv(), "json": JSONFormatter(), "table": table, "value": Value(), "yaml": YAMLFormatter()})


class _Plain:
    """Overrides that keep cliff from reading the metadata of every installed package at each start."""

    app: Any
    _hooks: Any
    more: str = ""
    """What the help says at its end."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that the application was started with."""
        found: Mapping[str, str] = self.app.environment
        return found

    def server(self) -> AbstractContextManager[Client]:
        """The client of the server; its module is loaded here, as httpx is slow to import."""
        with interrupted_afterwards():
            from escalator.cli.client import connect  # noqa: PLC0415 - see above

        return connect(self.environment)

    def _load_hooks(self) -> None:
        self._hooks = []

    def get_epilog(self) -> str:
        return self.more


class Command(_Plain, command.Command):
    """A command without a result."""


class Lister(_Plain, lister.Lister):
    """A command whose result is a list. `nothing` is said when it is empty; a subclass may set `spare` and the exit code."""

    nothing = "Nothing to show."
    spare: tuple[str, ...] = ()
    """Columns that give way on a screen that is too narrow for all of them, the first of them first."""
    read: str = ""
    """The column that people read: it keeps more room than the others, where it has much to say."""
    room: int = READ
    """How much: the others give way until it has so many columns of the screen."""
    exit_code = 0

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run and return the exit code."""
        super().run(parsed_args)
        return self.exit_code

    def _load_formatter_plugins(self) -> Any:  # noqa: ANN401 - cliff's
        return _formats(Table(self.read, self.room))

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:  # noqa: ANN401 - cliff's
        """Print the list in the format asked for."""
        _check_columns(parsed_args, column_names)
        names, rows = list(column_names), list(data)
        if parsed_args.formatter == "table":
            if not rows:
                self.app.stderr.write(f"{self.nothing}\n")
            elif not parsed_args.columns:
                # A column in which nothing stands takes the place of those that say something.
                said = [any(str(row[n]) for row in rows) for n in range(len(names))]
                names, rows = list(compress(names, said)), [list(compress(row, said)) for row in rows]
                names, rows = self._narrowed(parsed_args, names, rows)
        return int(super().produce_output(parsed_args, names, rows))

    def _narrowed(
        self, parsed_args: argparse.Namespace, names: list[str], rows: list[list[Any]]
    ) -> tuple[list[str], list[list[Any]]]:
        """Without the columns that give way, as far as they have to; which those are is said."""
        width = parsed_args.max_width if parsed_args.max_width > 0 else screen_width(fit=parsed_args.fit_width)
        taken = {
            name: least(name, [row[n] for row in rows], self.room if name == self.read else 0) for n, name in enumerate(names)
        }
        away: list[str] = []
        for name in (name for name in self.spare if name in taken):
            if not width or sum(taken.values()) + 1 <= width:
                break
            del taken[name]
            away.append(name)
        if not away:
            return names, rows
        self.app.stderr.write(f"The screen is too narrow for: {', '.join(away)}. Name columns with -c, or use -f json.\n")
        kept = [name in taken for name in names]
        return list(compress(names, kept)), [list(compress(row, kept)) for row in rows]


class Shower(_Plain, show.ShowOne):
    """A command whose result is one object. A subclass may draw it for people, and set the exit code."""

    exit_code = 0

    def _load_formatter_plugins(self) -> Any:  # noqa: ANN401 - cliff's
        return _formats(Table())

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run and return the exit code."""
        super().run(parsed_args)
        return self.exit_code

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType | None:  # noqa: ARG002 - for subclasses
        """What people see instead of a table of fields; None for that table."""
        return None

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:  # noqa: ANN401 - cliff's
        """Print the object in the format asked for."""
        _check_columns(parsed_args, column_names)
        values = list(data)
        if parsed_args.formatter == "table" and not parsed_args.columns:
            drawing = self.draw(parsed_args, printable(dict(zip(column_names, values, strict=True))))
            if drawing is not None:
                from rich.console import Console  # noqa: PLC0415 - most commands draw nothing

                console = Console(file=self.app.stdout)
                if not console.is_terminal:
                    # Who sets COLUMNS says how wide the reader's screen is.
                    asked = os.environ.get("COLUMNS", "")
                    console = Console(file=self.app.stdout, width=int(asked) if asked.isdecimal() and int(asked) else PIPE_WIDTH)
                console.print(drawing)
                return 0
        return int(super().produce_output(parsed_args, column_names, values))


def fields(document: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """A document as cliff wants it: names and values."""
    return tuple(document), tuple(document.values())


def optional(key: str) -> Any:  # noqa: ANN401 - a column
    """A column whose value may be missing: people see nothing then."""
    return lambda document: Shown(document[key], str(human(document[key])))


def rows(documents: Iterable[Mapping[str, Any]], columns: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Documents as cliff wants a list: column names, and a row each. A column is a key, or a function of the document."""
    names = tuple(columns)
    found = [tuple(how(document) if callable(how) else document[how] for how in columns.values()) for document in documents]
    return names, found


def _check_columns(parsed_args: argparse.Namespace, column_names: Sequence[str]) -> None:
    known = {name.lower() for name in column_names}
    unknown = [name for name in parsed_args.columns if name.strip().lower().replace(" ", "_") not in known]
    if unknown:
        raise UsageError(f"There is no column {', '.join(unknown)}; columns are {', '.join(column_names)}.")


class Help(Command):
    """Tell more about one command."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("words", nargs="*", metavar="COMMAND", help="the command")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Run the command with --help."""
        return int(self.app.run([*parsed_args.words, "--help"]))
