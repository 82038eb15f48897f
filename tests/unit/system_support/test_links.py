"""Connections that are kept: used again, never for too long, never by two, and never with keys that count no more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.node_settings import Ssh as SshSettings
from escalator.system_support.links import Bounds, Links
from escalator.system_support.ssh import Ssh


class Site:
    """An SSH server for any number of nodes, which counts connections and commands.

    `answers` are to the next requests for a session: `refuse`, `break` the link, or let it `wait`; else each is opened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened = 0
        self.open: set[asyncssh.SSHServerConnection] = set()
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.stack = AsyncExitStack()
        self.port = 0
        self.commands: list[str] = []
        self.answers: list[str] = []
        mine = asyncssh.generate_private_key("ssh-ed25519")
        mine.write_private_key(folder / "id")
        (folder / "id").chmod(0o600)
        self.authorized = asyncssh.import_authorized_keys(mine.export_public_key().decode())
        self.let_in()

    def let_in(self) -> None:
        (self.folder / "known_hosts").write_text(f"* {self.key.export_public_key().decode()}")

    async def listen(self) -> None:
        server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.key],
            authorized_client_keys=self.authorized,
            server_factory=lambda: _Counted(self),
            encoding=None,
        )
        self.port = server.get_port()
        await self.stack.enter_async_context(server)
        self.stack.push_async_callback(gone, self)

    def ssh(self, links: Links | None = None) -> Ssh:
        names = {f"cn-{number}": "127.0.0.1" for number in range(600)}
        known = str(self.folder / "known_hosts")
        settings = SshSettings(key="id", known_hosts=known, port=self.port, addresses=names, connect_timeout_s=60.0)
        made = Ssh(settings, self.folder, links)
        self.stack.push_async_callback(made.close)
        return made


class _Counted(asyncssh.SSHServer):
    def __init__(self, site: Site) -> None:
        self._site = site

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._site.opened += 1
        self._conn = conn
        self._site.open.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._site.open.discard(self._conn)

    def session_requested(self) -> Any:
        match self._site.answers.pop(0) if self._site.answers else "":
            case "refuse":
                return False
            case "break":
                self._conn.abort()
                return False
            case "wait":
                return _never()  # asyncssh waits for an awaitable
        return _Command(self._site, self._conn)


async def _never() -> bool:
    return await asyncio.Event().wait()


class _Command(asyncssh.SSHServerSession[bytes]):
    """`hang` never ends; `drop` breaks the link before the request is answered; `cut` after it, without an exit status."""

    def __init__(self, site: Site, conn: asyncssh.SSHServerConnection) -> None:
        self._site = site
        self._conn = conn

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def exec_requested(self, command: str) -> bool:
        self._command = command
        self._site.commands.append(command)
        if command == "drop":
            self._conn.abort()
        return command != "refused"

    def session_started(self) -> None:
        match self._command:
            case "hang" | "drop":
                pass
            case "cut":
                self._conn.abort()
            case _:
                self._chan.write(self._command.encode())
                self._chan.exit(0)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    async with made.stack:
        await made.listen()
        yield made


async def gone(site: Site) -> None:
    await until(site, 0)
    for _ in range(10):  # a socket is closed some turns after its connection
        await asyncio.sleep(0)


async def until(site: Site, count: int) -> None:
    async with asyncio.timeout(60):
        while len(site.open) != count:  # noqa: ASYNC110 - what the other end has seen has no event of its own
            await asyncio.sleep(0)


async def test_calls_that_follow_one_another_use_one_connection(site: Site) -> None:
    ssh = site.ssh()
    for number in range(5):
        assert (await ssh.run("cn-1", ["say", str(number)])).stdout == f"say {number}".encode()
    assert site.opened == 1


async def test_two_commands_at_once_have_a_connection_each_and_one_is_kept(site: Site) -> None:
    ssh = site.ssh()
    await asyncio.gather(*(ssh.run("cn-1", ["say"]) for _ in range(3)))
    assert site.opened == 3
    await until(site, 1)
    await ssh.run("cn-1", ["say"])
    assert site.opened == 3


async def test_a_connection_that_nobody_uses_is_closed(site: Site) -> None:
    await site.ssh(Links(Bounds(idle_s=0.01))).run("cn-1", ["say"])
    await until(site, 0)


async def test_of_many_nodes_so_many_connections_are_kept(site: Site) -> None:
    ssh = site.ssh(Links(Bounds(most=3)))
    for number in range(8):
        await ssh.run(f"cn-{number}", ["say"])
    await until(site, 3)
    await ssh.run("cn-5", ["say"])
    assert site.opened == 8


