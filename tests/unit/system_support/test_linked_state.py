"""State that lies behind a link is kept and put back, by the scripts that nodes run."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from escalator.system_support.packages.on_node import backup

ON_NODE = files("escalator.system_support.packages.on_node")


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a backup in the making, as the script finds it on a node."""
    monkeypatch.setattr(backup, "BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setattr(backup, "BLOBS", str(tmp_path / "backups" / ".blobs"))
    for folder in (".blobs", "one/debs"):
        (tmp_path / "backups" / folder).mkdir(parents=True)
    return tmp_path / "backups" / "one"


def _kept(part: Path, *paths: Path) -> None:
    asked = {"packages": [], "scope": ["state"], "paths": [str(path) for path in paths], "operation": "one", "daemon": None}
    backup.backup(asked, str(part))


def _put_back(part: Path) -> None:
    script = f". {ON_NODE.joinpath('rollback.sh')}; b=$1; restore_state"
    subprocess.run(["sh", "-eu", "-c", script, "sh", str(part)], check=True, capture_output=True)


def test_what_a_state_path_leads_to_comes_back(part: Path, tmp_path: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    data.mkdir()
    (data / "db").write_text("old")
    state.symlink_to(data)
    _kept(part, state)
    (data / "db").write_text("new")
    (data / "journal").write_text("new")
    _put_back(part)
    assert state.readlink() == data
    assert {path.name: path.read_text() for path in state.iterdir()} == {"db": "old"}


def test_a_link_to_nearly_everything_is_refused(part: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.symlink_to("/")
    with pytest.raises(SystemExit, match="too much to be kept"):
        _kept(part, state)
