"""Keys that sign releases: Ed25519, in PEM files as other tools write them too (PKCS #8, SubjectPublicKeyInfo)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from escalator.model.codes import Code
from escalator.model.errors import InputError

MAX_KEY_BYTES = 16 * 2**10
"""A PEM file of one Ed25519 key has a few hundred."""
_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"


def make_key_pair(file: Path, passphrase: bytes | None) -> tuple[Path, SSlibKey]:
    """Write a new private key to the file, readable by its owner alone, and the public one beside it, ending in `.pub`.

    Returns the latter's path and the public key. Raises InputError (`SYS_KEY`) when one of them is there already or
    cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    sealed = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    beside = file.with_suffix(".pub")
    if beside == file:
        raise _unusable(file, "its name is that of the public key; end it in .key")
    if beside.exists():
        raise _taken(beside)
    _write(file, private, 0o600)
    _write(beside, public, 0o644)
    return beside, SSlibKey.from_crypto(key.public_key())


def load_signer(file: Path, passphrase: bytes | None) -> CryptoSigner:
    """The private key of a file. Raises InputError (`SYS_KEY`)."""
    data = _read(file, private=True)
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError as error:
        why = "it needs a passphrase" if passphrase is None else "it has no passphrase"
        raise _unusable(file, why) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "it is no private key in PEM form" if passphrase is None else "its passphrase is another, or it is no private key"
        raise _unusable(file, why) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(file, "it is no Ed25519 key")
    return CryptoSigner(key)


def load_public(file: Path) -> SSlibKey:
    """The public key of a file. Raises InputError (`SYS_KEY`)."""
    try:
        return public_key(_read(file, private=False).decode("ascii", "replace"))
    except ValueError as error:
        raise _unusable(file, str(error)) from error


def public_key(text: str) -> SSlibKey:
    """A public key from its PEM text, or the Base64 of it alone. Raises ValueError that says what is wrong."""
    pem = text if _BEGIN in text else f"{_BEGIN}\n{text.strip()}\n{_END}\n"
    if len(pem) > MAX_KEY_BYTES:
        raise ValueError("it is no public key in PEM form")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it is no public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it is no Ed25519 key")  # noqa: TRY004 - what the text holds is wrong, not its type
    return SSlibKey.from_crypto(key)


def raw_public_key(text: str) -> SSlibKey:
    """A public key from its 32 bytes in hexadecimal form. Raises ValueError."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(text)))


def _read(file: Path, *, private: bool) -> bytes:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(MAX_KEY_BYTES + 1)
            if private and _BEGIN.encode() in data:
                raise _unusable(file, "it is a public key; the private one beside it is needed")
            if private and stat.S_IMODE(mode) & 0o077:
                raise _unusable(file, f"others may read it; chmod 600 {file}")
    except OSError as error:
        raise _unusable(file, f"it cannot be read: {error.strerror}") from error
    if len(data) > MAX_KEY_BYTES:
        raise _unusable(file, "it is no key in PEM form")
    return data


def _write(file: Path, data: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(data)
    except FileExistsError as error:
        raise _taken(file) from error
    except OSError as error:
        raise _unusable(file, f"it cannot be written: {error.strerror}") from error


def _taken(file: Path) -> InputError:
    message = f"There is a file {file} already; it is left as it is, and no key was made."
    return InputError(Code.SYS_KEY, message, remedy="Choose another name for the key.")


def _unusable(file: Path, why: str) -> InputError:
    return InputError(Code.SYS_KEY, f"The key {file} cannot be used: {why}.")
