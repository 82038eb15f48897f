"""A registration that was made is told as made, whatever fails after it."""

from __future__ import annotations

import json

import pytest

from unit.cli.listening import Quiet, listening
from unit.cli.terminal import run

VNFM = {
    "name": "acme",
    "spec": {
        "dialect": "vi-vnfm", "callback_uri": "http://127.0.0.1:9/n", "projects": ["p1"], "vnfs": [], "instances": [],
        "subscription": {"type": "none"},
    },
}  # fmt: skip
PROBLEM = {"code": "ESC-CLD-002", "detail": "The cloud refuses this.", "status": 502}


def registering(status: int, answer: object):
    """A server that takes a registration or its change, and answers so when it is asked what that is about."""

    class Handler(Quiet):
        def do_POST(self):  # noqa: N802 - the handler's name for it
            self.rfile.read(int(self.headers["Content-Length"]))
            self.say(201, json.dumps(VNFM).encode())

        do_PATCH = do_POST  # noqa: N815 - the handler's name for it

        def do_GET(self):  # noqa: N802 - as above
            self.say(status, json.dumps(answer).encode())

    return listening(Handler)


@pytest.mark.parametrize("verb", ["register", "set"])
@pytest.mark.parametrize(("status", "answer"), [(502, PROBLEM), (401, {**PROBLEM, "status": 401}), (500, "no problem document")])
def test_what_fails_after_the_registration_is_no_failure_of_it(tmp_path, verb, status, answer):
    with registering(status, answer) as url:
        seen = run(
            "vnfm", verb, "acme", "--project", "p1", "--callback-uri", "http://127.0.0.1:9/n", "-f", "json",
            environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)},
        )  # fmt: skip
    assert (seen.code, json.loads(seen.out)["name"]) == (0, "acme"), seen.err
    assert "For how many instances it speaks cannot be told now (ESC-" in seen.err
    assert "Ask again: escalator vnfm show acme\n" in seen.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"remedy": "It has to subscribe."}, "What to do: It has to subscribe.\n"),
        ({}, "escalator vnfm set acme --callback-uri URI"),
    ],
)
def test_what_a_test_says_to_do_goes_before_what_the_code_says(tmp_path, more, said):
    class Testing(Quiet):
        def do_POST(self):  # noqa: N802 - the handler's name for it
            self.say(200, json.dumps({"vnfm": "acme", "ok": False, "code": "ESC-VIM-003", "message": "", **more}).encode())

    with listening(Testing) as url:
        seen = run("vnfm", "test", "acme", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert seen.code == 1
    assert said in seen.err
    assert "Remedy" not in seen.out
