"""Recipes for tools beside kolla-ansible, as they stand in the documentation, against stand-ins with their command lines."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from beds.tools.bed import OLD, ToolsBed
from beds.tools.lines import FORMS, USAGE, EndError, parse
from beds.tools.stand_in import NEW
from beds.trial.site import TrialSite
from escalator.clocks import SystemClock
from escalator.model.document import Metadata
from escalator.model.node_settings import CommandDriver
from escalator.model.release import Package, Release, ReleaseSpec
from escalator.system_support.command import CommandSystem
from escalator.system_support.port import OperationState, Progress

pytestmark = pytest.mark.timeout(300)
PAGE = Path(__file__).parents[3] / "docs/howto/deployment-tools.md"
HEADINGS = {
    "openstack-ansible": "openstack-ansible",
    "kayobe": "Kayobe",
    "openstack": "TripleO",
    "cou": "Charmed OpenStack Upgrader",
}
"""Each program's part of the page."""
DONE = {
    "openstack-ansible": ["openstack.osa.nova"],
    "kayobe": ["overcloud container image pull", "overcloud service upgrade"],
    "openstack": ["overcloud upgrade run of overcloud"],
    "cou": ["upgrade data-plane"],
}
"""What is done to a host by the whole recipe."""
PLAYBOOKS = ("openstack-ansible", "kayobe")
"""Tools that hand on the exit code of `ansible-playbook`."""
RELEASE = Release(
    metadata=Metadata(name="openstack"),
    spec=ReleaseSpec(version="2025.1.0", type="command", packages=(Package(name="nova-compute", version="2025.1"),)),
)
HOSTS = ("cn-1", "cn-2", "cn-3")


