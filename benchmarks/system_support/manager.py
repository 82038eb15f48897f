"""The manager's end of the benchmark: drives the nodes that standard input names, and prints what it cost as JSON."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beds.nodes.manager import Manager, serving
from escalator.model.node_settings import AnsibleDriver
from escalator.model.release import Release
from escalator.system_support.port import OperationState, SystemSupport
from escalator.upgrade_manager.engine.context import Pace

PR_SET_CHILD_SUBREAPER = 36
PACE = Pace()
"""As the server looks."""
LOOK_S = 0.5
MIB = 2**20


@dataclass(frozen=True)
class Reached:
    """What a manager has to know of the bed."""

    manager_address: str
    key: Path
    known_hosts: Path
    reached_at: dict[str, str]

    def addresses(self) -> dict[str, str]:
        return self.reached_at


async def turn(driver: SystemSupport, node: str, release: Release) -> None:
    """A node's turn as the engine has it, but for what is the cloud's."""
    await driver.inspect(node, release)
    await driver.stage(node, release)
    await driver.backup(node, release, "bench/backup")
    await driver.start(node, release, f"bench/{node}")
    cursor, began = 0, time.monotonic()
    while (found := await driver.poll(node, f"bench/{node}", cursor)).state is OperationState.RUNNING:
        cursor = found.cursor
        await asyncio.sleep(PACE.next_poll_s(time.monotonic() - began))
    checks = await driver.verify(node, release, f"bench/{node}")
    bad = [check for check in checks if not check.ok]
    if found.state is not OperationState.DONE or bad:
        raise SystemExit(f"{node}: {found.state} {found.lines[-3:]} {bad}")


def rss_of(pid: int | str) -> int:
    """Bytes that the process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0  # it ended meanwhile


def descendants() -> list[int]:
    """All processes that come from this one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [os.getpid()]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


class Peaks:
    """The most memory that this process, and those that it started, were seen to hold."""

    def __init__(self) -> None:
        self.own = self.others = 0

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            self.own = max(self.own, rss_of("self"))
            self.others = max(self.others, sum(map(rss_of, descendants())))
            await asyncio.sleep(LOOK_S)


def reap() -> float:
    """CPU seconds of everything that was started and has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass  # there are none left
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def main(told: dict[str, Any]) -> dict[str, float]:
    """One node first, then all others at once."""
    # What runs detached comes back to us when its parent has ended, so that its CPU can be counted.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    bed = Reached(told["address"], Path(told["key"]), Path(told["known_hosts"]), told["addresses"])
    folders = {version: Path(path) for version, path in told["releases"].items()}
    nodes: list[str] = told["nodes"]
    with serving(told["address"]) as (port, repositories):
        manager = Manager(bed, Path(told["state"]), port, settle_s=60.0, folders=folders)  # type: ignore[arg-type]
        repositories.append(manager.store.repository)
        for folder in folders.values():
            await manager.store.import_folder(folder)
        if told["driver"] == "ansible":
            driver: SystemSupport = manager.ansible("bench", AnsibleDriver(), connect_timeout_s=120.0)
            release = await manager.bundle("2.0.0")
        else:
            driver, release = manager.driver(connect_timeout_s=120.0), await manager.release("2.0.0")
        await turn(driver, told["first"], release)
        peaks, before, others = Peaks(), rss_of("self"), reap()
        watching = asyncio.create_task(peaks.watch())
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.gather(*(turn(driver, node, release) for node in nodes))
        cpu, wall = time.process_time() - cpu, time.monotonic() - began
        watching.cancel()
        return {
            "nodes": len(nodes),
            "wall_s": wall,
            "cpu_s_per_node": cpu / len(nodes),
            "mb_per_node": max(0, peaks.own - before) / MIB / len(nodes),
            "mb": peaks.own / MIB,
            "playbooks_cpu_s_per_node": (reap() - others) / len(nodes),
            "playbooks_mb": peaks.others / MIB,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
