from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from escalator.cli.app import EscalatorApp
from escalator.cli.commands import COMMANDS, command_manager
from unit.cli.terminal import no_server, run

SOURCE = Path(__file__).parents[3] / "src"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_what_each_argument_means(name):
    factory = dict(command_manager())[name].load()
    command = factory(EscalatorApp({}, no_server), None, cmd_name=name)
    parser = command.get_parser(f"escalator {name}")
    assert command.get_description().endswith(".")
    for action in parser._actions:
        assert action.help, action.dest


def test_help_lists_every_command(capsys):
    seen = run("--help")
    assert seen.code == 0
    for name in COMMANDS:
        assert f"  {name} " in seen.out


def test_no_command_at_all_is_a_mistake_that_help_answers():
    seen = run()
    assert (seen.code, seen.out) == (2, "")
    assert "campaign plan" in seen.err


def test_the_help_of_one_command_is_printed_either_way(capsys):
    assert run("help", "campaign", "start").code == 0
    first = capsys.readouterr().out
    assert run("campaign", "start", "--help").code == 0
    assert capsys.readouterr().out == first
    assert "--accept-drift" in first


@pytest.mark.parametrize(
    ("words", "hint"),
    [(["campain", "list"], "campaign list"), (["campaign", "strat"], "campaign start"), (["xyzzy"], "escalator")],
)
def test_a_mistyped_command_gets_a_hint_on_standard_error(words, hint):
    seen = run(*words)
    assert (seen.code, seen.out) == (2, "")
    assert hint in seen.err


@pytest.mark.parametrize(
    "words",
    [
        ["campaign", "show"],
        ["campaign", "start", "x", "--timeout", "-1"],
        ["campaign", "start", "x", "--timeout", "nan"],
        ["campaign", "list", "-f", "xml"],
        ["plan", "--inventory", "x"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_ends_with_2_and_prints_no_result(words, capsys):
    seen = run(*words)
    assert (seen.code, seen.out) == (2, "")
    said = seen.err + capsys.readouterr().err
    assert said.startswith(("usage: escalator", "escalator "))
    assert words[0] == "--nonsense" or len(said.splitlines()) == 2, "what is wrong, and where to read more"


def test_a_noun_alone_is_told_what_it_can_do_and_a_verb_of_another_noun_where_it_is():
    alone = run("campaign")
    assert alone.code == 2
    assert alone.err.startswith("escalator: campaign needs to be told what to do:")
    assert "  escalator campaign show" in alone.err
    wrong = run("campaign", "retry", "x")
    assert "Did you mean:\n  escalator node retry" in wrong.err
    assert "escalator campaign" not in wrong.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["campagin", "list"], ["campaign list"]),
        (["campagin", "lst"], ["campaign list"]),
        (["campagin", "stat"], ["campaign start"]),
        (["campagin"], ["campaign"]),
    ],
)
def test_a_misspelt_noun_is_answered_with_a_few_commands_and_the_one_that_was_meant(words, said):
    seen = run(*words)
    hints = re.findall(r"^  escalator (.+)$", seen.err, re.MULTILINE)
    assert (seen.code, len(hints) <= 4) == (2, True), hints
    assert hints[0].startswith(said[0])


def test_a_document_may_come_on_standard_input(monkeypatch):
    text = b"apiVersion: escalator/v1\nkind: Campaign\nmetadata: {name: c1}\n"
    text += b"spec: {release: agent/2.0.0, mode: smooth, scope: {select: {role: compute}}}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    seen = run("campaign", "validate", "-", "-f", "json")
    assert (seen.code, '"valid": true' in seen.out) == (0, True), seen


def test_a_release_has_a_name_and_a_version():
    seen = run("release", "show", "nfvi-agent")
    assert seen.code == 2
    assert "NAME/VERSION" in seen.err


def test_offline_commands_load_neither_the_http_client_nor_the_server():
    code = (
        "import sys; from escalator.main import main; main(['campaign', 'validate', '/nonexistent']); "
        "sys.exit(any(m in sys.modules for m in ('httpx', 'fastapi', 'uvicorn', 'openstack', 'asyncssh', 'dbos', 'sqlalchemy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("words", [(), ("-f", "json"), ("-f", "yaml")])
def test_settings_of_a_file_are_shown_without_the_password_of_the_database(tmp_path, words):
    (tmp_path / "settings.yaml").write_text("database: {url: 'postgresql://escalator:hush-hush@db.example/escalator'}\n")
    seen = run("config", "show", "--config", str(tmp_path / "settings.yaml"), *words)
    assert seen.code == 0
    assert "postgresql://escalator:***@db.example/escalator" in seen.out
    assert "hush-hush" not in seen.out + seen.err


@pytest.mark.parametrize("noun", ["event", "notice"])
@pytest.mark.parametrize("number", ["-3", "5001", "many"])
def test_a_limit_that_no_server_gives_is_told_by_its_own_name(noun, number, capsys):
    seen = run(noun, "list", "--limit", number)
    assert (seen.code, seen.out) == (2, "")
    said = seen.err + capsys.readouterr().err
    assert "argument --limit: " in said
    assert "query" not in said
