"""The recipe for kolla-ansible as it stands in the documentation, against a stand-in with that tool's command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from beds.kolla.bed import NEW, OLD, KollaBed
from beds.kolla.stand_in import USAGE, EndError, parse
from beds.nodes.base import CannotRunError
from beds.nodes.bed import check_can_run
from beds.trial.site import TrialSite

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(400)]
PAGE = Path(__file__).parents[3] / "docs/howto/deployment-tools.md"
LIMIT_S = 8
TROUBLE = {
    "good": (),
    "unreachable": ({"in": "upgrade", "how": "unreachable", "times": 2},),
    "later": ({"in": "upgrade", "how": "later"},),
    "fails": ({"in": "upgrade", "how": "fail"},),
    "hangs": ({"in": "upgrade", "how": "hang"},),
    "unhealthy": ({"in": "upgrade", "how": "unhealthy"},),
    "idle": ({"in": "upgrade", "how": "idle"},),
    "stuck": ({"in": "upgrade", "how": "fail"}, {"in": "deploy", "how": "fail"}),
    "spare": (),
}
"""What goes wrong on each host."""
IT = "openstack-containers/2025.1.0"
ON_NEW = {"good", "unreachable", "later", "spare"}
BACK = {"fails": "ESC-SYS-006", "hangs": "ESC-SYS-006", "unhealthy": "ESC-SYS-009", "idle": "ESC-SYS-007"}
"""Hosts that the old tool takes back, and how the operator reads why."""
RELEASE = {
    "apiVersion": "escalator/v1",
    "kind": "Release",
    "metadata": {"name": "openstack-containers"},
    "spec": {
        "version": "2025.1.0",
        "type": "command",
        "packages": [{"name": "nova-libvirt", "version": NEW}, {"name": "nova-compute", "version": NEW}],
        "reboot": "never",
    },
}


def recipe() -> dict[str, Any]:
    """The settings under `system.command` of the page's part on kolla-ansible."""
    _, _, after = PAGE.read_text().partition("\n## kolla-ansible\n")
    blocks = re.findall(r"```yaml\n(.*?)```", after.partition("\n## ")[0], re.DOTALL)
    settings: dict[str, Any] = {}
    for block in blocks:
        settings |= yaml.safe_load(block)["system"]["command"]
    return settings


@pytest.fixture
def bed(tmp_path: Path) -> KollaBed:
    try:
        check_can_run()
    except CannotRunError as error:
        if "nodes" in os.environ.get("ESCALATOR_REQUIRE_REAL", ""):
            pytest.fail(f"mount namespaces are required here: {error}")
        pytest.skip(f"mount namespaces cannot be had here: {error}")
    return KollaBed(tmp_path / "kolla", list(TROUBLE))


@pytest.fixture
def site(bed: KollaBed, tmp_path: Path) -> Iterator[TrialSite]:
    command = {**recipe(), "timeout_s": LIMIT_S, "facts_argv": [bed.versions_program(), "{node}"]}
    path = f"{bed.path}:{os.environ['PATH']}"
    made = TrialSite(tmp_path, list(TROUBLE), {"system": {"command": command}}, bed.prefix, PATH=path)
    made.server.start()
    try:
        (tmp_path / "release").mkdir()
        (tmp_path / "release/release.yaml").write_text(yaml.safe_dump(RELEASE))
        made.server.ok("release", "import", str(tmp_path / "release"))
        yield made
    finally:
        made.server.stop()


def test_every_host_ends_on_a_known_series_or_is_reported_with_what_to_do(site: TrialSite, bed: KollaBed) -> None:
    for host, entries in TROUBLE.items():
        bed.trouble(host, *entries)
    failure = {"on_node_failure": "rollback-node", "max_failed": 9, "same_error": 9}
    nodes = [host for host in TROUBLE if host != "stuck"]
    site.campaign("containers", IT, "command", nodes, failure=failure, waves={"max_unavailable": 3})
    view = site.follow("containers", 0)
    tasks = {task["node"]: task for task in view["tasks"]}
    assert {node for node, task in tasks.items() if task["state"] == "done"} == ON_NEW
    assert {node: task["code"] for node, task in tasks.items() if task["state"] == "rolled-back"} == BACK, tasks
    hosts = {name: bed.host(name) for name in TROUBLE}
    assert {name for name, host in hosts.items() if (host["compute"], host["libvirt"]) == (NEW, NEW)} == ON_NEW
    for name in BACK:
        assert (hosts[name]["compute"], hosts[name]["libvirt"], hosts[name]["healthy"]) == (OLD, OLD, True), name
        assert hosts[name]["history"][-2:] == [f"deploy {OLD}", f"check {OLD}"]
    assert f"ran longer than {LIMIT_S} s" in tasks["hangs"]["message"]
    assert "nova_compute cannot be started" in tasks["fails"]["message"]
    assert "nova_compute is not running" in tasks["unhealthy"]["message"]
    assert f"nova-libvirt is {OLD}, wanted is {NEW}" in tasks["idle"]["message"]
    assert hosts["unreachable"]["history"] == [
        f"pull {NEW}", "upgrade: unreachable", "upgrade: unreachable", f"upgrade {NEW}", f"check {NEW}",
    ]  # fmt: skip
    assert hosts["later"]["history"] == [f"pull {NEW}", "upgrade: later", f"upgrade {NEW}", f"check {NEW}"]
    assert site.in_service() == set(TROUBLE)


def test_a_host_that_neither_tool_can_put_right_stays_out_of_service_and_one_command_says_what_to_do(
    site: TrialSite, bed: KollaBed
) -> None:
    bed.trouble("stuck", *TROUBLE["stuck"])
    site.campaign("stuck", IT, "command", ["spare", "stuck"])
    view = site.follow("stuck", 4)
    (task,) = (task for task in view["tasks"] if task["node"] == "stuck")
    assert (task["state"], task["code"]) == ("failed", "ESC-SYS-006")
    assert "undo of upgrade failed" in task["message"]
    assert site.in_service() == set(TROUBLE) - {"stuck"}
    assert "escalator node retry stuck stuck" in view["next"], view["next"]
    # The trouble is used up: what the command says helps.
    site.server.ok("node", "retry", "stuck", "stuck")
    assert site.follow("stuck", 0)["state"] == "completed"
    assert site.in_service() == set(TROUBLE)
    assert bed.host("stuck")["compute"] == NEW


@pytest.mark.parametrize(
    "words",
    [
        "upgrade --lim a",
        "upgrade -i",
        "upgrade -i -l",
        "upgrade --node a",
        "--upgrade",
        "upgrade a b",
        "upgrade -l a -l b",
        "up",
    ],
)
def test_the_stand_in_refuses_what_the_tool_does_not_document(words: str) -> None:
    with pytest.raises(EndError) as caught:
        parse(words.split())
    assert caught.value.code == USAGE


def test_the_recipe_is_whole() -> None:
    """Everything that the driver can do but keeping a backup and rebooting, which the tool does not do either."""
    assert set(recipe()) == {
        "stage_argv", "argv", "verify_argv", "retry_codes", "concurrent", "rollback_argv", "verify_rollback_argv",
    }  # fmt: skip
