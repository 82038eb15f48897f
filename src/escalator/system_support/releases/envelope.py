"""The envelope of a release document: DSSE (https://github.com/secure-systems-lab/dsse) with Ed25519 signatures."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from securesystemslib import dsse
from securesystemslib.signer import CryptoSigner, Signature

from escalator.model.codes import Code
from escalator.model.document import load, parse
from escalator.model.errors import InputError
from escalator.model.release import Release
from escalator.system_support.releases.container import broken
from escalator.system_support.releases.folder import MAX_DOCUMENT_BYTES

PAYLOAD_TYPE = "application/vnd.escalator.release+json"
MAX_SIGNATURES = 16
"""More people than sign a release anywhere."""
MAX_ENVELOPE_BYTES = MAX_DOCUMENT_BYTES * 4 // 3 + MAX_SIGNATURES * 1024 + 1024
"""The document in Base64, and room for the signatures."""
ROOM_BYTES = MAX_SIGNATURES * 256
"""What a bundle keeps free behind its envelope: signatures that come later are put there, and its files stay where they are."""
SIGNATURE_BYTES = 64
"""Of Ed25519 (RFC 8032)."""
MAX_KEYID = 128


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature: by the key of that id, as it says itself."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """The document's bytes with its signatures. Nothing in it is verified yet."""

    payload: bytes
    signatures: tuple[Signed, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        """What is signed: payload and its type, each with its length (DSSE protocol, PAE)."""
        return dsse.Envelope(self.payload, PAYLOAD_TYPE, {}).pae()

    def encode(self, size: int = 0) -> bytes:
        """As JSON, in one line, with spaces up to that size."""
        signatures = [{"keyid": signed.keyid, "sig": _base64(signed.sig)} for signed in self.signatures]
        value = {"payload": _base64(self.payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
        return json.dumps(value, separators=(",", ":")).encode().ljust(size)

    def release(self) -> Release:
        """The document, which is JSON here. Raises InputError (`SYS_BUNDLE`, `SYS_RELEASE`) with all problems."""
        if self.payload[:1] != b"{":
            raise broken("the document in its envelope is no JSON")
        try:
            return load(Release, parse(self.payload), code=Code.SYS_RELEASE)
        except InputError as error:
            # What builds bundles looks at the document first: one that is not valid was changed since.
            message = "The bundle is damaged, or of another version of Escalator: its document is not a valid release."
            remedy = "Fetch the bundle again, and compare its digest with that of who built it."
            raise InputError(Code.SYS_RELEASE, message, problems=error.problems, remedy=remedy) from error

    def signed(self, signer: CryptoSigner) -> Envelope:
        """With a signature by that key; one that it made before is replaced. Raises InputError when there are too many."""
        made = signer.sign(self.signed_bytes)
        others = tuple(signed for signed in self.signatures if signed.keyid != made.keyid)
        if len(others) == MAX_SIGNATURES:
            raise broken(f"it has {MAX_SIGNATURES} signatures already")
        return replace(self, signatures=(*others, Signed(made.keyid, bytes.fromhex(made.signature))))

    def with_signatures_of(self, other: Envelope) -> Envelope:
        """With the other one's signatures as well, when both are about the same bytes; each once."""
        if other.payload != self.payload:
            return self
        both = tuple(dict.fromkeys((*self.signatures, *other.signatures)))
        return replace(self, signatures=both[:MAX_SIGNATURES])


def as_signature(signed: Signed) -> Signature:
    """As the library wants it."""
    return Signature(signed.keyid, signed.sig.hex())


def read_envelope(data: bytes) -> Envelope:
    """Read an envelope; raises InputError (`SYS_BUNDLE`) for everything that is not exactly one."""
    if len(data) > MAX_ENVELOPE_BYTES:
        raise broken(f"its envelope is larger than {MAX_ENVELOPE_BYTES} bytes")
    try:
        value = parse(data).data if data[:1] == b"{" else None
    except InputError as error:
        raise broken(f"its envelope cannot be read: {error.message}") from error
    fields = _exactly(value, "payload", "payloadType", "signatures")
    if fields["payloadType"] != PAYLOAD_TYPE:
        raise broken(f"its envelope holds {str(fields['payloadType'])[:100]!r}, no release document")
    rows = fields["signatures"]
    if not isinstance(rows, list) or len(rows) > MAX_SIGNATURES:
        raise broken(f"its envelope has no list of at most {MAX_SIGNATURES} signatures")
    return Envelope(_bytes(fields["payload"]), tuple(map(_signed, rows)))


def _signed(row: object) -> Signed:
    fields = _exactly(row, "keyid", "sig")
    keyid, sig = fields["keyid"], _bytes(fields["sig"])
    if not isinstance(keyid, str) or not 0 < len(keyid) <= MAX_KEYID or not keyid.isascii() or not keyid.isprintable():
        raise broken("a signature does not name its key")
    if len(sig) != SIGNATURE_BYTES:
        raise broken(f"the signature by key {keyid[:12]} is no Ed25519 signature")
    return Signed(keyid, sig)


def _exactly(value: object, *names: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise broken(f"its envelope does not have exactly {', '.join(names)} where they have to be")
    return value


def _bytes(text: object) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii") if isinstance(text, str) else b"!", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise broken("its envelope has something else where Base64 has to be") from error
    if _base64(data) != text:  # the last character has bits that say nothing
        raise broken("its envelope has Base64 that nobody writes")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
