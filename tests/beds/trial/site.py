"""A trial site: the real server, by the command line, over a simulated cloud whose nodes are real, or a tool's."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from beds.joint.server import ServerProcess
from beds.nodes.bed import NodesBed
from escalator.clocks import SystemClock
from escalator.model.inventory import Instance, Inventory, Node
from escalator.world.timings import Timings
from escalator.world.world import World

SPEED = 200.0
"""The simulated cloud's moves take a moment; the nodes take the time that they take."""
CELL = {"pcpu": 16.0, "mem_mib": 65536.0}
UNTIL_S = 240.0


def sow(state: Path, nodes: Sequence[str], *, empty: bool = False) -> None:
    """A cloud with these nodes, on 1.0.0, in the state directory: an instance that can move on each but the last, or none."""
    state.mkdir(parents=True)
    versions = {"os": "12.10.0", "hypervisor": "7.2.18", "agent": "1.0.0"}
    instances = tuple(
        Instance(id=f"vm-{node}", project="tenants", node=node, numa_cell=0, demand={"pcpu": 4.0, "mem_mib": 4096.0})
        for node in ((), nodes[:-1])[not empty]
    )
    world = World.open(state / "world.sqlite", SystemClock(), Timings(speed=SPEED))
    world.load(Inventory(nodes=tuple(Node(id=node, versions=versions, numa=(CELL,)) for node in nodes), instances=instances))
    world.close()


def credentials(folder: Path, **secrets: str) -> Path:
    """A folder of secrets that only its owner reads."""
    folder.mkdir(mode=0o700)
    for name, text in secrets.items():
        with os.fdopen(os.open(folder / name.replace("_", "-"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
    return folder


class TrialSite:
    """What an operator has in hand. `settings` are the server's, beside those of the cloud."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[str],
        settings: Mapping[str, Any],
        prefix: Sequence[str] = (),
        *,
        empty: bool = False,
        **environment: str,
    ) -> None:
        self.nodes = tuple(nodes)
        self._folder = folder
        sow(folder / "state", nodes, empty=empty)
        cloud = {"driver": "simulated", "simulated": {"speed": SPEED}}
        self.server = ServerProcess(folder, {"cloud": cloud, **settings}, prefix, **environment)

    def campaign(self, name: str, release: str, driver: str, nodes: Sequence[str] = (), **changes: Any) -> None:
        """Create, plan and start a campaign over these nodes, all when none are named."""
        spec: dict[str, Any] = {
            "release": release,
            "mode": "smooth",
            "scope": {"select": {"names": list(nodes or self.nodes)}},
            "waves": {"max_unavailable": 1},
            "node": {"driver": driver},
            "estimates": {"upgrade_s": 10, "migration": {"base_s": 1, "s_per_gib": 0.1}},
        }
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": name}, "spec": {**spec, **changes}}
        file = self._folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(document))
        self.server.ok("campaign", "create", str(file))
        self.server.ok("campaign", "plan", name)
        self.server.ok("campaign", "start", name)

    def follow(self, name: str, code: int, timeout_s: float = UNTIL_S) -> dict[str, Any]:
        """Watch the campaign until it ends or needs a person, with this exit code; the campaign as one command shows it."""
        ran = self.server.cli("campaign", "show", name, "--watch", "--timeout", f"{timeout_s:g}", "-f", "json")
        assert ran.code == code, f"exit code {ran.code}: {ran.out} {ran.err[-2000:]} {self.server.log.read_text()[-2000:]}"
        view: dict[str, Any] = ran.json
        return view

    def events(self, name: str, node: str = "") -> list[dict[str, Any]]:
        """The history of the campaign, or of one node in it."""
        more = f"&node={node}" if node else ""
        found: list[dict[str, Any]] = self.server.api(f"/v1/events?campaign={name}&limit=5000{more}")
        return found

    def in_service(self) -> set[str]:
        """Nodes that are in service as the cloud has them."""
        return {node["id"] for node in self.server.ok("node", "list") if not node["maintenance"]}

    def settled(self, name: str, timeout_s: float = UNTIL_S) -> dict[str, dict[str, Any]]:
        """Every node's part of the campaign by its node, once none is waiting or at work any more."""
        end = time.monotonic() + timeout_s
        while True:
            tasks = {task["node"]: task for task in self.server.api(f"/v1/campaigns/{name}")["tasks"]}
            if not {"pending", "running"} & {task["state"] for task in tasks.values()}:
                return tasks
            assert time.monotonic() < end, [(node, task["state"], task["message"]) for node, task in tasks.items()]
            time.sleep(0.5)


def node_settings(bed: NodesBed, folder: Path, **system: Any) -> dict[str, Any]:
    """Settings of a server that reaches the bed's nodes, and is reached by them; `system` are more of that part."""
    secrets = credentials(folder / "credentials", node_key=bed.key.read_text())
    ssh = {"key": "node-key", "known_hosts": str(bed.known_hosts), "addresses": bed.addresses(), "connect_timeout_s": 3.0}
    return {
        "credentials_dir": str(secrets),
        "repository": {"host": bed.manager_address},
        "system": {"ssh": ssh, "settle_s": 5.0, **system},
    }
