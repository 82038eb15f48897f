"""What breaks on the way: the manager, the link, the node, the reach of the repository, the files."""

from __future__ import annotations

import asyncio
import itertools
import shlex
from pathlib import Path

import pytest

from beds.nodes.bed import Kind
from beds.nodes.manager import Manager
from beds.nodes.packages import AGENT, LIBS
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.system_support.packages.driver import PackagesSystem
from escalator.system_support.port import OperationState
from escalator.system_support.releases.key import SigningKey

pytestmark = pytest.mark.nodes
_numbers = itertools.count(1)
IN_POSTINST = "postinst: slow work begins"
KINDS = pytest.mark.parametrize("kind", ["ns", "systemd"])


async def prepared(manager: Manager, kind: Kind = "ns") -> tuple[PackagesSystem, str]:
    """A driver and a node on 1.0.0."""
    node = f"interrupted-{next(_numbers)}"
    manager.bed.add_many([node], kind)
    driver = manager.driver()
    assert (await manager.upgrade(driver, node, "1.0.0", "first")).state is OperationState.DONE
    return driver, node


async def in_postinst(manager: Manager, driver: PackagesSystem, node: str, operation: str) -> None:
    """Start the slow release and come back in the middle of its postinst."""
    slow = await manager.release("2.5.0")
    await driver.stage(node, slow)
    await driver.start(node, slow, operation)
    while IN_POSTINST not in (found := await driver.poll(node, operation)).lines:
        await manager.clock.sleep(0.1)
    assert found.state is OperationState.RUNNING


@KINDS
async def test_a_dead_link_in_the_middle_of_a_postinst_breaks_nothing_and_a_new_manager_follows_on(
    manager: Manager, kind: Kind
) -> None:
    driver, node = await prepared(manager, kind)
    await in_postinst(manager, driver, node, "slow")
    manager.bed.cut(node)
    with pytest.raises(TemporaryError):
        await manager.driver(connect_timeout_s=2.0).poll(node, "slow")
    manager.bed.restore(node)
    driver = manager.driver()
    assert (await manager.ended(driver, node, "slow")).state is OperationState.DONE
    assert all(check.ok for check in await driver.verify(node, await manager.release("2.5.0"), "slow"))


async def test_the_same_postinst_in_a_plain_ssh_session_is_broken_by_a_dead_client(manager: Manager) -> None:
    """Why the work is detached: this is what happens without."""
    driver, node = await prepared(manager)
    await driver.stage(node, await manager.release("2.5.0"))
    command = f"apt-get -y -q -c /var/lib/escalator/apt/apt.conf install {AGENT}=2.5.0 {LIBS}=2.5.0"
    target = [f"UserKnownHostsFile={manager.bed.known_hosts}", f"root@{manager.bed.address(node)}"]
    client = await asyncio.create_subprocess_exec(
        "ssh", "-i", str(manager.bed.key), "-o", *target, command, stdout=asyncio.subprocess.PIPE
    )
    while IN_POSTINST not in (await client.stdout.readline()).decode():
        assert not client.stdout.at_eof()
    client.kill()
    await client.communicate()
    state = "dpkg-query -W -f '${db:Status-Abbrev}' " + shlex.quote(AGENT)
    while "apt-get" in manager.bed.exec(node, "ps", "-eo", "args"):
        await manager.clock.sleep(0.2)
    assert manager.bed.exec(node, "sh", "-c", state).strip() == "iF"


@KINDS
async def test_a_node_that_dies_in_the_middle_of_a_postinst_is_repaired_when_it_is_back(manager: Manager, kind: Kind) -> None:
    driver, node = await prepared(manager, kind)
    slow = await manager.release("2.5.0")
    await in_postinst(manager, driver, node, "slow")
    manager.bed.kill(node)
    assert await driver.boot_id(node) is None
    manager.bed.start(node)
    manager.bed.wait(node)
    lost = await driver.poll(node, "slow")
    assert (lost.state, lost.exit_code) == (OperationState.LOST, None)
    checks = {check.name: check.ok for check in await driver.verify(node, slow, "slow")}
    assert (checks["installer"], checks["packages"]) == (False, False)
    await driver.start(node, slow, "slow")
    assert (await driver.poll(node, "slow")).state is OperationState.LOST
    await driver.start(node, slow, "slow-2")
    found = await manager.ended(driver, node, "slow-2")
    assert found.state is OperationState.DONE, found.lines
    assert all(check.ok for check in await driver.verify(node, slow, "slow-2"))


