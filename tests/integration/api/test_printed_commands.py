"""Commands that messages print can be run as they stand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from integration.api.running import CAMPAIGN, served, write_release
from unit.cli.terminal import run


@pytest.fixture
def esc(tmp_path):
    with served(tmp_path / "state") as server:

        def command(*words):
            return run(*words, environment=server.environment)

        command.environment = server.environment
        yield command


def began(esc, tmp_path, more=""):
    """A campaign that has been started."""
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN + more)
    assert esc("campaign", "create", file).code == 0
    assert esc("campaign", "plan", "agent-2").code == 0
    assert esc("campaign", "start", "agent-2").code == 0


def test_what_to_do_about_a_refused_command_names_what_the_command_named(esc, tmp_path):
    assert esc("vnfm", "register", "duty", "--dialect", "manual", "--contact", "w", "--project", "p").code == 0
    again = esc("vnfm", "register", "duty", "--dialect", "manual", "--contact", "w", "--project", "p")
    assert again.code == 6
    assert "What to do: escalator vnfm set duty changes" in again.err
    began(esc, tmp_path)
    assert "Go on with: escalator campaign resume agent-2\n" in esc("campaign", "pause", "agent-2").err
    assert "NAME" not in esc("campaign", "commit", "agent-2").err


def interrupted(process):
    """What it says at its end; like a person it is interrupted again when the first time came to nothing."""
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=10)[1]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return b""


def test_who_stops_watching_is_told_how_to_see_that_campaign(esc, tmp_path):
    began(esc, tmp_path, "  not_before: 2099-01-01T00:00:00Z\n")
    code = "import sys; from escalator.main import main; sys.exit(main(['campaign', 'show', 'agent-2', '--watch']))"
    environment = {**os.environ, **esc.environment}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as watching:
        assert b"agent-2" in watching.stderr.readline()
        said = interrupted(watching)
    assert watching.returncode == 130
    assert b"See it with: escalator campaign show agent-2\n" in said


def test_a_registration_is_told_what_it_lacks_and_what_comes_next(esc):
    bare = esc("vnfm", "register", "duty", "--dialect", "simulated")
    assert (
        "It speaks for no instance yet, so it is never asked. Say for which with: escalator vnfm set duty --project" in bare.err
    )
    assert "\nSee whether it answers: escalator vnfm test duty\n" in bare.err
    owner = esc("vnfm", "register", "acme", "--vnf", "v", "--callback-uri", "http://127.0.0.1:9/n")
    assert owner.err.splitlines() == [
        "It speaks for 0 instances now.",
        "Nothing in the cloud has: vnf v. Is it spelt right? It counts as soon as something has it.",
        "See whether it answers: escalator vnfm test acme",
    ]


def test_a_vnf_manager_that_does_not_answer_is_told_with_what_to_do(esc):
    assert esc("vnfm", "register", "duty", "--dialect", "manual", "--contact", "w", "--vnf", "v").code == 0
    seen = esc("vnfm", "test", "duty", "-f", "json")
    assert seen.code == 1
    assert "What to do: " in seen.err
    assert "NAME" not in seen.err


def test_a_list_of_some_backups_does_not_say_that_there_are_none(esc):
    assert esc("backup", "list", "--node", "nope").err.startswith("There are no such backups")
    assert esc("backup", "list").err.startswith("There are no backups yet")


@pytest.mark.parametrize(
    "words", [("campaign", "show", "x"), ("campaign", "start", "x"), ("campaign", "rollback", "x"), ("backup", "restore", "x")]
)
def test_a_timeout_without_waiting_is_a_mistake(words):
    seen = run(*words, "--timeout", "5")
    assert (seen.code, seen.out) == (2, "")
    assert "--timeout says how long to wait; it needs --wa" in seen.err
