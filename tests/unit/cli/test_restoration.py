"""The list of what is not put back: what it warns of stands below it, once."""

from __future__ import annotations

import json

import pytest

from unit.cli.listening import Quiet, listening
from unit.cli.terminal import run

WARNING = "# WARNING: the software of this node may be neither the old nor the new one: " + "look at the node first, " * 10
ENABLE = "# only then: openstack compute service set --enable cn-0001 nova-compute"


def entry(node, kind, *commands):
    found = {"enabled": True, "forced_down": False, "node": node, "reason": None, "up": True}
    about = {"id": f"c/{node}/{kind}", "campaign": "c", "kind": kind, "object_id": node, "node": node, "found": found}
    return {**about, "commands": commands, "created_at": "2026-11-30T11:00:00Z"}


ROWS = [
    entry("cn-0001", "cordon", WARNING, ENABLE),
    entry("cn-0001", "instance-stopped", WARNING, "# only then: openstack server start vm-1"),
    entry("cn-0002", "cordon", "# WARNING: another", ENABLE),
]


class Answering(Quiet):
    def do_GET(self):  # noqa: N802 - the handler's name for it
        self.say(200, json.dumps(ROWS).encode())


@pytest.fixture
def listed(tmp_path):
    with listening(Answering) as url:
        environment = {"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)}
        yield lambda *words: run("restoration", "list", *words, environment=environment)


def test_a_warning_stands_once_below_the_rows_that_it_is_about(listed):
    seen = listed()
    table, _, below = seen.out.rpartition("+\n")
    assert [table.count(f"# WARNING {number} ") for number in (1, 2)] == [2, 1]
    assert "neither the old nor the new" not in table
    assert "| enabled=True, forced_down=False, up=True |" in table
    assert max(map(len, seen.out.splitlines())) < 190
    assert " ".join(below.split()).startswith("WARNING 1: the software of this node may be neither the old nor the new one: look")
    assert below.splitlines()[-1] == "WARNING 2: another"


def test_what_is_below_is_as_narrow_as_the_screen(listed):
    assert max(map(len, listed("--max-width", "100").out.splitlines())) <= 100


def test_programs_get_the_commands_as_they_are(listed):
    seen = listed("-f", "json")
    assert [row["commands"] for row in json.loads(seen.out)] == [list(row["commands"]) for row in ROWS]
