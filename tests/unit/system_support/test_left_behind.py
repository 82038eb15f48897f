"""A manager that is killed while a command runs: the next one does not run it a second time beside the first."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from escalator.model.node_settings import NamedCommand
from escalator.system_support.left_behind import LeftBehind
from escalator.system_support.named import NamedCommands
from escalator.system_support.operations import folder_name
from escalator.system_support.port import Call

CALL = Call(command="it", purpose="maintenance", operation="c/cn-1/1/maintenance-it/p", node="cn-1")
MANAGER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from unit.system_support.test_left_behind import CALL, commands
asyncio.run(commands(Path(sys.argv[2]), float(sys.argv[3])).run(CALL))
"""
SCRIPT = """#!/bin/sh
mkdir {0}/held || {{ echo two at once; exit 3; }}
trap 'rmdir {0}/held' EXIT
[ -e {0}/again ] && exit 0
echo up >{0}/up
read -r _ <{0}/go
"""


def this_process() -> str:
    """As a run's note would have it."""
    return Path("/proc/self/stat").read_text()


def commands(tmp_path: Path, timeout_s: float) -> NamedCommands:
    program = tmp_path / "it"
    if not program.exists():
        program.write_text(SCRIPT.format(tmp_path))
        program.chmod(0o755)
    entry = NamedCommand(argv=(str(program),), timeout_s=timeout_s)
    return NamedCommands({"it": entry}, {"PATH": "/usr/bin:/bin"}, tmp_path / "commands")


async def killed_in_the_middle(tmp_path: Path, timeout_s: float) -> None:
    """A manager that began the command, and was killed while it ran."""
    for name in ("up", "go"):
        os.mkfifo(tmp_path / name)
    tests = Path(__file__).parents[2]
    manager = await asyncio.create_subprocess_exec(sys.executable, "-c", MANAGER, str(tests), str(tmp_path), str(timeout_s))
    assert await asyncio.to_thread((tmp_path / "up").read_text) == "up\n"
    manager.send_signal(signal.SIGKILL)
    await manager.wait()
    (tmp_path / "again").touch()


async def test_what_an_earlier_manager_left_running_is_waited_for(tmp_path: Path) -> None:
    await killed_in_the_middle(tmp_path, 60.0)
    asyncio.get_running_loop().call_later(0.3, (tmp_path / "go").write_text, "\n")
    ran = await commands(tmp_path, 60.0).run(CALL)
    assert (ran.code, ran.lines) == (0, ())
    assert list((tmp_path / "commands").iterdir()) == []


async def test_what_runs_for_too_long_is_ended_first(tmp_path: Path) -> None:
    await killed_in_the_middle(tmp_path, 60.0)
    made = commands(tmp_path, 0.5)
    (tmp_path / "held").rmdir()  # killed, it cannot do so itself
    assert (await made.run(CALL)).code == 0
    with pytest.raises(OSError, match="No such device"):
        os.close(os.open(tmp_path / "go", os.O_WRONLY | os.O_NONBLOCK))  # nobody reads there any more


async def test_a_number_that_is_another_process_by_now_is_not_waited_for(tmp_path: Path) -> None:
    own = this_process()
    for said in (own.replace(own.split()[21], "1"), f"{os.getpid()} (python) S 1", "", "no number"):
        (tmp_path / folder_name(CALL.operation)).write_text(said)
        await LeftBehind(tmp_path).ended(CALL.operation, 60.0)


async def test_a_run_of_the_same_manager_is_not_waited_for(tmp_path: Path) -> None:
    found = LeftBehind(tmp_path)
    found.noting(CALL.operation, ("true",))
    (tmp_path / folder_name(CALL.operation)).write_text(this_process())
    await found.ended(CALL.operation, 60.0)
