"""System Support by Debian packages: the port's verbs as commands on the node."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from escalator.model.backup import FULL_SCOPE
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.node_settings import System
from escalator.model.release import Release
from escalator.processes import TEMPORARY
from escalator.system_support.call import Output
from escalator.system_support.named import last_lines
from escalator.system_support.operations import MAX_CHUNK_BYTES, folder_name, installer, outcome, progress
from escalator.system_support.packages.checks import Wanted, checks, facts, understood, wanted, wants_reboot
from escalator.system_support.packages.shelf import LONG_S, QUICK_S, PackagesShelf, backup_name, keeps_versions
from escalator.system_support.port import Check, NodeFacts, OperationState, Progress, Ran, Shelf, everything
from escalator.system_support.releases.repository import COMPONENT, SUITE
from escalator.system_support.ssh import Ssh

SETTLE_POLL_S = 1.0
EXIT_NO_SPACE = 28
"""What `backup.py` ends with when the backup does not fit on the node's disk."""
LOCK = "/run/escalator-command.lock"
"""On a node: held while a command of the operator's runs there."""
EXIT_DIGITS = 3
"""Of an exit code."""
BOOT_ID_BYTES = 100
"""The kernel's has 36 characters."""
KILL_AFTER_S = 10
"""Between the polite and the hard end of a command that runs too long on the node."""
TIMED_OUT = 124
"""Exit code of `timeout` when it had to end its command."""
FOREVER = ("Hash Sum mismatch", "signatures couldn't be verified", "is not signed", "Unable to locate package", "was not found")
"""What apt says when fetching again will bring the same: the files or the repository are wrong."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where nodes get packages: URL of the manager's repository and its armoured public key."""

    url: str
    public_key: str


