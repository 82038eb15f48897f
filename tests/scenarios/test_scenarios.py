"""Whole campaigns on a simulated cloud: each script in `input` gives the transcript in `expected`.

With ESCALATOR_REWRITE_EXPECTED=1 in the environment the transcripts are written anew; read the difference before you
keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "input").glob("*.txt"))


async def _play(script: str) -> tuple[list[str], list[str]]:
    async with staged() as stage:
        await stage.play(script)
        return stage.lines, list(await stage.invariants())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_gives_the_expected_transcript_and_breaks_nothing(script: Path) -> None:
    lines, broken = virtual_time.run(_play(script.read_text()))
    shown = "\n".join(lines) + "\n"
    expected = HERE / "expected" / script.name
    if os.environ.get("ESCALATOR_REWRITE_EXPECTED"):
        expected.write_text(shown)
    assert broken == []
    assert shown == expected.read_text()


def test_every_transcript_has_a_script() -> None:
    assert {path.name for path in (HERE / "expected").glob("*.txt")} == {path.name for path in SCRIPTS}
    assert len(SCRIPTS) >= 20


def test_a_node_left_out_of_service_is_noticed() -> None:
    async def play() -> list[str]:
        async with staged() as stage:
            await stage.play("world nodes=3 seed=1\ndisable cn-0002")
            return list(await stage.invariants())

    assert any("out of service: ['cn-0002']" in line for line in virtual_time.run(play()))


def test_the_stage_documents_every_command() -> None:
    commands = {name.removeprefix("do_") for name in vars(Stage) if name.startswith("do_")}
    text = __import__("scenarios.stage", fromlist=["__doc__"]).__doc__
    assert [command for command in sorted(commands) if command not in text] == []
