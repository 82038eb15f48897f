"""The operator's own installer: arguments, exit codes, survival of the manager."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from escalator.clocks import SystemClock
from escalator.model.codes import Code
from escalator.model.document import Metadata
from escalator.model.errors import PermanentError
from escalator.model.node_settings import CommandDriver
from escalator.model.release import Daemon, Package, Release, ReleaseSpec
from escalator.system_support.command import CommandSystem
from escalator.system_support.operations import folder_name
from escalator.system_support.port import OperationState, Progress

RELEASE = Release(
    metadata=Metadata(name="kit"),
    spec=ReleaseSpec(version="2.0.0", type="command", packages=(Package(name="kit", version="2.0.0"),)),
)
SHELL = ("sh", "-c")


def driver(tmp_path: Path, *argv: str, **more: object) -> CommandSystem:
    environment = {"PATH": os.environ["PATH"], "OS_PASSWORD": "secret", "HOME": "/nowhere"}
    return CommandSystem(CommandDriver(argv=argv, **more), tmp_path, environment, SystemClock())


async def ended(made: CommandSystem, operation: str = "op") -> Progress:
    while (found := await made.poll("cn-1", operation)).state is OperationState.RUNNING:
        await SystemClock().sleep(0.02)
    return found


async def test_what_was_started_is_not_refused_when_it_is_started_again(tmp_path: Path) -> None:
    made = driver(tmp_path, *SHELL, "exit 0")
    await made.start("cn-1", RELEASE, "op")
    await ended(made)
    await driver(tmp_path).start("cn-1", RELEASE, "op")  # the settings have lost their command since


@pytest.mark.parametrize(
    ("exit_code", "state"),
    [(0, OperationState.DONE), (70, OperationState.NOT_NEEDED), (75, OperationState.RETRY), (1, OperationState.FAILED)],
)
async def test_exit_codes_mean_what_the_manual_says(tmp_path: Path, exit_code: int, state: OperationState) -> None:
    made = driver(tmp_path, *SHELL, f"exit {exit_code}")
    await made.start("cn-1", RELEASE, "op")
    found = await ended(made)
    assert (found.state, found.exit_code) == (state, exit_code)
    (check,) = await made.verify("cn-1", RELEASE, "op")
    assert check.ok == (exit_code in (0, 70))


async def test_the_ids_become_whole_arguments_or_parts_of_one(tmp_path: Path) -> None:
    made = driver(tmp_path, sys.executable, "-c", "import sys; print(sys.argv[1:])", "--limit={node}", "{release}", "$(id) {x}")
    await made.start("cn-1", RELEASE, "op")
    assert (await ended(made)).lines == ("['--limit=cn-1', 'kit/2.0.0', '$(id) {x}']",)


@pytest.mark.parametrize("node", ["-rf", "a b", "", "$(id)", "../x"])
async def test_a_node_that_could_become_an_option_is_refused(tmp_path: Path, node: str) -> None:
    with pytest.raises(PermanentError) as caught:
        await driver(tmp_path, "true", "{node}").start(node, RELEASE, "op")
    assert caught.value.code is Code.SYS_CONFIG


async def test_the_command_sees_what_it_needs_and_no_secrets(tmp_path: Path) -> None:
    made = driver(tmp_path, sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    await made.start("cn-1", RELEASE, "op")
    seen = json.loads((await ended(made)).lines[0])
    assert (seen["ESCALATOR_NODE"], seen["ESCALATOR_RELEASE"], seen["ESCALATOR_OPERATION"]) == ("cn-1", "kit/2.0.0", "op")
    assert "OS_PASSWORD" not in seen


async def test_a_command_that_does_not_exist_fails_with_words_in_the_log(tmp_path: Path) -> None:
    made = driver(tmp_path, "/no/such/installer")
    await made.start("cn-1", RELEASE, "op")
    found = await ended(made)
    assert (found.state, found.exit_code) == (OperationState.FAILED, 127)
    assert "/no/such/installer" in found.lines[0]


async def test_a_command_that_runs_too_long_is_ended(tmp_path: Path) -> None:
    made = driver(tmp_path, "sleep", "60", timeout_s=1.0)
    await made.start("cn-1", RELEASE, "op")
    found = await ended(made)
    assert (found.state, found.lines) == (OperationState.FAILED, ("ended: it ran longer than 1 s",))


MANAGER = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path[:0] = [{source!r}, {tests!r}]
from unit.system_support.test_command import RELEASE, driver
async def main():
    await driver(Path({folder!r}), "sh", "-c", {command!r}).start("cn-1", RELEASE, "op")
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_the_command_survives_the_managers_death_and_is_found_again(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = f"while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; echo survived"
    text = MANAGER.format(source=str(root / "src"), tests=str(root / "tests"), folder=str(tmp_path), command=command)
    manager = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", text], check=False)
    assert manager.returncode == -signal.SIGKILL
    made = driver(tmp_path, "false")
    assert (await made.poll("cn-1", "op")).state is OperationState.RUNNING
    await made.start("cn-1", RELEASE, "op")
    (tmp_path / "go").touch()
    found = await ended(made)
    assert (found.state, found.lines) == (OperationState.DONE, ("survived",))


async def test_a_command_that_died_with_its_host_is_lost_and_another_operation_takes_its_place(tmp_path: Path) -> None:
    made = driver(tmp_path, "sleep", "60")
    await made.start("cn-1", RELEASE, "op")
    folder = tmp_path / "operations" / folder_name("op")
    os.killpg(int((folder / "started/pid").read_text()), signal.SIGKILL)
    while (found := await made.poll("cn-1", "op")).state is OperationState.RUNNING:
        await SystemClock().sleep(0.02)
    assert (found.state, found.exit_code) == (OperationState.LOST, None)
    again = driver(tmp_path, "true")
    await again.start("cn-1", RELEASE, "op")
    assert (await again.poll("cn-1", "op")).state is OperationState.LOST
    await again.start("cn-1", RELEASE, "op-2")
    assert (await ended(again, "op-2")).state is OperationState.DONE


async def test_a_process_id_of_an_earlier_boot_is_not_believed(tmp_path: Path) -> None:
    made = driver(tmp_path, "sleep", "60")
    await made.start("cn-1", RELEASE, "op")
    folder = tmp_path / "operations" / folder_name("op")
    (folder / "started/boot").write_text("another\n")
    assert (await made.poll("cn-1", "op")).state is OperationState.LOST
    os.killpg(int((folder / "started/pid").read_text()), signal.SIGKILL)


async def test_the_operators_check_decides_about_health(tmp_path: Path) -> None:
    good = driver(tmp_path, "true", verify_argv=("test", "{node}", "=", "cn-1"))
    assert [check.ok for check in await good.verify("cn-1", RELEASE, None)] == [True]
    (check,) = await good.verify("cn-2", RELEASE, None)
    assert (check.name, check.ok, check.code) == ("health", False, Code.SYS_HEALTH)
    slow = driver(tmp_path, "true", verify_argv=("sleep", "60"), timeout_s=0.2)
    (check,) = await slow.verify("cn-1", RELEASE, None)
    assert (check.ok, check.code) == (False, Code.SYS_COMMAND)
    with pytest.raises(PermanentError):
        await driver(tmp_path, "true", verify_argv=("/no/such",)).verify("cn-1", RELEASE, None)


async def test_the_way_back_is_a_command_of_its_own_where_there_is_one(tmp_path: Path) -> None:
    made = driver(tmp_path, "true", rollback_argv=("echo", "back on {node}"))
    assert made.capabilities(RELEASE) == {"rollback"}
    await made.rollback("cn-1", RELEASE, {}, "op/back")
    assert (await ended(made, "op/back")).lines == ("back on cn-1",)
    assert driver(tmp_path, "true").capabilities(RELEASE) == frozenset()


async def test_without_a_command_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        await driver(tmp_path).start("cn-1", RELEASE, "op")
    assert caught.value.code is Code.SYS_CONFIG


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ('{"packages": {"kit": "2.0.0"}}', {}),
        ('{"packages": {"kit": "1.0.0"}}', {"packages": "kit is 1.0.0, wanted is 2.0.0"}),
        ('{"packages": {"other": "2.0.0"}}', {"packages": "kit is not installed, wanted is 2.0.0"}),
        ('{"daemon": "1.0.0"}', {"daemon": "The daemon says version 1.0.0, wanted is 2.0.0."}),
        ("{}", {}),
    ],
)
async def test_what_the_facts_tell_is_compared_with_the_release(tmp_path: Path, told: str, wrong: dict[str, str]) -> None:
    spec = RELEASE.spec.model_copy(update={"daemon": Daemon(url="http://127.0.0.1/version")})
    made = driver(tmp_path, "true", facts_argv=("echo", told))
    checks = await made.verify("cn-1", RELEASE.model_copy(update={"spec": spec}), None)
    assert {check.name: check.message for check in checks if not check.ok} == wrong
