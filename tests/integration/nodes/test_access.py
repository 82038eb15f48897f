"""Who is let in: host keys, our key, its file, and what the errors say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from beds.nodes.manager import Manager
from beds.nodes.slots import run
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.system_support.port import OperationState

pytestmark = pytest.mark.nodes
NODE = "access"


@pytest.fixture
def node(manager: Manager) -> str:
    if NODE not in manager.bed.names:
        manager.bed.add_many([NODE])
    return NODE


async def refused(manager: Manager, node: str, **changes: object) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        await manager.driver(**changes).boot_id(node)
    return caught.value


async def test_a_known_node_lets_us_in(manager: Manager, node: str) -> None:
    assert await manager.driver().boot_id(node) == manager.bed.boot_id(node)


async def test_a_host_key_nobody_knows_is_refused(manager: Manager, node: str, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("")
    error = await refused(manager, node, known_hosts=str(known))
    assert error.code is Code.SYS_HOST_KEY
    assert "is not known" in error.message


async def test_a_host_key_that_changed_is_refused_until_somebody_accepts_it(manager: Manager) -> None:
    manager.bed.add_many(["changed"])
    manager.bed.kill("changed")
    manager.bed.new_host_key("changed", known=False)
    manager.bed.start("changed")
    manager.bed.wait("changed")
    error = await refused(manager, "changed")
    assert error.code is Code.SYS_HOST_KEY
    assert "is not the one that is known" in error.message
    assert "console" in error.remedy


async def test_no_file_of_known_hosts_means_no_connection(manager: Manager, node: str) -> None:
    assert (await refused(manager, node, known_hosts=None)).code is Code.SYS_CONFIG


async def test_a_key_that_the_node_does_not_know_is_refused(manager: Manager, node: str, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other"))
    ssh = manager.over(tmp_path, key="other")
    with pytest.raises(PermanentError) as caught:
        await ssh.run(node, ["true"])
    assert caught.value.code is Code.SYS_CREDENTIALS


async def test_arguments_arrive_as_they_are(manager: Manager, node: str) -> None:
    ssh = manager.over()
    nasty = ["", "a b", "$(id)", "'", '"', "\\", ";reboot", "*", "äö", "-n"]
    output = await ssh.run(node, ["printf", "%s|", *nasty])
    assert output.stdout.decode() == "".join(f"{word}|" for word in nasty)


async def test_a_command_that_takes_too_long_is_given_up(manager: Manager, node: str) -> None:
    ssh = manager.over()
    with pytest.raises(TemporaryError, match="does not answer") as caught:
        await ssh.run(node, ["sleep", "30"], timeout_s=0.5)
    assert caught.value.code is Code.SYS_UNREACHABLE


async def test_a_link_that_dies_under_a_command_is_given_up_in_time(manager: Manager, node: str) -> None:
    ssh = manager.over()
    busy = asyncio.create_task(ssh.run(node, ["sh", "-c", "touch /run/busy; yes | head -c 1000000; sleep 30"], timeout_s=2.0))
    while not manager.bed.exec(node, "sh", "-c", "ls /run/busy", check=False):
        await manager.clock.sleep(0.02)
    manager.bed.cut(node)
    began = manager.clock.now()
    try:
        with pytest.raises(TemporaryError):
            await busy
    finally:
        manager.bed.restore(node)
    assert manager.clock.now() - began < 5


async def test_output_without_end_is_cut_and_not_kept(manager: Manager, node: str) -> None:
    ssh = manager.over()
    output = await ssh.run(node, ["head", "-c", "20000000", "/dev/zero"])
    assert len(output.stdout) <= 4 * 2**20


async def test_many_nodes_at_once(manager: Manager) -> None:
    names = [f"fleet-{number}" for number in range(8)]
    manager.bed.add_many(names)
    driver, new = manager.driver(), await manager.release("2.0.0")
    ends = await asyncio.gather(*(manager.upgrade(driver, name, "2.0.0", "fleet") for name in names))
    assert {end.state.value for end in ends} == {"done"}
    assert {(await driver.inspect(name, new)).daemon for name in names} == {"2.0.0"}
    assert {manager.bed.installed(name, "escalator-test-agent") for name in names} == {"2.0.0"}


def _by_sudo(manager: Manager, node: str) -> None:
    """A node that lets nobody in but the user `ops`."""
    manager.bed.add_many([node], "systemd")
    keys = "/root/.ssh/authorized_keys"
    commands = (
        "useradd -m -d /srv/ops -s /bin/sh ops",
        f"install -d -o ops -m 700 /srv/ops/.ssh && install -o ops -m 600 {keys} /srv/ops/.ssh/",
        "echo 'ops ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/ops",
        f"rm {keys}",
    )
    for command in commands:
        manager.bed.exec(node, "sh", "-c", command)


async def test_another_user_than_root_works_by_sudo(manager: Manager) -> None:
    node = "by-sudo"
    _by_sudo(manager, node)
    driver, new = manager.driver(user="ops"), await manager.release("2.0.0")
    assert (await manager.upgrade(driver, node, "2.0.0", "sudo")).state is OperationState.DONE
    before = await driver.boot_id(node)
    assert before is not None
    await driver.reboot(node, before)
    while await driver.boot_id(node) in (None, before):
        await manager.clock.sleep(0.05)
    assert [check for check in await driver.verify(node, new, "sudo") if not check.ok] == []


async def test_an_operation_is_not_given_up_while_its_node_boots_and_turns_its_user_away(manager: Manager) -> None:
    node = "boots"
    _by_sudo(manager, node)
    assert (await manager.upgrade(manager.driver(user="ops"), node, "2.0.0", "boots")).state is OperationState.DONE
    manager.bed.exec(node, "mv", "/srv/ops", "/srv/not-mounted")
    driver = manager.driver(user="ops")  # of the links that there were, none is left after a reboot
    with pytest.raises(TemporaryError) as caught:
        await driver.poll(node, "boots")
    assert caught.value.code is Code.SYS_CREDENTIALS
    manager.bed.exec(node, "mv", "/srv/not-mounted", "/srv/ops")
    assert (await driver.poll(node, "boots")).state is OperationState.DONE
