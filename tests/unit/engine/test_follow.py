"""Following an operation: its log comes in pieces, and the end of it is what tells why it failed."""

from __future__ import annotations

import os
from pathlib import Path

from escalator.clocks import SystemClock
from escalator.model.document import Metadata
from escalator.model.node_settings import CommandDriver
from escalator.model.release import Package, Release, ReleaseSpec
from escalator.system_support.command import CommandSystem
from escalator.system_support.operations import MAX_CHUNK_BYTES
from escalator.system_support.port import OperationState
from escalator.upgrade_manager.engine.context import Pace
from escalator.upgrade_manager.engine.operations import follow

RELEASE = Release(
    metadata=Metadata(name="kit"),
    spec=ReleaseSpec(version="2.0.0", type="command", packages=(Package(name="kit", version="2.0.0"),)),
)


async def followed(tmp_path: Path, script: str) -> tuple[OperationState, tuple[str, ...]]:
    argv = ("sh", "-c", script)
    made = CommandSystem(CommandDriver(argv=argv), tmp_path, {"PATH": os.environ["PATH"], "HOME": "/nowhere"}, SystemClock())
    await made.start("cn-1", RELEASE, "op")
    found = await follow(made, "cn-1", "op", SystemClock(), Pace(poll_s=0.02))
    return found.state, found.lines


async def test_a_failure_tells_the_last_lines_of_a_log_of_many_pieces(tmp_path: Path) -> None:
    lines = 3 * MAX_CHUNK_BYTES // 6
    state, told = await followed(tmp_path, f"seq 100000 {100000 + lines}; echo the disk is full; exit 1")
    assert state is OperationState.FAILED
    assert told == (*(str(100000 + lines - n) for n in (3, 2, 1, 0)), "the disk is full")


async def test_what_was_said_while_it_ran_is_told_too(tmp_path: Path) -> None:
    state, told = await followed(tmp_path, "echo begun; sleep 0.2; echo broken; exit 1")
    assert (state, told) == (OperationState.FAILED, ("begun", "broken"))
