"""Eight nodes with systemd and thirty others under one server: everything that breaks on a node, in the midst of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from beds.nodes.bed import NodesBed
from beds.trial.site import TrialSite, node_settings
from beds.trial.trouble import IN_POSTINST, INSTALLED, bar, empty, fill, on, strange, trust, until

pytestmark = [pytest.mark.long, pytest.mark.nodes, pytest.mark.timeout(3000)]
SYSTEMD = tuple(f"sd-{number}" for number in range(8))
PLAIN = tuple(f"ns-{number:02}" for number in range(30))
NODES = SYSTEMD + PLAIN
BAD = {"2.1.0": "ESC-SYS-006", "2.2.0": "ESC-SYS-008", "2.3.0": "ESC-SYS-009"}
"""Its postinst fails; its daemon ends; its daemon is not healthy. All change the state, which 1.0.0 refuses."""
MIDDLE = (*SYSTEMD[:2], *PLAIN[:2])
FULL, BARRED, KEY, OFF = ((SYSTEMD[number], PLAIN[number]) for number in (2, 3, 4, 5))
TIMEOUTS = {"vacate_s": 60, "upgrade_s": 120, "reboot_s": 60, "verify_s": 120}
FAILURE = {"on_node_failure": "rollback-node", "max_failed": 38, "same_error": 38}
MORE: dict[str, Any] = {"node": {"driver": "packages", "timeouts": TIMEOUTS}, "failure": FAILURE}


@pytest.fixture(scope="module")
def site(nodes_bed: NodesBed, release_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialSite]:
    """All nodes on 1.0.0, empty, and a server that knows the releases."""
    folder = tmp_path_factory.mktemp("many")
    nodes_bed.add_many(SYSTEMD, "systemd")
    nodes_bed.add_many(PLAIN)
    for name in NODES:
        nodes_bed.install(name, release_folders["1.0.0"])
    made = TrialSite(folder, NODES, node_settings(nodes_bed, folder), empty=True)
    made.server.start()
    try:
        for version in ("1.0.0", "2.0.0", "2.5.0", *BAD):
            made.server.ok("release", "import", str(release_folders[version]))
        yield made
    finally:
        made.server.stop()


@pytest.mark.parametrize(("version", "code"), BAD.items())
def test_bad_software_leaves_every_node_in_service_on_the_old_version(
    site: TrialSite, nodes_bed: NodesBed, version: str, code: str
) -> None:
    nodes = (*SYSTEMD[6:], *PLAIN[6:14])
    name = f"bad-{version.replace('.', '-')}"
    site.campaign(name, f"nfvi-agent/{version}", "packages", nodes, waves={"max_unavailable": 10}, **MORE)
    view = site.follow(name, 0, 900)
    assert {(task["state"], task["code"]) for task in view["tasks"]} == {("rolled-back", code)}
    assert {on(nodes_bed, node) for node in nodes} == {"1.0.0"}
    assert site.in_service() == set(NODES)


def test_cut_links_and_lost_power_in_the_middle_of_dpkg_come_through(site: TrialSite, nodes_bed: NodesBed) -> None:
    cut, killed = (MIDDLE[0], MIDDLE[2]), (MIDDLE[1], MIDDLE[3])
    site.campaign("middle", "nfvi-agent/2.5.0", "packages", MIDDLE, waves={"max_unavailable": 4}, **MORE)
    for node in killed:
        until(nodes_bed, node, IN_POSTINST)
        nodes_bed.kill(node)
    for node in cut:
        until(nodes_bed, node, IN_POSTINST)
        nodes_bed.cut(node)
    for node in cut:
        until(nodes_bed, node, INSTALLED)
    for node in killed:
        nodes_bed.start(node)
    for node in cut:
        nodes_bed.restore(node)
    view = site.follow("middle", 0, 600)
    assert {task["state"] for task in view["tasks"]} == {"done"}
    assert {on(nodes_bed, node) for node in MIDDLE} == {"2.5.0"}
    assert site.in_service() == set(NODES)


def test_what_cannot_go_on_is_put_back_or_held_while_all_others_are_upgraded(site: TrialSite, nodes_bed: NodesBed) -> None:
    port = yaml.safe_load(site.server.settings.read_text())["repository"]["port"]
    troubled = (*FULL, *BARRED, *KEY, *OFF)
    for node in FULL:
        fill(nodes_bed, node)
    for node in BARRED:
        bar(nodes_bed, node, port)
    for node in KEY:
        strange(nodes_bed, node)
    for node in OFF:
        nodes_bed.will_stay_off(node)
    nodes = tuple(node for node in NODES if node not in MIDDLE)
    site.campaign("all", "nfvi-agent/2.0.0", "packages", nodes, waves={"max_unavailable": 10}, **MORE)
    tasks = site.settled("all", 1800)
    said = {node: (task["state"], task["code"]) for node, task in tasks.items() if task["state"] != "done"}
    assert said == {
        **dict.fromkeys(FULL, ("rolled-back", "ESC-SYS-006")),
        **dict.fromkeys(BARRED, ("rolled-back", "ESC-SYS-004")),
        **dict.fromkeys(KEY, ("rolled-back", "ESC-SYS-002")),
        **dict.fromkeys(OFF, ("failed", "ESC-UPG-049")),
    }
    assert site.in_service() == set(NODES) - set(OFF)
    site.follow("all", 4)
    for node in FULL:
        empty(nodes_bed, node)
    for node in BARRED:
        bar(nodes_bed, node, port, "del")
    for node in KEY:
        trust(nodes_bed, node)
    for node in OFF:
        nodes_bed.start(node)
        nodes_bed.wait(node)
    for node in troubled:
        site.server.ok("node", "retry", "all", node)
    assert site.follow("all", 0, 1800)["state"] == "completed"
    assert {node: on(nodes_bed, node) for node in nodes} == dict.fromkeys(nodes, "2.0.0")
    assert site.in_service() == set(NODES)
