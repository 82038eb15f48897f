"""Whose signatures count, and keys that cannot be used."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import ValidationError
from securesystemslib.signer import CryptoSigner

from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, InputError
from escalator.settings import ReleaseTrust
from escalator.system_support.releases.envelope import Envelope, Signed, read_envelope
from escalator.system_support.releases.keypair import load_signer, make_key_pair
from escalator.system_support.releases.trust import as_recorded, trust_of, trust_of_folders
from unit.system_support.bundles import ALICE, BOB, BOTH, MALLORY, ONE


def signed(*signers: CryptoSigner, payload: bytes = b"{}") -> Envelope:
    envelope = Envelope(payload)
    for signer in signers:
        envelope = envelope.signed(signer)
    return read_envelope(envelope.encode())


def why(envelope: Envelope) -> str:
    with pytest.raises(ConditionsError) as caught:
        BOTH.require(envelope)
    assert caught.value.code is Code.SYS_SIGNATURES
    return caught.value.message


def test_enough_signatures_by_different_keys_count_whatever_others_there_are() -> None:
    assert BOTH.require(signed(ALICE, BOB)) == ("alice", "bob")
    assert BOTH.require(signed(MALLORY, BOB, ALICE)) == ("alice", "bob")


def test_too_few_are_refused_with_every_reason() -> None:
    assert "unsigned" in why(signed())
    assert "1 of 2 signatures that are needed (alice)" in why(signed(ALICE))
    text = why(signed(BOB, MALLORY))
    assert "(bob)" in text
    assert f"key {MALLORY.public_key.keyid[:12]} is not trusted here" in text


def test_the_same_key_twice_counts_once() -> None:
    once = signed(ALICE)
    assert "has signed twice, which counts once" in why(replace(once, signatures=once.signatures * 2))


def test_a_signature_under_another_keys_name_does_not_count() -> None:
    by_mallory = signed(MALLORY).signatures[0]
    forged = replace(signed(ALICE), signatures=(*signed(ALICE).signatures, Signed(BOB.public_key.keyid, by_mallory.sig)))
    assert "the signature by bob does not fit" in why(forged)


def test_a_document_that_was_changed_has_no_signatures() -> None:
    assert "does not fit" in why(replace(signed(ALICE, BOB), payload=b"{ }"))


def test_a_signature_for_another_type_of_document_does_not_count() -> None:
    sig = ALICE.sign(b"DSSEv1 4 text 2 {}").signature
    assert "does not fit" in why(Envelope(b"{}", (Signed(ALICE.public_key.keyid, bytes.fromhex(sig)),)))


def test_what_was_recorded_verifies_without_todays_trust() -> None:
    envelope = signed(ALICE, BOB)
    recorded = as_recorded(BOTH.recorded(BOTH.require(envelope)))
    assert recorded.require(envelope) == ("alice", "bob")
    with pytest.raises(ConditionsError):
        recorded.require(signed(ALICE))


def test_signatures_of_two_copies_come_together() -> None:
    assert BOTH.require(signed(ALICE).with_signatures_of(signed(BOB))) == ("alice", "bob")
    other = signed(BOB, payload=b"{ }")
    assert signed(ALICE).with_signatures_of(other) == signed(ALICE)


def test_an_envelope_has_room_for_so_many_signatures() -> None:
    envelope = signed(*(CryptoSigner.generate_ed25519() for _ in range(16)))
    with pytest.raises(InputError, match="16 signatures already"):
        envelope.signed(ALICE)


# Keys


def test_a_key_pair_is_its_owners_and_signs(tmp_path: Path) -> None:
    file = tmp_path / "alice.key"
    public, key = make_key_pair(file, None)
    assert (file.stat().st_mode & 0o777, public.name) == (0o600, "alice.pub")
    assert load_signer(file, None).public_key.keyid == key.keyid
    assert trust_of_folders([tmp_path], 1).require(signed(load_signer(file, None))) == ("alice",)
    with pytest.raises(InputError, match="already; it is left as it is") as refused:
        make_key_pair(file, None)
    assert refused.value.remedy == "Choose another name for the key."


def test_a_passphrase_protects_a_key(tmp_path: Path) -> None:
    file = tmp_path / "alice.key"
    make_key_pair(file, b"secret")
    assert b"ENCRYPTED" in file.read_bytes()
    assert load_signer(file, b"secret")
    for passphrase, text in ((None, "needs a passphrase"), (b"other", "passphrase is another")):
        with pytest.raises(InputError, match=text) as caught:
            load_signer(file, passphrase)
        assert caught.value.code is Code.SYS_KEY


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "alice.key"
    make_key_pair(file, None)
    file.chmod(0o640)
    with pytest.raises(InputError, match="others may read it"):
        load_signer(file, None)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"x" * 20_000, "rsa"])
def test_what_is_no_signing_key_is_refused(tmp_path: Path, data: bytes | str) -> None:
    file = tmp_path / "key"
    if isinstance(data, str):
        key = rsa.generate_private_key(65537, 2048)
        data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(InputError) as caught:
        load_signer(file, None)
    assert caught.value.code is Code.SYS_KEY


def test_keys_of_openssl_are_as_good(tmp_path: Path) -> None:
    private, public = tmp_path / "release.key", tmp_path / "release.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    private.chmod(0o600)
    assert trust_of_folders([tmp_path], 1).require(signed(load_signer(private, None))) == ("release",)


# Trust stores


def pem(signer: CryptoSigner) -> str:
    key = signer._private_key.public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def settings(**value: object) -> ReleaseTrust:
    return ReleaseTrust.model_validate(value, strict=False)


def test_keys_of_the_settings_are_pem_or_base64_or_files(tmp_path: Path) -> None:
    (tmp_path / "bob.pem").write_text(pem(BOB))
    keys = [
        {"name": "alice", "public": pem(ALICE)},
        {"name": "bob", "file": str(tmp_path / "bob.pem")},
        {"name": "mallory", "public": pem(MALLORY).splitlines()[1]},
    ]
    trust = trust_of(settings(threshold=3, keys=keys))
    assert trust is not None
    assert trust.require(signed(ALICE, BOB, MALLORY)) == ("alice", "bob", "mallory")


def test_without_keys_there_is_no_trust_store() -> None:
    assert trust_of(settings()) is None


@pytest.mark.parametrize(
    "value",
    [
        {"threshold": 2, "keys": [{"name": "a", "public": "x"}]},
        {"threshold": 2},
        {"threshold": 0, "keys": [{"name": "a", "public": "x"}]},
        {"keys": [{"name": "a", "public": "x"}, {"name": "a", "public": "y"}]},
        {"keys": [{"name": "a"}]},
        {"keys": [{"name": "a", "public": "x", "file": "/x"}]},
    ],
)
def test_a_trust_store_that_cannot_be_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**value)


def test_all_problems_of_the_keys_are_told(tmp_path: Path) -> None:
    keys = [
        {"name": "a", "public": "nonsense"},
        {"name": "b", "file": str(tmp_path / "none")},
        {"name": "c", "public": pem(ALICE)},
        {"name": "d", "public": pem(ALICE)},
    ]
    with pytest.raises(InputError) as caught:
        trust_of(settings(keys=keys))
    assert caught.value.code is Code.CFG_SETTINGS
    text = str(caught.value)
    assert all(part in text for part in ("keys[0]", "keys[1]", "c and d are the same key"))


def test_folders_of_keys_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for name in ("a.pub", "b.pem"):
        (tmp_path / name).write_text(pem(ALICE))
    with pytest.raises(InputError, match="a and b are the same key"):
        trust_of_folders([tmp_path], 1)
    (tmp_path / "b.pem").unlink()
    with pytest.raises(InputError, match="2 keys have to have signed, of 1 key"):
        trust_of_folders([tmp_path], 2)
    with pytest.raises(InputError, match="no folder"):
        trust_of_folders([tmp_path / "none"], 1)
    assert ONE.threshold == 1
