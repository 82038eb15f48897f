"""Connections that are kept, with a real sshd at the other end: reboots, host keys, and replies that are lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beds.nodes.bed import Kind
from beds.nodes.manager import Manager
from beds.nodes.slots import run
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.system_support.links import IDLE_S

pytestmark = pytest.mark.nodes
NODE = "kept"
# A command finds the peer's port of its connection here; the same port is the same connection.
PORT = ["sh", "-c", "echo $SSH_CONNECTION"]
COUNT = ["sh", "-c", "echo begun >> /run/count; while [ -e /run/wait ]; do sleep 0.05; done"]


class Relay:
    """Between the manager and a node's sshd. `lose_replies`: the node's next piece is passed on, and nothing after it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lost: int | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.opened = 0

    async def listen(self) -> asyncio.Server:
        self.server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self.server

    def lose_replies(self) -> None:
        self._lost = 1

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._lost = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        there, node = await asyncio.open_connection(self._address, 22)
        self._writers += [writer, node]
        await asyncio.gather(self._pump(reader, node, from_node=False), self._pump(there, writer, from_node=True))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_node: bool) -> None:
        try:
            while piece := await reader.read(65536):
                if from_node and self._lost is not None:
                    self._lost -= 1
                    if self._lost < 0:
                        continue
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass  # it was hung up
        writer.close()


@pytest.fixture
def node(manager: Manager) -> str:
    if NODE not in manager.bed.names:
        manager.bed.add_many([NODE])
    manager.bed.exec(NODE, "rm", "-f", "/run/count", "/run/wait")
    return NODE


@pytest.fixture
async def relay(manager: Manager, node: str) -> AsyncIterator[Relay]:
    made = Relay(manager.bed.address(node))
    async with await made.listen():
        yield made
        await manager.close()
        made.hang_up()
        for _ in range(10):  # a loop has to turn for connections to close
            await asyncio.sleep(0)


def connections(address: str) -> int:
    """SSH connections from here to there that are open."""
    remote = f"{int.from_bytes(socket.inet_aton(address), 'little'):08X}:0016"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(fields[2] == remote and fields[3] == "01" for fields in lines)


async def test_calls_that_follow_one_another_use_one_connection(manager: Manager, node: str) -> None:
    ssh = manager.over()
    said = {(await ssh.run(node, PORT)).stdout for _ in range(3)}
    assert len(said) == 1


async def test_a_command_that_began_and_whose_reply_is_lost_is_not_run_again(manager: Manager, node: str, relay: Relay) -> None:
    ssh = manager.over(port=relay.port, addresses={node: "127.0.0.1"})
    await ssh.run(node, ["touch", "/run/wait"])
    relay.lose_replies()  # the session is confirmed; that the command began is not
    asked = asyncio.create_task(ssh.run(node, COUNT))
    while not manager.bed.exec(node, "sh", "-c", "cat /run/count", check=False):
        await manager.clock.sleep(0.02)
    relay.hang_up()
    with pytest.raises(TemporaryError) as caught:
        await asked
    assert caught.value.code is Code.SYS_UNREACHABLE
    assert relay.opened == 1
    await ssh.run(node, ["rm", "/run/wait"])
    assert manager.bed.exec(node, "cat", "/run/count") == "begun\n"
    assert relay.opened == 2


async def test_a_command_that_ends_its_own_connection_is_not_run_again(manager: Manager, node: str) -> None:
    ssh = manager.over()
    await ssh.run(node, ["true"])
    with pytest.raises(TemporaryError):
        await ssh.run(node, ["sh", "-c", "echo begun >> /run/count; kill -9 $PPID; sleep 30"])
    await ssh.run(node, ["true"])
    assert manager.bed.exec(node, "cat", "/run/count") == "begun\n"


async def test_a_connection_that_died_while_it_waited_costs_no_call(manager: Manager, node: str, relay: Relay) -> None:
    ssh = manager.over(port=relay.port, addresses={node: "127.0.0.1"})
    await ssh.run(node, ["true"])
    relay.hang_up()
    await ssh.run(node, ["sh", "-c", "echo begun >> /run/count"])
    assert manager.bed.exec(node, "cat", "/run/count") == "begun\n"
    assert relay.opened == 2


