"""The operator's own commands on real nodes, and files that come onto them before their turns."""

from __future__ import annotations

import asyncio

import pytest

from beds.nodes.manager import Manager
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.node_settings import NamedCommand, Staging, System
from escalator.system_support.named import NamedCommands
from escalator.system_support.packages.driver import PackagesSystem, Source
from escalator.system_support.port import Call, OperationState

pytestmark = pytest.mark.nodes
NODE = "own"


@pytest.fixture
def node(manager: Manager) -> str:
    if NODE not in manager.bed.names:
        manager.bed.add_many([NODE])
    return NODE


def call(node: str) -> Call:
    return Call(command="check", purpose="test", operation="c/own/1/test-check/p", campaign="c", node=node, release="r/1.0.0")


async def test_a_command_runs_on_the_node_with_what_it_is_about(manager: Manager, node: str) -> None:
    script = 'hostname; echo "$ESCALATOR_OPERATION $1"; echo "no $(id -u)" >&2; exit 3'
    entry = NamedCommand(argv=("sh", "-c", script, "sh", "{release} x"), where="node")
    ran = await NamedCommands({"check": entry}, {}).run(call(node), manager.driver())
    assert (ran.code, ran.lines) == (3, (node, "c/own/1/test-check/p r/1.0.0 x", "no 0"))


async def test_a_command_that_takes_too_long_is_ended_on_the_node(manager: Manager, node: str) -> None:
    entry = NamedCommand(argv=("sleep", "4711"), where="node", timeout_s=0.5)
    with pytest.raises(TemporaryError) as caught:
        await NamedCommands({"check": entry}, {}).run(call(node), manager.driver())
    assert caught.value.code is Code.SYS_COMMAND
    look = NamedCommand(argv=("pgrep", "-fx", "sleep 4711"), where="node")
    assert (await NamedCommands({"check": look}, {}).run(call(node), manager.driver())).code == 1


async def test_a_command_that_is_left_running_on_the_node_is_waited_for(manager: Manager, node: str) -> None:
    """As when the manager is killed, or the connection is cut: the command on the node goes on."""
    script = "mkdir /run/held || exit 3; [ -e /run/again ] || { touch /run/again; sleep 2; }; rmdir /run/held"
    entry = NamedCommand(argv=("sh", "-c", script), where="node")
    first = asyncio.create_task(NamedCommands({"check": entry}, {}).run(call(node), manager.driver()))
    while (await manager.over().run(node, ["test", "-e", "/run/again"])).exit_code != 0:
        assert not first.done()
    first.cancel()
    assert (await NamedCommands({"check": entry}, {}).run(call(node), manager.driver())).code == 0


async def test_files_are_staged_by_two_at_once_within_the_bandwidth_and_nothing_changes(manager: Manager, node: str) -> None:
    settings = System(ssh=manager.ssh(), staging=Staging(kib_per_s=2048))
    source = Source(manager._url, manager.store.repository.public_key)
    driver = manager.keep(PackagesSystem(settings, manager.bed.key.parent, source, manager.clock))
    release = await manager.release("1.0.0")
    before = (await driver.inspect(node, release)).packages
    await asyncio.gather(driver.stage(node, release), manager.driver().stage(node, release), driver.stage(node, release))
    assert (await driver.inspect(node, release)).packages == before == {}
    await driver.stage(node, release)
    conf = await driver.run(node, ("grep", "Dl-Limit", "/var/lib/escalator/apt/apt.conf"), {}, 20.0)
    assert conf.lines == ('Acquire::http::Dl-Limit "2048";',)
    modes = await driver.run(
        node, ("stat", "-c", "%a", "/var/lib/escalator/stage.lock", "/var/lib/escalator/apt/apt.conf"), {}, 20.0
    )
    assert modes.lines == ("600", "644"), "a user of the node could hold the lock"
    assert (await manager.upgrade(driver, node, "1.0.0", "own/1")).state is OperationState.DONE
