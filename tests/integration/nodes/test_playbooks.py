"""Playbooks on real nodes: several at once, failures, dead links, a dead manager, secrets."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beds.nodes.bundles import HEAD
from beds.nodes.manager import Manager
from beds.nodes.packages import AGENT
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.node_settings import AnsibleDriver
from escalator.model.release import Release
from escalator.system_support.ansible.driver import AnsibleSystem
from escalator.system_support.port import OperationState, Progress

pytestmark = pytest.mark.nodes
_numbers = itertools.count(1)
SECRET = "horse-battery-staple"


def fresh(manager: Manager, count: int = 1) -> list[str]:
    names = [f"play-{next(_numbers)}" for _ in range(count)]
    manager.bed.add_many(names)
    return names


async def ended(manager: Manager, driver: AnsibleSystem, node: str, operation: str) -> Progress:
    while (found := await driver.poll(node, operation)).state is OperationState.RUNNING:
        await manager.clock.sleep(0.2)
    return found


async def said(manager: Manager, driver: AnsibleSystem, node: str, operation: str, words: str) -> None:
    """Return when the operation's log has these words."""
    while words not in "\n".join((found := await driver.poll(node, operation)).lines):
        assert found.state is OperationState.RUNNING, found.lines
        await manager.clock.sleep(0.1)


def worked_on(progress: Progress) -> bool:
    return progress.state is OperationState.RUNNING and any(line.startswith("task ") for line in progress.lines)


async def test_five_nodes_are_upgraded_two_at_a_time_and_every_check_holds(manager: Manager) -> None:
    nodes = fresh(manager, 5)
    release = await manager.bundle("1.0.0")
    driver = manager.ansible("shared", AnsibleDriver(concurrent=2))
    await asyncio.gather(*(driver.start(node, release, f"five/{node}") for node in nodes))
    most = 0
    while True:
        found = [await driver.poll(node, f"five/{node}") for node in nodes]
        most = max(most, sum(map(worked_on, found)))
        if all(one.state is not OperationState.RUNNING for one in found):
            break
        await manager.clock.sleep(0.2)
    assert [one.state for one in found] == [OperationState.DONE] * 5, [one.lines for one in found]
    assert 1 <= most <= 2
    for node in nodes:
        assert manager.bed.installed(node, AGENT) == "1.0.0"
    assert all(check.ok for check in await driver.verify(nodes[0], release, f"five/{nodes[0]}"))
    assert list((manager.state / "shared/playbooks").glob("*/run")) == []


async def test_a_failed_task_is_named_and_the_way_back_leaves_nothing_half_configured(manager: Manager) -> None:
    (node,) = fresh(manager)
    driver = manager.ansible(node)
    old, bad = await manager.bundle("1.0.0"), await manager.bundle("2.1.0")
    await driver.start(node, old, "old")
    assert (await ended(manager, driver, node, "old")).state is OperationState.DONE
    backup = await driver.backup(node, bad, "keep")
    await driver.start(node, bad, "bad")
    found = await ended(manager, driver, node, "bad")
    assert (found.state, found.exit_code) == (OperationState.FAILED, 2)
    assert found.lines[-1].startswith("failed: 'the packages of 2.1.0 are installed': non-zero return code")
    assert manager.bed.exec(node, "dpkg", "--audit") != ""
    await driver.rollback(node, bad, backup, "back")
    assert (await ended(manager, driver, node, "back")).state is OperationState.DONE
    assert [check for check in await driver.verify_rollback(node, bad, backup) if not check.ok] == []
    assert manager.bed.exec(node, "dpkg", "--audit") == ""


SLOW = (
    HEAD + "    - {name: slow work, ansible.builtin.command: sleep 6}\n    - {name: after it, ansible.builtin.command: 'true'}\n"
)


async def test_a_node_that_is_cut_off_in_the_middle_is_worth_another_try(manager: Manager) -> None:
    (node,) = fresh(manager)
    slow = await manager.bundle("1.0.0", name="slow", roles=("upgrade",), upgrade=SLOW)
    driver = manager.ansible(node, connect_timeout_s=2.0)
    manager.bed.cut(node)
    await driver.start(node, slow, "cut")
    found = await ended(manager, driver, node, "cut")
    manager.bed.restore(node)
    assert (found.state, found.exit_code) == (OperationState.RETRY, 75), found.lines
    await driver.start(node, slow, "again")
    assert (await ended(manager, driver, node, "again")).state is OperationState.DONE


async def test_a_host_with_another_key_is_not_logged_in_to(manager: Manager) -> None:
    (node,) = fresh(manager)
    manager.bed.new_host_key(node, known=False)
    before = manager.bed.boot_id(node)
    manager.bed.reboot(node)
    while manager.bed.boot_id(node) in (None, before):
        await manager.clock.sleep(0.05)
    manager.bed.wait(node)
    driver, release = manager.ansible(node), await manager.bundle("1.0.0")
    with pytest.raises(PermanentError) as caught:
        await driver.stage(node, release)
    assert caught.value.code is Code.SYS_HOST_KEY
    await driver.start(node, release, "stranger")
    found = await ended(manager, driver, node, "stranger")
    assert (found.state, found.exit_code) == (OperationState.FAILED, 77), found.lines
    assert manager.bed.installed(node, AGENT) is None


