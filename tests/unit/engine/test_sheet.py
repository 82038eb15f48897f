"""The break-glass sheet: every line is a comment or a command, and nothing that people wrote becomes one."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.progress import SHEET_FILE, Restoration
from escalator.settings import Settings
from escalator.storage.changes import Restorations
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.sheet import FileSheet
from escalator.upgrade_manager.engine.sheet_notes import Notes, places
from escalator.world.world import World
from scenarios.stage import staged

EVIL = [
    "a\nreboot",
    "a\r\nreboot",
    "a\rreboot",
    "a\x0breboot",
    "a\x0creboot",
    "a\x85reboot",
    "a\u2028reboot",
    "a\u2029reboot",
    "a\x1creboot",
    "; reboot #",
    "$(reboot)",
    "`reboot`",
    "' ; reboot ; '",
]


def row(**more: object) -> Restoration:
    fields: dict[str, object] = {
        "id": "t/cordon/n1",
        "campaign": "c",
        "kind": "cordon",
        "object_id": "n1",
        "node": "n1",
        "found": {"enabled": True},
        "commands": ("openstack compute service set --enable n1 nova-compute",),
        "created_at": 1_767_225_600.0,
    }
    return Restoration(**{**fields, **more})  # type: ignore[arg-type]


async def written(path: Path, *rows: Restoration) -> list[str]:
    restorations = memory_store().restorations
    for one in rows:
        await restorations.add(one)
    await FileSheet(path).rewrite(restorations)
    return (path / SHEET_FILE).read_text().splitlines()


def commands(lines: list[str]) -> list[str]:
    return [line for line in lines if line and not line.startswith("#")]


async def test_an_empty_sheet_says_so(tmp_path: Path) -> None:
    lines = await written(tmp_path)
    assert commands(lines) == []
    assert lines[-1] == "# Nothing: all is as it was found."


async def test_each_change_has_its_facts_and_its_command(tmp_path: Path) -> None:
    lines = await written(tmp_path, row())
    assert "# cordon of n1 on n1 by campaign c since 2026-01-01T00:00:00Z; found: enabled=True" in lines
    assert commands(lines) == ["openstack compute service set --enable n1 nova-compute"]


async def test_a_door_is_shut_before_its_node_is_enabled(tmp_path: Path) -> None:
    door = row(id="t/probe-door/n1", kind="probe-door", commands=("openstack resource provider trait set n1",))
    assert commands(await written(tmp_path, row(), door))[0] == "openstack resource provider trait set n1"


def change(kind: str, node: str, at: float, command: str) -> Restoration:
    return row(id=f"{node}/{kind}/{at}", kind=kind, object_id=node, node=node, commands=(command,), created_at=at)


async def test_nodes_come_one_after_another_and_of_each_the_last_change_first(tmp_path: Path) -> None:
    quota, pin = change("quota", "", 1.0, "quota"), change("version-pin", "", 0.5, "pin")
    one = [change("cordon", "n2", 2.0, "enable n2"), change("instance-stopped", "n2", 4.0, "start n2")]
    other = [change("cordon", "n1", 3.0, "enable n1"), change("maintenance", "n1", 5.0, "leave n1")]
    door = change("probe-door", "n1", 6.0, "shut n1")
    later = change("storage-flag", "n1", 7.0, "unflag n1")
    lines = await written(tmp_path, quota, pin, *one, *other, door, later)
    in_turn = ["start n2", "enable n2", "shut n1", "unflag n1", "leave n1", "enable n1", "quota", "pin"]
    assert commands(lines) == in_turn
    assert [line for line in lines if line.startswith("# ----")] == ["# ---- n2", "# ---- n1", "# ---- No single node"]


@pytest.mark.parametrize("reason", EVIL)
async def test_no_reason_that_people_wrote_becomes_a_command(tmp_path: Path, reason: str) -> None:
    found = {"enabled": False, "reason": reason}
    order = SimulatedCloud(World.in_memory(VirtualClock())).by_hand("cordon", "n1", "n1", found)
    text_lines = await written(tmp_path, row(found=found, commands=order))
    lines = commands(text_lines)
    for line in (line for line in lines if "reboot" in line):
        assert shlex.split(" ".join(lines))[:5] == ["openstack", "compute", "service", "set", "--disable"], line
    assert not [line for line in lines if line.strip().startswith("reboot")]


async def test_the_sheet_is_replaced_as_a_whole(tmp_path: Path) -> None:
    await written(tmp_path, row(), row(id="t/cordon/n2", object_id="n2"))
    assert len(commands(await written(tmp_path, row()))) == 1
    assert names_in(tmp_path) == [SHEET_FILE]


async def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    await written(tmp_path, row())
    assert (tmp_path / SHEET_FILE).stat().st_mode & 0o077 == 0


async def test_what_others_wrote_does_not_steer_the_terminal_that_shows_the_sheet(tmp_path: Path) -> None:
    lines = await written(tmp_path, row(found={"reason": "\x1b[2J\x07gone\x9b1m"}))
    assert all(line.isprintable() for line in lines)
    assert "gone" in "".join(lines)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def until(true: Callable[[], bool]) -> None:
    """Let the others go on until something is true that no event tells of."""
    for _ in range(1_000_000):
        if true():
            return
        await asyncio.sleep(0)
    pytest.fail("it never became true")


class Watched:
    """Restorations of a store, with how often all of them were read, and a way to hold a reading up."""

    def __init__(self, restorations: Restorations) -> None:
        self._restorations = restorations
        self.reads = 0
        self.add, self.done = restorations.add, restorations.done

    async def open(self, campaign: str | None = None, node: str | None = None) -> Sequence[Restoration]:
        self.reads += 1
        return await self._restorations.open(campaign, node)


async def test_changes_at_the_same_moment_share_a_writing_and_each_is_on_the_sheet_when_told(tmp_path: Path) -> None:
    restorations = Watched(memory_store().restorations)
    sheet = FileSheet(tmp_path)

    async def change(name: str) -> bool:
        await restorations.add(row(id=name, object_id=name, node=name))
        await sheet.rewrite(restorations)
        return f"cordon of {name} on" in sheet.path.read_text()

    names = [f"n{n}" for n in range(40)]
    assert all(await asyncio.gather(*map(change, names)))
    assert restorations.reads <= 3
    assert names_in(tmp_path) == [SHEET_FILE]


async def test_a_writing_whose_asker_is_gone_never_replaces_a_newer_one(tmp_path: Path) -> None:
    restorations = memory_store().restorations
    sheet = FileSheet(tmp_path)
    many = ("true " + "x" * 1_000_000,) * 50
    await restorations.add(row(id="first", object_id="first", commands=many))
    gone = asyncio.create_task(sheet.rewrite(restorations))
    await until(lambda: names_in(tmp_path) != [])
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await restorations.done("first", 1.0)
    await sheet.rewrite(restorations)
    await until(lambda: names_in(tmp_path) == [SHEET_FILE])
    assert "first" not in sheet.path.read_text()


async def test_it_says_where_to_look_further_and_what_each_node_runs(tmp_path: Path) -> None:
    asked: list[str] = []

    async def about(campaign: str) -> Mapping[str, str]:
        asked.append(campaign)
        return {"n1": "campaign c brings agent/2.0.0: from 1.0.0 to 2.0.0"}

    restorations = memory_store().restorations
    sheet = FileSheet(tmp_path, places(Settings(state_dir=str(tmp_path))), about)
    await restorations.add(row())
    await sheet.rewrite(restorations)
    await restorations.add(row(id="other", object_id="n2", node="n2"))
    await sheet.rewrite(restorations)
    lines = sheet.path.read_text().splitlines()
    assert lines[lines.index("# ---- n1") + 1] == "# campaign c brings agent/2.0.0: from 1.0.0 to 2.0.0"
    assert any(line.startswith("# Written by Escalator ") for line in lines)
    assert any(f"table events of {tmp_path}/escalator.sqlite" in line for line in lines)
    assert len(commands(lines)) == 2
    assert asked == ["c"]


def test_the_versions_of_nodes_are_those_of_the_campaigns_plan() -> None:
    async def noted() -> Mapping[str, str]:
        async with staged() as stage:
            await stage.play("world nodes=3 seed=1\ncampaign a\nplan a")
            return await Notes(stage.sim.store, stage.sim.ctx.book).of("a")

    found = virtual_time.run(noted())
    assert found.keys() == {"cn-0001", "cn-0002", "cn-0003"}
    assert found["cn-0001"] == "campaign a brings nfvi-agent/2.0.0: from 1.0.0 to 2.0.0"


async def test_a_sheet_that_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    sheet, restorations = FileSheet(folder), memory_store().restorations
    await restorations.add(row())
    with pytest.raises(TemporaryError) as caught:
        await sheet.rewrite(restorations)
    assert caught.value.code is Code.STO_UNAVAILABLE
    folder.mkdir()
    await sheet.catch_up(restorations)
    assert row().commands[0] in (folder / SHEET_FILE).read_text()
    (folder / SHEET_FILE).unlink()
    await sheet.catch_up(restorations)  # nothing is behind any more
    assert not (folder / SHEET_FILE).exists()


AWAY_S = 7200.0
"""Longer than the time-out of any step before the upgrade."""


class OnAFullDisk:
    """A sheet, in virtual time, that cannot be written for a while; what it shows is ids."""

    def __init__(self) -> None:
        self.full, self.shows, self._behind = True, set[str](), False

    async def rewrite(self, restorations: Restorations) -> None:
        self._behind = self.full
        if self.full:
            raise TemporaryError(Code.STO_UNAVAILABLE, "The break-glass sheet cannot be written: No space left on device.")
        self.shows = {row.object_id for row in await restorations.open()}

    async def catch_up(self, restorations: Restorations) -> None:
        if self._behind:
            await self.rewrite(restorations)


async def _while_the_sheet_cannot_be_written(during: str) -> tuple[str, list[str], set[str], list[str]]:
    """A campaign that begins while the sheet cannot be written.

    Its state, nodes that were changed until the sheet could be written, what that shows then, and what does not hold.
    """
    async with staged() as stage:
        await stage.play("world nodes=3 seed=1\ncampaign a\nplan a")
        ctx, sheet = stage.sim.ctx, OnAFullDisk()
        ctx.sheet.rewrite, ctx.sheet.catch_up = sheet.rewrite, sheet.catch_up  # type: ignore[method-assign]
        await stage.play(f"start a\nwait {AWAY_S:.0f}\n{during}")
        changed = [node.id for node in stage.world.inventory().nodes if not (await ctx.cloud.service(node.id)).enabled]
        sheet.full = False
        await stage.play("wait 60")
        shown = sheet.shows
        await stage.play("run a")
        return (await ctx.store.campaigns.state("a")).value, changed, shown, list(await stage.invariants())


@pytest.mark.parametrize(
    ("during", "state", "shown"),
    [
        ("wait 1", "completed", {"cn-0002"}),
        ("pause a\nwait 60\nresume a", "completed", {"cn-0002"}),
        ("abort a\nwait 1", "aborted", set[str]()),
    ],
)
def test_no_node_is_changed_or_fails_while_the_sheet_cannot_be_written(during: str, state: str, shown: set[str]) -> None:
    assert virtual_time.run(_while_the_sheet_cannot_be_written(during)) == (state, [], shown, [])
