"""What a plan says about its driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from escalator.clocks import SystemClock
from escalator.model.campaign import Campaign, load_campaign
from escalator.model.codes import Code
from escalator.model.document import Metadata, parse
from escalator.model.inventory import Inventory, Node
from escalator.model.node_settings import ClusterCommands, CommandDriver
from escalator.model.plan import Plan, Upgrade
from escalator.model.release import Release, ReleaseSpec
from escalator.system_support.clusters.commands import CommandClusters
from escalator.system_support.command import CommandSystem
from escalator.system_support.named import NamedCommands
from escalator.system_support.port import SystemSupport
from escalator.upgrade_manager.engine.means import Means

HEAD = "apiVersion: escalator/v1\nkind: Campaign\nmetadata: {name: c}\nspec:\n  mode: smooth\n  scope: {select: {}}\n"
ALL = {"stage_argv": ("a",), "backup_argv": ("a",), "rollback_argv": ("a",), "reboot_argv": ("a",), "boot_id_argv": ("a",)}


def campaign(more: str = "") -> Campaign:
    return load_campaign(parse(f"{HEAD}  release: kit/2.0.0\n  node: {{driver: command}}\n{more}"))


def systems(**argv: Any) -> Mapping[str, SystemSupport]:
    settings = CommandDriver(argv=("install",), **argv)
    return {"command": CommandSystem(settings, Path("/nonexistent"), {}, SystemClock())}


NO_CLUSTERS = CommandClusters(ClusterCommands(), {}, NamedCommands({}, {}))


async def kit(release_id: str) -> Release:
    assert release_id == "kit/2.0.0"
    return Release(metadata=Metadata(name="kit"), spec=ReleaseSpec(version="2.0.0", type="command"))


async def test_nothing_is_said_of_a_driver_that_can_do_everything() -> None:
    assert await Means(systems(**ALL), kit, NO_CLUSTERS).conditions(campaign()) == ()
    assert await Means({}, kit, NO_CLUSTERS).conditions(campaign()) == ()


@pytest.mark.parametrize("policy", ["rollback-node", "leave"])
async def test_a_driver_that_cannot_undo_is_told_before_the_start_and_the_plan_holds(policy: str) -> None:
    more = f"  failure: {{on_node_failure: {policy}}}\n"
    (said,) = await Means(systems(**(ALL | {"rollback_argv": ()})), kit, NO_CLUSTERS).conditions(campaign(more))
    assert (said.code, said.ok) == (Code.SYS_CANNOT.value, True)
    assert "driver command cannot put the old software back (kit/2.0.0)" in said.message
    assert ("whatever failure.on_node_failure" in said.message) == (policy != "leave")
    assert said.remedy == "commands in the settings: system.command.rollback_argv"


async def test_everything_that_is_missing_is_listed() -> None:
    (said,) = await Means(systems(), kit, NO_CLUSTERS).conditions(campaign())
    for words in ("put the old software back", "keep a backup", "reboot nodes", "bring files to nodes ahead"):
        assert words in said.message


async def test_a_release_that_the_driver_cannot_take_fails_the_plan() -> None:
    class Playbooks(CommandSystem):
        name = "ansible"

    made = {"command": Playbooks(CommandDriver(), Path("/nonexistent"), {}, SystemClock())}
    (said,) = await Means(made, kit, NO_CLUSTERS).conditions(campaign())
    assert (said.code, said.ok) == (Code.SYS_WRONG_TYPE.value, False)


def test_nodes_whose_clusters_cannot_be_asked_fail_the_plan_with_what_is_missing() -> None:
    nodes = (Node(id="c", roles=("control",)), Node(id="h", roles=("compute", "storage")), Node(id="a"))
    plan = Plan(smooth=True, upgrades=tuple(Upgrade(node=node.id, start_s=0.0, end_s=1.0) for node in nodes))
    means = Means(systems(**ALL), kit, NO_CLUSTERS)
    control, storage = means.roles(plan, Inventory(nodes=nodes))
    assert (control.code, control.ok) == (Code.UPG_ROLE.value, False)
    assert control.message == "control nodes c: the settings lack system.clusters.control_status"
    assert storage.message.startswith("storage nodes h: the settings lack system.clusters.storage_status, ")
    assert means.roles(plan.model_copy(update={"impact": "none"}), Inventory(nodes=nodes)) == ()
    named = ClusterCommands(control_status="a", storage_status="b", storage_flag="c", storage_unflag="d")
    told = Means(systems(**ALL), kit, CommandClusters(named, {}, NamedCommands({}, {})))
    assert told.roles(plan, Inventory(nodes=nodes)) == ()
