"""The offline commands for bundles: what they print, and how they end."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from escalator.model.codes import Code
from unit.cli.terminal import Seen, run
from unit.system_support.bundles import bundle


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Two key pairs; the folder of their public keys is `trusted`."""
    (tmp_path / "trusted").mkdir()
    for name in ("alice", "bob"):
        assert run("release", "key", "generate", tmp_path / f"{name}.key").code == 0
        (tmp_path / f"{name}.pub").rename(tmp_path / "trusted" / f"{name}.pub")
    return tmp_path


def signed(where: Path, *names: str, **spec: object) -> Path:
    file = bundle(where / "r.escrel", files={"a": b"x" * 700}, **spec)
    for name in names:
        assert run("release", "sign", file, "--key", where / f"{name}.key").code == 0
    return file


def refused(seen: Seen, exit_code: int, code: Code) -> bool:
    return (seen.code, seen.err.startswith(f"{code.value}: "), seen.out) == (exit_code, True, "")


def test_a_verified_bundle_says_who_signed_it(keys: Path) -> None:
    seen = run("release", "verify", signed(keys, "alice", "bob"), "--trust", keys / "trusted", "--threshold", "2", "-f", "json")
    assert seen.code == 0
    said = json.loads(seen.out)
    assert (said["id"], said["signed_by"], said["verified"]) == ("r/2.0.0", ["alice", "bob"], True)
    assert len(said["signatures"]) == 2


def test_without_trusted_keys_nothing_is_said_about_who_signed_and_that_is_no_success(keys: Path) -> None:
    seen = run("release", "verify", signed(keys, "alice"))
    assert seen.code == 3
    assert "not verified: no trusted keys were given" in seen.out
    assert seen.err.startswith("ESC-SYS-021: Who signed it was not verified: no trusted keys were given.")
    assert "none: it is unsigned" in run("release", "verify", bundle(keys / "u")).out


def test_the_form_alone_is_looked_at_where_that_is_asked_for(keys: Path) -> None:
    seen = run("release", "verify", signed(keys, "alice"), "--form-only", "-f", "json")
    assert (seen.code, json.loads(seen.out)["verified"], seen.err) == (0, False, "")
    assert run("release", "verify", keys / "r.escrel", "--form-only", "--trust", keys / "trusted").code == 2
    environment = {"ESCALATOR_RELEASES__TRUST": json.dumps({"keys": [{"name": "b", "file": str(keys / "trusted" / "bob.pub")}]})}
    assert run("release", "verify", keys / "r.escrel", "--form-only", environment=environment).code == 0


def test_a_build_replaces_no_signed_bundle_and_nothing_that_is_no_bundle_unless_forced(keys: Path) -> None:
    file = signed(keys, "alice", "bob")
    words = ("release", "build", keys / "r.escrel.d", "--out")
    before = file.read_bytes()
    seen = run(*words, file)
    assert refused(seen, 2, Code.CFG_FILE)
    assert "carries 2 signatures; it is not replaced" in seen.err
    assert file.read_bytes() == before
    assert refused(run(*words, keys / "alice.key"), 2, Code.CFG_FILE)
    assert run(*words, file, "--force").code == 0
    assert run(*words, file).code == 0, "what it replaces now is unsigned"


def test_the_keys_of_the_settings_count_where_no_folder_is_given(keys: Path) -> None:
    trust = {"keys": [{"name": "bob", "file": str(keys / "trusted" / "bob.pub")}]}
    environment = {"ESCALATOR_RELEASES__TRUST": json.dumps(trust)}
    assert refused(run("release", "verify", signed(keys, "alice"), environment=environment), 3, Code.SYS_SIGNATURES)


def test_refusals_end_with_their_codes(keys: Path) -> None:
    trust = ("--trust", keys / "trusted", "--threshold", "2")
    file = signed(keys, "alice")
    assert refused(run("release", "verify", file, *trust), 3, Code.SYS_SIGNATURES)
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    assert refused(run("release", "verify", file, *trust[:2]), 2, Code.SYS_BUNDLE)
    file.write_bytes(data.replace(b"x" * 700, b"y" * 700))
    assert refused(run("release", "verify", file, *trust[:2]), 2, Code.SYS_DIGEST)
    assert refused(run("release", "verify", keys / "none"), 2, Code.CFG_FILE)
    assert refused(run("release", "verify", keys), 2, Code.CFG_FILE)
    assert refused(run("release", "build", keys / "trusted", "--out", keys / "x"), 2, Code.SYS_RELEASE)
    assert refused(run("release", "build", keys / "r.escrel.d", "--out", keys / "none" / "x"), 2, Code.CFG_FILE)
    assert refused(run("release", "import", keys / "none", environment={"ESCALATOR_STATE_DIR": str(keys)}), 2, Code.CFG_FILE)