async def test_a_node_that_dies_in_the_middle_of_a_postinst_can_be_rolled_back_as_well(manager: Manager) -> None:
    driver, node = await prepared(manager)
    slow = await manager.release("2.5.0")
    backup = await driver.backup(node, slow, "keep")
    await in_postinst(manager, driver, node, "slow")
    manager.bed.kill(node)
    manager.bed.start(node)
    manager.bed.wait(node)
    await driver.rollback(node, slow, backup, "back")
    found = await manager.ended(driver, node, "back")
    assert found.state is OperationState.DONE, found.lines
    assert [check for check in await driver.verify_rollback(node, slow, backup) if not check.ok] == []


async def test_an_upgrade_and_a_rollback_need_no_repository_once_staged_and_backed_up(manager: Manager) -> None:
    driver, node = await prepared(manager)
    new = await manager.release("2.0.0")
    await driver.stage(node, new)
    backup = await driver.backup(node, new, "keep")
    manager.bed.exec(node, "sed", "-i", "s|^URIs:.*|URIs: http://127.0.0.1:9/|", "/var/lib/escalator/apt/escalator.sources")
    manager.bed.exec(node, "sh", "-c", "mv /var/lib/escalator/apt/lists /var/lib/escalator/apt/lists-gone")
    await driver.rollback(node, new, backup, "back")
    assert (await manager.ended(driver, node, "back")).state is OperationState.DONE
    assert [check for check in await driver.verify_rollback(node, new, backup) if not check.ok] == []


async def test_a_node_without_the_package_is_rolled_back_to_having_none(manager: Manager) -> None:
    node = f"interrupted-{next(_numbers)}"
    manager.bed.add_many([node])
    driver, release = manager.driver(), await manager.release("1.0.0")
    await driver.stage(node, release)
    backup = await driver.backup(node, release, "keep")
    assert backup["packages"] == {}
    await manager.upgrade(driver, node, "1.0.0", "up")
    await driver.rollback(node, release, backup, "back")
    assert (await manager.ended(driver, node, "back")).state is OperationState.DONE
    assert [check for check in await driver.verify_rollback(node, release, backup) if not check.ok] == []
    assert manager.bed.exec(node, "ls", "/var/lib").find("escalator-test-agent") == -1


async def test_a_damaged_backup_is_refused_and_nothing_is_touched(manager: Manager) -> None:
    driver, node = await prepared(manager)
    new = await manager.release("2.0.0")
    backup = await driver.backup(node, new, "keep")
    await manager.upgrade(driver, node, "2.0.0", "up")
    manager.bed.exec(node, "sh", "-c", f"echo x >> /var/lib/escalator/backups/{backup['id']}/state.tar")
    await driver.rollback(node, new, backup, "back")
    found = await manager.ended(driver, node, "back")
    assert found.state is OperationState.FAILED
    assert "the backup is damaged" in found.lines
    assert all(check.ok for check in await driver.verify(node, new, "up"))


async def test_a_package_that_was_tampered_with_is_refused_at_staging(manager: Manager) -> None:
    driver, node = await prepared(manager)
    new = await manager.release("2.0.0")
    blob = manager.store.path(new.spec.files[0].sha256)
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(PermanentError) as caught:
            await driver.stage(node, new)
    finally:
        blob.write_bytes(whole)
    assert caught.value.code is Code.SYS_STAGE
    assert "Hash Sum mismatch" in caught.value.message
    await driver.stage(node, new)


async def test_an_index_signed_by_somebody_else_is_refused(manager: Manager, tmp_path: Path) -> None:
    driver, node = await prepared(manager)
    new = await manager.release("2.0.0")
    paths = [manager.store.repository.open(f"dists/escalator/{name}")[0] for name in ("InRelease", "Release.gpg", "Release")]
    before = [path.read_bytes() for path in paths]
    stranger = SigningKey(tmp_path / "key")
    changed = before[2].replace(b"Label: Escalator", b"Label: Somebody ")
    for path, data in zip(paths, (stranger.clear_sign(changed), stranger.detached(changed), changed), strict=True):
        path.write_bytes(data)
    try:
        with pytest.raises(PermanentError) as caught:
            await driver.stage(node, new)
    finally:
        for path, data in zip(paths, before, strict=True):
            path.write_bytes(data)
    assert caught.value.code is Code.SYS_STAGE
    assert "NO_PUBKEY" in caught.value.message
    await driver.stage(node, new)


async def test_a_repository_that_does_not_answer_is_a_temporary_error(manager: Manager) -> None:
    driver, node = await prepared(manager)
    driver._source = type(driver._source)("http://10.77.0.250:9", driver._source.public_key)
    with pytest.raises(TemporaryError) as caught:
        await driver.stage(node, await manager.release("2.0.0"))
    assert caught.value.code is Code.SYS_STAGE
