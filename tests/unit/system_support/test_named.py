"""Commands of the operator's by name: real processes, what they see, how they end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.node_settings import NamedCommand
from escalator.system_support.named import NamedCommands, last_lines
from escalator.system_support.port import Call

CALL = Call(command="it", purpose="test", operation="c/cn-1/1/test-it/p", campaign="c", node="cn-1", release="r/1.0.0")


def commands(tmp_path: Path, script: str, *arguments: str, timeout_s: float = 20.0) -> NamedCommands:
    program = tmp_path / "it"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    entry = NamedCommand(argv=(str(program), *arguments), timeout_s=timeout_s)
    return NamedCommands(
        {"it": entry, "there": entry.model_copy(update={"where": "node"})}, {"PATH": "/usr/bin:/bin", "SECRET": "x"}
    )


async def test_it_is_told_what_it_is_about_and_none_of_our_secrets(tmp_path: Path) -> None:
    more = await commands(tmp_path, 'env >"$1"; echo "$2"', str(tmp_path / "env"), "{release}").run(CALL)
    seen = (tmp_path / "env").read_text().splitlines()
    assert more.lines == ("r/1.0.0",)
    assert {"ESCALATOR_NODE=cn-1", "ESCALATOR_PURPOSE=test", "ESCALATOR_OPERATION=c/cn-1/1/test-it/p"} <= set(seen)
    assert not any("SECRET" in line or "ESCALATOR_WAY" in line for line in seen)
    await commands(tmp_path, 'env >"$1"', str(tmp_path / "env")).run(replace(CALL, way="back"))
    assert "ESCALATOR_WAY=back" in (tmp_path / "env").read_text().splitlines()


async def test_the_exit_code_and_the_last_lines_are_told(tmp_path: Path) -> None:
    ran = await commands(tmp_path, "seq 1 100; printf 'no \\033[31mroute\\n' >&2; exit 3").run(CALL)
    assert (ran.code, ran.said) == (3, "no  [31mroute")
    assert len(ran.lines) == 5


async def test_one_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    made = commands(tmp_path, f"sh -c 'sleep 3; touch {tmp_path}/late' & sleep 60", timeout_s=0.3)
    with pytest.raises(TemporaryError, match="did not end within") as caught:
        await made.run(CALL)
    assert caught.value.code is Code.SYS_COMMAND
    gone = await asyncio.create_subprocess_exec("pgrep", "-f", f"{tmp_path}/late", stdout=asyncio.subprocess.DEVNULL)
    assert await gone.wait() == 1


async def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    made = commands(tmp_path, "true")
    with pytest.raises(PermanentError, match="no command 'other'"):
        await made.run(Call(command="other", purpose="test", operation="o"))
    with pytest.raises(PermanentError, match="is to run on the node"):
        await made.run(Call(command="there", purpose="test", operation="o", node="cn-1"))
    (tmp_path / "it").unlink()
    with pytest.raises(PermanentError, match="is not there"):
        await made.run(CALL)


async def test_no_value_becomes_an_option(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be an argument"):
        await commands(tmp_path, "true", "{node}").run(Call(command="it", purpose="test", operation="o", node="--rm"))


def test_names_and_places_are_known(tmp_path: Path) -> None:
    made = commands(tmp_path, "true")
    assert (made.names, made.knows("it"), made.knows("no")) == (["it", "there"], True, False)
    assert (made.on_node("there"), made.on_node("it"), made.on_node("no")) == (True, False, False)


def test_lines_are_bounded_and_few() -> None:
    assert last_lines("a\n\n" + "b" * 1000 + "\n") == ("a", "b" * 300)
    assert len(last_lines("x\n" * 100)) == 5


async def test_what_is_said_to_it_is_data_and_is_not_there_when_nothing_is(tmp_path: Path) -> None:
    made = commands(tmp_path, 'printf "%s" "${ESCALATOR_METADATA-nothing}" >"$1"', str(tmp_path / "said"))
    for metadata, said in (("", "nothing"), ('{"a":"$(id) `id`; \'x\' \\n"}', '{"a":"$(id) `id`; \'x\' \\n"}')):
        await made.run(replace(CALL, metadata=metadata))
        assert (tmp_path / "said").read_text() == said