def recipe(tool: str) -> dict[str, Any]:
    """The settings under `system.command` of the tool's part of the page."""
    _, _, after = PAGE.read_text().partition(f"\n## {HEADINGS[tool]}\n")
    (block,) = re.findall(r"```yaml\n(.*?)```", after.partition("\n## ")[0], re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(block)["system"]["command"]
    return found


def lines_of(tool: str) -> list[list[str]]:
    """The recipe's command lines for one host."""
    commands = [value for key, value in recipe(tool).items() if key.endswith("argv")]
    return [[word.replace("{node}", "cn-1") for word in command] for command in commands]


@pytest.fixture
def bed(tmp_path: Path) -> ToolsBed:
    return ToolsBed(tmp_path / "tools", HOSTS)


def driver(bed: ToolsBed, tmp_path: Path, tool: str) -> CommandSystem:
    environment = {"PATH": f"{bed.path}:{os.environ['PATH']}"}
    return CommandSystem(
        CommandDriver.model_validate_json(json.dumps(recipe(tool))), tmp_path / "state", environment, SystemClock()
    )


async def upgraded(made: CommandSystem, operation: str) -> Progress:
    await made.start("cn-1", RELEASE, operation)
    while (found := await made.poll("cn-1", operation)).state is OperationState.RUNNING:
        await SystemClock().sleep(0.05)
    return found


@pytest.mark.parametrize("tool", HEADINGS)
async def test_the_recipe_upgrades_its_host_and_no_other(bed: ToolsBed, tmp_path: Path, tool: str) -> None:
    made = driver(bed, tmp_path, tool)
    await made.stage("cn-1", RELEASE)
    assert bed.host("cn-1")["version"] == OLD
    ended = await upgraded(made, "first")
    assert ended.state is OperationState.DONE, ended.lines
    assert all(check.ok for check in await made.verify("cn-1", RELEASE, "first"))
    assert (bed.host("cn-1")["version"], bed.host("cn-1")["history"]) == (NEW, DONE[tool])
    assert [(bed.host(other)["version"], bed.host(other)["history"]) for other in HOSTS[1:]] == [(OLD, [])] * 2


@pytest.mark.parametrize("tool", HEADINGS)
async def test_a_host_that_does_not_answer_is_tried_again_where_the_tool_says_so(
    bed: ToolsBed, tmp_path: Path, tool: str
) -> None:
    made = driver(bed, tmp_path, tool)
    bed.trouble("cn-1", "unreachable")
    again = OperationState.RETRY if tool in PLAYBOOKS else OperationState.FAILED
    assert (await upgraded(made, "first")).state is again
    assert (await upgraded(made, "second")).state is OperationState.DONE
    assert bed.host("cn-1")["version"] == NEW


@pytest.mark.parametrize("tool", HEADINGS)
async def test_what_fails_is_a_failure_with_what_the_tool_said(bed: ToolsBed, tmp_path: Path, tool: str) -> None:
    bed.trouble("cn-1", "fail")
    ended = await upgraded(driver(bed, tmp_path, tool), "first")
    assert ended.state is OperationState.FAILED
    assert "nova-compute cannot be started" in ended.lines[-1]


async def test_a_hypervisor_with_instances_is_left_alone_by_cou(bed: ToolsBed, tmp_path: Path) -> None:
    bed.fill("cn-1")
    assert (await upgraded(driver(bed, tmp_path, "cou"), "first")).state is OperationState.DONE
    assert bed.host("cn-1")["version"] == OLD


@pytest.mark.parametrize("tool", HEADINGS)
def test_a_campaign_by_the_recipe_ends_on_the_new_version_and_reports_what_does_not(
    bed: ToolsBed, tmp_path: Path, tool: str
) -> None:
    settings = {"system": {"command": recipe(tool)}}
    site = TrialSite(tmp_path, HOSTS, settings, PATH=f"{bed.path}:{os.environ['PATH']}")
    bed.trouble("cn-2", "fail")
    (tmp_path / "release").mkdir()
    (tmp_path / "release/release.yaml").write_text(
        yaml.safe_dump(RELEASE.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    )
    site.server.start()
    try:
        site.server.ok("release", "import", str(tmp_path / "release"))
        site.campaign("night", RELEASE.id, "command", failure={"max_failed": 1})
        view = site.follow("night", 4)
        states = {task["node"]: task["state"] for task in view["tasks"]}
        assert states == {"cn-1": "done", "cn-2": "failed", "cn-3": "done"}
        assert site.in_service() == {"cn-1", "cn-3"}
        site.server.ok("node", "retry", "night", "cn-2")
        assert site.follow("night", 0)["state"] == "completed"
    finally:
        site.server.stop()
    assert {bed.host(name)["version"] for name in HOSTS} == {NEW}


@pytest.mark.parametrize("tool", HEADINGS)
def test_every_command_line_of_the_page_is_one_that_the_tool_publishes(tool: str) -> None:
    part = PAGE.read_text().partition(f"\n## {HEADINGS[tool]}\n")[2].partition("\n## ")[0]
    said = [
        shlex.split(words.replace("NODE", "cn-1"))
        for words in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", part, flags=re.DOTALL))
    ]
    shown = [words for words in said if words[0] == tool and any(word.startswith("-") for word in words)]
    for program, *words in [*lines_of(tool), *shown]:
        assert program == tool
        parse(tool, words)
    assert len(lines_of(tool)) == 1 + (tool == "kayobe")


@pytest.mark.parametrize("tool", HEADINGS)
def test_the_stand_in_refuses_what_the_tool_does_not_publish(tool: str) -> None:
    command = lines_of(tool)[-1][1:]
    option = next(word for word in command if word.startswith("--"))
    wrong = [
        [*command, "--node", "cn-1"],
        [*command, "--limit"],
        [word[:-1] if word == option else word for word in command],
        [*command, "--hostname=cn-1", "--machine=7"],
        [*(word for word in command if not word.startswith("openstack.osa")), "-x"],
        command[1:] if tool != "openstack-ansible" else ["--limit", "cn-1"],
    ]
    for words in wrong:
        with pytest.raises(EndError) as caught:
            parse(tool, words)
        assert caught.value.code == USAGE, words


def test_every_tool_of_the_page_but_kolla_ansible_is_played() -> None:
    headings = set(re.findall(r"\n## (.+)\n", PAGE.read_text()))
    assert headings == {*HEADINGS.values(), "kolla-ansible"}
    assert FORMS.keys() == HEADINGS.keys()
