from __future__ import annotations

from pathlib import Path

import pytest

from escalator.model.errors import PermanentError
from escalator.vim_interface.vault import KEY_FILE, open_vault

SECRETS = {"secret": "s3cret pässword"}


def test_what_is_sealed_is_read_again_after_a_restart_and_by_nobody_else(tmp_path: Path):
    sealed = open_vault(tmp_path / KEY_FILE).seal("vnfm-1 http://a/", SECRETS)
    assert "s3cret" not in sealed
    assert open_vault(tmp_path / KEY_FILE).unseal("vnfm-1 http://a/", sealed) == SECRETS
    with pytest.raises(PermanentError, match="key is another one") as caught:
        open_vault(tmp_path / "other").unseal("vnfm-1 http://a/", sealed)
    assert caught.value.code.value == "ESC-VIM-010"


def test_the_same_secret_is_never_sealed_to_the_same_text(tmp_path: Path):
    vault = open_vault(tmp_path / KEY_FILE)
    assert vault.seal("a", SECRETS) != vault.seal("a", SECRETS)


@pytest.mark.parametrize("owner", ["vnfm-2 http://a/", "vnfm-1 http://b/", ""])
def test_what_was_given_for_one_address_does_not_open_for_another(tmp_path: Path, owner: str):
    vault = open_vault(tmp_path / KEY_FILE)
    sealed = vault.seal("vnfm-1 http://a/", SECRETS)
    with pytest.raises(PermanentError, match="something else") as caught:
        vault.unseal(owner, sealed)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("change", [lambda text: text[:-2], lambda text: "x" + text[1:], lambda _: "", lambda _: "å"])
def test_what_was_changed_does_not_open(tmp_path: Path, change):
    vault = open_vault(tmp_path / KEY_FILE)
    with pytest.raises(PermanentError):
        vault.unseal("a", change(vault.seal("a", SECRETS)))


def test_the_key_is_its_owners_alone_and_stays(tmp_path: Path):
    file = tmp_path / KEY_FILE
    open_vault(file)
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    open_vault(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused_and_not_replaced(tmp_path: Path, mode: int):
    file = tmp_path / KEY_FILE
    open_vault(file)
    before = file.read_bytes()
    file.chmod(mode)
    with pytest.raises(PermanentError, match="nobody but the server's user"):
        open_vault(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff" * 300])
def test_a_file_without_a_key_is_refused_and_not_replaced(tmp_path: Path, content: bytes):
    file = tmp_path / KEY_FILE
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(PermanentError, match="holds no key"):
        open_vault(file)
    assert file.read_bytes() == content