class PackagesSystem:
    """The `packages` driver. Nodes need sshd, python3, apt and dpkg; sudo where we are not root."""

    name = "packages"
    runs = True

    def __init__(self, settings: System, credentials: Path, source: Source, clock: Clock) -> None:
        self._ssh = Ssh(settings.ssh, credentials)
        self.lacks: Callable[[], Sequence[EscalatorError]] = self._ssh.lacks
        self._source = source
        self._clock = clock
        self._settle_s = settings.settle_s
        self.shelf: Shelf = PackagesShelf(self._python)
        self.capabilities: Callable[[Release], frozenset[str]] = everything
        self._kib_per_s = settings.staging.kib_per_s

    async def close(self) -> None:
        """Take leave of all nodes."""
        await self._ssh.close()

    async def inspect(self, node: str, release: Release) -> NodeFacts:
        """What the node is and offers now. Raises TemporaryError when it does not answer."""
        probe = await self._probe(node, release)
        return understood(node, lambda: facts(node, release, probe))

    async def stage(self, node: str, release: Release) -> None:
        """Fetch the release's packages onto the node by apt, which checks them against the signed index."""
        files_of_ours = (self._source.public_key, _sources(self._source.url), _apt_conf(self._source.url, self._kib_per_s))
        output = await self._script(node, ("stage.sh",), (*files_of_ours, *_pins(release)), LONG_S)
        if output.exit_code == 0:
            return
        said = output.stdout.decode(errors="replace")
        message = f"{release.id} could not be staged on {node}: {_last_errors(said)}"
        if any(words in said for words in FOREVER):
            raise PermanentError(Code.SYS_STAGE, message, remedy="Check that the release is imported and its files are whole.")
        raise TemporaryError(Code.SYS_STAGE, message, remedy=f"Check that {node} reaches {self._source.url}.")

    async def backup(
        self, node: str, release: Release, operation: str, scope: Sequence[str] = FULL_SCOPE
    ) -> Mapping[str, object]:
        """Keep versions with the old packages themselves, configuration and state on the node; once per operation."""
        name, now = folder_name(operation), await self.inspect(node, release)
        asked = {
            "operation": name,
            "scope": list(scope),
            "paths": release.spec.state_paths,
            "packages": [pin.name for pin in release.spec.packages],
            "daemon": now.daemon,
        }
        output = await self._python(node, "backup.py", asked, LONG_S)
        said = output.stderr.strip()[-300:]
        if output.exit_code == EXIT_NO_SPACE:
            remedy = f"Make room under /var/lib/escalator on {node}, or let old backups go: escalator backup prune."
            raise PermanentError(Code.SYS_BACKUP_SPACE, f"The backup of {node} does not fit on its disk: {said}.", remedy=remedy)
        if output.exit_code != 0:
            raise TemporaryError(Code.SYS_BACKUP, f"The backup of {node} failed: {said}")
        manifest: Mapping[str, object] = understood(node, lambda: dict(json.loads(output.stdout)))
        return {**manifest, "id": name, "node": node, "kernel": now.kernel}

    async def start(self, node: str, release: Release, operation: str) -> None:
        """Start the upgrade, detached. When this operation was started before, nothing happens."""
        await self._start(node, operation, ("upgrade.sh",), _pins(release))

    async def poll(self, node: str, operation: str, cursor: int = 0) -> Progress:
        """Where the operation stands. The cursor counts bytes of its log.

        Raises TemporaryError while the node does not answer, or turns our user away as nodes do that boot.
        """
        arguments = (folder_name(operation), str(cursor), str(MAX_CHUNK_BYTES))
        try:
            output = await self._script(node, ("state.sh", "poll.sh"), arguments, QUICK_S)
        except PermanentError as error:
            if not self._may_boot(error):
                raise
            raise TemporaryError(error.code, error.message, remedy=error.remedy, facts=error.facts) from error
        word, _, log = output.stdout.partition(b"\n")
        if word.isdigit() and len(word) <= EXIT_DIGITS:
            return progress(outcome(int(word)), int(word), log, cursor)
        try:
            return progress(OperationState(word.decode()), None, log, cursor)
        except ValueError as error:
            raise TemporaryError(Code.SYS_OPERATION, f"{node} gave no answer about operation {operation}.") from error

    async def verify(self, node: str, release: Release, operation: str | None) -> tuple[Check, ...]:
        """Exit code, package state, the daemon's own version, health; the daemon gets some seconds to come up."""
        ended = () if operation is None else (installer(await self.poll(node, operation), operation),)
        return (*ended, *await self._settled(node, release, wanted(release)))

    async def reboot_needed(self, node: str, release: Release) -> tuple[bool, str]:
        """Whether the node has to reboot before it runs what was installed, and why."""
        if release.spec.reboot != "auto":
            return release.spec.reboot == "always", f"the release says {release.spec.reboot}"
        probe = await self._probe(node, release)
        return understood(node, lambda: wants_reboot(probe))

    async def reboot(self, node: str, boot_id: str) -> None:
        """Ask the node to reboot, unless its boot id is another one already."""
        output = await self._script(node, ("reboot.sh",), (boot_id,), QUICK_S, leave=True)
        if output.exit_code != 0:
            raise TemporaryError(Code.SYS_REBOOT, f"{node} refuses to reboot: {output.stderr.strip()[-300:]}")

    async def boot_id(self, node: str) -> str | None:
        """The node's boot id; None while it does not answer."""
        try:
            # Whoever asks may wait for a reboot, and a node may wait with it for open connections.
            output = await self._ssh.run(node, ["cat", "/proc/sys/kernel/random/boot_id"], timeout_s=QUICK_S, leave=True)
        except TemporaryError:
            return None
        except PermanentError as error:
            if not self._may_boot(error):
                raise
            return None
        return output.stdout[:BOOT_ID_BYTES].decode(errors="replace").strip() if output.exit_code == 0 else None

    def _may_boot(self, error: PermanentError) -> bool:
        """Whether the node may only be booting: it turns others than root away then, as if their key were wrong.

        PAM does so, and so does sshd as long as their home is not mounted.
        """
        return error.code is Code.SYS_CREDENTIALS and not self._ssh.is_root

    async def rollback(
        self, node: str, release: Release, backup: Mapping[str, object], operation: str, *, forced: bool = False
    ) -> None:
        """Start putting the node back: state first, then the old packages, which the backup holds itself."""
        names = [pin.name for pin in release.spec.packages]
        digest = str(backup.get("digest") or "-")
        works = ("others.sh", "rollback.sh", *(("restore.sh",) if forced else ()))
        await self._start(node, operation, works, [backup_name(node, backup), digest, *names])

    async def verify_rollback(self, node: str, release: Release, backup: Mapping[str, object]) -> tuple[Check, ...]:
        """Whether the node is back on what `backup` holds: packages, daemon's own version, health."""
        kept = backup.get("packages")
        versions = kept if isinstance(kept, Mapping) else {}
        daemon = backup.get("daemon")
        names = [pin.name for pin in release.spec.packages]
        kernel: str | None = str(backup.get("kernel") or "")
        if not keeps_versions(backup):  # its way back leaves the software as it is
            names, daemon, kernel = [], daemon and "", None
        target = Wanted({name: versions.get(name) for name in names}, str(daemon) if daemon else None, kernel)
        if daemon is None:  # nothing ran before, so nothing has to answer now
            release = release.model_copy(update={"spec": release.spec.model_copy(update={"daemon": None, "health": ()})})
        return await self._settled(node, release, target)

    async def run(self, node: str, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Ran:
        """Run a command of the operator's on the node; it is ended there when it takes too long.

        One after the other: what a cut connection, or a killed manager, left running there has its time to end first.
        """
        values = [f"{key}={value}" for key, value in environment.items()]
        longest_s = timeout_s + KILL_AFTER_S
        # The lock is not handed on to the command: what that starts and leaves holds up nobody.
        alone = ["flock", "-o", "-w", str(ceil(longest_s)), "-E", str(TEMPORARY), LOCK]
        limited = ["timeout", "-k", str(KILL_AFTER_S), f"{timeout_s:g}", *argv]
        output = await self._ssh.run(node, ["env", "LC_ALL=C", *values, *alone, *limited], timeout_s=2 * longest_s + QUICK_S)
        if output.exit_code == TIMED_OUT:
            raise TemporaryError(Code.SYS_COMMAND, f"The command {argv[0]} did not end within {timeout_s:g} s on {node}.")
        return Ran(output.exit_code, last_lines(output.stdout.decode(errors="replace") + "\n" + output.stderr))

    async def _settled(self, node: str, release: Release, target: Wanted) -> tuple[Check, ...]:
        """The checks, repeated for a bounded time while packages are right and the daemon is not yet."""
        end = self._clock.now() + self._settle_s
        while True:
            probe = await self._probe(node, release)
            found = understood(node, partial(checks, release, target, probe))
            coming_up = found[0].ok and not all(check.ok for check in found)
            if not coming_up or self._clock.now() >= end:
                return found
            await self._clock.sleep(SETTLE_POLL_S)

    async def _start(self, node: str, operation: str, works: Sequence[str], arguments: Sequence[str]) -> None:
        script = "\n".join(_text(part) for part in ("prelude.sh", *works, "detached.sh"))
        output = await self._script(node, ("state.sh", "start.sh"), (folder_name(operation), script, *arguments), QUICK_S)
        if output.exit_code != 0:
            message = f"The operation {operation} could not be started on {node}: {output.stderr.strip()[-300:]}"
            raise TemporaryError(Code.SYS_OPERATION, message)

    async def _probe(self, node: str, release: Release) -> Mapping[str, Any]:
        urls = {check.url for check in release.spec.health} | ({release.spec.daemon.url} if release.spec.daemon else set())
        asked = {"packages": [pin.name for pin in release.spec.packages], "urls": sorted(urls)}
        output = await self._python(node, "probe.py", asked, QUICK_S)
        try:
            answer: Mapping[str, Any] = json.loads(output.stdout)
        except (ValueError, RecursionError) as error:
            said = output.stderr.strip()[-300:]
            raise TemporaryError(
                Code.SYS_UNREACHABLE, f"{node} cannot be inspected: {said}", remedy="It needs python3."
            ) from error
        return answer

    async def _python(self, node: str, script: str, argument: object, timeout_s: float) -> Output:
        argv = ["python3", "-I", "-", json.dumps(argument)]
        return await self._ssh.run(node, argv, stdin=_text(script).encode(), timeout_s=timeout_s)

    async def _script(
        self, node: str, scripts: Sequence[str], arguments: Sequence[str], timeout_s: float, *, leave: bool = False
    ) -> Output:
        text = "\n".join(_text(part) for part in ("prelude.sh", *scripts))
        return await self._ssh.run(node, ["sh", "-s", "--", *arguments], stdin=text.encode(), timeout_s=timeout_s, leave=leave)


def _text(script: str) -> str:
    return files("escalator.system_support.packages.on_node").joinpath(script).read_text()


def _pins(release: Release) -> list[str]:
    return [f"{pin.name}={pin.version}" for pin in release.spec.packages]


def _sources(url: str) -> str:
    key = "/var/lib/escalator/apt/escalator.asc"
    return f"Types: deb\nURIs: {url}/\nSuites: {SUITE}\nComponents: {COMPONENT}\nSigned-By: {key}"


def _apt_conf(url: str, kib_per_s: int | None = None) -> str:
    """Options of apt for our repository: no other source, no proxy, no question, and errors are errors."""
    home = "/var/lib/escalator/apt"
    options = {
        "Dir::Etc::sourcelist": f"{home}/escalator.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": f"{home}/lists/",
        "Dir::Cache": f"{home}/cache/",
        f"Acquire::http::Proxy::{urlsplit(url).hostname}": "DIRECT",
        "Acquire::Languages": "none",
        "Acquire::Max-FutureTime": "86400",  # the clock of a node may be behind the manager's
        "Acquire::Retries": "2",
        "APT::Update::Error-Mode": "any",
        "Dpkg::Use-Pty": "0",
        "DPkg::Lock::Timeout": "60",
    }
    if kib_per_s is not None:
        options["Acquire::http::Dl-Limit"] = str(kib_per_s)
    lines = [f'{key} "{value}";' for key, value in options.items()]
    return "\n".join([*lines, 'Dpkg::Options { "--force-confdef"; "--force-confold"; };'])


def _last_errors(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.startswith(("E:", "W:", "Err:"))]
    return " ".join(lines[-3:])[:500] or said.strip()[-300:]
