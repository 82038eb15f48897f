"""A guest on a real hypervisor is moved by a campaign, and what the ledger says of its interruption is held against the guest.

The guest writes a line to its console every 10 ms. The longest time in which none came is what the move cost it, whatever
Escalator, Nova or libvirt say. The ledger's figure is what Escalator's probe saw from outside.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import yaml

from beds.joint.server import ServerProcess
from beds.libvirt.bed import BOOT_S, HOSTS, LibvirtBed
from beds.libvirt.ticks import Ticks
from beds.openstack.bed import OpenStackBed
from beds.openstack.environment import UnmetError

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
VNF, ADDRESS = "guest", "10.98.7.20"
ROUNDS = int(os.environ.get("ESCALATOR_ROUNDS", "6"))
SPOILT = 6
"""How many moves more there may be that say nothing: the guest crashed, or the machine was too busy to watch it."""
BLIND_S = 0.1
"""When two looks at the console were further apart than this, it is no yardstick."""
INTERVAL_S = 0.05
"""The shortest that a probe may have; its time-out is the same."""
TOLERANCE, TOLERANCE_S = 0.2, 0.1
"""How far the ledger may be from the console: a fifth of the interruption or 100 ms, whichever is more."""
CAMPAIGN_S = 240.0


@dataclass(frozen=True)
class Cost:
    """One move: its length as the ledger's impact, the probe's figure, and the guest's own, seconds."""

    impact_s: float
    ledger_s: float
    console_s: float
    look_s: float

    @property
    def close(self) -> bool:
        return abs(self.ledger_s - self.console_s) <= max(TOLERANCE * self.console_s, TOLERANCE_S)

    def __str__(self) -> str:
        off = self.ledger_s - self.console_s
        figures = f"console {self.console_s:.3f} s, ledger {self.ledger_s:.3f} s ({off:+.3f})"
        return f"move {self.impact_s:.1f} s, {figures}; slowest look at the console {self.look_s * 1000:.0f} ms"


@pytest.fixture(scope="module")
def hypervisors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibvirtBed]:
    """Two hosts; skips where they cannot run, fails instead when ESCALATOR_REQUIRE_REAL names `libvirt`."""
    bed = LibvirtBed(OpenStackBed(tmp_path_factory.mktemp("hypervisors") / "openstack"))
    try:
        bed.start()
    except UnmetError as error:
        if "libvirt" in os.environ.get("ESCALATOR_REQUIRE_REAL", "").replace(",", " ").split():
            pytest.fail(f"real hypervisors are required here and cannot run: {error}")
        pytest.skip(f"real hypervisors cannot run here: {error}")
    try:
        yield bed
    finally:
        bed.stop()


@pytest.fixture
def server(hypervisors: LibvirtBed, tmp_path: Path) -> Iterator[ServerProcess]:
    """Escalator, with probes at the guest's address; the nodes' own upgrade is a command that does nothing."""
    looks = {"interval_s": INTERVAL_S, "timeout_s": INTERVAL_S}
    made = ServerProcess(
        tmp_path,
        {
            "cloud": {"os_cloud": "escalator", "config_file": str(hypervisors.openstack.clouds_yaml), "poll_s": 0.5},
            "system": {"command": {"argv": ["true"]}, "settle_s": 1.0},
            "probes": {"echo": {"vnf": VNF, "kind": "icmp", "target": ADDRESS, **looks}},
        },
    )
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_the_ledger_tells_what_a_live_migration_cost_the_guest(hypervisors: LibvirtBed, server: ServerProcess) -> None:
    cloud = hypervisors.openstack.cloud
    guest = hypervisors.boot("hv1", ADDRESS, VNF)
    costs: list[Cost] = []
    for number in range(ROUNDS + SPOILT):
        source = cloud.server(guest)["OS-EXT-SRV-ATTR:host"]
        cost = _moved(hypervisors, server, guest, f"night-{number}")
        target = cloud.server(guest)["OS-EXT-SRV-ATTR:host"]
        assert target != source
        print(f"{source} to {target}: {cost or 'the guest crashed'}", flush=True)
        costs += [cost] if cost and cost.look_s <= BLIND_S else []
        if len(costs) == ROUNDS:
            break
        cloud.wait(lambda: _ticks(hypervisors, guest), "the guest does not tick any more", BOOT_S)
    assert len(costs) == ROUNDS, f"of {ROUNDS + SPOILT} moves {len(costs)} could be compared"
    consoles, offs = [c.console_s for c in costs], [abs(c.ledger_s - c.console_s) for c in costs]
    print(f"console: median {median(consoles):.3f} s, {min(consoles):.3f} to {max(consoles):.3f}")
    print(f"ledger off by: median {median(offs):.3f} s, most {max(offs):.3f} s")
    assert [str(cost) for cost in costs if not cost.close] == []


def _ticks(bed: LibvirtBed, guest: str) -> bool:
    """Whether the guest writes to its console; takes a second."""
    with Ticks([bed.console_file(host, guest) for host in HOSTS]) as ticks:
        ticks.heard.wait(1.0)
    return bool(ticks.arrivals)


def _moved(bed: LibvirtBed, server: ServerProcess, guest: str, name: str) -> Cost | None:
    """Run a campaign over both hosts, which has to move the guest away from its own; what that cost by each of the two.

    None when the guest crashed on the way, as emulated ones do now and then: then it is away for longer than the campaign lasts.
    """
    with Ticks([bed.console_file(host, guest) for host in HOSTS]) as ticks:
        _campaign(server, name)
    (impact,) = server.ok("workload", "show", name, guest)
    (seen,) = [row for row in server.ok("workload", "list", name) if row["name"] == VNF]
    began = datetime.fromisoformat(impact["started_at"]).timestamp()
    console = ticks.gaps(began, began + impact["seconds"])[0]
    crashed = ticks.crashed or not _ticks(bed, guest)
    return None if crashed else Cost(impact["seconds"], seen["longest_away_s"] or 0.0, console.seconds, ticks.slowest_look_s)


def _release(server: ServerProcess, version: str) -> str:
    """A release of that version: nodes to which an earlier night brought it would not be emptied."""
    folder = server.state.parent / f"release-{version}"
    folder.mkdir()
    document = {"metadata": {"name": "hypervisor"}, "spec": {"version": version, "type": "command", "layers": {"agent": version}}}
    (folder / "release.yaml").write_text(yaml.safe_dump({"apiVersion": "escalator/v1", "kind": "Release", **document}))
    server.ok("release", "import", str(folder))
    return f"hypervisor/{version}"


def _campaign(server: ServerProcess, name: str) -> None:
    spec: dict[str, Any] = {
        "release": _release(server, f"2.{name.removeprefix('night-')}.0"),
        "mode": "smooth",
        "scope": {"select": {"role": "compute"}},
        "waves": {"max_unavailable": 1},
        "node": {"driver": "command"},
        "workloads": {"notify": {"reply_timeout_s": 2}},
    }
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": name}, "spec": spec}
    file = server.state.parent / f"{name}.yaml"
    file.write_text(yaml.safe_dump(document))
    server.ok("campaign", "create", str(file))
    server.ok("campaign", "plan", name)
    server.ok("campaign", "start", name)
    ran = server.cli("campaign", "show", name, "--watch", "--timeout", f"{CAMPAIGN_S:g}", "-f", "json")
    assert ran.code == 0, f"exit code {ran.code}: {ran.err}"
