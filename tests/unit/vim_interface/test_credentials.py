from __future__ import annotations

import os
from pathlib import Path

import pytest

from escalator.model.errors import PermanentError
from escalator.vim_interface.credentials import Credentials


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, content: bytes, mode: int = 0o600) -> None:
    (folder / name).write_bytes(content)
    (folder / name).chmod(mode)


def refusal(folder: Path, name: str) -> str:
    with pytest.raises(PermanentError) as caught:
        Credentials(folder).read(name)
    assert caught.value.code.value == "ESC-VIM-010"
    return caught.value.message


def test_a_changed_secret_counts_at_once(folder: Path):
    credentials = Credentials(folder)
    put(folder, "a", b"one\n")
    assert credentials.read("a") == "one"
    put(folder, "a", b"two")
    assert credentials.read("a") == "two"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/secret", "", ".", "..", "a\0b"])
def test_only_plain_file_names_are_read(folder: Path, name: str):
    (folder.parent / "secret").write_text("out of reach")
    refusal(folder, name)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path):
    put(folder.parent, "secret", b"out of reach")
    (folder / "link").symlink_to(folder.parent / "secret")
    assert "outside" in refusal(folder, "link")


def test_a_link_inside_the_folder_is_followed(folder: Path):
    put(folder, "data", b"secret")
    (folder / "link").symlink_to("data")
    assert Credentials(folder).read("link") == "secret"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_secret_that_everybody_may_read_or_write_is_refused(folder: Path, mode: int):
    put(folder, "a", b"secret", mode)
    assert "chmod" in refusal(folder, "a")


def test_a_secret_of_the_group_is_read(folder: Path):
    put(folder, "a", b"secret", 0o640)
    assert Credentials(folder).read("a") == "secret"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"x" * 20_000, b"\xff\xfe", b"nul\0byte", b"a\r\nX-Header: b"])
def test_a_file_that_holds_no_one_line_of_text_is_refused_without_showing_it(folder: Path, content: bytes):
    put(folder, "a", content)
    message = refusal(folder, "a")
    assert "lines" not in message
    assert "X-Header" not in message


def test_a_folder_or_a_pipe_is_refused_and_does_not_block(folder: Path):
    (folder / "sub").mkdir(mode=0o700)
    os.mkfifo(folder / "pipe", 0o600)
    assert "regular" in refusal(folder, "sub")
    assert "regular" in refusal(folder, "pipe")
