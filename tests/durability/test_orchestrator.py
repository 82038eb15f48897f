"""A whole server that is killed again and again, and an orchestrator that is down meanwhile: it hears everything, in order."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path

from beds.vnfm.processes import ORCHESTRATOR, vnfm_process
from durability.server import NAME
from durability.test_kill import Server, make_world
from escalator.clocks import SystemClock
from escalator.model.notice import NoticeState, Vnfm, VnfmSpec
from escalator.storage.opening import open_sqlite
from escalator.world.timings import Timings
from escalator.world.world import World

KILLS = 6
PATIENCE_S = 60.0


async def register(state: Path, uri: str) -> None:
    async with open_sqlite(state / "escalator.sqlite") as store:
        await store.vnfms.add(Vnfm(name="nfvo", spec=VnfmSpec(dialect="or-vi", callback_uri=uri)))


def moves(state: Path) -> Counter[str]:
    world = World.open(state / "world.sqlite", SystemClock(), Timings(), read_only=True)
    try:
        return Counter(str(entry.instance) for entry in world.audit.history("move-done"))
    finally:
        world.close()


async def test_an_orchestrator_hears_all_of_a_campaign_whose_server_is_killed(tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "nfvo.jsonl"
    make_world(state, 6)
    arguments = [str(state), "6", "300", "2"]
    chance = random.Random(7)
    with vnfm_process(log, program=ORCHESTRATOR) as first:
        await register(state, first.callback_uri)
        for _ in range(KILLS // 2):
            server = Server(*arguments)
            server.says()
            time.sleep(chance.uniform(0.1, 0.9))  # noqa: ASYNC251 - the server is another process
            server.kill()
    for _ in range(KILLS // 2):
        # Nobody answers at its address now.
        server = Server(*arguments)
        server.says()
        time.sleep(chance.uniform(0.3, 1.2))  # noqa: ASYNC251 - as above
        server.kill()
    with vnfm_process(log, "--port", str(first.port), program=ORCHESTRATOR) as again:
        output, errors = Server(*arguments).end()
        assert output.splitlines()[-1:] == ["over completed"], errors[-3000:]
        async with open_sqlite(state / "escalator.sqlite") as store:
            notices = [n for n in reversed(await store.notices.list(NAME, limit=10_000)) if n.vnfm == "nfvo"]
            if any(notice.state is NoticeState.PENDING for notice in notices):
                # The last pause between two attempts outlasts this campaign of seconds: another life of the server ends it.
                settle = Server(*arguments)
                settle.says()
                end = time.monotonic() + PATIENCE_S
                while await store.notices.due(1e12, to="nfvo") and time.monotonic() < end:
                    time.sleep(0.2)  # noqa: ASYNC251 - as above
                settle.kill()
            notices = [n for n in reversed(await store.notices.list(NAME, limit=10_000)) if n.vnfm == "nfvo"]
        told = [line["body"] for line in again.lines("told")]
        assert again.lines("misfit") == []
    assert {notice.state for notice in notices} == {NoticeState.DELIVERED}
    assert [body["id"] for body in told] == [notice.id for notice in notices]
    migrated = Counter(body["virtualisedResourceId"] for body in told if body.get("changeType") == "MIGRATED")
    assert migrated == moves(state), json.dumps(told)[-2000:]
    kinds = Counter(body["notificationType"] for body in told)
    assert kinds["CapacityTakenNotification"] == kinds["CapacityReturnedNotification"] == 6
    assert told[0]["notificationType"] == "MaintenanceWindowsNotification"
    assert told[-1]["campaignState"] == "completed"