async def test_who_takes_leave_of_a_node_leaves_no_connection(site: Site) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    await ssh.run("cn-1", ["reboot"], leave=True)
    assert site.opened == 1
    await until(site, 0)
    await ssh.run("cn-1", ["boot id"], leave=True)
    await until(site, 0)


async def test_at_the_end_all_are_closed(site: Site) -> None:
    ssh = site.ssh()
    await asyncio.gather(*(ssh.run(f"cn-{number}", ["say"]) for number in range(4)))
    await ssh.close()
    await until(site, 0)


async def test_a_node_that_rebooted_gets_a_new_connection(site: Site) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    for conn in list(site.open):
        conn.abort()
    assert (await ssh.run("cn-1", ["say"])).stdout == b"say"
    assert site.opened == 2


@pytest.mark.parametrize("answer", ["refuse", "break"])
async def test_a_command_that_was_not_asked_for_yet_goes_over_another_connection(site: Site, answer: str) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    site.answers = [answer]
    assert (await ssh.run("cn-1", ["twice"])).stdout == b"twice"
    assert site.commands == ["say", "twice"]
    assert site.opened == 2


async def test_a_connection_that_opens_no_session_in_time_is_left_for_another(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escalator.system_support.ssh.OPENING_S", 0.05)
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    site.answers = ["wait"]
    assert (await ssh.run("cn-1", ["twice"])).stdout == b"twice"
    assert site.commands == ["say", "twice"]
    assert site.opened == 2


@pytest.mark.parametrize("command", ["drop", "cut", "refused"])
async def test_a_command_that_was_asked_for_is_not_asked_for_again(site: Site, command: str) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    with pytest.raises(TemporaryError):
        await ssh.run("cn-1", [command])
    assert site.commands == ["say", command]
    assert site.opened == 1
    await until(site, 0)


async def test_a_session_that_is_open_has_all_the_time_of_its_command(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escalator.system_support.ssh.OPENING_S", 0.05)
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    with pytest.raises(TemporaryError):
        await ssh.run("cn-1", ["hang"], timeout_s=0.3)
    assert site.commands == ["say", "hang"]
    assert site.opened == 1


async def test_a_connection_that_is_given_back_after_the_end_is_closed_at_once(site: Site) -> None:
    links = Links()
    ssh = site.ssh(links)
    await links.close()
    assert (await ssh.run("cn-1", ["say"])).stdout == b"say"
    assert (await ssh.run("cn-1", ["say"])).stdout == b"say"
    assert site.opened == 2
    await until(site, 0)


async def test_a_connection_is_not_kept_beyond_its_age(site: Site) -> None:
    ssh = site.ssh(Links(Bounds(oldest_s=0.0)))
    await ssh.run("cn-1", ["say"])
    await until(site, 0)


async def test_a_command_that_was_given_up_takes_its_connection_along(site: Site) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    with pytest.raises(TemporaryError):
        await ssh.run("cn-1", ["hang"], timeout_s=0.1)
    await until(site, 0)
    assert (await ssh.run("cn-1", ["say"])).stdout == b"say"


async def test_a_host_key_that_changed_is_refused_although_a_connection_was_kept(site: Site) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (site.folder / "known_hosts").write_text(f"* {other}\n")
    with pytest.raises(PermanentError) as caught:
        await ssh.run("cn-1", ["say"])
    assert caught.value.code is Code.SYS_HOST_KEY
    await until(site, 0)
    site.let_in()
    assert (await ssh.run("cn-1", ["say"])).stdout == b"say"


async def test_a_key_that_was_taken_away_opens_nothing_any_more(site: Site) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])
    os.rename(site.folder / "id", site.folder / "old")  # noqa: PTH104 - a rename takes no time
    with pytest.raises(PermanentError) as caught:
        await ssh.run("cn-1", ["say"])
    assert caught.value.code is Code.SYS_CREDENTIALS


async def test_loops_do_not_share_connections(site: Site) -> None:
    ssh = site.ssh()
    await ssh.run("cn-1", ["say"])

    async def elsewhere() -> bytes:
        said = (await ssh.run("cn-1", ["there"])).stdout
        await ssh.run("cn-1", ["leave"], leave=True)
        return said

    with ThreadPoolExecutor(1) as pool:
        assert await asyncio.wrap_future(pool.submit(lambda: asyncio.run(elsewhere()))) == b"there"
    assert site.opened == 2
    await until(site, 1)
    await ssh.run("cn-1", ["say"])
    assert site.opened == 2
