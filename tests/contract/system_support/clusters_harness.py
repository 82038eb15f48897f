"""Clusters of three nodes per role under both drivers: a simulated world, and real commands over a file."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Protocol

from escalator.clocks import SystemClock
from escalator.model.inventory import Inventory, Node
from escalator.model.node_settings import ClusterCommands, NamedCommand
from escalator.system_support.clusters.commands import CommandClusters
from escalator.system_support.clusters.port import Clusters
from escalator.system_support.clusters.simulated import SimulatedClusters
from escalator.system_support.named import NamedCommands
from escalator.world.world import World

KEYS = [key for key in ClusterCommands.model_fields if key != "nodes"]
SCRIPT = """\
import json, os, sys
verb, path, node = sys.argv[1:4]
state = json.load(open(path))
if state["exit"]:
    print(state["says"]); sys.exit(state["exit"])
peers = [n for n in state["nodes"] if n.split("-")[0] == node.split("-")[0]]
away = [n for n in peers if n in state["away"]]
if verb == "control_status":
    print(json.dumps({"members": {n: n not in away for n in peers}, "master": state["master"]}))
elif verb == "control_hand_over":
    state["master"] = next(n for n in peers if n != node and n not in away) if state["master"] == node else state["master"]
elif verb == "network_status":
    active = [r for r, n in state["routers"].items() if n == node]
    print(json.dumps({"active": active, "whole": not away, "why": ", ".join(away)}))
elif verb == "network_evacuate":
    others = [n for n in peers if n != node and n not in away]
    if not others:
        print("nobody is left"); sys.exit(75)
    state["routers"] = {r: others[0] if n == node else n for r, n in state["routers"].items()}
elif verb == "network_restore":
    state["routers"].update(dict.fromkeys(json.loads(os.environ["ESCALATOR_FOUND"]), node))
elif verb == "storage_status":
    all_of_them = os.environ.get("ESCALATOR_NODES", node).split()
    gone = {*all_of_them, *away}
    told = {"nodes": all_of_them} if state["several"] else {}
    ok = gone <= {node} or gone <= {"storage-1", "storage-3"}
    print(json.dumps({"ok_to_stop": ok, "clean": not away, "flagged": node in state["flags"], "why": "", **told}))
else:
    state["flags"] = [n for n in state["flags"] if n != node] + ([node] if verb == "storage_flag" else [])
json.dump(state, open(path, "w"))
"""


class Harness(Protocol):
    """One driver with what the tests do to its clusters."""

    clusters: Clusters

    def away(self, node: str) -> None: ...

    async def by_hand(self, commands: tuple[str, ...]) -> None: ...


def nodes() -> list[Node]:
    """Storage nodes 1 and 3 are one failure domain."""
    return [
        Node(id=f"{role}-{number}", roles=(role,), labels={"storage-domain": f"d{number % 2}"})
        for role in ("control", "network", "storage")
        for number in (1, 2, 3)
    ]


class InWorld:
    def __init__(self) -> None:
        self.world = World.in_memory(SystemClock())
        self.world.load(Inventory(nodes=tuple(nodes())))
        self.world.clusters.elect("control-1")
        self.clusters: Clusters = SimulatedClusters(self.world)

    def away(self, node: str) -> None:
        self.world.hosts.crash(node)

    async def by_hand(self, commands: tuple[str, ...]) -> None:
        assert commands


class ByCommand:
    def __init__(self, folder: Path, **without: None) -> None:
        self.state, script = folder / "state.json", folder / "cluster.py"
        script.write_text(SCRIPT)
        routers = {f"router-network-{n}-{m}": f"network-{n}" for n in (1, 2, 3) for m in (1, 2)}
        self.write(nodes=[n.id for n in nodes()], away=[], master="control-1", routers=routers, flags=[])
        self.write(exit=0, says="", several=True)
        settings = ClusterCommands(**{key: key.replace("_", "-") for key in KEYS} | without)
        entries = {
            key.replace("_", "-"): NamedCommand(argv=(sys.executable, str(script), key, str(self.state), "{node}"))
            for key in KEYS
        }
        self.clusters: Clusters = CommandClusters(settings, entries, NamedCommands(entries, os.environ))

    def read(self) -> dict[str, Any]:
        return dict(json.loads(self.state.read_text()))

    def write(self, **values: Any) -> None:
        before = self.read() if self.state.exists() else {}
        self.state.write_text(json.dumps(before | values))

    def away(self, node: str) -> None:
        self.write(away=[node])

    async def by_hand(self, commands: tuple[str, ...]) -> None:
        for command in commands:
            ended = await asyncio.create_subprocess_exec(*shlex.split(command))
            assert await ended.wait() == 0
