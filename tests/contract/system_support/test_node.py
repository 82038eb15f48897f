"""The node itself: what is seen of it, its backup and the way back, its reboot."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from contract.system_support.harness import Harness, ended
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.system_support.port import OperationState


@pytest.fixture
def seen(harness: Harness) -> Harness:
    if not harness.tells:
        pytest.skip("this driver does not look at nodes")
    return harness


async def test_inspect_tells_what_is_installed_runs_and_is_offered(seen: Harness) -> None:
    facts = await seen.driver.inspect(seen.node, seen.old)
    assert dict(facts.packages) == {pin.name: pin.version for pin in seen.old.spec.packages}
    assert facts.daemon == "1.0.0"
    assert facts.boot_id == await seen.driver.boot_id(seen.node)
    assert facts.boot_id
    assert facts.offers
    assert all(count >= 0 for count in facts.offers.values())


async def test_inspect_tells_the_units_that_run_where_there_are_any(seen: Harness) -> None:
    units = (await seen.driver.inspect(seen.node, seen.old)).units
    assert bool(units) is seen.units
    assert list(units) == sorted(units)
    assert all(unit.endswith(".service") for unit in units)


async def test_staging_changes_nothing_and_can_be_repeated(seen: Harness) -> None:
    before = await seen.driver.inspect(seen.node, seen.new)
    await seen.driver.stage(seen.node, seen.new)
    await seen.driver.stage(seen.node, seen.new)
    assert await seen.driver.inspect(seen.node, seen.new) == before


async def test_a_node_that_does_not_answer_is_a_temporary_error_and_has_no_boot_id(seen: Harness) -> None:
    async with seen.unreachable():
        assert await seen.driver.boot_id(seen.node) is None
        with pytest.raises(TemporaryError) as caught:
            await seen.driver.inspect(seen.node, seen.old)
        assert caught.value.code is Code.SYS_UNREACHABLE
    assert await seen.driver.boot_id(seen.node) is not None


async def test_rollback_puts_the_node_back_on_what_the_backup_holds(harness: Harness) -> None:
    backup = await harness.driver.backup(harness.node, harness.new, "c/backup")
    if "rollback" not in harness.driver.capabilities(harness.new):
        with pytest.raises(PermanentError) as caught:
            await harness.driver.rollback(harness.node, harness.new, backup, "c/back")
        assert caught.value.code is Code.SYS_UNSUPPORTED
        return
    before = await harness.driver.inspect(harness.node, harness.new)
    await harness.driver.stage(harness.node, harness.new)
    await harness.driver.start(harness.node, harness.new, "c/up")
    await ended(harness, "c/up")
    assert not all(check.ok for check in await harness.driver.verify_rollback(harness.node, harness.new, backup))
    await harness.driver.rollback(harness.node, harness.new, backup, "c/back")
    await harness.driver.rollback(harness.node, harness.new, backup, "c/back")
    assert (await ended(harness, "c/back")).state is OperationState.DONE
    checks = await harness.driver.verify_rollback(harness.node, harness.new, backup)
    assert checks
    assert [check for check in checks if not check.ok] == []
    after = await harness.driver.inspect(harness.node, harness.new)
    assert (after.packages, after.daemon) == (before.packages, before.daemon)


async def test_a_forced_rollback_puts_a_broken_node_back_on_what_the_backup_holds(harness: Harness) -> None:
    backup = await harness.driver.backup(harness.node, harness.new, "c/backup")
    if "rollback" not in harness.driver.capabilities(harness.new):
        with pytest.raises(PermanentError) as caught:
            await harness.driver.rollback(harness.node, harness.new, backup, "c/restore", forced=True)
        assert caught.value.code is Code.SYS_UNSUPPORTED
        return
    before = await harness.driver.inspect(harness.node, harness.new)
    await harness.driver.stage(harness.node, harness.new)
    await harness.driver.start(harness.node, harness.new, "c/up")  # and it may still be under way
    await harness.driver.rollback(harness.node, harness.new, backup, "c/restore", forced=True)
    await harness.driver.rollback(harness.node, harness.new, backup, "c/restore", forced=True)
    assert (await ended(harness, "c/restore")).state is OperationState.DONE
    assert (await ended(harness, "c/up")).state is not OperationState.RUNNING
    checks = await harness.driver.verify_rollback(harness.node, harness.new, backup)
    assert [check for check in checks if not check.ok] == []
    after = await harness.driver.inspect(harness.node, harness.new)
    assert (after.packages, after.daemon) == (before.packages, before.daemon)


async def test_a_backup_that_is_dropped_is_gone_and_others_stay(seen: Harness) -> None:
    first = await seen.driver.backup(seen.node, seen.new, "c/first")
    if not await seen.driver.shelf.list(seen.node):
        pytest.skip("what its tool keeps is known to that alone")
    second = await seen.driver.backup(seen.node, seen.new, "c/second")
    for _ in range(2):
        await seen.driver.shelf.prune(seen.node, [first], None)
    with pytest.raises(PermanentError) as caught:
        await _gone_back(seen, first, "c/back-1")
    assert caught.value.code is Code.SYS_ROLLBACK
    await _gone_back(seen, second, "c/back-2")


async def _gone_back(harness: Harness, backup: Mapping[str, object], operation: str) -> None:
    """Go back; raises PermanentError when there is no such backup, whether that is seen at once or on the node."""
    await harness.driver.rollback(harness.node, harness.new, backup, operation)
    found = await ended(harness, operation)
    if found.state is not OperationState.DONE:
        raise PermanentError(Code.SYS_ROLLBACK, " / ".join(found.lines))


async def test_a_backup_is_taken_once_and_stays_what_it_was(seen: Harness) -> None:
    first = await seen.driver.backup(seen.node, seen.new, "c/backup")
    await seen.driver.stage(seen.node, seen.new)
    await seen.driver.start(seen.node, seen.new, "c/up")
    await ended(seen, "c/up")
    again = await seen.driver.backup(seen.node, seen.new, "c/backup")
    assert {**again} == {**first}


async def test_a_reboot_gives_a_new_boot_id_and_an_old_request_does_nothing(harness: Harness) -> None:
    before = await harness.driver.boot_id(harness.node)
    if "reboot" not in harness.driver.capabilities(harness.new):
        with pytest.raises(PermanentError) as caught:
            await harness.driver.reboot(harness.node, str(before))
        assert caught.value.code is Code.SYS_UNSUPPORTED
        return
    assert before is not None
    await harness.driver.reboot(harness.node, before)
    for _ in range(600):
        after = await harness.driver.boot_id(harness.node)
        if after not in (None, before):
            break
        await harness.lapse()
    assert after not in (None, before)
    await harness.driver.reboot(harness.node, before)
    seen = []
    while len(seen) < 20 or seen[-1] is None:  # a busy test machine may leave a question unanswered
        await harness.lapse()
        seen.append(await harness.driver.boot_id(harness.node))
    assert set(seen) <= {after, None}


async def test_a_command_of_the_operators_runs_on_the_node_and_tells_how_it_ended(harness: Harness) -> None:
    call = (harness.node, ("true",), {"ESCALATOR_COMMAND": "check", "ESCALATOR_NODE": harness.node}, 20.0)
    if not harness.driver.runs:
        with pytest.raises(PermanentError) as caught:
            await harness.driver.run(*call)
        assert caught.value.code is Code.SYS_UNSUPPORTED
        return
    assert (await harness.driver.run(*call)).code == 0
    async with harness.unreachable():
        with pytest.raises(TemporaryError) as lost:
            await harness.driver.run(*call)
    assert lost.value.code is Code.SYS_UNREACHABLE
