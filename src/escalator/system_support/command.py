"""System Support by the operator's own installer: one command per node, run on the manager's host.

The command runs detached: it survives the manager's death and is found again by its operation id. What the installer
does to the node is its own affair, so this driver can neither stage nor back up nor reboot, and knows no boot id.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.release import Release
from escalator.settings import CommandDriver
from escalator.system_support.operations import MAX_CHUNK_BYTES, folder_name, installer, outcome, progress
from escalator.system_support.port import Check, NodeFacts, OperationState, Progress, Ran

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK")
"""Variables that the command inherits. The manager's own settings and secrets are not among them."""
ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,252}")
"""What a node or release may be called to become an argument: never an option."""
SUPERVISOR_S = 10.0
"""Forking a shell takes milliseconds; more means that the host is out of processes."""
KILL_AFTER_S = 30
"""Between the polite and the hard end of a command that runs too long."""
MESSAGE_BYTES = 2000


class CommandSystem:
    """The `command` driver. `{node}` and `{release}` in the argv of the settings stand for the ids."""

    name = "command"

    def __init__(self, settings: CommandDriver, state: Path, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._folder = state / "operations"
        self._environment = {key: environment[key] for key in PASSED_ON if key in environment}
        self.capabilities = frozenset({"rollback"}) if settings.rollback_argv else frozenset[str]()

    async def inspect(self, node: str, release: Release) -> NodeFacts:  # noqa: ARG002 - the port's form
        """Only the node's name: the command tells nothing else."""
        return NodeFacts(node=node, boot_id="")

    async def stage(self, node: str, release: Release) -> None:
        """Nothing: the command fetches what it needs."""

    async def backup(self, node: str, release: Release, operation: str) -> Mapping[str, object]:  # noqa: ARG002 - the port's form
        """Nothing is kept here; the value only says so."""
        return {"id": folder_name(operation), "node": node}

    async def start(self, node: str, release: Release, operation: str) -> None:
        """Start the command, detached. When this operation was started before, nothing happens."""
        await self._start(self._settings.argv, node, release, operation)

    async def poll(self, node: str, operation: str, cursor: int = 0) -> Progress:  # noqa: ARG002 - operations are unique
        """Where the command stands: exit 0 done, 70 not needed, 75 try again later, anything else failed."""
        folder = self._folder / folder_name(operation)
        state, exit_code = await asyncio.to_thread(_standing, folder)
        return progress(state, exit_code, await asyncio.to_thread(_log, folder / "log", cursor), cursor)

    async def verify(self, node: str, release: Release, operation: str | None) -> tuple[Check, ...]:
        """The command's exit code, and what the operator's own check says, if there is one."""
        found = [] if operation is None else [installer(await self.poll(node, operation), operation)]
        if self._settings.verify_argv:
            found.append(await self._check(node, release))
        return tuple(found)

    async def reboot_needed(self, node: str, release: Release) -> tuple[bool, str]:  # noqa: ARG002 - the port's form
        """Never: a reboot is part of the command."""
        return False, "the command reboots the node itself where it has to"

    async def reboot(self, node: str, boot_id: str) -> None:  # noqa: ARG002 - the port's form
        """Raises PermanentError (`SYS_UNSUPPORTED`)."""
        raise PermanentError(Code.SYS_UNSUPPORTED, "The command driver cannot reboot nodes.")

    async def boot_id(self, node: str) -> str | None:  # noqa: ARG002 - the port's form
        """Empty: not known, and not a sign that the node is down."""
        return ""

    async def rollback(
        self,
        node: str,
        release: Release,
        backup: Mapping[str, object],  # noqa: ARG002 - the command keeps its own
        operation: str,
        *,
        forced: bool = False,  # noqa: ARG002 - it is the operator's command, and knows no harder way
    ) -> None:
        """Start the operator's command for the way back. Raises PermanentError (`SYS_UNSUPPORTED`) when there is none."""
        if not self._settings.rollback_argv:
            remedy = "Set system.command.rollback_argv."
            raise PermanentError(Code.SYS_UNSUPPORTED, "The command driver has no command for a rollback.", remedy=remedy)
        await self._start(self._settings.rollback_argv, node, release, operation)

    async def drop_backup(self, node: str, backup: Mapping[str, object]) -> None:
        """Nothing: nothing is kept here."""

    async def verify_rollback(self, node: str, release: Release, backup: Mapping[str, object]) -> tuple[Check, ...]:  # noqa: ARG002 - the port's form
        """Nothing: what the node runs after the way back is known to the command alone."""
        return ()

    async def run(self, node: str, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Ran:  # noqa: ARG002 - the port's form
        """Raises PermanentError (`SYS_UNSUPPORTED`): the driver has no way onto the node."""
        raise PermanentError(Code.SYS_UNSUPPORTED, "The command driver cannot run commands on nodes.")

    async def _start(self, template: Sequence[str], node: str, release: Release, operation: str) -> None:
        argv = _argv(template, node, release)
        folder = self._folder / folder_name(operation)
        state, _ = await asyncio.to_thread(_standing, folder)
        if state is not OperationState.UNKNOWN:
            return
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        environment = {
            **self._environment,
            "ESCALATOR_NODE": node,
            "ESCALATOR_RELEASE": release.id,
            "ESCALATOR_OPERATION": operation,
        }
        await self._supervise(folder, argv, environment)

    async def _supervise(self, folder: Path, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        script = files("escalator.system_support").joinpath("supervise.sh").read_text()
        limit = str(int(self._settings.timeout_s))
        try:
            process = await asyncio.create_subprocess_exec(
                *("setsid", "-f", "/bin/sh", "-c", script, "sh", str(folder), limit, str(KILL_AFTER_S), *argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(environment),
                cwd="/",
            )
            async with asyncio.timeout(SUPERVISOR_S):
                await process.communicate()  # the supervisor lets go of the pipe when it has taken the operation over
        except (OSError, TimeoutError) as error:
            raise TemporaryError(Code.SYS_COMMAND, "The command could not be started on the manager's host.") from error

    async def _check(self, node: str, release: Release) -> Check:
        argv = _argv(self._settings.verify_argv, node, release)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            message = f"The check {argv[0]} cannot be run: {error.strerror}."
            raise PermanentError(Code.SYS_CONFIG, message, remedy="Check system.command.verify_argv.") from error
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                said = await _bounded(process)
        except TimeoutError:
            message = f"The check did not end within {self._settings.timeout_s:g} s."
            return Check("health", ok=False, code=Code.SYS_COMMAND, message=message)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode == 0:
            return Check("health", ok=True)
        return Check("health", ok=False, code=Code.SYS_HEALTH, message=f"The check ended with {process.returncode}: {said}")


def _argv(template: Sequence[str], node: str, release: Release) -> list[str]:
    """The command with the ids filled in; each stays inside its argument and none can become an option."""
    if not template:
        remedy = "Set system.command.argv."
        raise PermanentError(Code.SYS_CONFIG, "The command driver has no command.", remedy=remedy)
    for value in (node, release.id):
        if not ARGUMENT.fullmatch(value):
            raise PermanentError(Code.SYS_CONFIG, f"{value[:80]!r} cannot be an argument of a command.")
    return [part.replace("{node}", node).replace("{release}", release.id) for part in template]


def _standing(folder: Path) -> tuple[OperationState, int | None]:
    started = folder / "started"
    if not started.is_dir():
        return OperationState.UNKNOWN, None
    alive = _alive(started, folder)
    try:
        exit_code = int((folder / "rc").read_text())  # looked for after the process: it is written before that ends
    except (OSError, ValueError):
        return (OperationState.RUNNING if alive else OperationState.LOST), None
    return outcome(exit_code), exit_code


def _alive(started: Path, folder: Path) -> bool:
    """Whether the supervisor still runs: this boot, that process id, and really ours."""
    if (started / "boot").read_text() != Path("/proc/sys/kernel/random/boot_id").read_text():
        return False
    pid = (started / "pid").read_text().strip()
    try:
        return str(folder).encode() in Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _log(path: Path, cursor: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(cursor)
            return file.read(MAX_CHUNK_BYTES)
    except OSError:
        return b""


async def _bounded(process: asyncio.subprocess.Process) -> str:
    """The beginning of what the command says; the rest is read and dropped."""
    said = b""
    while process.stdout is not None and (chunk := await process.stdout.read(65536)):
        said = (said + chunk)[:MESSAGE_BYTES]
    await process.wait()
    return said.decode(errors="replace").strip()[-300:]
