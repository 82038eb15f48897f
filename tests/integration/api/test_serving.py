"""`escalator serve` as a process: how it begins, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from escalator.serving import FILES, allow_files
from unit.cli.terminal import run

SOURCE = Path(__file__).parents[3] / "src"
START_S = 60


def configuration(folder: Path, **over) -> Path:
    ports = {name: {"port": 0} for name in ("server", "repository", "vnfm")}
    settings = {"state_dir": str(folder / "state"), "cloud": {"driver": "simulated", "simulated": {"nodes": 2}}, **ports, **over}
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


def start(file: Path, **variables: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "escalator.main", "serve", "--config", str(file)]
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "HOME": str(file.parent), **variables}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def serving(file: Path):
    """A server that listens, and where."""
    process = start(file)
    try:
        urls: dict[str, str] = {}
        while len(urls) < 3:
            line = process.stderr.readline()
            assert line, f"the server ended with {process.wait()}"
            said = json.loads(line)
            if said["event"] == "server.listening":
                urls[said["listener"]] = f"http://127.0.0.1:{said['port']}"
        yield process, urls
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_serves_and_ends_cleanly_with_a_stream_open(tmp_path, number):
    with serving(configuration(tmp_path)) as (process, urls):
        token = tmp_path / "state" / "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        environment = {"ESCALATOR_URL": urls["server"], "ESCALATOR_TOKEN_FILE": str(token)}
        assert "cn-0002" in run("node", "list", environment=environment).out
        assert httpx.get(f"{urls['server']}/readyz").status_code == 200
        assert httpx.get(f"{urls['repository']}/").status_code == 404
        assert httpx.get(f"{urls['vnfm']}/vi-vnfm/v1/replies/none").status_code == 404
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        with httpx.stream("GET", f"{urls['server']}/v1/events?follow=true", headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            process.send_signal(number)
            assert list(lines)[-1] == "", "the stream ends, it does not break"
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert json.loads(err.splitlines()[-1])["event"] == "server.stopped"
    assert "Traceback" not in err


def test_who_calls_the_wrong_listener_is_told_where_the_right_one_is(tmp_path):
    with serving(configuration(tmp_path)) as (_, urls):
        for name in ("vnfm", "repository"):
            environment = {"ESCALATOR_URL": urls[name], "ESCALATOR_TOKEN_FILE": str(tmp_path / "state" / "token")}
            for words in (("campaign", "list"), ("campaign", "pause", "night"), ("event", "list", "--follow")):
                seen = run(*words, environment=environment)
                assert (seen.code, seen.out) == (2, "")
                assert "server.port of the settings, 8470 unless set: ESCALATOR_URL" in seen.err
        for path in ("/vi-vnfm/v1/subscriptions", "/fenix/v1/maintenance", "/or-vi/v1/subscriptions/x", "/tacker/v2/t/alarms"):
            problem = httpx.post(f"{urls['server']}{path}").json()
            assert (problem["status"], problem["code"]) == (404, "ESC-API-005")
            assert "operators' listener" in problem["detail"]
            assert "vnfm.port" in problem["remedy"]
        assert httpx.get(f"{urls['server']}/v1/campaigns").status_code == 401
        assert httpx.get(f"{urls['vnfm']}/vi-vnfm/v1/subscriptions").status_code == 401


def test_the_history_tells_when_the_server_began_and_ended_and_where_it_was_killed(tmp_path):
    file = configuration(tmp_path)
    for started, number in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGKILL), 1):
        with serving(file) as (process, urls):
            environment = {"ESCALATOR_URL": urls["server"], "ESCALATOR_TOKEN_FILE": str(tmp_path / "state" / "token")}
            told: list[str] = []
            # The listeners are announced a moment before the start is written down.
            for _ in range(50):
                if told.count("server.start") == started:
                    break
                told = run("event", "list", "-f", "value", "-c", "action", environment=environment).out.split()
            process.send_signal(number)
            process.wait(timeout=30)
    assert [one for one in told if one.startswith("server.")] == ["server.start", "server.stop", "server.start", "server.start"]


def test_the_interface_of_fenix_is_there_when_it_is_switched_on(tmp_path):
    with serving(configuration(tmp_path)) as (_, urls):
        assert httpx.get(f"{urls['vnfm']}/fenix/v1/maintenance/none").status_code == 404
        assert httpx.put(f"{urls['vnfm']}/fenix/v1/instance/vm", json={"project_id": "p"}).status_code == 404
    with serving(configuration(tmp_path, vim={"fenix": {"auth": "none"}})) as (_, urls):
        unknown = httpx.put(f"{urls['vnfm']}/fenix/v1/instance/vm", json={"project_id": "p", "lead_time": 40})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "ESC-VIM-001")
        foreign = httpx.put(f"{urls['vnfm']}/fenix/v1/instance/vm-000001", json={"project_id": "p", "lead_time": 40})
        assert (foreign.status_code, foreign.json()["code"]) == (403, "ESC-VIM-011")
        group = {"project_id": "p", "recovery_time": 60}
        assert httpx.put(f"{urls['vnfm']}/fenix/v1/instance_group/g", json=group).status_code == 200
        environment = {"ESCALATOR_URL": urls["server"], "ESCALATOR_TOKEN_FILE": str(tmp_path / "state" / "token")}
        (declared,) = json.loads(run("constraint", "list", "-f", "json", environment=environment).out)
        assert declared["spec"] == {"min_recovery_time_between_impacts": 60.0, "declared_by": "p"}


def test_the_interface_for_tacker_is_there_when_it_is_switched_on(tmp_path):
    alarm = {"fault_action": "http://127.0.0.1:9//server_notification/x/notify", "fault_id": ["1111"]}
    with serving(configuration(tmp_path)) as (_, urls):
        assert httpx.post(f"{urls['vnfm']}/tacker/v2/core/servers/vm-000001/alarms", json=alarm).status_code == 404
    key = tmp_path / "state" / "credentials" / "tacker-key"
    key.parent.mkdir()
    key.touch(0o600)
    key.write_text("0123456789abcdef")
    with serving(configuration(tmp_path, vim={"tacker": {"auth": "key"}})) as (_, urls):
        environment = {"ESCALATOR_URL": urls["server"], "ESCALATOR_TOKEN_FILE": str(tmp_path / "state" / "token")}
        words = ("--dialect", "tacker", "--callback-uri", "http://127.0.0.1:9", "--project", "p", "--key", "tacker-key")
        assert run("vnfm", "register", "tacker", *words, environment=environment).code == 0
        assert httpx.post(f"{urls['vnfm']}/tacker/v2/p/servers/vm-1/alarms", json=alarm).status_code == 401
        made = httpx.post(f"{urls['vnfm']}/tacker/0123456789abcdef/v2/p/servers/vm-1/alarms", json=alarm)
        assert (made.status_code, made.json() | {"alarm_id": ""}) == (201, alarm | {"alarm_id": ""})


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (
            {"vim": {"fenix": {"auth": "none"}}, "vnfm": {"host": "0.0.0.0", "port": 0}},
            "whoever reaches it could constrain any VNF",
        ),
        ({"vim": {"fenix": {"auth": "keystone"}}}, "a simulated cloud has no Keystone"),
        (
            {"vim": {"tacker": {"auth": "none"}}, "vnfm": {"host": "0.0.0.0", "port": 0}},
            "whoever reaches it could answer for any VNF",
        ),
        ({"vim": {"tacker": {"auth": "keystone"}}}, "vim.tacker.auth: a simulated cloud has no Keystone"),
        ({"vim": {"commands": {"core": {"argv": []}}}}, "vim.commands.core.argv"),
    ],
)
def test_the_interfaces_of_vnf_managers_are_not_left_open(tmp_path, over, said):
    process = start(configuration(tmp_path, **over))
    _, err = process.communicate(timeout=START_S)
    assert process.returncode == 2
    assert said in err


def test_a_second_server_on_the_same_state_directory_is_refused(tmp_path):
    file = configuration(tmp_path)
    with serving(file):
        second = start(file)
        out, err = second.communicate(timeout=START_S)
    assert (second.returncode, out) == (6, "")
    assert "ESC-STO-003" in err


def test_a_state_directory_that_cannot_be_used_is_a_clear_error(tmp_path):
    (tmp_path / "state").write_text("a file")
    out, err = start(configuration(tmp_path)).communicate(timeout=START_S)
    assert "Traceback" not in err
    assert f"ESC-STO-004: The state directory {tmp_path / 'state'} cannot be used" in err
    assert out == ""


def test_a_server_starts_on_no_other_database_than_the_sheets_and_without_it_once_that_is_moved_aside(tmp_path):
    file, state = configuration(tmp_path), tmp_path / "state"
    state.mkdir()
    sheet, aside = state / "break-glass.txt", state / "break-glass-lost.txt"
    named = "cordon of cn-0001 on cn-0001 by campaign night"
    sheet.write_text(f"# {named} since 2026-11-30T10:00:00Z; found: enabled=True\ntrue\n")
    process = start(file)
    out, err = process.communicate(timeout=START_S)
    assert (process.returncode, out) == (1, "")
    assert f"ESC-STO-005: The database {state / 'escalator.sqlite'} is not there, but {sheet} names 1 change" in err
    assert f"mv {sheet} {aside}" in err
    assert named in sheet.read_text()
    assert not (state / "escalator.sqlite").exists()
    sheet.rename(aside)
    with serving(file) as (_, urls):
        environment = {"ESCALATOR_URL": urls["server"], "ESCALATOR_TOKEN_FILE": str(state / "token")}
        (shown,) = json.loads(run("restoration", "list", "-f", "json", environment=environment).out)
        events = run("event", "list", "-f", "value", "-c", "action", environment=environment).out.split()
    assert (shown["kind"], shown["object_id"], named in shown["commands"][0]) == ("earlier-sheet", aside.name, True)
    assert "sheet.kept" in events
    assert f"# WARNING: {aside.name} beside this file is an earlier sheet" in sheet.read_text()


def test_which_state_directory_is_used_is_told_and_where_two_are_named(tmp_path):
    file = configuration(tmp_path)
    (tmp_path / "other").write_text("a file, so that the server ends")
    told = {}
    for name, variables in (("file", {}), ("both", {"ESCALATOR_STATE_DIR": str(tmp_path / "other")})):
        (tmp_path / "state").touch()
        _, err = start(file, **variables).communicate(timeout=START_S)
        told[name] = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    (by_file,) = told["file"]
    assert (by_file["event"], by_file["state_dir"], by_file["given_by"]) == ("server.state", str(tmp_path / "state"), str(file))
    by_variable, warning = told["both"]
    assert (by_variable["state_dir"], by_variable["given_by"]) == (str(tmp_path / "other"), "variable ESCALATOR_STATE_DIR")
    assert (warning["level"], warning["event"]) == ("warning", "server.state_differs")
    assert f"{file} says {tmp_path / 'state'}, which is not used" in warning["message"]


def test_an_address_in_use_is_a_clear_error_and_nothing_is_opened(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(configuration(tmp_path, vnfm={"port": port}))
        out, err = process.communicate(timeout=START_S)
    assert (process.returncode, out) == (6, "")
    assert f"ESC-API-010: The vnfm listener cannot bind 127.0.0.1 port {port}: Address already in use." in err
    assert "vnfm.port" in err
    assert not (tmp_path / "state").exists()


def test_settings_that_cannot_be_are_told_with_their_lines(tmp_path):
    process = start(configuration(tmp_path, server={"host": "0.0.0.0", "port": 0}, lgo={}))
    out, err = process.communicate(timeout=START_S)
    assert (process.returncode, out) == (2, "")
    assert "ESC-CFG-001" in err
    assert "did you mean 'log'?" in err


def test_a_server_may_open_more_files_than_a_system_begins_with() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        allowed = allow_files()
        assert allowed == resource.getrlimit(resource.RLIMIT_NOFILE)[0] == (FILES if before[1] < 0 else min(FILES, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
