"""An operator's site: 8 nodes, 22 instances in 3 projects, their VNF managers, and the command line."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from beds.joint.bed import JointBed
from beds.joint.server import ServerProcess
from beds.vnfm.processes import VnfmProcess

PROJECTS = {"core": "vnfm-moves", "voice": "vnfm-migrate", "data": "vnfm-silent"}
REPLY_TIMEOUT_S = 6
LAYOUT = {
    "cn-01": ("core:ha1", "voice:ha2", "data"),
    "cn-02": ("core:ha1", "voice:ha2", "data", "voice"),
    "cn-03": ("core:ha1", "voice:ha2", "data"),
    "cn-04": ("core!", "voice", "data", "voice"),
    "cn-05": ("core!", "voice", "data"),
    "cn-06": ("core", "voice", "data", "core"),
    "cn-07": ("data",),
    "cn-08": (),
}
"""Instances per node: the project, `:group` for an anti-affinity group, `!` for one that cannot migrate."""


@dataclass(frozen=True)
class Placed:
    """One instance as it was before the campaign."""

    id: str
    project: str
    node: str
    pinned: bool
    group: str | None


def populate(bed: JointBed, layout: Mapping[str, Sequence[str]] = LAYOUT) -> dict[str, Placed]:
    """Boot the instances; those with an SR-IOV port cannot migrate."""
    found: dict[str, Placed] = {}
    groups: dict[str, str] = {}
    for node, wanted in layout.items():
        for text in wanted:
            name, _, group = text.rstrip("!").partition(":")
            tenant = bed.tenant(name)
            if group and group not in groups:
                groups[group] = tenant.make_group("anti-affinity")
            more = {"group": groups[group]} if group else {}
            server = tenant.boot(node, wait=False, name=f"{name}-{len(found):02}", metadata={"vnf": f"{name}-vnf"}, **more)
            found[server] = Placed(server, name, node, text.endswith("!"), group or None)
    for server in found:
        bed.openstack.cloud.wait_state(server, "ACTIVE")
    pinned = [p.id for p in found.values() if p.pinned]
    bed.openstack.set_ports([{"id": f"port-{n}", "device_id": p, "binding:vnic_type": "direct"} for n, p in enumerate(pinned)])
    return found


def settings_of(bed: JointBed, folder: Path) -> dict[str, Any]:
    """The server's settings for this site; secrets are files of their own."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    secret(credentials / "node-key", bed.nodes.key.read_text())
    secret(credentials / "vnfm-moves", "escalator:pass-moves\n")
    secret(credentials / "vnfm-migrate", "token-migrate\n")
    secret(credentials / "vnfm-silent", "escalator:pass-silent\n")
    return {
        "credentials_dir": str(credentials),
        "repository": {"host": bed.nodes.manager_address},
        "cloud": {"os_cloud": "escalator", "config_file": str(bed.openstack.clouds_yaml), "poll_s": 0.5},
        "system": {
            "ssh": {"key": "node-key", "known_hosts": str(bed.nodes.known_hosts), "addresses": bed.nodes.addresses()},
        },
        "vim": {"delivery_attempts": 2, "retry_s": 0.5},
    }


def secret(file: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as opened:
        opened.write(text)


class Site:
    """What an operator has in hand."""

    def __init__(
        self,
        bed: JointBed,
        server: ServerProcess,
        vnfms: dict[str, VnfmProcess],
        releases: dict[str, Path],
        before: dict[str, Placed],
        folder: Path,
    ) -> None:
        self.bed = bed
        self.server = server
        self.vnfms = vnfms
        self.releases = releases
        self.before = before
        self.folder = folder
        self.pinned = {p.id for p in before.values() if p.pinned}
        self.services = {host: bed.openstack.cloud.service(host) for host in bed.names}

    def register(self) -> None:
        """Import releases 1.0 and 2.0 and register the VNF managers."""
        for version in ("1.0.0", "2.0.0"):
            self.server.ok("release", "import", str(self.releases[version]))
        auth = {"vnfm-moves": "basic", "vnfm-migrate": "bearer", "vnfm-silent": "basic"}
        for project, name in PROJECTS.items():
            project_id = self.bed.tenant(project).project_id
            self.server.ok(
                "vnfm", "register", name, "--callback-uri", self.vnfms[name].callback_uri, "--project", project_id,
                "--auth", auth[name], "--credential", name,
            )  # fmt: skip

    def campaign(self, name: str, version: str = "2.0.0", **changes: Any) -> None:
        """Create and plan a campaign; `changes` are parts of its spec."""
        spec: dict[str, Any] = {
            "release": f"nfvi-agent/{version}",
            "mode": "smooth",
            "scope": {"select": {"role": "compute"}},
            "waves": {"max_unavailable": 2},
            "estimates": {"upgrade_s": 30, "migration": {"base_s": 2, "s_per_gib": 1}},
            "migration": {"per_node": 2},
            "workloads": {"notify": {"reply_timeout_s": REPLY_TIMEOUT_S}},
            "node": {"timeouts": {"vacate_s": 240, "upgrade_s": 120, "reboot_s": 120, "verify_s": 120}},
        }
        spec |= changes
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": name}, "spec": spec}
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(document))
        self.server.ok("campaign", "create", str(file))
        self.server.ok("campaign", "plan", name)

    def view(self, name: str) -> dict[str, Any]:
        """The campaign as the command line shows it."""
        found: dict[str, Any] = self.server.ok("campaign", "show", name)
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        """The whole history of the campaign."""
        found: list[dict[str, Any]] = self.server.api(f"/v1/events?campaign={name}&limit=5000")
        return found

    def servers(self) -> dict[str, dict[str, Any]]:
        """All instances as Nova has them."""
        cloud = self.bed.openstack.cloud
        return {server: cloud.server(server) for server in cloud.servers()}

    def check_restored(self) -> None:
        """Nothing is lost, everything runs, services are as they were, the break-glass sheet is empty."""
        now = self.servers()
        assert now.keys() == self.before.keys()
        assert [(s["id"], s["status"], s.get("fault")) for s in now.values() if s["status"] != "ACTIVE"] == []
        for host, before in self.services.items():
            after = self.bed.openstack.cloud.service(host)
            assert (after["status"], after["disabled_reason"]) == (before["status"], before["disabled_reason"]), host
        assert "Nothing: all is as it was found." in (self.server.state / "break-glass.txt").read_text()

    def check_anti_affinity(self) -> None:
        """No two members of a group share a node."""
        hosts = defaultdict(list)
        for server, raw in self.servers().items():
            if self.before[server].group:
                hosts[self.before[server].group].append(raw["OS-EXT-SRV-ATTR:host"])
        assert all(len(set(where)) == len(where) for where in hosts.values()), dict(hosts)
