"""The repository's OpenPGP key: made once, kept in the state directory, readable by the manager alone.

The OpenPGP library takes 5 MB: it is loaded when there is a key, or one is needed. A site without our repository has none.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.model.codes import Code
from escalator.model.errors import PermanentError

if TYPE_CHECKING:
    from pysequoia import Tsk

USER = "Escalator package repository"


class SigningKey:
    """Signs the repository. The private key never leaves this object."""

    def __init__(self, file: Path) -> None:
        """Take that file. Raises PermanentError (`SYS_CONFIG`) when others may read it or it is damaged."""
        self._file = file
        if file.exists():
            _ = self._key

    @property
    def public(self) -> str:
        """The public key, ASCII-armoured, as apt's `Signed-By` takes it."""
        return str(self._key.extract_certificate())

    def clear_sign(self, data: bytes) -> bytes:
        """`data` as a clear-signed message (InRelease)."""
        from pysequoia import SignatureMode, sign  # noqa: PLC0415 - see the top

        return sign(self._key.signer(), data, mode=SignatureMode.CLEAR)

    def detached(self, data: bytes) -> bytes:
        """A detached armoured signature of `data` (Release.gpg)."""
        from pysequoia import SignatureMode, sign  # noqa: PLC0415 - see the top

        return sign(self._key.signer(), data, mode=SignatureMode.DETACHED)

    @cached_property
    def _key(self) -> Tsk:
        """The key; made when there is none yet."""
        from pysequoia import Tsk  # noqa: PLC0415 - see the top

        file = self._file
        if not file.exists():
            _make(file)
        if file.stat().st_mode & 0o077:
            raise PermanentError(Code.SYS_CONFIG, f"{file} can be read by others.", remedy=f"Run chmod 600 {file}.")
        try:
            return Tsk.from_bytes(file.read_bytes())
        except RuntimeError as error:
            message = f"{file} holds no OpenPGP key."
            raise PermanentError(Code.SYS_CONFIG, message, remedy="Restore it, or remove it and stage again.") from error


def _make(file: Path) -> None:
    from pysequoia import CipherSuite, Profile, Tsk  # noqa: PLC0415 - see the top

    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Tsk.generate(USER, cipher_suite=CipherSuite.Cv25519, profile=Profile.RFC4880)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(bytes(key))
        out.flush()
        os.fsync(out.fileno())
    part.rename(file)
