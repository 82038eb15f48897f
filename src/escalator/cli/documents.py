"""Files that commands are given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from escalator.cli.spans import moment
from escalator.model.codes import Code
from escalator.model.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from escalator.model.campaign import Campaign

M = TypeVar("M", bound="BaseModel")
MAX_BYTES = 64 * 1024 * 1024


def add_start(parser: argparse.ArgumentParser) -> None:
    """The option that says when a campaign of a file is started, which tells its first window."""
    said = "when the campaign is started, as 2026-12-01T00:00:00+02:00 (default: its not_before, else on a Monday)"
    parser.add_argument("--start", type=moment, metavar="TIME", help=said)


@contextmanager
def of_file(path: Path) -> Iterator[bytes]:
    """Text of a document: what is found wrong with it within names the file, of which a command may be given several."""
    text = read_file(path)
    try:
        yield text
    except InputError as error:
        raise InputError(error.code, f"{path}: {error.message}", problems=error.problems, remedy=error.remedy) from error


@contextmanager
def all_told(reads: Mapping[Path, Callable[[], object]]) -> Iterator[None]:
    """Where one of the documents is refused within, read the others too: a person is told of all that is wrong at once.

    `reads` are those of all documents that the command is given, by their files.
    """
    try:
        yield
    except InputError as error:
        again = {} if Path("-") in reads else reads  # standard input cannot be read a second time
        refused = {path: found for path, read in again.items() if (found := _refusal(read)) is not None}
        if len(refused) <= 1:
            raise
        problems = [replace(problem, origin=str(path)) for path, found in refused.items() for problem in found.problems]
        raise InputError(error.code, " ".join(found.message for found in refused.values()), problems=problems) from error


def _refusal(read: Callable[[], object]) -> InputError | None:
    try:
        read()
    except InputError as error:
        return error
    return None


def campaign_in(path: Path) -> Campaign:
    """The campaign document in a file. Raises InputError, which names the file."""
    from escalator.model.campaign import load_campaign  # noqa: PLC0415 - pydantic is slow to import
    from escalator.model.document import parse  # noqa: PLC0415 - as above

    with of_file(path) as text:
        return load_campaign(parse(text))


def loaded(kind: type[M], path: Path) -> M:
    """The document of that kind in a file. Raises InputError, which names the file."""
    from escalator.model.document import load, parse  # noqa: PLC0415 - pydantic is slow to import

    with of_file(path) as text:
        return load(kind, parse(text))


def reads(campaign: Path, kinds: Mapping[Path | None, type[BaseModel]]) -> Mapping[Path, Callable[[], object]]:
    """How each of the documents is read that the command is given."""
    others = {path: partial(loaded, kind, path) for path, kind in kinds.items() if path is not None}
    return {campaign: partial(campaign_in, campaign), **others}


def read_file(path: Path) -> bytes:
    """Read a document, bounded; `-` is what comes on standard input. Raises InputError (`CFG_FILE`, `CFG_TOO_LARGE`)."""
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{path} cannot be read: {error.strerror}.") from error
    if len(text) > MAX_BYTES:
        raise InputError(Code.CFG_TOO_LARGE, f"{path} is larger than {MAX_BYTES // 2**20} MiB.")
    return text
