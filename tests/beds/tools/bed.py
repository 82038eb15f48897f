"""A deployment host with openstack-ansible, kayobe, the TripleO client and COU, as their stand-ins play them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beds.tools.stand_in import TOOLS, host_file

TESTS = Path(__file__).parents[2]
OLD = "old"


class ToolsBed:
    """The four programs in one folder, over the same hosts, which run the old version."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        self._hosts = folder / "hosts"
        self._hosts.mkdir(parents=True)
        self.path = folder / "bin"
        """Folder of the programs, for `PATH`."""
        self.path.mkdir()
        for tool in TOOLS:
            program = self.path / tool
            run = f'exec {sys.executable} -m beds.tools.stand_in {self._hosts} {tool} "$@"'
            program.write_text(f"#!/bin/sh\nPYTHONPATH={TESTS}\nexport PYTHONPATH\n{run}\n")
            program.chmod(0o755)
        for host in hosts:
            self._write(host, {"version": OLD, "instances": 0, "history": [], "trouble": []})

    def trouble(self, host: str, *what: str) -> None:
        """What goes wrong on the host, each once: `unreachable` or `fail`."""
        self._write(host, self.host(host) | {"trouble": list(what)})

    def fill(self, host: str) -> None:
        """An instance runs on the host."""
        self._write(host, self.host(host) | {"instances": 1})

    def host(self, name: str) -> dict[str, Any]:
        """The host as it is."""
        found: dict[str, Any] = json.loads(host_file(self._hosts, name).read_text())
        return found

    def _write(self, host: str, what: dict[str, Any]) -> None:
        host_file(self._hosts, host).write_text(json.dumps(what))
