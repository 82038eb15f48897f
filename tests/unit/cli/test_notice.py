"""Answering a notice from the command line: what an answer leaves open is said."""

from __future__ import annotations

import json

import pytest

from unit.cli.listening import Quiet, listening
from unit.cli.terminal import run

RESOURCES = [
    {"resource_id": "vm-1", "resource_name": None, "planned_action": "live"},
    {"resource_id": "vm-2", "resource_name": None, "planned_action": "in-place"},
    {"resource_id": "vm-3", "resource_name": None, "planned_action": "stop-start"},
    {"resource_id": "vm-4", "resource_name": None, "planned_action": "offline"},
]
NOTICE = {"id": "n1", "campaign": "c1", "node": "cn-1", "state": "answered", "result": "ACK"}


class Answering(Quiet):
    def do_GET(self):  # noqa: N802 - the handler's name for it
        self.say(200, json.dumps({**NOTICE, "resources": RESOURCES}).encode())

    def do_POST(self):  # noqa: N802 - as above
        self.rfile.read(int(self.headers["Content-Length"]))
        self.say(202, json.dumps(NOTICE).encode())


def replied(tmp_path, *words):
    with listening(Answering) as url:
        environment = {"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)}
        seen = run("notice", "reply", "n1", *words, "-f", "json", environment=environment)
    assert (seen.code, json.loads(seen.out)["id"]) == (0, "n1"), seen.err
    return seen.err


@pytest.mark.parametrize("words", [(), ("--instance", "vm-1=LIVE_MIGRATE")])
def test_a_yes_that_leaves_out_what_does_not_move_live_is_told_so(tmp_path, words):
    err = replied(tmp_path, "--result", "ACK", *words)
    assert err.startswith("Warning: this ACK says nothing about vm-2 (in-place), vm-3 (stop-start), so it does not allow that")
    assert "--all MOVED or --all KEEP" in err
    assert "escalator node retry c1 cn-1 asks again" in err


@pytest.mark.parametrize(
    "words",
    [
        ("--result", "ACK", "--all", "MOVED"),
        ("--result", "ACK", "--instance", "vm-2=KEEP", "--instance", "vm-3=MOVED"),
        ("--result", "NACK"),
        ("--result", "DEFER", "--until", "2026-01-31T01:30:00Z"),
    ],
)
def test_who_leaves_nothing_open_is_told_nothing(tmp_path, words):
    assert replied(tmp_path, *words) == ""


def test_the_notices_of_a_campaign_that_is_not_there_are_not_none(tmp_path):
    class Nobody(Quiet):
        def do_GET(self):  # noqa: N802 - the handler's name for it
            if self.path.startswith("/v1/campaigns/"):
                gone = {"status": 404, "code": "ESC-UPG-001", "detail": "There is no campaign 'nope'.", "exit_code": 2}
                self.say(404, json.dumps(gone).encode(), "application/problem+json")
            else:
                self.say(200, b"[]")

    with listening(Nobody) as url:
        environment = {"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)}
        seen = run("notice", "list", "--campaign", "nope", environment=environment)
        every = run("notice", "list", environment=environment)
    assert (seen.code, seen.err.partition("\n")[0]) == (2, "ESC-UPG-001: There is no campaign 'nope'.")
    assert (every.code, every.err) == (0, "No notices were sent.\n")


def test_the_list_of_several_nights_has_dates(tmp_path):
    times = {"created_at": "2026-11-30T10:12:28.500Z", "reply_by": "2026-12-01T10:17:28Z", "answered_at": None}
    row = {**NOTICE, **times, "type": "maintenance", "vnfm": "v", "state": "delivered", "instances": 1, "message": ""}

    class Listing(Quiet):
        def do_GET(self):  # noqa: N802 - the handler's name for it
            self.say(200, json.dumps([row]).encode())

    with listening(Listing) as url:
        seen = run("notice", "list", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert seen.code == 0, seen.err
    assert "2026-11-30 10:12:28Z" in seen.out
    assert "2026-12-01 10:17:28Z" in seen.out
