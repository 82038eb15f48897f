"""One run of a playbook, from the events that ansible-runner tells: lines, exit codes, and what is not told."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from escalator.clocks import SystemClock
from escalator.system_support.ansible import play

NODE = "cn-1"


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": NODE, "task": "install", **data}}


def task(name: str) -> dict[str, Any]:
    return event("playbook_on_task_start", name=name)


def stats(**data: Any) -> dict[str, Any]:
    return event("playbook_on_stats", **data)


def run(*events: Mapping[str, Any], code: int, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    made = play.Run(NODE)
    for one in events:
        made.take(one)
    ended = made.end(code)
    return ended, capsys.readouterr().out.splitlines()


def test_a_run_is_told_task_by_task(capsys: pytest.CaptureFixture[str]) -> None:
    ok = event("runner_on_ok", res={"changed": True, "stdout": "much output"}, duration=1.25)
    code, lines = run(task("install"), ok, task("other"), event("runner_on_skipped"), code=0, capsys=capsys)
    assert (code, lines) == (
        0,
        ["task 1: install", "task 1: changed after 1.2 s", "task 2: other", "task 2: not needed", "done: 2 tasks"],
    )


def test_a_failed_task_is_named_with_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    bad = event("runner_on_failed", res={"msg": "non-zero return code", "stderr": "dpkg: error"})
    code, lines = run(task("install"), bad, code=2, capsys=capsys)
    assert (code, lines[-1]) == (2, "failed: 'install': non-zero return code; dpkg: error")


def test_the_failing_item_of_a_loop_is_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"failed": False, "msg": ""}, {"failed": True, "msg": "this one"}]
    _, lines = run(task("x"), event("runner_on_failed", res={"results": items}), code=2, capsys=capsys)
    assert lines[-1] == "failed: 'install': this one"


@pytest.mark.parametrize("result", [{"censored": "hidden"}, {"_ansible_no_log": True, "msg": "s3cret"}])
def test_a_task_that_says_no_log_tells_nothing(result: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = run(task("x"), event("runner_on_failed", res=result | {"stderr": "s3cret"}), code=2, capsys=capsys)
    assert lines[-1] == "failed: 'install': its output is hidden (no_log)"


def test_a_failure_that_is_ignored_is_no_cause(capsys: pytest.CaptureFixture[str]) -> None:
    ignored = event("runner_on_failed", res={"msg": "first"}, ignore_errors=True)
    code, lines = run(task("x"), ignored, code=0, capsys=capsys)
    assert (code, lines[1]) == (0, "task 1: failed and ignored: first")


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("Connection timed out", play.EXIT_UNREACHABLE),
        ("Host key verification failed.", 77),
        ("Permission denied (publickey)", 77),
    ],
)
def test_a_node_that_does_not_answer_is_worth_another_try_unless_it_refuses(
    why: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, lines = run(task("x"), event("runner_on_unreachable", res={"msg": why}), code=4, capsys=capsys)
    assert ended == code
    assert why.rstrip(".") in lines[-1]


def test_a_play_for_other_hosts_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = event("runner_on_ok", host="localhost", res={})
    code, lines = run(task("x"), elsewhere, code=0, capsys=capsys)
    assert code == play.EXIT_NO_TASK
    assert "no task of the playbook was for cn-1" in lines[-1]


def test_lines_are_bounded_and_the_last_words_come_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "MAX_LINES", 3)
    many = [task("n" * 1000) for _ in range(10)]
    _, lines = run(*many, event("runner_on_failed", res={"msg": "m" * 5000}), code=2, capsys=capsys)
    assert len(lines) == 5
    assert lines[3] == "more lines are left out"
    assert lines[4].startswith("failed: 'install': mmm")
    assert max(map(len, lines)) <= play.MAX_LINE


RUNNER = """#!{python}
import json, os, signal, sys, time
folder = sys.argv[2]
def say(kind, **data):
    print(json.dumps({{"event": kind, "event_data": {{"host": "cn-1", **data}}}}), flush=True)
say("playbook_on_task_start", name="look")
open({seen!r}, "w").write(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ),
                                      "mode": oct(os.stat(folder).st_mode)}}))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(254))
time.sleep({sleep})
say("runner_on_ok", res={{}})
say("playbook_on_stats", artifact_data={{"escalator": {{"boot_id": "b"}}}})
"""


def prepared(folder: Path, sleep_s: float = 0.0) -> Path:
    """An operation's folder with a stand-in for ansible-runner; returns what it notes about its surroundings."""
    seen = folder / "seen.json"
    runner = folder / "ansible-runner"
    runner.write_text(RUNNER.format(python=sys.executable, seen=str(seen), sleep=sleep_s))
    runner.chmod(0o755)
    (folder / "run/project").mkdir(parents=True)
    (folder / "run").chmod(0o700)
    order = {"node": NODE, "playbook": "up.yml", "runner": str(runner), "environment": {"ANSIBLE_VAULT_PASSWORD_FILE": "/v"}}
    (folder / "run/play.json").write_text(json.dumps(order))
    return seen


def test_the_program_runs_ansible_runner_with_a_configuration_of_ours_and_tidies_up(tmp_path: Path) -> None:
    seen = prepared(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", play.__file__, str(tmp_path)],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "done: 1 task")
    found = json.loads(seen.read_text())
    assert found["argv"][0] == "run"
    assert found["argv"][-4:] == ["-p", "up.yml", "--limit", NODE]
    assert found["env"]["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert found["env"]["ANSIBLE_VAULT_PASSWORD_FILE"] == "/v"
    assert stat.S_IMODE(int(found["mode"], 8)) == 0o700
    assert json.loads((tmp_path / "told.json").read_text()) == {"boot_id": "b"}
    assert not (tmp_path / "run").exists()
    assert not Path(found["env"]["TMPDIR"]).exists()


async def test_a_run_that_is_ended_tidies_up_as_well(tmp_path: Path) -> None:
    seen = prepared(tmp_path, sleep_s=60.0)
    process = subprocess.Popen(  # noqa: ASYNC220 - a process that is to be told to end
        [sys.executable, "-I", play.__file__, str(tmp_path)],
        env={"PATH": os.defpath},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    while not seen.exists() or not seen.read_text().endswith("}"):
        await SystemClock().sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 254
    assert said.decode().splitlines()[-1].startswith("failed: ")
    assert not (tmp_path / "run").exists()
