"""Secrets: one file each in the credentials folder, read at each use so that a changed one counts at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import PermanentError

MAX_BYTES = 16 * 1024
"""Longer than any password or token."""


class Credentials:
    """The credentials folder. Names are plain file names; what they hold never leaves except to be sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str:
        """Return the secret, without the line's end; raises PermanentError (`VIM_CREDENTIAL_FILE`) with the reason."""
        if not name.isprintable() or Path(name).name != name or name in ("", ".", ".."):
            raise _unusable(name, "its name is no plain file name")
        path = self._folder / name
        try:
            if self._folder.resolve() not in path.resolve(strict=True).parents:
                raise _unusable(name, "it is outside the credentials folder")
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _unusable(name, f"{path}: {error.strerror or 'it cannot be opened'}") from error
        try:
            _check_mode(name, os.fstat(handle).st_mode)
            return _text(name, os.read(handle, MAX_BYTES + 1))
        finally:
            os.close(handle)


def _check_mode(name: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise _unusable(name, "it is no regular file")
    if mode & stat.S_IRWXO:
        raise _unusable(name, "everybody on this machine may read it; take that away with chmod o-rwx")


def _text(name: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _unusable(name, f"it is larger than {MAX_BYTES} bytes")
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        # No cause: it would carry the bytes of the secret.
        raise _unusable(name, "it is not UTF-8 text") from None
    if not secret or not secret.isprintable():
        raise _unusable(name, "it has to hold one line of text")
    return secret


def _unusable(name: str, reason: str) -> PermanentError:
    return PermanentError(Code.VIM_CREDENTIAL_FILE, f"The credential {name[:80]!r} cannot be used: {reason}.")
