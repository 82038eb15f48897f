"""A whole campaign by playbooks on five real nodes, through server and command line, under a simulated cloud."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beds.nodes.bed import NodesBed
from beds.nodes.bundles import ANSWERS, HEAD, INSTALL, bundle
from beds.trial.site import TrialSite, node_settings

pytestmark = [pytest.mark.nodes, pytest.mark.long, pytest.mark.timeout(600)]
_numbers = itertools.count(1)
NEW = "2.0.0"
KEPT = "/var/cache/test-debs/1.0.0"
REFUSES = """
    - name: the hypervisor is quiet
      ansible.builtin.command: test ! -e /root/busy
"""
"""A task that fails on a node where there is such a file."""


@pytest.fixture
def nodes(nodes_bed: NodesBed, release_folders: dict[str, Path]) -> list[str]:
    """Five nodes on 1.0.0."""
    number = next(_numbers)
    names = [f"tasks-{number}-{letter}" for letter in "abcde"]
    nodes_bed.add_many(names)
    for name in names:
        nodes_bed.install(name, release_folders["1.0.0"])
        # As the bundle that brought 1.0.0 would have left them: the way back installs them again.
        nodes_bed.exec(name, "sh", "-c", f"mkdir -p {KEPT} && cp /root/*.deb {KEPT}")
    return names


@pytest.fixture
def site(nodes: list[str], nodes_bed: NodesBed, release_folders: dict[str, Path], tmp_path: Path) -> Iterator[TrialSite]:
    settings = node_settings(nodes_bed, tmp_path, ansible={"concurrent": 2})
    made = TrialSite(tmp_path, nodes, settings)
    made.server.start()
    try:
        upgrade = HEAD + INSTALL.format(version=NEW) + REFUSES + ANSWERS
        folder = bundle(tmp_path, release_folders[NEW], NEW, upgrade=upgrade)
        made.server.ok("release", "import", str(folder))
        yield made
    finally:
        made.server.stop()


def running(bed: NodesBed, node: str) -> str:
    """The version that the daemon itself says."""
    ask = "import json, urllib.request as u; print(json.load(u.urlopen('http://127.0.0.1:8770/version'))['version'])"
    return bed.exec(node, "python3", "-c", ask).strip()


def test_a_node_whose_playbook_fails_is_back_and_the_others_are_upgraded(
    site: TrialSite, nodes: list[str], nodes_bed: NodesBed
) -> None:
    bad = nodes[1]
    nodes_bed.exec(bad, "touch", "/root/busy")
    site.campaign("tasks", f"agent-by-playbook/{NEW}", "ansible", waves={"max_unavailable": 2}, failure={"max_failed": 1})
    view = site.follow("tasks", 0, timeout_s=500)
    tasks = {task["node"]: task for task in view["tasks"]}
    assert {node: task["state"] for node, task in tasks.items()} == dict.fromkeys(nodes, "done") | {bad: "rolled-back"}
    assert tasks[bad]["code"] == "ESC-SYS-006"
    assert "'the hypervisor is quiet': non-zero return code" in tasks[bad]["message"]
    assert {node: running(nodes_bed, node) for node in nodes} == dict.fromkeys(nodes, NEW) | {bad: "1.0.0"}
    assert {nodes_bed.exec(node, "dpkg", "--audit") for node in nodes} == {""}
    assert site.in_service() == set(nodes)
    for node in nodes:
        check_output(site.events("tasks", node), failed=node == bad)


def check_output(events: list[dict[str, Any]], *, failed: bool) -> None:
    """The history has every task of the playbook once, in order, between the step's begin and its end."""
    said = [event for event in events if event["action"] == "node.output"]
    first = said[0]["data"]["operation"]
    lines = [line for event in said if event["data"]["operation"] == first for line in event["data"]["lines"]]
    wanted = [f"the packages of {NEW} are on the node", f"the packages of {NEW} are installed", "the hypervisor is quiet"]
    wanted += [] if failed else ["the agent answers"]
    begun = [f"task {number}: {name}" for number, name in enumerate(wanted, start=1)]
    assert [line for line in lines if line in begun] == begun
    assert len(lines) == len(set(lines)) == 2 * len(wanted)
    assert any(line.startswith("task 3: failed: non-zero return code") for line in lines) == failed
    seqs = {(event["step"], event["outcome"]): event["seq"] for event in events if event["action"] == "node.upgrade"}
    assert seqs["upgrade", "started"] < said[0]["seq"] < seqs["upgrade", "failed" if failed else "done"]
    if failed:
        back = [line for event in said if event["data"]["operation"] != first for line in event["data"]["lines"]]
        assert "task 3: the old packages are put back" in back
