"""The state directory: whose it is, and whose token is believed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.state_folder import sole_server, tell_state, write_token

TOKEN = "a-token-of-somebody-else-entirely"


@pytest.mark.parametrize(("mode", "told"), [(0o777, True), (0o775, False), (0o700, False)])
def test_that_everybody_may_write_to_it_is_told(tmp_path: Path, mode: int, told: bool) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    with capture_logs() as lines, sole_server(tmp_path / "state"):
        pass
    assert [line["event"] for line in lines] == ["server.state_open"] * told


def test_nobody_else_can_hold_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with sole_server(tmp_path / "state"):
            assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
            assert stat.S_IMODE((tmp_path / "state" / "lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def _is_a_file(folder: Path) -> Path:
    (folder / "state").write_text("")
    return folder / "state"


def _is_below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "state"


def _has_a_lock_that_is_a_folder(folder: Path) -> Path:
    (folder / "state" / "lock").mkdir(parents=True)
    return folder / "state"


def _cannot_be_made(_: Path) -> Path:
    return Path("/proc/escalator-state")  # for root neither


@pytest.mark.parametrize("made", [_is_a_file, _is_below_a_file, _has_a_lock_that_is_a_folder, _cannot_be_made])
def test_one_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    state = made(tmp_path)
    with pytest.raises(PermanentError) as caught, sole_server(state):
        pass
    assert caught.value.code is Code.STO_FILE
    assert f"The state directory {state} cannot be used: " in caught.value.message
    assert "et another state_dir" in caught.value.remedy


def test_a_token_is_kept(tmp_path: Path) -> None:
    first = write_token(tmp_path / "token")
    assert write_token(tmp_path / "token") == first
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_one_that_others_may_read_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o640)
    assert write_token(tmp_path / "token") != TOKEN


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_one_of_another_user_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    os.chown(tmp_path / "token", 65534, -1)
    assert write_token(tmp_path / "token") != TOKEN


@pytest.mark.parametrize(
    ("given", "by", "events"),
    [
        ([], "default", ["server.state"]),
        ([("a.yaml", "/s")], "a.yaml", ["server.state"]),
        ([("variable X", "/s"), ("a.yaml", "/s/")], "variable X", ["server.state"]),
        ([("variable X", "/s"), ("a.yaml", "/t")], "variable X", ["server.state", "server.state_differs"]),
    ],
)
def test_who_names_it_is_told(given: list[tuple[str, str]], by: str, events: list[str]) -> None:
    with capture_logs() as lines:
        tell_state(Path("/s"), given)
    assert [line["event"] for line in lines] == events
    assert lines[0]["given_by"] == by
