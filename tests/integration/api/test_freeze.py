"""Freezing everything from the command line."""

from __future__ import annotations

import json

import pytest

from integration.api.running import CAMPAIGN, served, write_release
from unit.cli.terminal import Seen, run

NAME = "agent-2"


@pytest.fixture
def esc(tmp_path):
    with served(tmp_path / "state") as server:

        def command(*words) -> Seen:
            return run(*words, environment=server.environment)

        yield command


def data(seen: Seen):
    return json.loads(seen.out)


def test_nothing_begins_until_the_freeze_ends(esc, tmp_path):
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    assert esc("campaign", "create", file).code == 0
    assert esc("campaign", "plan", NAME).code == 0
    assert data(esc("freeze", "show", "-f", "json")) == {"frozen": False, "since": None, "reason": ""}
    begun = esc("freeze", "begin", "--reason", "storm", "-f", "json")
    assert (begun.code, data(begun)["reason"]) == (0, "storm")
    assert "already" not in begun.err
    repeated = esc("freeze", "begin", "--reason", "storm and flood", "-f", "json")
    again = data(repeated)
    assert "Everything was frozen already, since " in repeated.err
    assert again == {"frozen": True, "since": data(begun)["since"], "reason": "storm and flood"}
    waits = esc("campaign", "start", NAME, "--wait", "--timeout", "2")
    assert waits.code == 5
    assert "storm and flood. It ends with: escalator freeze end" in waits.err
    shown = data(esc("campaign", "show", NAME, "-f", "json"))
    assert shown["reason"] == "everything is frozen: storm and flood; it ends with escalator freeze end"
    assert {task["state"] for task in shown["tasks"]} == {"pending"}
    assert esc("vnfm", "register", "desk", "--callback-uri", "http://127.0.0.1:9/n", "--vnf", "no-such").code == 0
    assert data(esc("freeze", "end", "-f", "json"))["frozen"] is False
    mine = esc("event", "list", "--campaign", NAME, "--limit", "5000", "-f", "value", "-c", "action").out.split()
    assert [line for line in mine if line.startswith(("freeze.", "vnfm."))] == ["vnfm.register", "freeze.end"]
    ended = esc("campaign", "show", NAME, "--watch", "--timeout", "60", "-f", "json")
    assert (ended.code, data(ended)["state"], data(ended)["reason"]) == (0, "completed", "")
    over = esc("freeze", "end")
    assert over.code == 6
    assert "ESC-UPG-048" in over.err
    lines = esc("event", "list", "--limit", "5000", "-f", "value", "-c", "action").out.split()
    assert [line for line in lines if line.startswith("freeze.")] == ["freeze.begin", "freeze.begin", "freeze.end"]


def test_a_freeze_stands_in_the_header_on_the_way_back_too(esc, tmp_path):
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    assert esc("campaign", "create", file).code == 0
    assert esc("campaign", "plan", NAME).code == 0
    assert esc("campaign", "start", NAME, "--wait", "--timeout", "60").code == 0
    assert esc("freeze", "begin", "--reason", "storm").code == 0
    assert data(esc("campaign", "show", NAME, "-f", "json"))["freeze"] is None  # it is over, and nothing of it waits
    assert esc("campaign", "rollback", NAME).code == 0
    said = "everything is frozen: storm; it ends with escalator freeze end"
    assert said in esc("campaign", "show", NAME).out
    assert esc("campaign", "pause", NAME, "--reason", "late").code == 0
    paused = esc("campaign", "show", NAME).out
    assert (said in paused, "late" in paused) == (True, True)
    assert said in esc("campaign", "show", NAME, "--watch", "--timeout", "1").err
    shown = data(esc("campaign", "show", NAME, "-f", "json"))
    assert (shown["state"], shown["reason"], shown["freeze"]["reason"]) == ("rollback_paused", "late", "storm")
    assert esc("freeze", "end").code == 0
    assert "frozen" not in esc("campaign", "show", NAME).out
