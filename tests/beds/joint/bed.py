"""Real Nova and real nodes under one manager: every nova-compute host has its real node of the same name.

A node that dies or reboots takes its nova-compute with it, and the hypervisor version that Nova reports is the version
of the package that is installed on the node.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from beds.nodes.bed import NodesBed
from beds.nodes.packages import AGENT, LIBS
from beds.openstack.bed import OpenStackBed
from beds.openstack.cloud import BedCloud

VERSION_LOOK_S = 0.5
SLOW_ENOUGH_S = 1.0
"""A live migration on the bed takes this long."""


class JointBed:
    """Both beds, and what ties them together. `folder` holds version files and the tenants' credentials."""

    def __init__(self, nodes: NodesBed, openstack: OpenStackBed, releases: dict[str, Path], folder: Path) -> None:
        self.nodes = nodes
        self.openstack = openstack
        self.names: tuple[str, ...] = openstack.hosts
        self._releases = releases
        self._folder = folder
        self._ends = threading.Event()
        self._writing = threading.Lock()
        self._tenants: dict[str, BedCloud] = {}
        self._unwatch: Callable[[], None] = lambda: None

    def start(self, version: str = "1.0.0") -> None:
        """Boot the nodes on that version and tie each to its nova-compute."""
        self.nodes.add_many(self.names)
        self.install(self.names, version)
        for name in self.names:
            self._write_version(name)
            self.set_facts(name)
        self._unwatch = self.nodes.watch(self.names, self._power)
        threading.Thread(target=self._versions, name="joint-bed-versions", daemon=True).start()

    def reset(self, version: str = "1.0.0") -> None:
        """An empty cloud again, every node switched on and on that version."""
        for name in self.names:
            self.nodes.restore(name)
            if self.nodes.init_pid(name) is None:
                self.nodes.start(name)
                self.nodes.wait(name)
        self.openstack.reset(keep_facts=True)
        self.install(self.names, version)
        for name in self.names:
            self._write_version(name)

    def set_facts(self, name: str, **facts: Any) -> None:
        """What the host is, beside its version, which is always its node's: see `OpenStackBed.set_facts`."""
        self.openstack.set_facts(name, hypervisor_version_file=str(self._version_file(name)), **facts)

    def stop(self) -> None:
        """End what this bed started; the two beds are ended by whoever made them."""
        self._ends.set()
        self._unwatch()
        for tenant in self._tenants.values():
            tenant.close()

    def install(self, names: Sequence[str], version: str) -> None:
        """Put a version on nodes past the manager, as an operator's earlier tools did."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self._install(name, version), names))

    def versions(self) -> dict[str, str]:
        """The running daemon's own version on each node."""
        ask = "import json, urllib.request as u; print(json.load(u.urlopen('http://127.0.0.1:8770/version'))['version'])"
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda name: self.nodes.exec(name, "python3", "-c", ask).strip(), self.names)
            return dict(zip(self.names, found, strict=True))

    def tenant(self, project: str) -> BedCloud:
        """Hands of one project in the cloud; the project is made when it is not there."""
        if project not in self._tenants:
            self.openstack.cloud.make_project(project)
            clouds = yaml.safe_load(self.openstack.clouds_yaml.read_text())
            clouds["clouds"]["bed"]["auth"]["project_name"] = project
            file = self._folder / f"clouds-{project}.yaml"
            file.touch(mode=0o600)
            file.write_text(yaml.safe_dump(clouds))
            self._tenants[project] = BedCloud(file)
        return self._tenants[project]

    def _install(self, name: str, version: str) -> None:
        self.nodes.exec(name, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--purge", "--force-all", AGENT, LIBS, check=False)
        self.nodes.exec(name, "rm", "-rf", "/var/lib/escalator-test-agent", "/run/reboot-required", "/run/reboot-required.pkgs")
        self.nodes.install(name, self._releases[version])

    def _version_file(self, name: str) -> Path:
        return self._folder / f"version-{name}"

    def _write_version(self, name: str) -> None:
        with self._writing:  # a reset writes beside the watcher, and both would move the same scratch file away
            found = self.nodes.installed(name, AGENT)
            if found is not None:
                scratch = self._version_file(name).with_suffix(".tmp")
                scratch.write_text(found)
                scratch.replace(self._version_file(name))

    def _versions(self) -> None:
        while not self._ends.wait(VERSION_LOOK_S):
            for name in self.names:
                self._write_version(name)

    def _power(self, name: str, boot_id: str | None) -> None:
        """A node that went down, or came back under another boot id, ended its nova-compute."""
        if self._ends.is_set():
            return
        seen = self._folder / f"boot-{name}"
        known = seen.read_text() if seen.exists() else boot_id
        if boot_id != known:
            self.openstack.kill_compute(name)
        if boot_id is not None:
            seen.write_text(boot_id)
            self.openstack.start_compute(name)
