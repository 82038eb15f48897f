"""Files that commands are given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from escalator.cli.spans import moment
from escalator.model.codes import Code
from escalator.model.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

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


def loaded(kind: type[M], path: Path) -> M:
    """The document of that kind in a file. Raises InputError, which names the file."""
    from escalator.model.document import load, parse  # noqa: PLC0415 - pydantic is slow to import

    with of_file(path) as text:
        return load(kind, parse(text))


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
