"""Gates of every kind: what goes, what is not yet, what is no, and that what cannot be asked says no."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from escalator.model.brakes import GateEntry
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.vim_interface.gates.command import CommandGate
from escalator.vim_interface.gates.manual import ManualGate
from escalator.vim_interface.gates.port import Gate, Question, Verdict
from escalator.vim_interface.gates.simulated import SimulatedGate
from escalator.world.world import World

ASKED = Question(gate="window", campaign="c", moment="before_node", node="cn-1", wave=2)
EXITS = {"go": 0, "not yet": 75, "no": 70}


def script(folder: Path, text: str) -> str:
    file = folder / "gate"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def by_command(folder: Path, verdict: str, said: str) -> Gate:
    file = script(folder, f"echo first >&2\necho '{said}' >&2\nexit {EXITS[verdict]}")
    return CommandGate(GateEntry(argv=(file,)), os.environ)


def by_world(_: Path, verdict: str, said: str) -> Gate:
    world = World.in_memory(VirtualClock())
    world.gates.put("window", verdict, said)
    return SimulatedGate(world.gates)


@pytest.mark.parametrize("make", [by_command, by_world])
@pytest.mark.parametrize("verdict", [*EXITS])
async def test_a_gate_says_what_it_says_with_its_last_line(
    make: Callable[[Path, str, str], Gate], verdict: str, tmp_path: Path
) -> None:
    gate = make(tmp_path, verdict, "CHG-4711 is open")
    answer = await gate.ask(ASKED)
    assert (answer.verdict, answer.said) == (Verdict(verdict), "CHG-4711 is open")
    assert not gate.manual
    assert gate.retry_s > 0
    assert gate.deadline_s > 0


async def test_a_command_is_told_what_it_is_asked_about_without_a_shell(tmp_path: Path) -> None:
    file = script(tmp_path, f'cat > {tmp_path}/stdin\nprintf "%s|" "$@" > {tmp_path}/argv')
    entry = GateEntry(argv=(file, "{campaign}", "{node} and {wave}", "{moment}", "$(id)"))
    assert (await CommandGate(entry, os.environ).ask(ASKED)).verdict is Verdict.GO
    assert (tmp_path / "argv").read_text() == "c|cn-1 and 2|before_node|$(id)|"
    given = json.loads((tmp_path / "stdin").read_text())
    assert given == {"gate": "window", "campaign": "c", "moment": "before_node", "node": "cn-1", "wave": 2}


async def test_a_command_sees_the_variables_it_names_and_no_others(tmp_path: Path) -> None:
    file = script(tmp_path, f"env > {tmp_path}/env")
    environment = {"PATH": os.environ["PATH"], "CHANGE_URL": "https://itsm", "DATABASE_PASSWORD": "secret"}
    await CommandGate(GateEntry(argv=(file,), environment=("CHANGE_URL", "MISSING")), environment).ask(ASKED)
    seen = (tmp_path / "env").read_text()
    assert "CHANGE_URL=https://itsm" in seen
    assert "secret" not in seen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 1", "it ended with 1"),
        ("exit 99", "it ended with 99"),
        ("kill -9 $$", "it ended with -9"),
        ("exec sleep 30", "it did not answer within 0.3 s"),
        ("echo out; exit 70", "out"),
    ],
)
async def test_anything_else_is_no(text: str, said: str, tmp_path: Path) -> None:
    entry = GateEntry(argv=(script(tmp_path, text),), timeout_s=0.3 if "sleep" in text else 30.0)
    answer = await CommandGate(entry, os.environ).ask(ASKED)
    assert (answer.verdict, answer.said) == (Verdict.NO, said)


@pytest.mark.parametrize("program", ["/nonexistent/gate", "no-such-program-anywhere"])
async def test_a_command_that_is_not_there_says_no(program: str) -> None:
    answer = await CommandGate(GateEntry(argv=(program,)), os.environ).ask(ASKED)
    assert (answer.verdict, answer.said) == (Verdict.NO, f"its command is not there: {program}")


async def test_what_it_says_is_bounded_and_harmless(tmp_path: Path) -> None:
    file = script(tmp_path, "printf '\\033[2Jred alert' >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; exit 70")
    answer = await CommandGate(GateEntry(argv=(file,)), os.environ).ask(ASKED)
    assert answer.verdict is Verdict.NO
    assert len(answer.said) <= 300
    assert "\033" not in answer.said


async def test_a_name_cannot_become_an_option(tmp_path: Path) -> None:
    gate = CommandGate(GateEntry(argv=(script(tmp_path, "exit 0"), "{node}")), os.environ)
    answer = await gate.ask(Question(gate="window", campaign="c", moment="before_node", node="--force"))
    assert answer.verdict is Verdict.NO


async def test_a_manual_gate_is_never_open_by_itself() -> None:
    gate: Gate = ManualGate()
    assert gate.manual
    assert (await gate.ask(ASKED)).verdict is Verdict.NO
