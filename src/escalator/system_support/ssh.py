"""One command on one node over SSH: known host keys only, bounded in time and output, foreign errors translated."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import asyncssh

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.node_settings import Ssh as SshSettings

CONCURRENT = 32
"""Connections at once: a handshake costs the manager about 10 ms of CPU, and sshd drops bursts."""
MAX_OUTPUT_BYTES = 4 * 2**20
"""The longest answer of ours is a probe of a few hundred packages."""
KEEPALIVE_S = 10
NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left behind."""

    exit_code: int
    stdout: bytes
    stderr: str


class Ssh:
    """Runs commands on nodes. A connection per call: polls are seconds apart and nodes reboot in between."""

    def __init__(self, settings: SshSettings, credentials: Path) -> None:
        self._settings = settings
        self._credentials = credentials
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._known: tuple[tuple[str, int, int], asyncssh.SSHKnownHosts] | None = None

    @property
    def is_root(self) -> bool:
        """Whether we log in as root; another user runs everything by sudo, without a password."""
        return self._settings.user == "root"

    async def run(self, node: str, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """Run `argv` on the node and return what came of it, whatever its exit code.

        Raises TemporaryError (`SYS_UNREACHABLE`) when the node does not answer in time or the link breaks, PermanentError
        (`SYS_HOST_KEY`, `SYS_CREDENTIALS`, `SYS_CONFIG`) when trying again cannot help.
        """
        if not NODE_ID.fullmatch(node):
            raise PermanentError(Code.SYS_CONFIG, f"{node[:80]!r} is no name of a node.")
        key, known = self._key(), self._known_hosts()
        command = shlex.join(argv if self.is_root else ["sudo", "-n", "--", *argv])
        # the engine and the API may have loops of their own, and a semaphore belongs to one loop
        async with self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CONCURRENT)):
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._run(node, key, known, command, stdin)
            except (asyncssh.Error, OSError) as error:
                raise self._translate(node, known, error) from error

    async def _run(self, node: str, key: asyncssh.SSHKey, known: asyncssh.SSHKnownHosts, command: str, stdin: bytes) -> Output:
        async with asyncssh.connect(
            self._address(node),
            self._settings.port,
            username=self._settings.user,
            client_keys=[key],
            known_hosts=known,
            host_key_alias=node,
            config=None,  # the manager's own ~/.ssh/config must not change what happens
            agent_path=None,
            preferred_auth="publickey",
            connect_timeout=self._settings.connect_timeout_s,
            login_timeout=self._settings.connect_timeout_s,
            keepalive_interval=KEEPALIVE_S,
        ) as link:
            return await _command(link, command, stdin)

    def _address(self, node: str) -> str:
        return self._settings.addresses.get(node, node)

    def _key(self) -> asyncssh.SSHKey:
        name = self._settings.key
        if not name or Path(name).name != name:
            message = "The setting system.ssh.key does not name a file of the credentials folder."
            raise PermanentError(Code.SYS_CONFIG, message, remedy="Set it to the file name of the private key.")
        path = self._credentials / name
        try:
            if path.stat().st_mode & 0o077:
                remedy = f"Run chmod 600 {path}."
                raise PermanentError(Code.SYS_CREDENTIALS, f"The private key {name} can be read by others.", remedy=remedy)
            return asyncssh.read_private_key(path)
        except (OSError, asyncssh.KeyImportError) as error:
            message = f"The private key {name} cannot be read."
            raise PermanentError(Code.SYS_CREDENTIALS, message, remedy=f"Check {path}.") from error

    def _known_hosts(self) -> asyncssh.SSHKnownHosts:
        file = self._settings.known_hosts
        if file is None:
            message = "The setting system.ssh.known_hosts is missing; nodes whose host key is not known are refused."
            raise PermanentError(Code.SYS_CONFIG, message, remedy="Set it to a file in the format of OpenSSH's known_hosts.")
        try:
            found = Path(file).stat()
            version = (file, found.st_mtime_ns, found.st_size)
            if self._known is None or self._known[0] != version:  # thousands of lines take a second to read
                self._known = (version, asyncssh.read_known_hosts(file))
            return self._known[1]
        except (OSError, ValueError) as error:
            raise PermanentError(Code.SYS_CONFIG, f"{file} cannot be read as known_hosts.") from error

    def _translate(self, node: str, known: asyncssh.SSHKnownHosts, error: Exception) -> EscalatorError:
        address = self._address(node)
        facts = {"node": node, "address": address}
        if isinstance(error, (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed)):
            found = any(known.match(node, address, self._settings.port))
            what = "is not the one that is known" if found else "is not known"
            remedy = f"Compare it at the node's console, then put it into {self._settings.known_hosts}."
            return PermanentError(Code.SYS_HOST_KEY, f"The host key of {node} {what}.", remedy=remedy, facts=facts)
        if isinstance(error, asyncssh.PermissionDenied):
            remedy = f"Let {self._settings.user} in with the public part of {self._settings.key}."
            return PermanentError(Code.SYS_CREDENTIALS, f"{node} refuses our key.", remedy=remedy, facts=facts)
        return TemporaryError(Code.SYS_UNREACHABLE, f"{node} does not answer over SSH at {address}.", facts=facts)


async def _command(link: asyncssh.SSHClientConnection, command: str, stdin: bytes) -> Output:
    process = await link.create_process(command, encoding=None)
    try:
        process.stdin.write(stdin)
        process.stdin.write_eof()
    except BrokenPipeError:
        pass  # a quick command has ended before we could say that nothing more comes; its answer is there to be read
    stdout, stderr = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
    await process.wait_closed()
    if process.exit_status is None:
        raise asyncssh.ConnectionLost("the command ended without an exit status")
    return Output(process.exit_status, stdout, stderr.decode(errors="replace"))


async def _bounded(reader: asyncssh.SSHReader[bytes]) -> bytes:
    """Everything up to the bound; a node that sends more has its command's output cut."""
    parts: list[bytes] = []
    size = 0
    while chunk := await reader.read(65536):
        size += len(chunk)
        if size <= MAX_OUTPUT_BYTES:
            parts.append(chunk)
    return b"".join(parts)
