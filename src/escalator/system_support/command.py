"""System Support by the operator's own tool: commands per node, run on the manager's host.

The installer and the way back run detached: they survive the manager's death and are found again by their operation id.
What the tool cannot do is not pretended: a verb without a command in the settings is no capability of this driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from escalator.model.backup import FULL_SCOPE
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.node_settings import CommandDriver
from escalator.model.release import Release
from escalator.processes import found_program
from escalator.system_support.asking import Answer, ask
from escalator.system_support.detached import DAY_S, GOOD, PASSED_ON, Detached, Work, to_end
from escalator.system_support.no_shelf import NoShelf
from escalator.system_support.operations import EXIT_CODES, folder_name, installer
from escalator.system_support.port import Check, NodeFacts, OperationState, Progress, Ran, Shelf
from escalator.system_support.told import facts_of, versions

ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,252}")
"""What a node or release may be called to become an argument: never an option."""
QUICK_S = 60.0
"""Facts, boot ids and requests to reboot: seconds."""
ARGVS = tuple(name for name in CommandDriver.model_fields if name == "argv" or name.endswith("_argv"))
"""Its settings that are commands."""
NOT_NEEDED_EXIT = 1
"""What `reboot_needed_argv` ends with when no reboot is needed."""


class CommandSystem:
    """The `command` driver. `{node}`, `{release}` and `{version}` in the settings stand for one argument each."""

    name = "command"
    runs = False

    def __init__(
        self, settings: CommandDriver, state: Path, environment: Mapping[str, str], clock: Clock, keep_days: float = 30.0
    ) -> None:
        self.shelf: Shelf = NoShelf(self.name)
        self._settings = settings
        self._clock = clock
        self._environment = {key: environment[key] for key in PASSED_ON if key in environment}
        states = {
            **EXIT_CODES,
            **dict.fromkeys(settings.retry_codes, OperationState.RETRY),
            **dict.fromkeys(settings.not_needed_codes, OperationState.NOT_NEEDED),
        }
        self._operations = Detached(state / "operations", keep_days * DAY_S, states)
        self.lacks: Callable[[], Sequence[EscalatorError]] = self._lacking
        self.capabilities: Callable[[Release], frozenset[str]] = partial(_able, settings)

    async def inspect(self, node: str, release: Release) -> NodeFacts:
        """What `facts_argv` tells; the node's name and boot id alone where there is none."""
        if not self._settings.facts_argv:
            return NodeFacts(node=node, boot_id=await self.boot_id(node) or "", packages_told=False)
        answer = await self._ask(self._settings.facts_argv, node, release, QUICK_S)
        if answer.exit_code != 0:
            raise TemporaryError(Code.SYS_UNREACHABLE, f"The facts of {node} are not told: {answer.shown}")
        return facts_of(node, answer.said, "Check system.command.facts_argv.")

    async def stage(self, node: str, release: Release) -> None:
        """Run `stage_argv` to its end. One that a dead manager began is followed, not begun again."""
        if self._settings.stage_argv:
            operation = f"stage/{node}/{release.id}"
            await self._to_end(operation, self._settings.stage_argv, node, release, Code.SYS_STAGE)
            await self._operations.forget(operation)

    async def backup(
        self,
        node: str,
        release: Release,
        operation: str,
        scope: Sequence[str] = FULL_SCOPE,  # noqa: ARG002 - the port's form: the tool keeps what it keeps
    ) -> Mapping[str, object]:
        """Run `backup_argv` once. What it keeps, and where, is its own affair: the way back finds it by the node."""
        if self._settings.backup_argv:
            await self._to_end(operation, self._settings.backup_argv, node, release, Code.SYS_BACKUP)
        # What the tool keeps is for it to know: it takes the node back by what it has.
        return {"id": folder_name(operation), "node": node, "scope": list(FULL_SCOPE) if self._settings.backup_argv else []}

    async def start(self, node: str, release: Release, operation: str) -> None:
        """Start the command, detached. When this operation was started before, nothing happens."""
        await self._start(self._settings.argv, node, release, operation)

    async def poll(self, node: str, operation: str, cursor: int = 0) -> Progress:  # noqa: ARG002 - operations are unique
        """Where the command stands: exit 0 done, 70 not needed, 75 try again later, anything else failed."""
        return await self._operations.poll(operation, cursor)

    async def verify(self, node: str, release: Release, operation: str | None) -> tuple[Check, ...]:
        """The command's exit code, the versions that `facts_argv` tells, the operator's own check: each if there is one.

        Raises TemporaryError when the facts are not told.
        """
        found = [] if operation is None else [installer(await self.poll(node, operation), operation)]
        if self._settings.facts_argv:
            found += versions(release, await self.inspect(node, release))
        return (*found, *await self._checks(self._settings.verify_argv, node, release))

    async def reboot_needed(self, node: str, release: Release) -> tuple[bool, str]:
        """What the release says; for `auto`, what `reboot_needed_argv` says: exit 0 yes, 1 no."""
        if release.spec.reboot != "auto":
            return release.spec.reboot == "always", f"the release says {release.spec.reboot}"
        if not self._settings.reboot_needed_argv:
            return False, "no command tells whether; the installer reboots the node itself where it has to"
        answer = await self._ask(self._settings.reboot_needed_argv, node, release, QUICK_S)
        if answer.exit_code not in (0, NOT_NEEDED_EXIT):
            raise TemporaryError(Code.SYS_REBOOT, f"Whether {node} needs a reboot is not told: {answer.shown}")
        return answer.exit_code == 0, answer.shown or "the command says so"

    async def reboot(self, node: str, boot_id: str) -> None:
        """Run `reboot_argv`, unless the node's boot id is another one already.

        Raises PermanentError (`SYS_UNSUPPORTED`) when there is no such command, TemporaryError (`SYS_REBOOT`) when it fails.
        """
        if not (self._settings.reboot_argv and self._settings.boot_id_argv):
            remedy = "Set system.command.reboot_argv and boot_id_argv."
            raise PermanentError(Code.SYS_UNSUPPORTED, "The command driver cannot reboot nodes.", remedy=remedy)
        if await self.boot_id(node) not in (None, boot_id):
            return
        answer = await self._ask(self._settings.reboot_argv, node, None, QUICK_S)
        if answer.exit_code != 0:
            raise TemporaryError(Code.SYS_REBOOT, f"{node} is not rebooted: {answer.shown}")

    async def boot_id(self, node: str) -> str | None:
        """What `boot_id_argv` prints, None when it fails; empty without one: not known, and not a sign that the node is down."""
        if not self._settings.boot_id_argv:
            return ""
        answer = await self._ask(self._settings.boot_id_argv, node, None, QUICK_S)
        return answer.said.strip()[:100] or None if answer.exit_code == 0 else None

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
        if (await self.poll(node, operation)).state is OperationState.UNKNOWN:
            await self._operations.withdraw(node)
        await self._start(self._settings.rollback_argv, node, release, operation)

    async def verify_rollback(self, node: str, release: Release, backup: Mapping[str, object]) -> tuple[Check, ...]:  # noqa: ARG002 - the port's form
        """What the operator's check for the way back says; nothing without one."""
        return await self._checks(self._settings.verify_rollback_argv, node, release)

    async def run(self, node: str, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Ran:  # noqa: ARG002 - the port's form
        """Raises PermanentError (`SYS_UNSUPPORTED`): the driver has no way onto the node."""
        raise PermanentError(Code.SYS_UNSUPPORTED, "The command driver cannot run commands on nodes.")

    def _lacking(self) -> Sequence[EscalatorError]:
        """Commands of `system.command` whose program is not there, or may not be run."""
        found = []
        for key in ARGVS:
            argv: Sequence[str] = getattr(self._settings, key)
            if argv and "{" not in argv[0] and found_program(argv[0], self._environment) is None:
                remedy = f"Put it on this host, executable, or correct system.command.{key} and restart the server."
                found.append(PermanentError(Code.SYS_CONFIG, f"The program {argv[0]} is not there.", remedy=remedy))
        return found

    async def _start(self, template: Sequence[str], node: str, release: Release, operation: str) -> None:
        if not await self._operations.known(operation):
            await self._operations.start(operation, self._work(template, node, release, operation))

    def _work(self, template: Sequence[str], node: str, release: Release, operation: str) -> Work:
        environment = {**self._variables(node, release), "ESCALATOR_OPERATION": operation}
        argv = _argv(template, node, release)
        return Work(node, argv, environment, self._settings.timeout_s, self._settings.concurrent or 0)

    async def _to_end(self, operation: str, template: Sequence[str], node: str, release: Release, code: Code) -> None:
        found = await to_end(self._operations, operation, self._work(template, node, release, operation), self._clock)
        if found.state not in GOOD:
            said = " / ".join(found.lines[-3:])[-300:]
            message = f"{template[0]} for {node} ended {found.state.value} (exit code {found.exit_code}): {said}"
            kind = PermanentError if found.state is OperationState.FAILED else TemporaryError
            raise kind(code, message)

    async def _checks(self, template: Sequence[str], node: str, release: Release) -> tuple[Check, ...]:
        if not template:
            return ()
        answer = await self._ask(template, node, release, self._settings.timeout_s)
        if answer.exit_code is None:
            return (Check("health", ok=False, code=Code.SYS_COMMAND, message=f"The check failed: {answer.said}."),)
        if answer.exit_code != 0:
            message = f"The check ended with {answer.exit_code}: {answer.shown}"
            return (Check("health", ok=False, code=Code.SYS_HEALTH, message=message),)
        return (Check("health", ok=True),)

    async def _ask(self, template: Sequence[str], node: str, release: Release | None, timeout_s: float) -> Answer:
        return await ask(_argv(template, node, release), self._variables(node, release), timeout_s)

    def _variables(self, node: str, release: Release | None) -> dict[str, str]:
        about = {} if release is None else {"ESCALATOR_RELEASE": release.id}
        return {**self._environment, "ESCALATOR_NODE": node, **about}


def _able(settings: CommandDriver, _: Release) -> frozenset[str]:
    """What the settings name a command for; a reboot also needs one that tells the boot id."""
    given = {
        "stage": settings.stage_argv,
        "backup": settings.backup_argv,
        "rollback": settings.rollback_argv,
        "reboot": settings.reboot_argv and settings.boot_id_argv,
    }
    return frozenset(name for name, argv in given.items() if argv)


def _argv(template: Sequence[str], node: str, release: Release | None) -> list[str]:
    """The command with the ids filled in; each stays inside its argument and none can become an option."""
    if not template:
        remedy = "Set system.command.argv."
        raise PermanentError(Code.SYS_CONFIG, "The command driver has no command.", remedy=remedy)
    values = {"{node}": node} | ({} if release is None else {"{release}": release.id, "{version}": release.spec.version})
    for value in values.values():
        if not ARGUMENT.fullmatch(value):
            raise PermanentError(Code.SYS_CONFIG, f"{value[:80]!r} cannot be an argument of a command.")
    filled = list(template)
    for word, value in values.items():
        filled = [part.replace(word, value) for part in filled]
    return filled
