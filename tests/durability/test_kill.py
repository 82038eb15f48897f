"""A server that is killed again and again, at moments drawn from a seed, brings its campaign to its end all the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from durability.server import NAME
from escalator.clocks import SystemClock
from escalator.model.counting import counted
from escalator.model.notice import NoticeState, NoticeType
from escalator.storage.opening import open_postgresql, open_sqlite
from escalator.storage.port import Store
from escalator.world.seeding import sow
from escalator.world.timings import Timings
from escalator.world.world import World

SERVER = Path(__file__).with_name("server.py")
ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


class Server:
    """One life of the server, in a process group of its own."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))}
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def says(self) -> str:
        """The next line; empty when the process has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def end(self) -> tuple[str, str]:
        """Wait until it ends by itself."""
        try:
            return self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def make_world(state: Path, nodes: int) -> None:
    """The cloud of the server, in its file. Groups recover in no time: that is not divided by the world's speed."""
    sown = sow(nodes=nodes, seed=1, fill=0.5)
    groups = tuple(group.model_copy(update={"recovery_s": 0.2}) for group in sown.inventory.groups)
    state.mkdir(mode=0o700)
    world = World.open(state / "world.sqlite", SystemClock(), Timings())
    world.load(sown.inventory.model_copy(update={"groups": groups}), sown.vnfms)
    world.close()


def kill_and_finish(arguments: list[str], kills: int, seed: int) -> int:
    """Kill it that often, then let it end; how many of its lives found the campaign under way."""
    chance = random.Random(seed)
    said = []
    for _ in range(kills):
        server = Server(*arguments)
        # Some kills come while it starts, the others while it works.
        if chance.random() < 0.8:
            said.append(server.says())
            time.sleep(chance.uniform(0.05, 0.9))
        else:
            time.sleep(chance.uniform(0.5, 2.5))
        server.kill()
    output, errors = Server(*arguments).end()
    assert output.splitlines()[-1:] == ["over completed"], errors[-3000:]
    return sum(line == "up running" for line in [*said, output.splitlines()[0]])


async def broken(store: Store, world: World, max_unavailable: int) -> list[str]:
    """What does not hold although it has to, however often the server was killed."""
    found = [f"incident: {i.what} {i.node} {i.instance} {i.message}" for i in world.audit.incidents]
    inventory = world.inventory()
    for node in inventory.nodes:
        if node.versions["agent"] != "2.0.0":
            found.append(f"{node.id} runs {node.versions}")
        if node.maintenance or node.state == "down":
            found.append(f"{node.id} is left out of service")
    found += [f"{i.id} is {i.state} {i.task_state}" for i in inventory.instances if not i.running or i.task_state]
    begun = Counter(e.node for e in world.audit.history("upgrade-start"))
    found += [f"{node.id} was upgraded {begun[node.id]} times" for node in inventory.nodes if begun[node.id] != 1]
    moved = Counter((e.instance, e.detail) for e in world.audit.history("move-done"))
    found += [f"{instance} moved {count} times {detail}" for (instance, detail), count in moved.items() if count > 1]
    if world.audit.most_unavailable() > max_unavailable:
        found.append(f"{world.audit.most_unavailable()} nodes were out of service at once")
    found += [f"impact {i.id} is open" for i in await store.admission.impacts(NAME) if i.ended_at is None]
    found += [f"slot of {slot.node} is taken" for slot in await store.admission.node_slots()]
    found += [f"{row.kind} of {row.object_id} is on the sheet" for row in await store.restorations.open()]
    return [*found, *(await notices_broken(store))]


async def notices_broken(store: Store) -> list[str]:
    """Notices that are lost, and replies that count twice."""
    found, asked = [], 0
    notices = await store.notices.list(NAME, limit=10_000)
    told = {(n.node, n.vnfm) for n in notices if n.type is NoticeType.HOST_AVAILABLE and n.state is NoticeState.DELIVERED}
    for task in await store.tasks.list(NAME):
        mine = await store.notices.for_task(task.id)
        asked += len(mine)
        said = [
            e.message for e in await store.events.read(campaign=NAME, node=task.node, limit=10_000) if e.action == "node.notify"
        ]
        if counted(len(mine), "VNF manager is asked", "VNF managers are asked") not in said:
            found.append(f"{task.node} has {len(mine)} notices: {said}")
        for notice in mine:
            if notice.state is not NoticeState.ANSWERED:
                found.append(f"{notice.vnfm} about {notice.node}: {notice.state}")
            if (notice.node, notice.vnfm) not in told:
                found.append(f"{notice.vnfm} was not told that {notice.node} is back")
            kept = [r for r in await store.notices.replies(notice.id) if r["verdict"] == "accepted"]
            if len(kept) != 1:
                found.append(f"{len(kept)} replies of {notice.vnfm} about {notice.node} count")
    return found if asked else ["nobody was asked"]


async def judge(opened: AbstractAsyncContextManager[Store], state: Path, max_unavailable: int) -> list[str]:
    world = World.open(state / "world.sqlite", SystemClock(), Timings(), read_only=True)
    try:
        async with opened as store:
            return await broken(store, world, max_unavailable)
    finally:
        world.close()


async def test_a_server_killed_ten_times_ends_its_campaign(tmp_path: Path) -> None:
    state = tmp_path / "state"
    make_world(state, 8)
    assert kill_and_finish([str(state), "8", "300", "2"], kills=10, seed=20) >= 7
    assert await judge(open_sqlite(state / "escalator.sqlite"), state, 2) == []


@pytest.mark.postgresql
async def test_a_server_on_postgresql_killed_three_times_ends_its_campaign(tmp_path: Path, postgresql_url: str) -> None:
    state = tmp_path / "state"
    make_world(state, 4)
    assert kill_and_finish([str(state), "4", "300", "1", postgresql_url], kills=3, seed=21) >= 2
    assert await judge(open_postgresql(postgresql_url, "escalator"), state, 1) == []
