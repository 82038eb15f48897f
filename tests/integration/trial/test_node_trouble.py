"""What breaks on real nodes in the middle of a campaign: each ends in service on a known version, or says what helps.

Failing packages are in `tests/integration/nodes/test_walk.py` and, by whole campaigns, `tests/acceptance/test_faults.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from beds.nodes.bed import NodesBed
from beds.trial.site import TrialSite, node_settings
from beds.trial.trouble import IN_POSTINST, INSTALLED, bar, empty, fill, on, strange, trust, until

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600)]
NODES = ("trouble-cut", "trouble-killed", "trouble-full", "trouble-repository", "trouble-key", "trouble-off")
CUT, KILLED, FULL, REPOSITORY, KEY, OFF = NODES
TIMEOUTS = {"vacate_s": 30, "upgrade_s": 45, "reboot_s": 20, "verify_s": 60}
FAILURE = {"on_node_failure": "rollback-node", "max_failed": 9, "same_error": 9}
SHOWN = 3
"""So many nodes one look at a campaign names with what to do; the others are in its list of nodes."""


@pytest.fixture(scope="module")
def site(nodes_bed: NodesBed, release_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialSite]:
    """Six nodes on 1.0.0, empty, and a server that knows the releases."""
    folder = tmp_path_factory.mktemp("trouble")
    nodes_bed.add_many(NODES)
    for name in NODES:
        nodes_bed.install(name, release_folders["1.0.0"])
    made = TrialSite(folder, NODES, node_settings(nodes_bed, folder), empty=True)
    made.server.start()
    try:
        for version in ("1.0.0", "2.0.0", "2.5.0"):
            made.server.ok("release", "import", str(release_folders[version]))
        yield made
    finally:
        made.server.stop()


def test_a_link_that_is_cut_and_a_node_that_is_killed_in_the_middle_of_dpkg_both_come_through(
    site: TrialSite, nodes_bed: NodesBed
) -> None:
    site.campaign("middle", "nfvi-agent/2.5.0", "packages", (CUT, KILLED), waves={"max_unavailable": 2}, failure=FAILURE)
    until(nodes_bed, KILLED, IN_POSTINST)
    nodes_bed.kill(KILLED)
    until(nodes_bed, CUT, IN_POSTINST)
    nodes_bed.cut(CUT)
    until(nodes_bed, CUT, INSTALLED)
    nodes_bed.start(KILLED)
    nodes_bed.restore(CUT)
    view = site.follow("middle", 0)
    assert {task["node"]: task["state"] for task in view["tasks"]} == {CUT: "done", KILLED: "done"}
    assert (on(nodes_bed, CUT), on(nodes_bed, KILLED)) == ("2.5.0", "2.5.0")
    runs = "ls /var/lib/escalator/operations | grep -c upgrade"
    assert [nodes_bed.exec(node, "sh", "-c", runs).strip() for node in (CUT, KILLED)] == ["1", "2"]
    assert site.in_service() == set(NODES)


def test_nodes_that_cannot_go_on_are_on_their_old_version_or_held_and_what_one_command_says_helps(
    site: TrialSite, nodes_bed: NodesBed
) -> None:
    fill(nodes_bed, FULL)
    strange(nodes_bed, KEY)
    port = yaml.safe_load(site.server.settings.read_text())["repository"]["port"]
    bar(nodes_bed, REPOSITORY, port)
    nodes_bed.will_stay_off(OFF)
    nodes = (FULL, REPOSITORY, KEY, OFF)
    more = {"node": {"driver": "packages", "timeouts": TIMEOUTS}, "waves": {"max_unavailable": 4}, "failure": FAILURE}
    site.campaign("trouble", "nfvi-agent/2.0.0", "packages", nodes, **more)
    tasks = site.settled("trouble")
    view = site.follow("trouble", 4)
    said = {node: (task["state"], task["code"], task["message"]) for node, task in tasks.items()}
    assert said[KEY][:2] == ("rolled-back", "ESC-SYS-002"), said
    assert said[REPOSITORY][:2] == ("rolled-back", "ESC-SYS-004"), said
    assert said[FULL][:2] == ("rolled-back", "ESC-SYS-006"), said
    assert "No space left on device" in said[FULL][2]
    assert {on(nodes_bed, node) for node in (KEY, REPOSITORY, FULL)} == {"1.0.0"}
    assert said[OFF][:2] == ("failed", "ESC-UPG-049"), said
    assert "held: the node stays cordoned" in said[OFF][2]
    assert site.in_service() == set(NODES) - {OFF}
    retries = {f"escalator node retry trouble {node}" for node in nodes}
    assert len(retries & set(view["next"])) == SHOWN
    assert view["next"][0] == f"escalator node retry trouble {OFF}"  # the one that is out of service comes first
    mended: dict[str, Callable[[], object]] = {
        FULL: lambda: empty(nodes_bed, FULL),
        REPOSITORY: lambda: bar(nodes_bed, REPOSITORY, port, "del"),
        KEY: lambda: trust(nodes_bed, KEY),
        OFF: lambda: nodes_bed.start(OFF),
    }
    for node, mend in mended.items():
        mend()
        site.server.ok("node", "retry", "trouble", node)
    nodes_bed.wait(OFF)
    assert site.follow("trouble", 0)["state"] == "completed"
    assert {node: on(nodes_bed, node) for node in nodes} == dict.fromkeys(nodes, "2.0.0")
    assert site.in_service() == set(NODES)