MANAGER = """
import asyncio, json, os, signal, sys
from pathlib import Path
from escalator.clocks import SystemClock
from escalator.model.release import Release
from escalator.model.node_settings import System
from escalator.system_support.ansible.driver import AnsibleSystem, Resources
told = json.load(sys.stdin)
release = Release.model_validate_json(json.dumps(told["release"]))
paths = told["paths"]
resources = Resources(Path(told["credentials"]), lambda sha256: Path(paths[sha256]), None, SystemClock())
driver = AnsibleSystem(System.model_validate_json(json.dumps(told["system"])), Path(told["state"]), os.environ, resources)
asyncio.run(driver.start(told["node"], release, "orphan"))
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_run_survives_the_managers_death_and_is_found_again(manager: Manager) -> None:
    (node,) = fresh(manager)
    slow = await manager.bundle("1.0.0", name="slow", roles=("upgrade",), upgrade=SLOW)
    told = {
        "release": slow.model_dump(mode="json", by_alias=True),
        "paths": {file.sha256: str(manager.store.path(file.sha256)) for file in slow.spec.files},
        "credentials": str(manager.bed.key.parent),
        "system": {"ssh": manager.ssh().model_dump(mode="json")},
        "state": str(manager.state / node),
        "node": node,
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", MANAGER], input=json.dumps(told), text=True, env=environment, check=False
    )
    assert done.returncode == -signal.SIGKILL
    driver = manager.ansible(node)
    assert (await driver.poll(node, "orphan")).state is OperationState.RUNNING
    await driver.start(node, slow, "orphan")
    found = await ended(manager, driver, node, "orphan")
    assert (found.state, found.lines[-1]) == (OperationState.DONE, "done: 2 tasks"), found.lines
    assert sum(line == "task 1: slow work" for line in found.lines) == 1


async def test_a_run_that_takes_too_long_is_ended_with_everything_it_started(manager: Manager) -> None:
    (node,) = fresh(manager)
    text = HEAD + "    - {name: endless, ansible.builtin.command: sleep 600}\n"
    endless = await manager.bundle("1.0.0", name="endless", roles=("upgrade",), upgrade=text)
    driver = manager.ansible(node, AnsibleDriver(timeout_s=12))
    await driver.start(node, endless, "long")
    await said(manager, driver, node, "long", "task 1: endless")
    found = await ended(manager, driver, node, "long")
    assert found.state is OperationState.FAILED
    assert found.lines[-1] == "ended: it ran longer than 12 s"
    async with asyncio.timeout(10):  # the exit code is written before the last process ends
        while running_in(manager.state / node):
            await manager.clock.sleep(0.1)


def running_in(folder: Path) -> list[str]:
    """Programs of this machine whose arguments name the folder."""
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder).encode() in _bytes(path)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


SECRETS = (
    HEAD.replace("  tasks:", "  vars_files: [secret.yml]\n  tasks:")
    + """
    - name: the secret is put on the node
      ansible.builtin.copy: {content: "{{ secret }}", dest: /root/secret, mode: "0600"}
      no_log: true
    - name: it goes wrong
      ansible.builtin.command: "sh -c 'echo {{ secret }}; exit 3'"
      no_log: true
"""
)


async def vaulted(manager: Manager, folder: Path) -> Release:
    """A bundle whose secret is encrypted; the password lies where the driver's settings name it."""
    password = manager.bed.key.parent / "vault-password"
    password.touch(mode=0o600)
    password.write_text("open sesame\n")
    plain = folder / "secret.yml"
    plain.write_text(f"secret: {SECRET}\n")
    program = str(Path(sys.executable).parent / "ansible-vault")
    argv = [program, "encrypt", "--vault-password-file", str(password), str(plain)]
    await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True)
    more = {"secret.yml": plain.read_text()}
    return await manager.bundle("1.0.0", name="vaulted", roles=("upgrade",), upgrade=SECRETS, files=more)


async def test_secrets_reach_the_node_and_are_in_no_log_or_file_of_ours(manager: Manager, tmp_path: Path) -> None:
    (node,) = fresh(manager)
    release = await vaulted(manager, tmp_path)
    driver = manager.ansible(node, AnsibleDriver(vault_password="vault-password"))
    await driver.start(node, release, "secret")
    found = await ended(manager, driver, node, "secret")
    assert found.state is OperationState.FAILED
    assert found.lines[-1] == "failed: 'it goes wrong': its output is hidden (no_log)"
    assert manager.bed.exec(node, "cat", "/root/secret") == SECRET
    files = [path for path in (manager.state / node).rglob("*") if path.is_file()]
    assert files
    for word in (SECRET, "open sesame"):
        assert [path for path in files if word.encode() in path.read_bytes()] == []


async def test_where_only_ansible_reaches_nodes_a_playbook_tells_the_facts(manager: Manager) -> None:
    (node,) = fresh(manager)
    release = await manager.bundle("1.0.0", name="told", roles=("upgrade", "facts", "verify"))
    driver = manager.ansible(node, AnsibleDriver(probe="playbook", groups=("compute",)))
    assert (await driver.inspect(node, release)).boot_id == manager.bed.boot_id(node)
    checks = await driver.verify(node, release, None)
    assert [(check.name, check.ok, check.code) for check in checks] == [("playbook", False, Code.SYS_PLAYBOOK)]
    assert "'the agent answers'" in checks[0].message
