"""A server that is killed while it puts a node back on its backup brings that to its end all the same."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

from durability import test_kill
from durability.restore_server import NODE
from durability.test_kill import Server, make_world
from escalator.clocks import SystemClock
from escalator.storage.opening import open_sqlite
from escalator.world.timings import Timings
from escalator.world.world import World

KILLS = 3


def test_a_restore_survives_the_server_and_happens_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(test_kill, "SERVER", Path(__file__).with_name("restore_server.py"))
    state = tmp_path / "state"
    make_world(state, 3)
    chance = random.Random(7)
    arguments = (str(state), "3", "300")
    for _ in range(KILLS):
        server = Server(*arguments)
        assert server.says() == "up"
        time.sleep(chance.uniform(0.0, 0.4))
        server.kill()
    output, errors = Server(*arguments).end()
    assert output.splitlines()[-1:] == [f"over done {NODE} runs what it ran before nfvi-agent/2.0.0"], errors[-3000:]
    world = World.open(state / "world.sqlite", SystemClock(), Timings(), read_only=True)
    try:
        node = next(n for n in world.inventory().nodes if n.id == NODE)
        assert (node.versions["agent"], node.maintenance, node.state) == ("1.0.0", False, "up")
        assert Counter(e.node for e in world.audit.history("rollback-start")) == {NODE: 1}
    finally:
        world.close()
    asyncio.run(judge(state))


async def judge(state: Path) -> None:
    async with open_sqlite(state / "escalator.sqlite") as store:
        (row,) = await store.backups.list(node=NODE)
        assert (row.restores, row.code) == (1, "")
        assert await store.restorations.open() == []
        ended = [e.outcome for e in await store.events.read(node=NODE, limit=10_000) if e.action == "backup.restore"]
        assert ended == ["started", "done"]
