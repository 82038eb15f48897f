"""One command on one node over SSH: known host keys only, bounded in time and output, foreign errors translated."""

from __future__ import annotations

import asyncio
import re
import shlex
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from weakref import WeakKeyDictionary

import asyncssh

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.node_settings import Ssh as SshSettings
from escalator.system_support.call import NotBegunError, Output, call
from escalator.system_support.links import Link, Links

CONCURRENT = 32
"""Connections at once: a handshake costs the manager about 10 ms of CPU, and sshd drops bursts."""
KEEPALIVE_S = 5.0
KEEPALIVES = 3
"""A link is given up when so many questions, that long apart, have no answer: within 20 seconds, whatever is under way on it."""
OPENING_S = 5.0
"""A connection that waited has to open a session within this time: the node may have rebooted, or its link may be cut."""
CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
"""Put before asyncssh's other ones: the processor itself encrypts them, at a third of the cost of ChaCha20 in Python."""
NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


class Ssh:
    """Runs commands on nodes. A connection is kept for the next call on its node, for a bounded time (see `links`).

    The private key and the known host keys are read when a connection is made, and a kept one is not used once they changed.
    """

    def __init__(self, settings: SshSettings, credentials: Path, links: Links | None = None) -> None:
        self._settings = settings
        self._credentials = credentials
        self._links = links or Links()
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._known: tuple[tuple[str, int, int, int], asyncssh.SSHKnownHosts] | None = None

    @property
    def is_root(self) -> bool:
        """Whether we log in as root; another user runs everything by sudo, without a password."""
        return self._settings.user == "root"

    async def run(
        self, node: str, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0, leave: bool = False
    ) -> Output:
        """Run `argv` on the node and return what came of it, whatever its exit code. With `leave` no connection is kept.

        A command whose connection breaks is not run again, unless it was not even asked for yet.

        Raises TemporaryError (`SYS_UNREACHABLE`) when the node does not answer in time or the link breaks, PermanentError
        (`SYS_HOST_KEY`, `SYS_CREDENTIALS`, `SYS_CONFIG`) when trying again cannot help.
        """
        if not NODE_ID.fullmatch(node):
            raise PermanentError(Code.SYS_CONFIG, f"{node[:80]!r} is no name of a node.")
        command = shlex.join(argv if self.is_root else ["sudo", "-n", "--", *argv])
        # the engine and the API may have loops of their own, and a semaphore belongs to one loop
        async with self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CONCURRENT)):
            try:
                async with asyncio.timeout(timeout_s):
                    output, link = await self._run(node, command, stdin)
            except (asyncssh.Error, OSError) as error:
                raise self._translate(node, error) from error
            await (self._links.leave(link) if leave else self._links.give(node, link))
            return output

    def lacks(self) -> list[EscalatorError]:
        """What of the key and the known host keys cannot be used, as a connection would find them."""
        found: list[EscalatorError] = []
        for read in (self._key, self._known_hosts):
            try:
                read()
            except PermanentError as error:
                found.append(error)
        return found

    async def close(self) -> None:
        """Close all kept connections."""
        await self._links.close()

    async def _run(self, node: str, command: str, stdin: bytes) -> tuple[Output, Link]:
        trust = self._trust()
        kept = self._links.take(node, trust)
        if kept is not None:
            try:
                return await self._call(kept, command, stdin, OPENING_S), kept
            except NotBegunError:
                pass  # a connection of its own decides what is wrong with the node
        link = Link(await self._connected(node), trust, asyncio.get_running_loop().time())
        return await self._call(link, command, stdin), link

    async def _call(self, link: Link, command: str, stdin: bytes, open_within_s: float | None = None) -> Output:
        with ExitStack() as spoilt:
            # The end of a command that was given up must not be taken for the next one's; without a link the node ends it.
            spoilt.callback(self._links.spoil, link)
            output = await call(link.connection, command, stdin, open_within_s)
            spoilt.pop_all()
        return output

    async def _connected(self, node: str) -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            self._address(node),
            self._settings.port,
            username=self._settings.user,
            client_keys=[self._key()],
            known_hosts=self._known_hosts(),
            host_key_alias=node,
            config=None,  # the manager's own ~/.ssh/config must not change what happens
            agent_path=None,
            preferred_auth="publickey",
            encryption_algs=CIPHERS,
            compression_algs=["none"],  # a few KiB go over it; packing them costs more than sending them
            connect_timeout=self._settings.connect_timeout_s,
            login_timeout=self._settings.connect_timeout_s,
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVES,
        )

    def _trust(self) -> object:
        """What a connection is made with, as far as its files tell; equal to nothing while they cannot be read."""
        files = (self._credentials / (self._settings.key or ""), Path(self._settings.known_hosts or ""))
        try:
            return tuple((found.st_mtime_ns, found.st_size, found.st_mode, found.st_ino) for found in (f.stat() for f in files))
        except OSError:
            return object()

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
            version = (file, found.st_mtime_ns, found.st_size, found.st_ino)
            if self._known is None or self._known[0] != version:  # thousands of lines take a second to read
                self._known = (version, asyncssh.read_known_hosts(file))
            return self._known[1]
        except (OSError, ValueError) as error:
            remedy = f"Put the nodes' host keys into {file}, or correct system.ssh.known_hosts and restart the server."
            raise PermanentError(Code.SYS_CONFIG, f"{file} cannot be read as known_hosts.", remedy=remedy) from error

    def _translate(self, node: str, error: Exception) -> EscalatorError:
        address = self._address(node)
        facts = {"node": node, "address": address}
        if isinstance(error, (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed)):
            found = any(self._known_hosts().match(node, address, self._settings.port))
            what = "is not the one that is known" if found else "is not known"
            remedy = f"Compare it at the node's console, then put it into {self._settings.known_hosts}."
            return PermanentError(Code.SYS_HOST_KEY, f"The host key of {node} {what}.", remedy=remedy, facts=facts)
        if isinstance(error, asyncssh.PermissionDenied):
            remedy = f"Let {self._settings.user} in with the public part of {self._settings.key}."
            return PermanentError(Code.SYS_CREDENTIALS, f"{node} refuses our key.", remedy=remedy, facts=facts)
        if isinstance(error, socket.gaierror):
            remedy = "Name its address in system.ssh.addresses, or have the name served where the server runs."
            return TemporaryError(
                Code.SYS_UNREACHABLE, f"{node} cannot be found: the name {address} does not resolve.", remedy=remedy, facts=facts
            )
        return TemporaryError(Code.SYS_UNREACHABLE, f"{node} does not answer over SSH at {address}.", facts=facts)
