"""Action plug-ins of a Fenix session: the operator's commands run in their place, when due, and hear what is said to them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.node_settings import NamedCommand
from escalator.model.progress import CampaignState
from escalator.system_support.named import NamedCommands
from integration.vnfm.fenix_site import Site, opened_site

HOSTILE = {"note": "$(touch pwned) `id` ; \"quoted\" 'and' -x\nnext line", "größe": [1, {"deep": None}]}
SCRIPT = """#!/bin/sh
printf '%s %s %s\\n' "$ESCALATOR_COMMAND" "$ESCALATOR_PURPOSE" "${ESCALATOR_NODE:--}" >>"$1/ran"
printf '%s' "$ESCALATOR_METADATA" >"$1/said-$ESCALATOR_COMMAND-$ESCALATOR_PURPOSE"
if [ -e "$1/refuse-$ESCALATOR_COMMAND" ]; then rm "$1/refuse-$ESCALATOR_COMMAND"; exit 1; fi
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    program = tmp_path / "command"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    entry = NamedCommand(argv=(str(program), str(tmp_path)))
    entries = dict.fromkeys(("flash-nic", "flash-bios", "change-ticket"), entry)
    async with opened_site(tmp_path, NamedCommands(entries, {"PATH": "/usr/bin:/bin"})) as opened:
        yield opened


def ran(site: Site) -> list[str]:
    return (site.folder / "ran").read_text().splitlines()


async def test_each_runs_when_it_is_due_and_hears_what_is_said_to_it(site: Site) -> None:
    actions = [
        {"plugin": "ticket", "type": "post", "metadata": {"close": True}},
        {"plugin": "firmware", "type": "host", "metadata": HOSTILE},
        {"plugin": "ticket", "type": "pre", "metadata": {"open": "CHG-17"}},
        {"plugin": "bios", "type": "compute"},
    ]
    started = await site.start(actions=actions)
    assert started.status_code == 200, started.text
    row = await site.until(CampaignState.COMPLETED)
    first, *between, last = ran(site)
    assert (first, last) == ("change-ticket before -", "change-ticket after -")
    nodes = [line.split()[2] for line in between[::2]]
    assert len(set(nodes)) == 4
    assert between == [f"{name} maintenance {node}" for node in nodes for name in ("flash-nic", "flash-bios")]
    heard = {path.name: path.read_text() for path in site.folder.glob("said-*")}
    assert json.loads(heard["said-flash-nic-maintenance"]) == HOSTILE
    assert json.loads(heard["said-change-ticket-before"]) == {"open": "CHG-17"}
    assert json.loads(heard["said-change-ticket-after"]) == {"close": True}
    assert heard["said-flash-bios-maintenance"] == ""
    assert not (site.folder / "pwned").exists()
    assert row.document["spec"]["hooks"] == {"before": ["change-ticket"], "after": ["change-ticket"]}
    events = await site.cloud.ctx.store.events.read(0, limit=5000)
    asked = [(e.object_id, e.message) for e in events if e.action == "fenix.action"]
    assert asked[0] == ("firmware", "host: the command flash-nic")
    order = [e.action for e in events if e.action in ("campaign.hook", "node.stage", "node.announce", "campaign.completed")]
    assert (order[:2], order[-3:]) == (["campaign.hook", "node.stage"], ["node.announce", "campaign.hook", "campaign.completed"])


async def test_one_command_may_stand_for_two_plug_ins_and_hears_both(site: Site) -> None:
    for word in ("one", "two"):
        assert (await site.start(actions=[{"plugin": "firmware", "type": word}])).status_code == 422
    actions = [{"plugin": "firmware", "metadata": {"is": word}} for word in ("one", "two")]
    assert (await site.start(actions=actions)).status_code == 200
    await site.until(CampaignState.COMPLETED)
    assert len(ran(site)) == 8
    assert json.loads((site.folder / "said-flash-nic-maintenance").read_text()) == {"is": "two"}


async def test_no_host_is_touched_while_one_of_type_pre_fails(site: Site) -> None:
    (site.folder / "refuse-change-ticket").touch()
    session = (await site.start(actions=[{"plugin": "ticket", "type": "pre"}])).json()["session_id"]
    row = await site.until(CampaignState.SUSPENDED)
    assert (row.code, ran(site)) == (Code.SYS_HOOK.value, ["change-ticket before -"])
    tasks = (await site.cloud.campaigns.show(row.name)).tasks
    assert {task.state.value for task in tasks} == {"pending"}
    assert (await site.http.get(f"/maintenance/{session}")).json()["state"] == "MAINTENANCE_FAILED"
    assert (await site.http.put(f"/maintenance/{session}", json={})).status_code == 200
    await site.until(CampaignState.COMPLETED)
    assert ran(site) == ["change-ticket before -"] * 2


async def test_what_runs_on_nodes_cannot_stand_for_a_plug_in_around_them(tmp_path: Path) -> None:
    entry = NamedCommand(argv=("true",), where="node")
    async with opened_site(tmp_path, NamedCommands({"change-ticket": entry}, {})) as site:
        refused = await site.start(actions=[{"plugin": "ticket", "type": "post"}])
        assert (refused.status_code, refused.json()["problems"][0]["path"]) == (422, "spec.hooks.after[0]")
        assert await site.campaigns() == []