def test_an_expired_bundle_is_not_verified(keys: Path) -> None:
    file = signed(keys, "alice", expires="2020-01-01T00:00:00+01:00")
    assert refused(run("release", "verify", file, "--trust", keys / "trusted"), 3, Code.SYS_EXPIRED)


def test_a_passphrase_comes_from_a_variable(keys: Path) -> None:
    environment = {"SECRET": "correct horse"}
    assert run("release", "key", "generate", keys / "c.key", "--passphrase-env", "SECRET", environment=environment).code == 0
    words = ("release", "sign", bundle(keys / "b"), "--key", keys / "c.key")
    assert refused(run(*words), 2, Code.SYS_KEY)
    assert refused(run(*words, "--passphrase-env", "SECRET"), 2, Code.SYS_KEY)
    seen = run(*words, "--passphrase-env", "SECRET", environment=environment)
    assert seen.code == 0
    assert "correct horse" not in seen.out + seen.err


@pytest.mark.parametrize("words", [("--threshold", "1"), ("--trust", "x", "--threshold", "0")])
def test_a_threshold_that_cannot_be_is_refused(keys: Path, words: tuple[str, ...]) -> None:
    assert run("release", "verify", bundle(keys / "b"), *words).code == 2


def test_a_bundle_whose_document_was_changed_on_the_way_is_called_damaged(keys: Path) -> None:
    file = signed(keys, "alice")
    front = file.read_bytes()
    envelope = json.loads(front[front.index(b"{") : front.index(b"}]}") + 3])
    payload = base64.b64decode(envelope["payload"])
    at = payload.index(b'"version"') + 1
    damaged = payload[:at] + b"w" + payload[at + 1 :]
    file.write_bytes(front.replace(envelope["payload"].encode(), base64.b64encode(damaged)))
    seen = run("release", "verify", file)
    assert refused(seen, 2, Code.SYS_RELEASE)
    assert "The bundle is damaged" in seen.err
    assert "did you mean 'version'?" in seen.err
    assert "What to do: Fetch the bundle again" in seen.err


def test_a_public_key_in_place_of_the_private_one_is_told_as_that(keys: Path) -> None:
    seen = run("release", "sign", bundle(keys / "u"), "--key", keys / "trusted" / "alice.pub")
    assert refused(seen, 2, Code.SYS_KEY)
    assert "it is a public key" in seen.err
    (keys / "alice.key").chmod(0o644)
    assert (
        f"others may read it; chmod 600 {keys / 'alice.key'}"
        in run("release", "sign", keys / "u", "--key", keys / "alice.key").err
    )


def test_an_unsigned_bundle_is_told_of_the_folder_that_was_named_and_not_of_settings(keys: Path) -> None:
    seen = run("release", "verify", bundle(keys / "u"), "--trust", keys / "trusted")
    assert refused(seen, 3, Code.SYS_SIGNATURES)
    assert f"1 of the keys in {keys / 'trusted'} have to have signed it" in seen.err
    assert "import the bundle" not in seen.err


def test_what_is_no_bundle_is_told_in_words_that_help(keys: Path) -> None:
    seen = run("release", "sign", keys / "alice.key", "--key", keys / "alice.key")
    assert refused(seen, 2, Code.SYS_BUNDLE)
    assert "bytes, and no bundle is that small; it is another file" in seen.err
    file = signed(keys, "alice")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert "bytes after its last file have to be zero and are not" in run("release", "verify", file).err


def test_each_command_about_a_bundle_names_the_next_one_with_its_file(keys: Path) -> None:
    file = bundle(keys / "next")
    again = keys / "again.escrel"
    assert f"Next: escalator release sign {again} --key KEYFILE" in run("release", "build", keys / "next.d", "--out", again).err
    assert f"Next: escalator release import {file}" in run("release", "sign", file, "--key", keys / "alice.key").err
    assert f"What to do: escalator release verify {file} --trust DIR" in run("release", "verify", file).err
