from __future__ import annotations

import json
import socket

import pytest

from unit.cli.listening import Quiet, listening
from unit.cli.terminal import run


def answering(status: int, body: bytes, kind: str = "application/json", seen: list | None = None):
    """Some server that answers everything in one way."""

    class Handler(Quiet):
        def do_GET(self):  # noqa: N802 - the handler's name for it
            if seen is not None:
                seen.append(dict(self.headers))
            self.say(status, body, kind)

    return listening(Handler)


def test_a_server_that_is_not_there_is_said_to_be_not_there_even_without_a_token(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    seen = run("campaign", "list", environment={"ESCALATOR_SERVER__PORT": str(port), "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert (seen.code, seen.out) == (1, "")
    assert f"ESC-API-006: No server answers at http://127.0.0.1:{port}" in seen.err
    assert "escalator serve" in seen.err


@pytest.mark.parametrize(
    ("sheet", "told"),
    [
        ("# Break-glass sheet\n\n# ---- n1\n\n# cordon of n1\nopenstack compute service set --enable n1 nova-compute\n", True),
        ("# Break-glass sheet\n# Nothing: all is as it was found.\n", False),
        (None, False),
    ],
)
def test_where_no_server_answers_the_sheet_is_pointed_at_while_something_stands_on_it(tmp_path, sheet, told):
    if sheet is not None:
        (tmp_path / "break-glass.txt").write_text(sheet)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    seen = run("campaign", "list", environment={"ESCALATOR_SERVER__PORT": str(port), "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert (str(tmp_path / "break-glass.txt") in seen.err) is told


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b""), (204, b""), (404, b"{}"), (500, b"<h1>"), (404, b"[]"), (401, b"")]
)
def test_another_program_at_that_address_is_recognised(tmp_path, status, body):
    with answering(status, body) as url:
        seen = run("campaign", "list", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert (seen.code, seen.out) == (1, "")
    assert "is not Escalator" in seen.err


@pytest.mark.parametrize(
    "url", ["ftp://x", "nonsense", "http://", "http://[::1", "http://127.0.0.1:99999", "http://manager.example:8470"]
)
def test_an_address_that_cannot_be_is_refused_and_so_is_a_token_in_clear_text(tmp_path, url):
    seen = run("campaign", "list", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert (seen.code, seen.out) == (2, "")
    assert seen.err.startswith("ESC-CFG-001")


def test_a_problem_keeps_its_code_its_problems_and_its_exit_code(tmp_path):
    body = b"""{"code": "ESC-NEW-999", "detail": "No.", "remedy": "Wait.", "exit_code": 4,
                "problems": [{"path": "spec.x", "message": "bad", "line": 7}, {"path": "", "message": "worse"}]}"""
    with answering(409, body, "application/problem+json") as url:
        seen = run("campaign", "list", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert (seen.code, seen.out) == (4, "")
    assert seen.err == "ESC-NEW-999: No.\n  - line 7: spec.x: bad\n  - document: worse\nWhat to do: Wait.\n"


def test_a_start_that_is_late_says_so_in_one_line(tmp_path):
    campaign = {
        "name": "c",
        "state": "running",
        "code": "",
        "reason": "",
        "release": "a/1",
        "plan": "p",
        "created_at": "2026-01-01",
    }
    campaign |= {"started_at": "2026-01-01", "ended_at": None, "progress": None, "short_of_time": "It is late."}

    class Handler(Quiet):  # nothing else is answered: whether all is frozen is not known, and the campaign has started
        def do_POST(self):  # noqa: N802 - the handler's name for it
            self.say(202, json.dumps(campaign).encode())

    with listening(Handler) as url:
        seen = run("campaign", "start", "c", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert (seen.code, seen.err.splitlines()[0]) == (0, "ESC-PLN-009: It is late.")


def test_the_token_is_read_from_its_file_and_proxies_are_left_aside(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    (tmp_path / "elsewhere").write_text("s3cret\n")
    heard: list = []
    with answering(200, b"[]", seen=heard) as url:
        environment = {"ESCALATOR_URL": url, "ESCALATOR_TOKEN_FILE": str(tmp_path / "elsewhere")}
        assert run("campaign", "list", environment=environment).code == 0
    assert heard[0]["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "wants a token, and {file} is not there."),
        ("", "wants a token, and {file} holds none."),
        ("wrong", "does not take this token. It was read from {file}."),
    ],
)
def test_a_token_that_is_missing_is_told_from_a_wrong_one(tmp_path, token, said):
    if token is not None:
        (tmp_path / "token").write_text(token)
    refusal = json.dumps({"code": "ESC-API-002", "detail": "The bearer token is missing or wrong."}).encode()
    with answering(401, refusal) as url:
        seen = run("campaign", "list", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert seen.code == 7
    assert seen.err.startswith(f"ESC-API-002: The server at {url} " + said.format(file=tmp_path / "token"))


def test_a_token_that_cannot_be_read_is_a_matter_of_rights(tmp_path):
    (tmp_path / "token").mkdir()
    seen = run("campaign", "list", environment={"ESCALATOR_URL": "http://127.0.0.1:1", "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert seen.code == 7
    assert "ESCALATOR_TOKEN_FILE" in seen.err


@pytest.mark.parametrize("word", [(), ("-f", "value"), ("-f", "csv")])
def test_words_of_others_cannot_steer_the_terminal(tmp_path, word):
    event = {"seq": 1, "at": "2027-01-01T00:00:00Z", "action": "notice.reply", "campaign": "a", "node": "", "object_id": "b"}
    event |= {
        "outcome": "NACK",
        "code": "",
        "step": "",
        "duration_s": None,
        "data": {},
        "message": "\x1b[2J\x9b1m\x07no\r room\x7f",
    }
    with answering(200, json.dumps([event]).encode()) as url:
        seen = run("event", "list", *word, environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert seen.code == 0
    assert "no\ufffd room" in seen.out
    assert not set(map(chr, (0x1B, 0x9B, 7, 0x7F))) & set(seen.out)


@pytest.mark.parametrize(("words", "shown"), [((), "later (by anna)"), (("-f", "csv", "-c", "By"), '"anna"')])
def test_the_history_says_who_asked_for_it_where_a_name_is_known(tmp_path, words, shown):
    event = {"seq": 1, "at": "2027-01-01T00:00:00Z", "action": "node.hold", "campaign": None, "node": "a", "object_id": "a"}
    event |= {"outcome": "done", "code": None, "step": None, "duration_s": None, "data": {}, "message": "later", "by": "anna"}
    with answering(200, json.dumps([event]).encode()) as url:
        seen = run("event", "list", *words, environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert shown in seen.out


def test_words_of_others_in_a_failure_cannot_steer_the_terminal(tmp_path):
    problem = {"code": "ESC-UPG-002", "detail": "\x1b]0;gone\x07", "remedy": "\x1b[1m", "problems": [], "exit_code": 6}
    with answering(409, json.dumps(problem).encode()) as url:
        seen = run("campaign", "list", environment={"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path)})
    assert seen.code == 6
    assert "\x1b" not in seen.err
