"""A deployment host with kolla-ansible of two series, as its stand-in plays it; all paths are those of the recipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OLD, NEW = "2024.2", "2025.1"


class KollaBed:
    """The tool of the new series on the path, that of the old one in /opt/kolla-old, each with its configuration in /etc.

    Both are there for what runs behind `prefix` alone, in a mount namespace of its own.
    """

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        self._folder = folder
        self._hosts = folder / "hosts"
        self._hosts.mkdir(parents=True)
        self.path = folder / "bin"
        """Folder of the new series' program, for `PATH`."""
        self._program(self.path)
        self._program(folder / "root/opt/kolla-old/bin")
        for place, series in (("kolla", NEW), ("kolla-old", OLD)):
            etc = folder / "root/etc" / place
            etc.mkdir(parents=True)
            (etc / "globals.yml").write_text(f'openstack_release: "{series}"\nstand_in_hosts: {self._hosts}\n')
            (etc / "inventory").write_text("[compute]\n" + "".join(f"{host} ansible_host={host}\n" for host in hosts))
        for host in hosts:
            self._write(host, {"libvirt": OLD, "compute": OLD, "healthy": True, "images": [OLD], "history": []})

    @property
    def prefix(self) -> tuple[str, ...]:
        """What comes before a command that is to find both tools."""
        return ("unshare", "--mount", "sh", str(HERE / "host.sh"), str(self._folder / "root"))

    def trouble(self, host: str, *entries: Mapping[str, Any]) -> None:
        """What goes wrong on the host: see the stand-in."""
        self._write(host, self.host(host) | {"trouble": list(entries)})

    def host(self, name: str) -> dict[str, Any]:
        """The host as it is."""
        found: dict[str, Any] = json.loads((self._hosts / f"{name}.json").read_text())
        return found

    def versions_program(self) -> str:
        """A program of the operator's that tells what runs on a host, as the setting `facts_argv` wants it."""
        file = self.path / "versions-of"
        text = f"h = json.load(open('{self._hosts}/' + sys.argv[1] + '.json'))\n"
        tell = "print(json.dumps({'packages': {'nova-libvirt': h['libvirt'], 'nova-compute': h['compute']}}))\n"
        file.write_text(f"#!{sys.executable}\nimport json, sys\n{text}{tell}")
        file.chmod(0o755)
        return str(file)

    def _program(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        file = folder / "kolla-ansible"
        file.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "stand_in.py"} "$@"\n')
        file.chmod(0o755)

    def _write(self, host: str, what: Mapping[str, Any]) -> None:
        (self._hosts / f"{host}.json").write_text(json.dumps(what))
