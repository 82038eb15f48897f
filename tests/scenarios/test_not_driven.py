"""The engine does not take a campaign's workflow: the campaign says that nobody drives it, and a person's word starts it."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

PLANNED = """
world nodes=4 seed=1
campaign agent
plan agent
"""


def _refuse(stage: Stage, course: str) -> None:
    """The next start of that course fails, as if the database of workflows did not answer."""
    engine = stage.sim.ctx.launcher
    start, left = engine.start, [course]

    async def refusing(which: str, workflow_id: str, arguments: object) -> None:
        if which in left:
            left.remove(which)
            raise TemporaryError(Code.UPG_NOT_DRIVEN, f"The database of workflows did not take {workflow_id}: it is locked")
        await start(which, workflow_id, arguments)  # type: ignore[arg-type]

    engine.start = refusing  # type: ignore[method-assign]


async def _played(before: str, course: str, script: str) -> tuple[list[str], list[str]]:
    async with staged() as stage:
        await stage.play(before)
        _refuse(stage, course)
        await stage.play(script)
        return [line.strip() for line in stage.lines], list(await stage.invariants())


def test_a_campaign_that_nobody_drives_is_suspended_and_goes_on_when_it_is_resumed() -> None:
    lines, broken = virtual_time.run(_played(PLANNED, "campaign", "start agent\nshow agent\nresume agent\nrun agent\nshow agent"))
    refused = next(line for line in lines if line.startswith("! exit"))
    assert "ESC-UPG-050" in refused
    assert refused.endswith("escalator campaign resume agent")
    assert next(line for line in lines if line.startswith("agent suspended")).startswith("agent suspended 0/4 ESC-UPG-050 ")
    assert "next: escalator campaign resume agent" in lines
    assert "agent completed 4/4" in lines
    assert broken == []


def test_one_that_is_aborted_instead_ends() -> None:
    lines, broken = virtual_time.run(_played(PLANNED, "campaign", "start agent\nabort agent\nrun agent\nshow agent"))
    assert any(line.startswith("agent aborted 4/4") for line in lines)
    assert broken == []


def test_a_way_back_that_nobody_drives_is_paused_and_goes_on_when_it_is_resumed() -> None:
    before = f"{PLANNED}start agent\nrun agent"
    script = "rollback agent\nshow agent\nresume agent\nrun agent\nshow agent"
    lines, broken = virtual_time.run(_played(before, "rollback", script))
    assert any(line.startswith("agent rollback_paused") and "ESC-UPG-050" in line for line in lines)
    assert any(line.startswith("agent rolled_back") for line in lines)
    assert broken == []


async def _keys_after_refusals() -> list[str]:
    """What another site is told that asks for the campaign's key once a resume was refused, too."""
    async with staged() as stage:
        await stage.play(PLANNED.replace("campaign agent", 'campaign agent exclusive=["core"]'))
        _refuse(stage, "campaign")
        await stage.play("start agent")
        _refuse(stage, "campaign")
        await stage.play("resume agent\nlock core tampere 60")
        return [line.strip() for line in stage.lines]


def test_a_campaign_that_nobody_drives_keeps_no_key_from_others() -> None:
    lines = virtual_time.run(_keys_after_refusals())
    assert sum("ESC-UPG-050" in line for line in lines if line.startswith("! exit")) == 2
    assert lines[-1] == "tampere has core"
