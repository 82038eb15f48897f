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
from escalator.model.node_settings import CommandDriver
from escalator.model.release import Release, ReleaseSpec
from escalator.system_support.command import CommandSystem
from escalator.system_support.port import SystemSupport
from escalator.upgrade_manager.engine.means import Means

HEAD = "apiVersion: escalator/v1\nkind: Campaign\nmetadata: {name: c}\nspec:\n  mode: smooth\n  scope: {select: {}}\n"
ALL = {"stage_argv": ("a",), "backup_argv": ("a",), "rollback_argv": ("a",), "reboot_argv": ("a",), "boot_id_argv": ("a",)}


def campaign(more: str = "") -> Campaign:
    return load_campaign(parse(f"{HEAD}  release: kit/2.0.0\n  node: {{driver: command}}\n{more}"))


def systems(**argv: Any) -> Mapping[str, SystemSupport]:
    settings = CommandDriver(argv=("install",), **argv)
    return {"command": CommandSystem(settings, Path("/nonexistent"), {}, SystemClock())}


async def kit(release_id: str) -> Release:
    assert release_id == "kit/2.0.0"
    return Release(metadata=Metadata(name="kit"), spec=ReleaseSpec(version="2.0.0", type="command"))


async def test_nothing_is_said_of_a_driver_that_can_do_everything() -> None:
    assert await Means(systems(**ALL), kit).conditions(campaign()) == ()
    assert await Means({}, kit).conditions(campaign()) == ()


@pytest.mark.parametrize("policy", ["rollback-node", "leave"])
async def test_a_driver_that_cannot_undo_is_told_before_the_start_and_the_plan_holds(policy: str) -> None:
    more = f"  failure: {{on_node_failure: {policy}}}\n"
    (said,) = await Means(systems(**(ALL | {"rollback_argv": ()})), kit).conditions(campaign(more))
    assert (said.code, said.ok) == (Code.SYS_CANNOT.value, True)
    assert "driver command cannot put the old software back (kit/2.0.0)" in said.message
    assert ("whatever failure.on_node_failure" in said.message) == (policy != "leave")
    assert said.remedy == "commands in the settings: system.command.rollback_argv"


async def test_everything_that_is_missing_is_listed() -> None:
    (said,) = await Means(systems(), kit).conditions(campaign())
    for words in ("put the old software back", "keep a backup", "reboot nodes", "bring files to nodes ahead"):
        assert words in said.message


async def test_a_release_that_the_driver_cannot_take_fails_the_plan() -> None:
    class Playbooks(CommandSystem):
        name = "ansible"

    made = {"command": Playbooks(CommandDriver(), Path("/nonexistent"), {}, SystemClock())}
    (said,) = await Means(made, kit).conditions(campaign())
    assert (said.code, said.ok) == (Code.SYS_WRONG_TYPE.value, False)
