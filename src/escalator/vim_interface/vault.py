"""Secrets that come by subscription, encrypted where they are kept.

The key is a file in the state directory that only the server's user may read; the database alone tells nothing.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from escalator.model.codes import Code
from escalator.model.errors import PermanentError

KEY_FILE = "subscriptions.key"
"""Name of the key's file in the state directory."""
_MAX_KEY = 200
"""A key has 44 characters."""


class Vault:
    """Encrypts and decrypts with one key (Fernet: AES-128-CBC with HMAC-SHA-256)."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    def seal(self, owner: str, secrets: Mapping[str, str]) -> str:
        """Encrypt; `owner` says whose they are and where they may be sent, and has to be named again to read them."""
        return self._fernet.encrypt(json.dumps({"owner": owner, "secrets": dict(secrets)}).encode()).decode()

    def unseal(self, owner: str, sealed: str) -> Mapping[str, str]:
        """Decrypt; raises PermanentError (`VIM_CREDENTIAL_FILE`) when the key is another one, or the owner is."""
        try:
            found = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            # No cause: nothing about secrets is carried along.
            raise _unreadable("the key is another one") from None
        if found["owner"] != owner:
            raise _unreadable("they were given for something else")
        secrets: Mapping[str, str] = found["secrets"]
        return secrets


def open_vault(file: Path) -> Vault:
    """Return the vault whose key is in the file, which is made when it is missing.

    Raises PermanentError (`VIM_CREDENTIAL_FILE`) when others may read it, or when it holds no key: to make a new one would
    lose what the old one opens.
    """
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return Vault(_read(file))
    key = Fernet.generate_key()
    with os.fdopen(handle, "wb") as opened:
        opened.write(key + b"\n")
    return Vault(key)


def _read(file: Path) -> bytes:
    remedy = f"Restore it, or remove {file} and let the VNF managers subscribe again."
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as opened:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
            message = f"The key {file} has to be a file that nobody but the server's user may read."
            raise PermanentError(Code.VIM_CREDENTIAL_FILE, message, remedy=f"chmod 600 {file}")
        key = opened.read(_MAX_KEY).strip()
    try:
        Fernet(key)
    except ValueError:
        raise PermanentError(Code.VIM_CREDENTIAL_FILE, f"The file {file} holds no key.", remedy=remedy) from None
    return key


def _unreadable(why: str) -> PermanentError:
    message = f"The secrets of the subscription cannot be decrypted: {why}."
    remedy = "Let the VNF manager delete its subscription and subscribe again."
    return PermanentError(Code.VIM_CREDENTIAL_FILE, message, remedy=remedy)
