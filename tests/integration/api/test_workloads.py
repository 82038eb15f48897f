"""The interruption ledger of a campaign, through the API and the command line."""

from __future__ import annotations

import asyncio
import csv
import io
import json

import pytest

from escalator.storage.port import OutageRow, WatchRow
from integration.api.running import CAMPAIGN, served, write_release
from unit.cli.terminal import run

NAME = "agent-2"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server on which one campaign has run."""
    folder = tmp_path_factory.mktemp("ledger")
    with served(folder / "state") as found:
        esc = caller(found)
        assert esc("release", "import", write_release(folder / "release")).code == 0
        (folder / "campaign.yaml").write_text(CAMPAIGN)
        esc("campaign", "create", folder / "campaign.yaml")
        assert esc("workload", "list", NAME).code == 2  # it has not started
        esc("campaign", "plan", NAME)
        assert esc("campaign", "start", NAME, "--wait", "--timeout", "60").code == 0
        yield found


def caller(server):
    return lambda *words: run(*words, environment=server.environment)


@pytest.fixture
def esc(server):
    return caller(server)


def data(seen):
    assert seen.code == 0, seen.err
    return json.loads(seen.out)


def test_each_instance_tells_how_often_and_how_long_it_was_impacted(esc, server):
    plan = json.loads(esc("campaign", "show", NAME, "-f", "json").out)["plan_summary"]
    found = data(esc("workload", "list", NAME, "--by", "instance", "-f", "json"))
    moved = [row for row in found if row["impacts"]]
    assert len(moved) >= plan["moves"] > 0
    assert all(row["impacted_s"] >= row["longest_s"] > 0 and not row["under_way"] for row in found)
    one = moved[0]
    impacts = data(esc("workload", "show", NAME, one["name"], "-f", "json"))
    assert len(impacts) == one["impacts"]
    assert sum(row["seconds"] for row in impacts) == pytest.approx(one["impacted_s"], abs=0.01)
    assert {row["kind"] for row in impacts} <= {"live", "cold", "in-place", "stop-start", "own"}


def test_groups_tell_their_limit_and_that_it_held(esc):
    groups = data(esc("workload", "list", NAME, "--by", "group", "-f", "json"))
    assert {(row["spent_s"], round(row["budget_s"])) for row in groups} == {(0.0, 315)}
    assert "of 5 min" in esc("workload", "list", NAME, "--by", "group").out
    assert groups
    assert all(row["at_once"] <= row["limit"] and row["beyond_s"] == 0 for row in groups)
    assert all(row["hit"] <= row["members"] for row in groups)
    people = esc("workload", "list", NAME, "--by", "group").out
    assert "Limit" in people
    assert groups[0]["name"] in people


def test_vnfs_add_up_what_their_instances_had(esc):
    vnfs = data(esc("workload", "list", NAME, "-f", "json"))
    instances = data(esc("workload", "list", NAME, "--by", "instance", "-f", "json"))
    assert sum(row["hit"] for row in vnfs) == len(instances)
    assert sum(row["impacts"] for row in vnfs) == sum(row["impacts"] for row in instances)
    text = esc("workload", "list", NAME, "-f", "csv").out
    assert [row["name"] for row in csv.DictReader(io.StringIO(text))] == [row["name"] for row in vnfs]


def test_what_is_not_there_is_said(esc):
    nobody = esc("workload", "show", NAME, "vm-nobody")
    assert (nobody.code, nobody.out) == (2, "")
    assert nobody.err.startswith("ESC-UPG-001")
    assert esc("workload", "list", "none").code == 2
    assert esc("workload", "list", NAME, "--by", "colour").code == 2


def test_what_was_away_when_the_campaign_ended_is_not_away_now(esc, server):
    outages = server.services.ctx.store.outages
    watch = WatchRow(campaign=NAME, probe="p1", vnf="nobody", interval_s=1.0, since=1e9, until=1e9 + 60, sent=60, failed=9)
    lost = OutageRow(campaign=NAME, probe="p1", vnf="nobody", started_at=1e9 + 50, reason="refused")
    for coming in (outages.watch(watch), outages.put(lost)):
        asyncio.run_coroutine_threadsafe(coming, server.loop).result(30)
    seen = esc("workload", "outages", NAME)
    assert "away at the last look" in seen.out
    assert "away now" not in seen.out
    assert "Lasted" in seen.out
    assert data(esc("workload", "outages", NAME, "-f", "json"))[0]["now"] is False
    listed = esc("workload", "list", NAME)
    assert "No instance is of nobody, which a probe looks at" in listed.err
    assert "| Impacted " in listed.out
    assert "Impacted s" not in listed.out
