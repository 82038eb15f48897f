"""The break-glass sheet: every line is a comment or a command, and nothing that people wrote becomes one."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.progress import Restoration
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.sheet import FileSheet
from escalator.world.world import World

EVIL = [
    "a\nreboot",
    "a\r\nreboot",
    "a\rreboot",
    "a\x0breboot",
    "a\x0creboot",
    "a\x85reboot",
    "a\u2028reboot",
    "a\u2029reboot",
    "a\x1creboot",
    "; reboot #",
    "$(reboot)",
    "`reboot`",
    "' ; reboot ; '",
]


def row(**more: object) -> Restoration:
    fields: dict[str, object] = {
        "id": "t/cordon/n1",
        "campaign": "c",
        "kind": "cordon",
        "object_id": "n1",
        "node": "n1",
        "found": {"enabled": True},
        "commands": ("openstack compute service set --enable n1 nova-compute",),
        "created_at": 1_767_225_600.0,
    }
    return Restoration(**{**fields, **more})  # type: ignore[arg-type]


def written(path: Path, *rows: Restoration) -> list[str]:
    FileSheet(path / "sheet.txt").write(rows)
    return (path / "sheet.txt").read_text().splitlines()


def commands(lines: list[str]) -> list[str]:
    return [line for line in lines if line and not line.startswith("#")]


def test_an_empty_sheet_says_so(tmp_path: Path) -> None:
    lines = written(tmp_path)
    assert commands(lines) == []
    assert lines[-1] == "# Nothing: all is as it was found."


def test_each_change_has_its_facts_and_its_command(tmp_path: Path) -> None:
    lines = written(tmp_path, row())
    assert "# cordon of n1 on n1 by campaign c since 2026-01-01T00:00:00Z; found: enabled=True" in lines
    assert commands(lines) == ["openstack compute service set --enable n1 nova-compute"]


def test_a_door_is_shut_before_its_node_is_enabled(tmp_path: Path) -> None:
    door = row(id="t/probe-door/n1", kind="probe-door", commands=("openstack resource provider trait set n1",))
    assert commands(written(tmp_path, row(), door))[0] == "openstack resource provider trait set n1"


@pytest.mark.parametrize("reason", EVIL)
def test_no_reason_that_people_wrote_becomes_a_command(tmp_path: Path, reason: str) -> None:
    found = {"enabled": False, "reason": reason}
    order = SimulatedCloud(World.in_memory(VirtualClock())).by_hand("cordon", "n1", "n1", found)
    text_lines = written(tmp_path, row(found=found, commands=order))
    lines = commands(text_lines)
    for line in (line for line in lines if "reboot" in line):
        assert shlex.split(" ".join(lines))[:5] == ["openstack", "compute", "service", "set", "--disable"], line
    assert not [line for line in lines if line.strip().startswith("reboot")]


def test_the_sheet_is_replaced_as_a_whole(tmp_path: Path) -> None:
    written(tmp_path, row(), row(object_id="n2"))
    assert len(commands(written(tmp_path, row()))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.txt"]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    written(tmp_path, row())
    assert (tmp_path / "sheet.txt").stat().st_mode & 0o077 == 0


def test_what_others_wrote_does_not_steer_the_terminal_that_shows_the_sheet(tmp_path: Path) -> None:
    lines = written(tmp_path, row(found={"reason": "\x1b[2J\x07gone\x9b1m"}))
    assert all(line.isprintable() for line in lines)
    assert "gone" in "".join(lines)
