"""What ended before its end is taken up again, whatever happens between the asking for that and the answer."""

from __future__ import annotations

import asyncio

import pytest
from dbos import DBOS
from sqlalchemy.exc import OperationalError

from escalator.upgrade_manager.engine.runtimes.dbos import _Lives


async def _begins(lives: _Lives, *, ends: bool) -> None:
    """The workflow begins here, and may end again because the database does not answer."""
    over = asyncio.Event()

    async def run() -> None:
        await over.wait()
        raise OperationalError("SELECT 1", {}, ConnectionError("the server closed the connection"))

    task = asyncio.get_running_loop().create_task(run())
    lives.begun("w", task)
    if ends:
        over.set()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("ends", [True, False])
async def test_what_begins_before_the_answer_is_here(monkeypatch: pytest.MonkeyPatch, *, ends: bool, answers: bool) -> None:
    lives = _Lives(None, ended={"w"})

    async def resume(_: str) -> None:
        await _begins(lives, ends=ends)
        if not answers:
            raise OperationalError("COMMIT", {}, ConnectionError("the server closed the connection"))

    monkeypatch.setattr(DBOS, "resume_workflow_async", resume)
    if answers:
        await lives._take_up()
    else:
        with pytest.raises(OperationalError):
            await lives._take_up()
    # One that runs is not begun a second time beside itself; one that has ended is not forgotten.
    assert lives.ended == ({"w"} if ends else set())
    for task in lives.running.values():
        task.cancel()


async def test_what_could_not_be_asked_for_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lives = _Lives(None, ended={"w"})

    async def resume(_: str) -> None:
        raise OperationalError("UPDATE", {}, ConnectionError("no route to host"))

    monkeypatch.setattr(DBOS, "resume_workflow_async", resume)
    with pytest.raises(OperationalError):
        await lives._take_up()
    assert lives.ended == {"w"}
