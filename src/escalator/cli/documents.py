"""Files that commands are given."""

from __future__ import annotations

from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import InputError

MAX_BYTES = 64 * 1024 * 1024


def read_file(path: Path) -> bytes:
    """Read a document, bounded. Raises InputError (`CFG_FILE`, `CFG_TOO_LARGE`)."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{path} cannot be read: {error.strerror}.") from error
    if len(text) > MAX_BYTES:
        raise InputError(Code.CFG_TOO_LARGE, f"{path} is larger than {MAX_BYTES // 2**20} MiB.")
    return text
