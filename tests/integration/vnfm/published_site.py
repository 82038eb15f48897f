"""The real server over the OpenStack bed, where published clients look it up in Keystone's catalog; its nodes are files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from beds.joint.server import ServerProcess
from beds.openstack.bed import OpenStackBed
from beds.openstack.catalog import catalogued
from beds.openstack.cloud import BedCloud
from integration.api.running import RELEASE, write_release

NAME = "agent-2"
TENANT = "vnf-operator"
LIMIT_S = 400
OLD, NEW = "1.0.0", "2.0.0"
TOOL = """#!/bin/sh
case $1 in
  upgrade) echo "$3" > "FOLDER/$2" ;;
  facts) printf '{"packages": {"nfvi-agent": "%s"}}' "$(cat "FOLDER/$2")" ;;
esac
"""
"""The operator's tool: what runs on a node is a word in a file."""


@dataclass(frozen=True)
class PublishedSite:
    bed: OpenStackBed
    server: ServerProcess
    tenant: BedCloud
    servers: Mapping[str, str]
    """Ids of the tenant's servers by their names."""
    account: Mapping[str, str]
    """How clients log in at Keystone."""
    folder: Path

    def campaign(self, planned: int = 0, **spec: Any) -> None:
        """Create a campaign over all hosts and plan it, which ends with that exit code."""
        wanted = {
            "release": f"nfvi-agent/{NEW}", "mode": "smooth", "scope": {"select": {"role": "compute"}},
            "waves": {"max_unavailable": 1}, "node": {"driver": "command"},
            "estimates": {"upgrade_s": 5, "migration": {"base_s": 2, "s_per_gib": 0.1}},
            "workloads": {"notify": {"reply_timeout_s": 60}}, **spec,
        }  # fmt: skip
        file = self.folder / "campaign.yaml"
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": NAME}, "spec": wanted}
        file.write_text(yaml.safe_dump(document))
        release = write_release(self.folder / "release")
        (release / "release.yaml").write_text(f"{RELEASE.rstrip()}\n  reboot: never\n")
        self.server.ok("release", "import", str(release))
        self.server.ok("campaign", "create", str(file))
        ended = self.server.cli("campaign", "plan", NAME)
        assert ended.code == planned, ended.err

    def run(self) -> dict[str, Any]:
        """Start it and wait until it ends or needs a person; the campaign as the command line shows it then."""
        self.server.cli("campaign", "start", NAME, "--wait", "--timeout", str(LIMIT_S))
        view: dict[str, Any] = self.server.ok("campaign", "show", NAME)
        return view

    def events(self, action: str) -> list[dict[str, Any]]:
        """Of the campaign's history, the entries with that action."""
        found: list[dict[str, Any]] = self.server.api(f"/v1/events?campaign={NAME}&limit=5000")
        return [event for event in found if event["action"] == action]

    def asked(self) -> list[dict[str, Any]]:
        """The notices that ask about a node."""
        found = self.server.ok("notice", "list", "--campaign", NAME)
        return [notice for notice in found if notice["type"] == "HostMaintenanceUpcoming"]

    def versions(self) -> dict[str, str]:
        """What runs on each node."""
        return {host: (self.folder / "nodes" / host).read_text().strip() for host in self.bed.hosts}


@contextmanager
def published_site(
    bed: OpenStackBed,
    folder: Path,
    layout: Mapping[str, Sequence[str]],
    others: Mapping[str, str] | None = None,
    more: Callable[[BedCloud], Mapping[str, Mapping[str, Any]]] = lambda _: {},
    **vim: Any,
) -> Iterator[PublishedSite]:
    """A site with the tenant's servers by their hosts; the catalog has it as `maintenance`, and `others` by their types.

    `more` says of servers, by their names, what Nova is asked for beside; `vim` are settings of the server's section.
    """
    bed.cloud.make_project(TENANT)
    clouds = yaml.safe_load(bed.clouds_yaml.read_text())
    auth = clouds["clouds"]["bed"]["auth"]
    auth["project_name"] = TENANT
    file = secret(folder / "clouds.yaml", yaml.safe_dump(clouds))
    account = {key: auth[key] for key in ("auth_url", "username", "password", "project_name")}
    tenant = BedCloud(file)
    asked = more(tenant)
    servers = {
        name: tenant.boot(host, name=name, wait=False, **asked.get(name, {})) for host, names in layout.items() for name in names
    }
    for server in servers.values():
        tenant.wait_state(server, "ACTIVE")
    server = ServerProcess(folder, _settings(bed, folder, vim))
    with catalogued(bed.clouds_yaml, {"maintenance": f"{server.vnfm_url}/fenix/v1", **(others or {})}):
        server.start()
        try:
            yield PublishedSite(bed, server, tenant, servers, account, folder)
        finally:
            server.stop()
            tenant.close()


def _settings(bed: OpenStackBed, folder: Path, vim: Mapping[str, Any]) -> dict[str, Any]:
    nodes, tool = folder / "nodes", folder / "tool"
    nodes.mkdir()
    (folder / "credentials").mkdir(mode=0o700)
    for host in bed.hosts:
        (nodes / host).write_text(f"{OLD}\n")
    tool.write_text(TOOL.replace("FOLDER", str(nodes)))
    tool.chmod(0o755)
    command = {"argv": [str(tool), "upgrade", "{node}", "{version}"], "facts_argv": [str(tool), "facts", "{node}"]}
    return {
        "credentials_dir": str(folder / "credentials"),
        "cloud": {"os_cloud": "escalator", "config_file": str(bed.clouds_yaml), "poll_s": 0.5},
        "system": {"command": command},
        "vim": {"retry_s": 0.2, "fenix": {"auth": "keystone"}, **vim},
    }


def written(file: Path, values: Mapping[str, Any]) -> Path:
    """JSON that only its owner reads: it holds a password."""
    return secret(file, json.dumps(values))


def secret(file: Path, text: str) -> Path:
    """A file that only its owner reads."""
    file.touch(mode=0o600)
    file.write_text(text)
    return file
