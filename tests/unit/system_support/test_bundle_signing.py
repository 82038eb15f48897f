"""Signatures are put into the room behind the envelope: the files stay where they are, and a cut leaves nothing half."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from escalator.model.errors import InputError
from escalator.system_support.releases import bundle_signing
from escalator.system_support.releases.bundle import Opened
from escalator.system_support.releases.bundle_file import read_bundle
from escalator.system_support.releases.bundle_signing import sign_bundle
from escalator.system_support.releases.container import BLOCK, ENVELOPE, header, padding
from escalator.system_support.releases.envelope import MAX_SIGNATURES
from unit.system_support.bundles import ALICE, BOB, bundle

NOTE = ".b.signing"


def signed_by(opened: Opened) -> list[str]:
    return [signed.keyid for signed in opened.envelope.signatures]


def without_room(file: Path) -> None:
    """As bundles were built before there was any."""
    opened, data = read_bundle(file), file.read_bytes()
    envelope = opened.envelope.encode()
    rest = data[BLOCK + opened.size + padding(opened.size) :]
    file.write_bytes(header(ENVELOPE, len(envelope)) + envelope + bytes(padding(len(envelope))) + rest)


def test_as_many_sign_as_may_and_the_file_stays_the_same_one(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b", files={"a": b"x" * 5000})
    before, size = file.stat().st_ino, file.stat().st_size
    signers = [CryptoSigner.generate_ed25519() for _ in range(MAX_SIGNATURES)]
    for signer in signers:
        sign_bundle(file, signer)
    assert (file.stat().st_ino, file.stat().st_size) == (before, size)
    assert signed_by(read_bundle(file)) == [signer.public_key.keyid for signer in signers]
    with pytest.raises(InputError, match="signatures already"):
        sign_bundle(file, ALICE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.d"]


def test_a_bundle_without_room_is_written_anew_with_it(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b", files={"a": b"x" * 5000})
    without_room(file)
    sign_bundle(file, ALICE)
    anew = file.stat().st_ino
    sign_bundle(file, BOB)
    assert file.stat().st_ino == anew
    assert signed_by(read_bundle(file)) == [ALICE.public_key.keyid, BOB.public_key.keyid]


def test_two_who_sign_at_once_both_have_signed(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b", files={"a": os.urandom(3 * 2**20)})
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(sign_bundle, file, signer) for signer in (ALICE, BOB)]:
            done.result()
    assert sorted(signed_by(read_bundle(file))) == sorted([ALICE.public_key.keyid, BOB.public_key.keyid])


def test_a_damaged_file_is_found_before_anything_is_signed(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b", files={"a": b"x" * 5000})
    data = bytearray(file.read_bytes())
    data[data.rindex(b"x")] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError):
        sign_bundle(file, ALICE)
    assert file.read_bytes() == data


class PowerLossError(Exception):
    """Nothing after it happens."""


def cut(file: Path, monkeypatch: pytest.MonkeyPatch, share: float) -> bytes:
    """Sign, and lose power when that share of what is put has reached the disk; returns the note that is left."""

    def torn(handle: int, data: bytes, offset: int) -> int:
        os.lseek(handle, offset, os.SEEK_SET)
        os.write(handle, data[: int(len(data) * share)])
        raise PowerLossError

    with monkeypatch.context() as patched:
        patched.setattr(bundle_signing.os, "pwrite", torn)
        with pytest.raises(PowerLossError):
            sign_bundle(file, BOB)
    return (file.parent / NOTE).read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_after_a_loss_of_power_the_next_to_sign_finds_every_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    file = bundle(tmp_path / "b", ALICE, files={"a": b"x" * 5000})
    cut(file, monkeypatch, share)
    carol = CryptoSigner.generate_ed25519()
    sign_bundle(file, carol)
    assert signed_by(read_bundle(file)) == [signer.public_key.keyid for signer in (ALICE, BOB, carol)]
    assert not (tmp_path / NOTE).exists()


@pytest.mark.parametrize("kept", [0, 30, -1])
def test_a_note_that_was_cut_off_itself_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    file = bundle(tmp_path / "b", ALICE, files={"a": b"x" * 5000})
    note = cut(file, monkeypatch, 0.0)
    (tmp_path / NOTE).write_bytes(note[:kept])
    sign_bundle(file, ALICE)
    assert signed_by(read_bundle(file)) == [ALICE.public_key.keyid]


def test_a_note_of_another_bundle_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bundle(tmp_path / "b", ALICE, files={"a": b"x" * 5000})
    note = cut(file, monkeypatch, 0.5)
    other = bundle(tmp_path / "other" / "b", ALICE, files={"a": b"y" * 5000})
    (other.parent / NOTE).write_bytes(note)
    sign_bundle(other, ALICE)
    assert signed_by(read_bundle(other)) == [ALICE.public_key.keyid]
