"""Neighbours are told for real: Alertmanager over its API, others by commands; and a whole campaign tells them in order."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from beds.vnfm.clocks import SteppedClock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.neighbour_settings import Alertmanager as AlertmanagerSettings
from escalator.model.neighbour_settings import Hook as HookSettings
from escalator.model.notice import Auth
from escalator.model.progress import CampaignState, Restoration, TaskState
from escalator.upgrade_manager.engine.by_hand import take_off_ended
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.neighbours.alertmanager import Alertmanager
from escalator.vim_interface.neighbours.hook import Hook
from escalator.vim_interface.neighbours.port import Host
from escalator.world.rules import Fault
from integration.api.running import CAMPAIGN, TestServices, running, write_release

HOST = Host("cn-1", "night")
NAME = "agent-2"


def script(folder: Path, text: str, name: str = "hook") -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(stat.S_IRWXU)
    return str(file)


def silenced(url: str) -> list[dict[str, Any]]:
    found = httpx.get(f"{url}/api/v2/silences", trust_env=False).json()
    return [silence for silence in found if silence["status"]["state"] == "active"]


def manager(url: str, folder: Path, **more: Any) -> Alertmanager:
    clock = SteppedClock(time.time())
    return Alertmanager(AlertmanagerSettings(url=url, **more), Credentials(folder), clock)


async def test_alerts_of_the_host_are_silenced_and_no_others(alertmanager: str, tmp_path: Path) -> None:
    neighbour = manager(alertmanager, tmp_path, matchers={"instance": "{node}:9100", "job": "node"})
    for _ in range(2):
        await neighbour.enter(HOST)
    await neighbour.enter(Host("cn-2", "night"))
    first, second = sorted(silenced(alertmanager), key=lambda s: s["createdBy"])
    assert [(m["name"], m["value"], m["isRegex"]) for m in first["matchers"]] == [
        ("instance", "cn-1:9100", False),
        ("job", "node", False),
    ]
    assert (first["createdBy"], second["createdBy"]) == ("escalator/night/cn-1", "escalator/night/cn-2")
    for _ in range(2):
        await neighbour.leave(HOST)
    assert [s["createdBy"] for s in silenced(alertmanager)] == ["escalator/night/cn-2"]
    await neighbour.enter(HOST)
    assert len(silenced(alertmanager)) == 2


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is not installed")
async def test_the_command_on_the_sheet_ends_the_silence(alertmanager: str, tmp_path: Path) -> None:
    neighbour = manager(alertmanager, tmp_path)
    await neighbour.enter(HOST)
    await neighbour.enter(Host("cn-2", "night"))
    (command,) = neighbour.by_hand(HOST)
    await asyncio.to_thread(subprocess.run, ["sh", "-c", command], check=True)
    assert [s["createdBy"] for s in silenced(alertmanager)] == ["escalator/night/cn-2"]


async def test_an_alertmanager_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError) as caught:
        await manager("http://127.0.0.1:9", tmp_path).enter(HOST)
    assert caught.value.code is Code.VIM_NEIGHBOUR


async def test_a_credential_that_is_missing_is_named_and_nothing_is_sent(alertmanager: str, tmp_path: Path) -> None:
    with pytest.raises(EscalatorError) as caught:
        await manager(alertmanager, tmp_path, auth=Auth(type="bearer", credential="none")).enter(HOST)
    assert caught.value.code is Code.VIM_CREDENTIAL_FILE
    assert silenced(alertmanager) == []


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("exit 0", None, ""),
        ("exit 70", None, ""),
        ("echo busy >&2; exit 75", TemporaryError, "ended with 75: busy"),
        ("echo no segment >&2; exit 1", PermanentError, "ended with 1: no segment"),
        ("sleep 30", TemporaryError, "did not end within 0.2 s"),
    ],
)
async def test_a_command_says_by_its_end_whether_the_neighbour_knows(
    tmp_path: Path, text: str, kind: type[EscalatorError] | None, said: str
) -> None:
    argv = (script(tmp_path, text), "{node}")
    hook = Hook("masakari", HookSettings(enter=argv, leave=argv, timeout_s=0.2 if "sleep" in text else 20), os.environ)
    for verb in (hook.enter, hook.leave):
        if kind is None:
            await verb(HOST)
            continue
        with pytest.raises(kind) as caught:
            await verb(HOST)
        assert (caught.value.code, said in caught.value.message) == (Code.VIM_NEIGHBOUR, True)


async def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    hook = Hook("masakari", HookSettings(enter=("/no/such",), leave=("/no/such", "{node} x"), timeout_s=1), os.environ)
    with pytest.raises(PermanentError) as caught:
        await hook.enter(HOST)
    assert "/no/such" in caught.value.message
    assert hook.by_hand(HOST) == ("/no/such 'cn-1 x'",)


@asynccontextmanager
async def night(folder: Path, enter: str, leave: str, **more: Any) -> AsyncIterator[TestServices]:
    """A campaign over a simulated cloud that has ended, or waits for a person."""
    words = ("{node}", "{campaign}")
    hook = Hook("healing", HookSettings(enter=(enter, *words), leave=(leave, *words), **more), os.environ)
    async with running(folder / "state", 3, (hook,)) as services:
        await services.importer.import_folder(write_release(folder / "release"))
        await play(services, NAME)
        yield services


async def play(services: TestServices, name: str) -> None:
    await services.campaigns.create(CAMPAIGN.replace(NAME, name))
    await services.campaigns.plan(name)
    await services.campaigns.start(name)
    for _ in range(1200):
        if (await services.campaigns.show(name)).row.state is not CampaignState.RUNNING:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"campaign {name} does not come to rest")


async def sheet(services: TestServices) -> list[Restoration]:
    return list(await services.ctx.store.restorations.open())


async def test_every_host_is_in_maintenance_for_its_neighbours_as_long_as_its_turn_lasts(tmp_path: Path) -> None:
    log = tmp_path / "told"
    enter = script(tmp_path, f'echo "enter $1 $2" >> {log}', "enter")
    leave = script(tmp_path, f'echo "leave $1 $2" >> {log}', "leave")
    async with night(tmp_path, enter, leave) as services:
        assert (await services.campaigns.show(NAME)).row.state is CampaignState.COMPLETED
        assert await sheet(services) == []
        events = [e for e in await services.ctx.store.events.read(0, limit=10_000) if e.node == "cn-0001" and e.outcome == "done"]
    told = [e.action for e in events if e.action in ("neighbour.enter", "neighbour.leave", "node.notify", "node.announce")]
    assert told == ["neighbour.enter", "node.notify", "neighbour.leave", "node.announce"]
    for node in ("cn-0001", "cn-0002", "cn-0003"):
        lines = [line for line in log.read_text().splitlines() if node in line]
        assert lines == [f"enter {node} {NAME}", f"leave {node} {NAME}"]


class Watcher:
    """A neighbour in which somebody else has set one host in maintenance before."""

    name, required = "watcher", True

    def __init__(self, theirs: str) -> None:
        self.theirs = theirs
        self.told: list[str] = []

    async def in_maintenance(self, host: Host) -> bool:
        return host.node == self.theirs

    async def enter(self, host: Host) -> None:
        self.told.append(f"enter {host.node}")

    async def leave(self, host: Host) -> None:
        self.told.append(f"leave {host.node}")

    def by_hand(self, host: Host) -> tuple[str, ...]:
        return (f"leave {host.node}",)


async def test_a_host_that_somebody_else_has_in_maintenance_there_stays_so(tmp_path: Path) -> None:
    watcher = Watcher(theirs="cn-0002")
    async with running(tmp_path / "state", 3, (watcher,)) as services:
        await services.importer.import_folder(write_release(tmp_path / "release"))
        await play(services, NAME)
        assert (await services.campaigns.show(NAME)).row.state is CampaignState.COMPLETED
        assert await sheet(services) == []
        events = [e for e in await services.ctx.store.events.read(0, limit=10_000) if e.action.startswith("neighbour.")]
    assert sorted(watcher.told) == ["enter cn-0001", "enter cn-0003", "leave cn-0001", "leave cn-0003"]
    (theirs,) = [event for event in events if event.node == "cn-0002"]
    assert (theirs.action, theirs.outcome) == ("neighbour.enter", "done")
    assert "not by Escalator" in theirs.message


async def test_a_host_whose_neighbour_cannot_be_told_is_not_touched(tmp_path: Path) -> None:
    log = tmp_path / "told"
    enter = script(tmp_path, "echo no segment >&2; exit 1", "enter")
    leave = script(tmp_path, f'echo "leave $1" >> {log}', "leave")
    async with night(tmp_path, enter, leave) as services:
        view = await services.campaigns.show(NAME)
        assert view.row.state is CampaignState.SUSPENDED
        bad = [task for task in view.tasks if task.state is TaskState.ROLLED_BACK]
        assert {task.code for task in bad} == {Code.VIM_NEIGHBOUR.value}
        assert "no segment" in bad[0].message
        assert {node.maintenance for node in services.simulation.world.inventory().nodes} == {False}
        assert await sheet(services) == []
    assert sorted(log.read_text().splitlines()) == sorted(f"leave {task.node}" for task in bad)


async def test_a_neighbour_that_need_not_know_keeps_nobody_and_one_that_stays_untold_is_on_the_sheet(tmp_path: Path) -> None:
    enter = script(tmp_path, "exit 1", "enter")
    leave = script(tmp_path, f"[ -e {tmp_path}/mended ] || exit 1", "leave")
    async with night(tmp_path, enter, leave, required=False) as services:
        assert (await services.campaigns.show(NAME)).row.state is CampaignState.COMPLETED
        rows = {row.node: row for row in await sheet(services)}
        assert {(row.kind, row.object_id) for row in rows.values()} == {("maintenance", "healing")}
        assert tuple(rows["cn-0001"].commands) == (f"{leave} cn-0001 {NAME}",)
        (tmp_path / "mended").touch()
        # The next campaign to start tells what was left untold.
        await services.campaigns.create(CAMPAIGN.replace(NAME, "again"))
        await services.campaigns.plan("again")
        await services.campaigns.start("again")
        assert [row for row in await sheet(services) if row.campaign == NAME] == []


async def failing(services: TestServices) -> None:
    """A campaign whose first node ends as policy holds it: cordoned, its upgrade failed."""
    services.simulation.world.faults.add(Fault(kind="upgrade"))
    held = CAMPAIGN.replace(NAME, "held") + "  failure: {on_node_failure: rollback-hold}\n"
    await services.campaigns.create(held)
    await services.campaigns.plan("held")
    await services.campaigns.start("held")
    for _ in range(1200):
        if (await services.campaigns.show("held")).row.state is CampaignState.SUSPENDED:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it is not suspended")


async def test_nobody_hears_that_a_host_is_back_that_is_held_out_of_service(tmp_path: Path) -> None:
    log = tmp_path / "told"
    enter = script(tmp_path, "exit 0", "enter")
    leave = script(tmp_path, f'echo "leave $1 $2" >> {log}', "leave")
    words = ("{node}", "{campaign}")
    hook = Hook("healing", HookSettings(enter=(enter, *words), leave=(leave, *words)), os.environ)
    async with running(tmp_path / "state", 3, (hook,)) as services:
        await services.importer.import_folder(write_release(tmp_path / "release"))
        await failing(services)
        held = {row.node for row in await sheet(services) if row.kind == "cordon"}
        assert held
        assert {row.node for row in await sheet(services) if row.kind == "maintenance"} == held
        told = log.read_text() if log.exists() else ""
        await take_off_ended(services.ctx)
        assert (log.read_text() if log.exists() else "") == told
        assert {row.node for row in await sheet(services) if row.kind == "maintenance"} == held
        # A person puts the hosts back; from then on the neighbour may know.
        for node in held:
            services.simulation.world.hosts.restore(node, enabled=True, reason=None)
        await take_off_ended(services.ctx)
        assert await sheet(services) == []
    assert {line.split()[1] for line in log.read_text().splitlines()} >= held


async def test_not_now_is_tried_again_before_the_host_is_left_in_maintenance(tmp_path: Path) -> None:
    enter = script(tmp_path, "exit 0", "enter")
    leave = script(tmp_path, '[ -e "$0.$1" ] && exit 0\ntouch "$0.$1"; exit 75', "leave")
    async with night(tmp_path, enter, leave) as services:
        assert (await services.campaigns.show(NAME)).row.state is CampaignState.COMPLETED
        assert await sheet(services) == []


async def test_what_only_a_neighbour_knew_that_is_no_more_keeps_no_campaign(tmp_path: Path) -> None:
    enter = script(tmp_path, "exit 0", "enter")
    leave = script(tmp_path, "exit 1", "leave")
    async with night(tmp_path, enter, leave) as services:
        assert {row.kind for row in await sheet(services)} == {"maintenance"}
        await take_off_ended(replace(services.ctx, neighbours=()))
        assert await sheet(services) == []
        events = [e for e in await services.ctx.store.events.read(0, limit=10_000) if e.action == "neighbour.leave"]
    assert events[-1].outcome == "failed"
    assert "not in the settings any more" in events[-1].message


@pytest.mark.parametrize(("required", "end"), [(False, CampaignState.ABORTED), (True, CampaignState.SUSPENDED)])
async def test_an_abort_waits_for_those_alone_that_have_to_know(tmp_path: Path, required: bool, end: CampaignState) -> None:
    enter = script(tmp_path, "exit 0", "enter")
    leave = script(tmp_path, "exit 1", "leave")
    words = ("{node}", "{campaign}")
    hook = Hook("healing", HookSettings(enter=(enter, *words), leave=(leave, *words), required=required), os.environ)
    async with running(tmp_path / "state", 3, (hook,)) as services:
        await services.importer.import_folder(write_release(tmp_path / "release"))
        await services.campaigns.create(CAMPAIGN)
        await services.campaigns.plan(NAME)
        await services.campaigns.start(NAME)
        await until(services, lambda action, outcome: (action, outcome) == ("node.announce", "done"))
        await services.campaigns.abort(NAME)
        await until(services, lambda action, _: action in ("campaign.aborted", "campaign.suspended"))
        row = (await services.campaigns.show(NAME)).row
        assert row.state is end
        assert "maintenance of healing" in row.reason
        assert {row.kind for row in await sheet(services)} == {"maintenance"}


async def until(services: TestServices, holds: Callable[[str, str | None], bool]) -> None:
    for _ in range(1200):
        if any(holds(e.action, e.outcome) for e in await services.ctx.store.events.read(0, limit=10_000)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("this did not happen")


async def test_who_could_not_be_told_at_the_time_is_told_before_the_campaign_is_over(tmp_path: Path) -> None:
    enter = script(tmp_path, "exit 0", "enter")
    # Not for the first node as long as its turn lasts, with all that is tried.
    leave = script(tmp_path, f'[ "$1" = cn-0003 ] && touch {tmp_path}/back; [ -e {tmp_path}/back ]', "leave")
    async with night(tmp_path, enter, leave) as services:
        view = await services.campaigns.show(NAME)
        events = [e for e in await services.ctx.store.events.read(0, limit=10_000) if e.action == "neighbour.leave"]
        assert view.row.state is CampaignState.COMPLETED
        assert "failed" in {e.outcome for e in events}
        assert await sheet(services) == []
