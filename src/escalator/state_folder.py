"""The server's state directory: held by one server at a time, and the operators' token in it."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import ConflictError

TOKEN_BYTES = 24


@contextmanager
def sole_server(state: Path) -> Iterator[None]:
    """Hold the state directory: two servers on one SQLite file would both take up the same work."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                Code.STO_LOCKED, f"Another Escalator server uses {state}.", remedy="Stop it, or set another state_dir."
            ) from error
        yield


def write_token(file: Path) -> str:
    """The operators' bearer token, kept over restarts; readable by the server's user only."""
    if file.exists() and file.stat().st_mode & 0o077 == 0 and len(known := file.read_text().strip()) >= TOKEN_BYTES:
        return known
    token = secrets.token_urlsafe(TOKEN_BYTES)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(token + "\n")
    return token
