"""An older backup is put back while a campaign runs, by the commands of the page that says how; the cloud has gone on since."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from beds.postgresql.server import Server as Postgresql
from beds.postgresql.server import binaries
from durability.server import NAME
from durability.test_kill import Server, make_world
from escalator.clocks import SystemClock
from escalator.model.progress import CampaignState, TaskState
from escalator.storage.opening import open_postgresql
from escalator.storage.port import Store
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.world.timings import Timings
from escalator.world.world import World

PAGE = Path(__file__).parents[2] / "docs/howto/operate-the-server.md"
DATABASE = "postgresql://escalator@db.example.net/escalator"
PATIENCE_S = 100.0


def commands(heading: str) -> list[str]:
    """What the page tells to type under that heading, but for what needs systemd or the rights of root."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    (there,) = [text for text in section if text.startswith(f"{heading}\n")]
    typed = re.findall(r"^ *\$ (.+)$", there, re.MULTILINE)
    return [line.removeprefix("runuser -u escalator -- ") for line in typed if not line.startswith("systemctl")]


def type_in(lines: list[str], names: dict[str, str], url: str) -> None:
    """Run them as they stand, with the folders and databases of this test in place of the page's."""
    host = psycopg.conninfo.conninfo_to_dict(url)
    where = {"PGUSER": "escalator", "PGHOST": str(host["host"]), "PGPORT": str(host["port"])}
    environment = {**os.environ, **where, "PATH": f"{binaries()}:{os.environ['PATH']}"}
    for line in lines:
        here = functools.reduce(lambda text, name: text.replace(name, names[name]), names, line)
        assert "/var/lib" not in here, f"{here} is not for this machine"
        subprocess.run(["sh", "-ec", here], check=True, env=environment, timeout=PATIENCE_S)


async def done(store: Store) -> set[str]:
    """The nodes that are upgraded."""
    return {task.node for task in await store.tasks.list(NAME) if task.state is TaskState.DONE}


async def stopped(store: Store, ended: set[str]) -> set[str]:
    """Nodes whose turn has not ended by then on which an instance is stopped now."""
    return {row.node for row in await store.restorations.open(NAME) if row.kind == STOPPED} - ended


@contextmanager
def the_cloud_stays(state: Path, aside: Path) -> Iterator[None]:
    """The simulated cloud is in the state directory and no part of it: whatever is done to that, the cloud is as it was."""
    aside.mkdir()
    for file in state.glob("world*"):
        file.rename(aside / file.name)
    yield
    for file in state.glob("world*"):
        file.unlink()
    for file in aside.iterdir():
        file.rename(state / file.name)


async def at_rest(store: Store) -> set[str]:
    """The campaign's state once it does not go on by itself: over, suspended, or as many nodes are out as may be."""
    row = await store.campaigns.get(NAME)
    waits = row is not None and row.reason.startswith("waits for room")
    return {row.state.value} if row is not None and (waits or row.state is not CampaignState.RUNNING) else set()


async def unlisted(url: str, state: Path) -> list[str]:
    """What is not as it was in the cloud, and has no command on the sheet that puts it back."""
    world = World.open(state / "world.sqlite", SystemClock(), Timings(), read_only=True)
    try:
        found = [f"incident: {i.what} {i.node} {i.instance} {i.message}" for i in world.audit.incidents]
        inventory = world.inventory()
    finally:
        world.close()
    async with open_postgresql(url, "escalator") as store:
        listed = {row.object_id for row in await store.restorations.open() if row.commands}
    changed = [node.id for node in inventory.nodes if node.maintenance or node.state == "down"]
    changed += [instance.id for instance in inventory.instances if not instance.running]
    return found + [f"{name} stands on no sheet" for name in changed if name not in listed]


async def killed_when(run: list[str], url: str, come: Callable[[Store], Awaitable[set[str]]]) -> set[str]:
    """Let a server live until that has come for any node; for which it has at its end."""
    server = Server(*run, url)
    try:
        assert server.says() == "up running"
        async with open_postgresql(url, "escalator") as store:
            end = time.monotonic() + PATIENCE_S
            # It changes in storage, by another process.
            while not await come(store):
                assert time.monotonic() < end, "it does not come"
                await asyncio.sleep(0.05)
    finally:
        server.kill()
    async with open_postgresql(url, "escalator") as store:
        return await come(store)


@pytest.mark.postgresql
async def test_a_restored_server_puts_back_or_lists_what_was_changed_since_its_backup(
    tmp_path: Path, postgresql_server: Postgresql, postgresql_url: str
) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    make_world(state, 8)
    backup.mkdir()
    restored = f"{postgresql_url}_restored"
    name = restored.rpartition("/")[2]
    names = {
        f"{DATABASE}_restored": restored,
        DATABASE: postgresql_url,
        "owner escalator escalator_restored": f"owner escalator {name}",
    }
    names |= {"/var/lib/escalator": str(state), "/backup": str(backup)}
    run = [str(state), "8", "300", "2"]
    before = await killed_when(run, postgresql_url, done)
    type_in(commands("Back up"), names, postgresql_url)
    async with open_postgresql(postgresql_url, "escalator") as store:
        begun = {row.node for row in await store.restorations.open(NAME)}
    assert await killed_when(run, postgresql_url, functools.partial(stopped, ended=before | begun))
    with the_cloud_stays(state, tmp_path / "cloud"):
        type_in(commands("Restore"), names, postgresql_url)
    try:
        async with open_postgresql(restored, "escalator") as store:
            assert await done(store) == before
        # Instances have moved since, and nodes are out of service: it comes to its end, or to where a person decides.
        assert await killed_when(run, restored, at_rest)
        assert await unlisted(restored, state) == []
    finally:
        postgresql_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
