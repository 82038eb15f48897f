"""What breaks on real nodes in the middle of a campaign: each ends in service on a known version, or says what helps.

Failing packages are in `tests/integration/nodes/test_walk.py` and, by whole campaigns, `tests/acceptance/test_faults.py`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from beds.nodes.bed import NodesBed
from beds.nodes.packages import AGENT, LIBS
from beds.trial.site import TrialSite, node_settings

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600)]
NODES = ("trouble-cut", "trouble-killed", "trouble-full", "trouble-repository", "trouble-key", "trouble-off")
CUT, KILLED, FULL, REPOSITORY, KEY, OFF = NODES
LIBRARY = "/usr/lib/escalator-test"
TIMEOUTS = {"vacate_s": 30, "upgrade_s": 45, "reboot_s": 20, "verify_s": 60}
FAILURE = {"on_node_failure": "rollback-node", "max_failed": 9, "same_error": 9}
SHOWN = 3
"""So many nodes one look at a campaign names with what to do; the others are in its list of nodes."""
POSTINST = "postinst: slow work begins"


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


def until(bed: NodesBed, node: str, command: str) -> None:
    """Return when the command succeeds on the node, looked at past its network; half a minute at most."""
    bed.exec(node, "timeout", "60", "sh", "-c", f"until {command}; do sleep 0.05; done")


def on(bed: NodesBed, node: str) -> str:
    """Version of the agent, by dpkg; the daemon has to say the same, and dpkg that nothing is half done."""
    assert bed.exec(node, "dpkg", "--audit") == "", node
    version = bed.installed(node, AGENT)
    assert bed.installed(node, LIBS) == version
    ask = "import json, urllib.request as u; print(json.load(u.urlopen('http://127.0.0.1:8770/version'))['version'])"
    assert bed.exec(node, "python3", "-c", ask).strip() == version
    return str(version)


def test_a_link_that_is_cut_and_a_node_that_is_killed_in_the_middle_of_dpkg_both_come_through(
    site: TrialSite, nodes_bed: NodesBed
) -> None:
    site.campaign("middle", "nfvi-agent/2.5.0", "packages", (CUT, KILLED), waves={"max_unavailable": 2}, failure=FAILURE)
    logged = f"grep -rqs {shlex.quote(POSTINST)} /var/lib/escalator/operations"
    until(nodes_bed, KILLED, logged)
    nodes_bed.kill(KILLED)
    until(nodes_bed, CUT, logged)
    nodes_bed.cut(CUT)
    until(nodes_bed, CUT, "ls /var/lib/escalator/operations/*upgrade*/rc 2>/dev/null | grep -q .")
    nodes_bed.start(KILLED)
    nodes_bed.restore(CUT)
    view = site.follow("middle", 0)
    assert {task["node"]: task["state"] for task in view["tasks"]} == {CUT: "done", KILLED: "done"}
    assert (on(nodes_bed, CUT), on(nodes_bed, KILLED)) == ("2.5.0", "2.5.0")
    runs = "ls /var/lib/escalator/operations | grep -c upgrade"
    assert [nodes_bed.exec(node, "sh", "-c", runs).strip() for node in (CUT, KILLED)] == ["1", "2"]
    assert site.in_service() == set(NODES)


def fill(bed: NodesBed) -> None:
    """No byte is left where the packages' files are."""
    keep = f"cp -a {LIBRARY} /root/kept && mount -t tmpfs -o size=64k full {LIBRARY} && cp -a /root/kept/. {LIBRARY}"
    bed.exec(FULL, "sh", "-c", f"{keep}; dd if=/dev/zero of={LIBRARY}/filler 2>/dev/null; true")


def strange(bed: NodesBed) -> None:
    """The node has another host key than the one that is known."""
    bed.kill(KEY)
    bed.new_host_key(KEY, known=False)
    bed.start(KEY)
    bed.wait(KEY)


def test_nodes_that_cannot_go_on_are_on_their_old_version_or_held_and_what_one_command_says_helps(
    site: TrialSite, nodes_bed: NodesBed
) -> None:
    known = nodes_bed.known_hosts.read_text()
    fill(nodes_bed)
    strange(nodes_bed)
    port = yaml.safe_load(site.server.settings.read_text())["repository"]["port"]
    barred = ("to", nodes_bed.manager_address, "ipproto", "6", "dport", str(port), "prohibit")
    nodes_bed.exec(REPOSITORY, "ip", "rule", "add", *barred)
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
    assert said[OFF][:2] == ("failed", "ESC-UPG-007"), said
    assert "held: the node stays cordoned" in said[OFF][2]
    assert site.in_service() == set(NODES) - {OFF}
    retries = {f"escalator node retry trouble {node}" for node in nodes}
    assert len(retries & set(view["next"])) == SHOWN
    assert view["next"][0] == f"escalator node retry trouble {OFF}"  # the one that is out of service comes first
    mended: dict[str, Callable[[], object]] = {
        FULL: lambda: nodes_bed.exec(FULL, "umount", "--lazy", LIBRARY),
        REPOSITORY: lambda: nodes_bed.exec(REPOSITORY, "ip", "rule", "del", *barred),
        KEY: lambda: nodes_bed.known_hosts.write_text(known.replace(*keys(nodes_bed, known))),
        OFF: lambda: nodes_bed.start(OFF),
    }
    for node, mend in mended.items():
        mend()
        site.server.ok("node", "retry", "trouble", node)
    nodes_bed.wait(OFF)
    assert site.follow("trouble", 0)["state"] == "completed"
    assert {node: on(nodes_bed, node) for node in nodes} == dict.fromkeys(nodes, "2.0.0")
    assert site.in_service() == set(NODES)


def keys(bed: NodesBed, known: str) -> tuple[str, str]:
    """The known line of the node whose key changed, and the line that a person writes after looking at its console."""
    old = next(line for line in known.splitlines() if line.startswith(f"{KEY},"))
    new = " ".join(bed.exec(KEY, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
    return old, f"{old.split()[0]} {new}"
