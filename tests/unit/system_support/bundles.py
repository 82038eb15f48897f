"""Bundles made for tests, good ones by the product and bad ones by hand."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from escalator.system_support.releases.bundle_file import build_bundle
from escalator.system_support.releases.bundle_signing import sign_bundle
from escalator.system_support.releases.trust import Trust
from unit.system_support.debs import deb, folder

DEB = deb()
"""One package, always of the same bytes."""
ALICE, BOB, MALLORY = (CryptoSigner.generate_ed25519() for _ in range(3))
BOTH = Trust({"alice": ALICE.public_key, "bob": BOB.public_key}, 2)
ONE = Trust(BOTH.keys, 1)


def bundle(where: Path, *signers: CryptoSigner, files: dict[str, bytes] | None = None, **spec: object) -> Path:
    """A bundle signed by these, built and signed as people do."""
    where.parent.mkdir(parents=True, exist_ok=True)
    source = where.parent / f"{where.name}.d"
    content = files if files is not None else {"agent.deb": DEB}
    listed = {"type": "command", "packages": []} if files is not None else {}
    build_bundle(folder(source, content, **{**listed, **spec}), where)
    for signer in signers:
        sign_bundle(where, signer)
    return where


def members(file: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """What a tar reader finds in it."""
    with tarfile.open(file) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def packed(parts: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """The same as an archive that ends as bundles end."""
    out = io.BytesIO()
    for info, data in parts:
        out.write(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))
    return out.getvalue() + bytes(1024)
