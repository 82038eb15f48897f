"""Detached operations: started once, found again, followed to their end."""

from __future__ import annotations

import asyncio

from contract.system_support.harness import Harness, ended
from escalator.model.codes import Code
from escalator.system_support.port import OperationState


async def test_an_upgrade_ends_done_and_every_check_holds(harness: Harness) -> None:
    await harness.driver.stage(harness.node, harness.new)
    await harness.driver.start(harness.node, harness.new, "c/upgrade")
    found = await ended(harness, "c/upgrade")
    assert (found.state, found.exit_code) == (OperationState.DONE, 0)
    checks = await harness.driver.verify(harness.node, harness.new, "c/upgrade")
    assert [check for check in checks if not check.ok] == [] or harness.new.spec.reboot == "always"
    assert checks[0].name == "installer"


async def test_an_operation_that_ended_is_not_started_again(harness: Harness) -> None:
    before = await harness.driver.poll(harness.node, "harness/old")
    await harness.driver.start(harness.node, harness.old, "harness/old")
    assert await harness.driver.poll(harness.node, "harness/old") == before


async def test_an_operation_under_way_is_not_started_again(harness: Harness) -> None:
    await harness.driver.stage(harness.node, harness.new)
    await harness.driver.start(harness.node, harness.new, "c/twice")
    await harness.driver.start(harness.node, harness.new, "c/twice")
    lines = (await ended(harness, "c/twice")).lines
    assert len(lines) == len(set(lines)) > 0


async def test_an_operation_that_several_start_at_once_runs_once(harness: Harness) -> None:
    await harness.driver.stage(harness.node, harness.new)
    drivers = [harness.restarted() for _ in range(4)]
    await asyncio.gather(*(driver.start(harness.node, harness.new, "c/race") for driver in drivers))
    found = await ended(harness, "c/race")
    assert found.state is OperationState.DONE
    assert len(found.lines) == len(set(found.lines)) > 0


async def test_an_operation_that_nobody_started_is_unknown(harness: Harness) -> None:
    found = await harness.driver.poll(harness.node, "c/never")
    assert (found.state, found.exit_code, found.lines, found.cursor) == (OperationState.UNKNOWN, None, (), 0)


async def test_similar_operation_ids_are_different_operations(harness: Harness) -> None:
    assert (await harness.driver.poll(harness.node, "harness_old")).state is OperationState.UNKNOWN
    assert (await harness.driver.poll(harness.node, "harness/../harness/old")).state is OperationState.UNKNOWN


async def test_the_log_is_read_line_by_line_from_the_cursor(harness: Harness) -> None:
    await harness.driver.stage(harness.node, harness.new)
    await harness.driver.start(harness.node, harness.new, "c/log")
    lines: list[str] = []
    cursor, running = 0, True
    while running:
        found = await harness.driver.poll(harness.node, "c/log", cursor)
        running, cursor = found.state is OperationState.RUNNING, found.cursor
        lines.extend(found.lines)
        await harness.lapse()
    whole = await harness.driver.poll(harness.node, "c/log")
    assert lines == list(whole.lines)
    assert len(lines) >= 2
    assert (await harness.driver.poll(harness.node, "c/log", whole.cursor)).lines == ()


async def test_a_restarted_manager_finds_the_operation_again(harness: Harness) -> None:
    await harness.driver.stage(harness.node, harness.new)
    await harness.driver.start(harness.node, harness.new, "c/restart")
    harness.driver = harness.restarted()
    assert (await harness.driver.poll(harness.node, "c/restart")).state is not OperationState.UNKNOWN
    await harness.driver.start(harness.node, harness.new, "c/restart")
    assert (await ended(harness, "c/restart")).state is OperationState.DONE


async def test_a_failing_installer_is_told_by_exit_code_and_check(harness: Harness) -> None:
    await harness.driver.stage(harness.node, harness.bad)
    await harness.driver.start(harness.node, harness.bad, "c/bad")
    found = await ended(harness, "c/bad")
    assert found.state is OperationState.FAILED
    assert found.exit_code not in (None, 0)
    installer = (await harness.driver.verify(harness.node, harness.bad, "c/bad"))[0]
    assert (installer.name, installer.ok, installer.code) == ("installer", False, Code.SYS_INSTALL)


async def test_verify_of_an_operation_that_nobody_started_says_so(harness: Harness) -> None:
    installer = (await harness.driver.verify(harness.node, harness.old, "c/never"))[0]
    assert (installer.ok, installer.code) == (False, Code.SYS_OPERATION)