@pytest.mark.parametrize("kind", ["ns", "systemd"])
async def test_a_reboot_waits_for_no_connection_of_ours_and_the_old_one_is_not_used(manager: Manager, kind: Kind) -> None:
    node = f"kept-{kind}"
    manager.bed.add_many([node], kind)
    driver, address = manager.driver(), manager.bed.address(node)
    before = await driver.boot_id(node)
    assert before is not None
    old = await driver.run(node, PORT, {}, 30.0)
    assert connections(address) == 1
    await driver.reboot(node, before)
    assert connections(address) == 0
    while (found := await driver.boot_id(node)) in (None, before):
        assert connections(address) == 0
        await manager.clock.sleep(0.05)
    assert found == manager.bed.boot_id(node)
    new = await driver.run(node, PORT, {}, 30.0)
    assert new != old
    assert await driver.run(node, PORT, {}, 30.0) == new


async def test_a_node_that_lost_its_power_behind_a_cut_link_is_reached_again(manager: Manager) -> None:
    node = "kept-dead"
    manager.bed.add_many([node])
    driver = manager.driver()
    before = await driver.boot_id(node)
    manager.bed.cut(node)  # nobody tells us that the connection has gone
    manager.bed.kill(node)
    manager.bed.start(node)
    manager.bed.restore(node)
    manager.bed.wait(node)
    found = await driver.boot_id(node)
    assert found == manager.bed.boot_id(node)
    assert found != before


async def test_a_host_key_that_changed_is_refused_although_the_node_was_known_a_moment_ago(manager: Manager) -> None:
    node = "kept-other"
    manager.bed.add_many([node])
    driver = manager.driver()
    assert await driver.boot_id(node) is not None
    manager.bed.kill(node)
    manager.bed.new_host_key(node, known=False)
    manager.bed.start(node)
    manager.bed.wait(node)
    with pytest.raises(PermanentError) as caught:
        await driver.boot_id(node)
    assert caught.value.code is Code.SYS_HOST_KEY


async def test_a_known_host_that_was_taken_off_the_list_is_left_at_once(manager: Manager, node: str) -> None:
    known = manager.bed.known_hosts.with_name("known_hosts.kept")
    known.write_bytes(manager.bed.known_hosts.read_bytes())
    driver = manager.driver(known_hosts=str(known))
    assert await driver.boot_id(node) is not None
    known.write_text("")
    with pytest.raises(PermanentError) as caught:
        await driver.boot_id(node)
    assert caught.value.code is Code.SYS_HOST_KEY


async def test_a_key_that_was_replaced_on_disk_opens_the_next_connection(manager: Manager, node: str) -> None:
    folder = manager.bed.folder / "credentials"
    folder.mkdir(exist_ok=True, mode=0o700)
    key = folder / "key"
    key.write_bytes(manager.bed.key.read_bytes())
    key.chmod(0o600)
    ssh = manager.over(folder, key="key")
    await ssh.run(node, ["true"])
    key.unlink()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    with pytest.raises(PermanentError) as caught:
        await ssh.run(node, ["true"])
    assert caught.value.code is Code.SYS_CREDENTIALS


async def test_a_reboot_by_somebody_else_does_not_wait_for_a_kept_connection(manager: Manager) -> None:
    node = "kept-elsewhere"
    manager.bed.add_many([node], "systemd")
    ssh, address = manager.over(), manager.bed.address(node)
    await ssh.run(node, ["true"])
    before = manager.bed.boot_id(node)
    manager.bed.exec(node, "systemctl", "reboot", "--no-block")
    async with asyncio.timeout(IDLE_S / 2):  # it has not been closed by us by then
        while connections(address) or manager.bed.boot_id(node) in (None, before):
            await manager.clock.sleep(0.05)
        while True:
            try:
                await ssh.run(node, ["true"])
                break
            except TemporaryError:
                await manager.clock.sleep(0.05)


async def test_a_link_that_fell_silent_is_given_up_soon_and_its_command_is_not_run_again(
    manager: Manager, node: str, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escalator.system_support.ssh.KEEPALIVE_S", 0.3)
    ssh = manager.over(port=relay.port, addresses={node: "127.0.0.1"})
    await ssh.run(node, ["touch", "/run/wait"])
    relay.lose_replies()
    async with asyncio.timeout(10.0):
        with pytest.raises(TemporaryError):
            await ssh.run(node, COUNT)
    assert relay.opened == 1
    relay.hang_up()
    await ssh.run(node, ["rm", "/run/wait"])
    assert manager.bed.exec(node, "cat", "/run/count") == "begun\n"
