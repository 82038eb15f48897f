"""A state directory whose disk is full for a while: once there is room again, all goes on by itself, without a restart."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from durability.test_kill import Server, judge, make_world
from escalator.api.app import operators_app
from escalator.model.errors import TemporaryError
from escalator.settings import Cloud, Settings, SimulatedWorld
from escalator.storage.opening import open_sqlite
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.runtimes.dbos import DbosSettings, open_engine
from escalator.upgrade_manager.readiness import LOOK_S
from escalator.wiring import Services, open_services

NODES = 8
MAX_UNAVAILABLE = 2
BLOCK = 64 * 2**10
WAIT_S = 40.0
LONG = "x" * 20_000
"""A result that fits into no page that is there already."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, room: int = 0) -> None:
    """Take all room that is left, but for some bytes."""
    with (disk / "fill").open("wb", buffering=0) as out:
        for size in (BLOCK, 4096, 1):
            try:
                while True:
                    out.write(os.urandom(size))
            except OSError:
                continue
        out.truncate(out.tell() - room)


def free(disk: Path) -> None:
    (disk / "fill").unlink()


class Steps:
    """A course whose second step fills the disk, so that its end cannot be recorded."""

    def __init__(self, disk: Path) -> None:
        self.ran: list[str] = []
        self.full = asyncio.Event()
        self._disk = disk

    async def step(self, name: str) -> str:
        self.ran.append(name)
        if name == "second" and not self.full.is_set():
            fill(self._disk)
            self.full.set()
        return f"{name} {LONG}"

    async def course(self, rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        said = [await rt.step(name, lambda name=name: self.step(name)) for name in ("first", "second")]
        return [*said, await rt.receive("answers", 30.0), await rt.step("third", lambda: self.step("third"))]

    async def waiting(self, rt: Runtime, arguments: Mapping[str, Any]) -> Any:
        """Waits for a message while the disk is full, and its time is over then."""
        return [await rt.receive("answers", 1.0), await rt.step("late", lambda: self.step("late"))]


async def test_workflows_go_on_by_themselves_when_the_full_disk_has_room_again(disk: Path) -> None:
    steps = Steps(disk)
    settings = DbosSettings(folder=disk, executor_id="test", poll_s=0.05)
    async with open_engine(settings, {"course": steps.course, "waiting": steps.waiting}) as engine:
        await engine.start("waiting", "w/2", {})
        await engine.start("course", "w/1", {})
        await asyncio.wait_for(steps.full.wait(), WAIT_S)
        await asyncio.sleep(3.0)  # the time of the wait is over
        with pytest.raises(TemporaryError):
            await engine.start("course", "w/3", {"long": LONG})
        with pytest.raises(TemporaryError):
            await engine.send("w/1", "answers", LONG, key="k")
        free(disk)
        result = await asyncio.wait_for(engine.result("w/2"), WAIT_S)
        assert result == [None, f"late {LONG}"]
        await engine.send("w/1", "answers", "now", key="k")
        result = await asyncio.wait_for(engine.result("w/1"), WAIT_S)
    assert result == [f"first {LONG}", f"second {LONG}", "now", f"third {LONG}"]
    assert steps.ran.count("first") == 1
    assert steps.ran.count("second") == 2


def fill_twice(disk: Path, seed: int) -> None:
    """While the campaign runs, for some seconds each time."""
    chance = random.Random(seed)
    for _ in range(2):
        time.sleep(chance.uniform(0.1, 1.0))
        fill(disk, chance.randrange(100_000))
        time.sleep(chance.uniform(2.0, 4.0))
        free(disk)


@pytest.mark.parametrize(("seed", "elsewhere"), [(1, ("world.sqlite", "escalator.sqlite")), (2, ())])
async def test_a_campaign_goes_on_by_itself_when_the_full_disk_has_room_again(
    disk: Path, tmp_path: Path, seed: int, elsewhere: tuple[str, ...]
) -> None:
    """What is `elsewhere` is on another disk: with the campaign's own record there, only the engine's and the sheet are hit."""
    state, cloud = disk / "state", tmp_path / "cloud"
    make_world(cloud if elsewhere else state, NODES)
    state.mkdir(mode=0o700, exist_ok=True)
    for name in elsewhere:
        (state / name).symlink_to(cloud / name)
    server = Server(str(state), str(NODES), "400", str(MAX_UNAVAILABLE))
    try:
        assert server.says() == "up running"
        await asyncio.to_thread(fill_twice, disk, seed)
    finally:
        output, errors = server.end()
    assert output.splitlines()[-1:] == ["over completed"], errors[-3000:]
    assert await judge(open_sqlite((state / "escalator.sqlite").resolve()), cloud if elsewhere else state, MAX_UNAVAILABLE) == []


def asking(services: Services) -> httpx.AsyncClient:
    """An operator."""
    headers = {"Authorization": f"Bearer {services.token}"}
    transport = httpx.ASGITransport(operators_app(services), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470", headers=headers)


async def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_an_operator_hears_that_the_disk_is_full_and_what_holds(disk: Path, tmp_path: Path) -> None:
    world = SimulatedWorld(nodes=2, file=str(tmp_path / "world.sqlite"))
    settings = Settings(state_dir=str(disk / "state"), cloud=Cloud(driver="simulated", simulated=world))
    async with open_services(settings) as services, asking(services) as api:
        assert (await api.get("/readyz")).status_code == 200
        fill(disk)
        await asyncio.sleep(LOOK_S)
        assert await code_of(await api.get("/readyz")) == (503, "ESC-STO-001")
        begun = await api.post("/v1/freeze/actions/begin", json={"reason": "storm"})
        assert await code_of(begun) == (503, "ESC-STO-001")
        assert begun.json()["detail"].startswith("Nothing is frozen by this: ")
        assert (await api.get("/v1/freeze")).json()["frozen"] is False
        sent = await api.post("/v1/releases", files=[("document", ("release.yaml", b"kind: Release"))])
        assert await code_of(sent) == (507, "ESC-API-012")
        assert sent.json()["detail"] == (
            "The disk of the state directory has only 0 MiB free; 257 MiB are needed: 1 MiB of the upload,"
            " and 256 MiB that stay free for the databases."
        )
        free(disk)
        await asyncio.sleep(LOOK_S)
        assert (await api.get("/readyz")).status_code == 200
        assert (await api.post("/v1/freeze/actions/begin", json={})).status_code == 202
