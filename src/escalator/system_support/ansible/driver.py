"""System Support by playbooks: the release is a bundle that names a playbook per role; each run is a process of its own.

How nodes are looked at is another's affair (`look`): over SSH as for packages, or by the bundle's `facts` playbook.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path

from escalator.model.backup import FULL_SCOPE
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.node_settings import System
from escalator.model.release import Release
from escalator.system_support.ansible.private import Play, prepare
from escalator.system_support.detached import DAY_S, GOOD, PASSED_ON, Detached, Work, to_end
from escalator.system_support.no_shelf import NoShelf
from escalator.system_support.operations import EXIT_CODES, folder_name, installer
from escalator.system_support.port import Check, NodeFacts, OperationState, Progress, Ran, Shelf, SystemSupport
from escalator.system_support.told import facts_of

TASK = "task "
"""How the lines begin that a task begins or ends with."""
PROGRAMS = ("ansible-runner", "ansible-playbook")
REMEDY = "Install the extra on the server, from the checkout: pip install --require-hashes -r requirements/extras.lock."


@dataclass(frozen=True, slots=True)
class Resources:
    """What the driver needs beside its settings: where files of releases lie, and who looks at nodes over SSH."""

    credentials: Path
    path_of: Callable[[str], Path]
    look: SystemSupport
    clock: Clock


class AnsibleSystem:
    """The `ansible` driver. Nodes need what the bundle's modules need; python3 as a rule."""

    name = "ansible"

    def __init__(self, settings: System, state: Path, environment: Mapping[str, str], resources: Resources) -> None:
        self._settings = settings.ansible
        self._ssh = settings.ssh
        self._resources = resources
        self.runs = self._over_ssh
        self.shelf: Shelf = NoShelf(self.name)
        self.capabilities: Callable[[Release], frozenset[str]] = partial(_able, self._over_ssh)
        self.lacks: Callable[[], Sequence[EscalatorError]] = self._lacking
        self._environment = {key: environment[key] for key in PASSED_ON if key in environment}
        self._kept = state / "playbooks-kept"
        self._operations = Detached(state / "playbooks", settings.keep_days * DAY_S, EXIT_CODES)

    async def inspect(self, node: str, release: Release) -> NodeFacts:
        """What the node is and offers now. Raises TemporaryError when it does not answer."""
        if self._over_ssh:
            return await self._resources.look.inspect(node, release)
        if "facts" not in release.spec.playbooks:
            return NodeFacts(node=node, boot_id="", packages_told=False)
        operation = f"facts/{node}/{release.id}"
        await self._run("facts", node, release, operation, Code.SYS_UNREACHABLE)
        told = self._operations.of(operation) / "told.json"
        said = await asyncio.to_thread(told.read_text) if told.exists() else "null"
        await self._operations.forget(operation)
        return facts_of(node, said, "The facts playbook has to set_stats: {data: {escalator: {...}}}.")

    async def stage(self, node: str, release: Release) -> None:
        """See that the bundle can be run and the node be reached, then run its `stage` playbook if it has one."""
        await asyncio.to_thread(self._play, "upgrade", node, release, "stage")
        if self._over_ssh:
            await self._resources.look.inspect(node, release)
        if "stage" in release.spec.playbooks:
            operation = f"stage/{node}/{release.id}"
            await self._run("stage", node, release, operation, Code.SYS_STAGE)
            await self._operations.forget(operation)

    async def backup(
        self,
        node: str,
        release: Release,
        operation: str,
        scope: Sequence[str] = FULL_SCOPE,  # noqa: ARG002 - the port's form: the playbook keeps what it keeps
    ) -> Mapping[str, object]:
        """Note the versions that run, then run the `backup` playbook if there is one; once per operation."""
        kept = self._kept / folder_name(operation)
        if not kept.exists():
            facts = await self.inspect(node, release)
            await asyncio.to_thread(_keep, kept, facts)
        if "backup" in release.spec.playbooks:
            await self._run("backup", node, release, operation, Code.SYS_BACKUP)
        facts = facts_of(node, await asyncio.to_thread(kept.read_text), "Take the backup again.")
        said = {"packages": dict(facts.packages), "daemon": facts.daemon, "scope": list(FULL_SCOPE)}
        return {"id": folder_name(operation), "node": node, **said}

    async def start(self, node: str, release: Release, operation: str) -> None:
        """Start the `upgrade` playbook, detached. When this operation was started before, nothing happens."""
        await self._start("upgrade", node, release, operation, {})

    async def poll(self, node: str, operation: str, cursor: int = 0) -> Progress:  # noqa: ARG002 - operations are unique
        """Where the run stands: a node that did not answer is worth another try, a task that failed is not."""
        found = await self._operations.poll(operation, cursor)
        return replace(found, told=tuple(line for line in found.lines if line.startswith(TASK)))

    async def verify(self, node: str, release: Release, operation: str | None) -> tuple[Check, ...]:
        """The run's end, what is seen on the node, and the `verify` playbook: each on its own."""
        ended = () if operation is None else (installer(await self.poll(node, operation), operation),)
        seen = await self._resources.look.verify(node, release, None) if self._over_ssh else ()
        return (*ended, *seen, *await self._verify_playbook(node, release))

    async def reboot_needed(self, node: str, release: Release) -> tuple[bool, str]:
        """Whether the node has to reboot before it runs what was installed, and why."""
        if not self._over_ssh:
            return False, "the playbook reboots the node itself where it has to"
        return await self._resources.look.reboot_needed(node, release)

    async def reboot(self, node: str, boot_id: str) -> None:
        """Ask the node to reboot, unless its boot id is another one already. Raises PermanentError (`SYS_UNSUPPORTED`)."""
        if not self._over_ssh:
            message = "The ansible driver cannot reboot nodes that it does not reach over SSH itself."
            raise PermanentError(Code.SYS_UNSUPPORTED, message, remedy="Set system.ansible.probe to ssh.")
        await self._resources.look.reboot(node, boot_id)

    async def boot_id(self, node: str) -> str | None:
        """The node's boot id; None while it does not answer, empty where only playbooks see it."""
        return await self._resources.look.boot_id(node) if self._over_ssh else ""

    async def rollback(
        self,
        node: str,
        release: Release,
        backup: Mapping[str, object],
        operation: str,
        *,
        forced: bool = False,  # noqa: ARG002 - it is the operator's playbook, and knows no harder way
    ) -> None:
        """Start the `rollback` playbook, detached; an upgrade that still waits for its place does not begin any more.

        Raises PermanentError (`SYS_UNSUPPORTED`) when the bundle has none.
        """
        if "rollback" not in release.spec.playbooks:
            message = f"{release.id} has no rollback playbook."
            raise PermanentError(Code.SYS_UNSUPPORTED, message, remedy="Name one in the release: spec.playbooks.rollback.")
        if (await self._operations.poll(operation)).state is OperationState.UNKNOWN:
            await self._operations.withdraw(node)
        before = backup.get("packages")
        versions = {str(name): str(version) for name, version in before.items()} if isinstance(before, Mapping) else {}
        await self._start("rollback", node, release, operation, versions)

    async def verify_rollback(self, node: str, release: Release, backup: Mapping[str, object]) -> tuple[Check, ...]:
        """Whether the node is back on what `backup` holds, as far as it can be seen."""
        return await self._resources.look.verify_rollback(node, release, backup) if self._over_ssh else ()

    async def run(self, node: str, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Ran:
        """Run a command of the operator's on the node. Raises PermanentError (`SYS_UNSUPPORTED`) where only playbooks see it."""
        if not self._over_ssh:
            message = "The ansible driver cannot run commands on nodes that it does not reach over SSH itself."
            raise PermanentError(Code.SYS_UNSUPPORTED, message, remedy="Set system.ansible.probe to ssh.")
        return await self._resources.look.run(node, argv, environment, timeout_s)

    @property
    def _over_ssh(self) -> bool:
        return self._settings.probe == "ssh"

    async def _verify_playbook(self, node: str, release: Release) -> tuple[Check, ...]:
        if "verify" not in release.spec.playbooks:
            return ()
        operation = f"verify/{node}/{release.id}"
        found = await self._ended("verify", node, release, operation)
        await self._operations.forget(operation)
        if found.state in GOOD:
            return (Check("playbook", ok=True),)
        said = found.lines[-1] if found.lines else found.state.value
        return (Check("playbook", ok=False, code=Code.SYS_PLAYBOOK, message=f"the verify playbook {said}"),)

    async def _run(self, role: str, node: str, release: Release, operation: str, code: Code) -> None:
        """Run the playbook of that role to its end. Raises TemporaryError or PermanentError with `code` when it fails."""
        found = await self._ended(role, node, release, operation)
        if found.state not in GOOD:
            said = found.lines[-1] if found.lines else found.state.value
            kind = PermanentError if found.state is OperationState.FAILED else TemporaryError
            raise kind(code, f"The {role} playbook of {release.id} for {node} {said}")

    async def _ended(self, role: str, node: str, release: Release, operation: str) -> Progress:
        play = await asyncio.to_thread(self._play, role, node, release, operation)
        work = self._work(node, operation)
        return await to_end(
            self._operations, operation, work, self._resources.clock, partial(prepare, play, self._resources.path_of)
        )

    async def _start(self, role: str, node: str, release: Release, operation: str, before: Mapping[str, str]) -> None:
        if await self._operations.known(operation):
            return
        play = await asyncio.to_thread(self._play, role, node, release, operation, before)
        await self._operations.start(operation, self._work(node, operation), partial(prepare, play, self._resources.path_of))

    def _work(self, node: str, operation: str) -> Work:
        script = files("escalator.system_support.ansible").joinpath("play.py")
        argv = (sys.executable, "-I", str(script), str(self._operations.of(operation)))
        path = os.pathsep.join([str(self._program(PROGRAMS[1]).parent), self._environment.get("PATH", os.defpath)])
        return Work(node, argv, {**self._environment, "PATH": path}, self._settings.timeout_s, self._settings.concurrent)

    def _play(self, role: str, node: str, release: Release, operation: str, before: Mapping[str, str] | None = None) -> Play:
        """Everything that a run needs, checked. Raises PermanentError when something is missing."""
        playbook = release.spec.playbooks.get(role)  # type: ignore[call-overload]  # roles are fixed words
        if playbook is None:
            message = f"{release.id} is no bundle with a playbook for {role}."
            raise PermanentError(
                Code.SYS_WRONG_TYPE, message, remedy="Give it type: ansible and playbooks, or use another driver."
            )
        if self._ssh.known_hosts is None:
            message = "The setting system.ssh.known_hosts is missing; nodes whose host key is not known are refused."
            raise PermanentError(Code.SYS_CONFIG, message, remedy="Set it to a file in the format of OpenSSH's known_hosts.")
        vault = self._settings.vault_password
        return Play(
            node=node,
            release=release,
            playbook=playbook,
            operation=operation,
            runner=self._program(PROGRAMS[0]),
            key=self._secret(self._ssh.key, "system.ssh.key"),
            ssh=self._ssh,
            vault_password=None if vault is None else self._secret(vault, "system.ansible.vault_password"),
            groups=self._settings.groups,
            before=before or {},
        )

    def _lacking(self) -> Sequence[EscalatorError]:
        """What of its programs, of the key, the known host keys and the vault's password is not there or cannot be used."""
        found = list(self._resources.look.lacks())
        try:
            for name in PROGRAMS:
                self._program(name)
            if self._settings.vault_password is not None:
                self._secret(self._settings.vault_password, "system.ansible.vault_password")
        except PermanentError as error:
            found.append(error)
        return found

    def _program(self, name: str) -> Path:
        """Where the program lies. Raises PermanentError (`SYS_ANSIBLE`) when it is not installed."""
        own = Path(self._settings.bin_dir) if self._settings.bin_dir else Path(sys.executable).parent
        elsewhere = None if self._settings.bin_dir else self._environment.get("PATH", os.defpath)
        found = shutil.which(name, path=str(own)) or (elsewhere and shutil.which(name, path=elsewhere))
        if not found:
            raise PermanentError(Code.SYS_ANSIBLE, f"The ansible driver needs {name}, which is not installed.", remedy=REMEDY)
        return Path(found)

    def _secret(self, name: str | None, setting: str) -> Path:
        """A file of the credentials folder that only its owner reads."""
        if not name or Path(name).name != name:
            message = f"The setting {setting} does not name a file of the credentials folder."
            raise PermanentError(Code.SYS_CONFIG, message, remedy="Set it to the file's name.")
        path = self._resources.credentials / name
        try:
            readable = path.stat().st_mode & 0o077
        except OSError as error:
            raise PermanentError(Code.SYS_CREDENTIALS, f"The file {name} cannot be read.", remedy=f"Check {path}.") from error
        if readable:
            message = f"The file {name} can be read by others."
            raise PermanentError(Code.SYS_CREDENTIALS, message, remedy=f"Run chmod 600 {path}.")
        return path


def _able(over_ssh: bool, release: Release) -> frozenset[str]:  # noqa: FBT001 - bound to the driver's settings
    """What the bundle has a playbook for. Who keeps nothing but can go back is told the versions that ran before."""
    roles = set(release.spec.playbooks)
    able = {"stage", "rollback"} & roles
    if roles & {"backup", "rollback"}:
        able.add("backup")
    if over_ssh:
        able.add("reboot")
    return frozenset(able)


def _keep(path: Path, facts: NodeFacts) -> None:
    """Write the facts once: what was there first stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts.to_json()))
    part.replace(path)
