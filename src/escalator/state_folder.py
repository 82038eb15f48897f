"""The server's state directory: held by one server at a time, and the operators' token in it."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, PermanentError

TOKEN_BYTES = 24
OPEN = "Everybody on this machine may write to the state directory, and so decide what is done: run chmod o-w on it."

_log = structlog.get_logger()


def tell_state(state: Path, given: Sequence[tuple[str, str]]) -> None:
    """Say which state directory is used, and by whose word: `given` has who names one, the one that holds first."""
    by = given[0][0] if given else "default"
    _log.info("server.state", state_dir=str(state), given_by=by)
    others = [(name, path) for name, path in given[1:] if Path(path) != state]
    if others:
        name, path = others[0]
        message = f"{by} says {state} and holds; {name} says {path}, which is not used."
        _log.warning("server.state_differs", state_dir=str(state), given_by=by, message=message)


@contextmanager
def sole_server(state: Path) -> Iterator[None]:
    """Hold the state directory: two servers on one SQLite file would both take up the same work.

    Raises ConflictError while another one has it, and PermanentError (`STO_FILE`) where it cannot be made or written to.
    That everybody may write to it is told: volumes of containers are often so.
    """
    with os.fdopen(_lock_of(state), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                Code.STO_LOCKED, f"Another Escalator server uses {state}.", remedy="Stop it, or set another state_dir."
            ) from error
        yield


def _lock_of(state: Path) -> int:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if state.stat().st_mode & stat.S_IWOTH:
            _log.warning("server.state_open", state_dir=str(state), message=OPEN)
        # Who may read it could hold it, and keep the server from starting.
        return os.open(state / "lock", os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError as error:
        raise _unusable(state, error) from error


def _unusable(state: Path, error: OSError) -> PermanentError:
    name = _user(os.geteuid())
    if isinstance(error, FileExistsError | NotADirectoryError):
        why, remedy = f"{error.filename} is no directory", "Set another state_dir."
    else:
        why = f"{error.filename}: {error.strerror}"
        remedy = (
            f"Give it to user {name}, that the server runs as (install -d -o {name} -m 700 {state}), or set another state_dir."
        )
    return PermanentError(Code.STO_FILE, f"The state directory {state} cannot be used: {why}.", remedy=remedy)


def _user(uid: int) -> str:
    """The user's name; its number where it has none, as in containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def write_token(file: Path) -> str:
    """The operators' bearer token, kept over restarts; readable by the server's user only, and written by nobody else."""
    if _is_ours(file) and len(known := file.read_text().strip()) >= TOKEN_BYTES:
        return known
    token = secrets.token_urlsafe(TOKEN_BYTES)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(token + "\n")
    return token


def _is_ours(file: Path) -> bool:
    try:
        found = file.stat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_mode & 0o077 == 0 and found.st_uid == os.geteuid()
