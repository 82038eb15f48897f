"""What is kept on the node: listed, verified, put back, pruned; tampered with, and without room."""

from __future__ import annotations

import pytest

from contract.system_support.harness import Harness, ended
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.system_support.no_shelf import NoShelf
from escalator.system_support.port import OperationState


@pytest.fixture
def seen(harness: Harness) -> Harness:
    if not harness.tells or isinstance(harness.driver.shelf, NoShelf):
        pytest.skip("this driver keeps no backups")
    return harness


async def to_new(seen: Harness) -> None:
    await seen.driver.stage(seen.node, seen.new)
    await seen.driver.start(seen.node, seen.new, "c/up")
    assert (await ended(seen, "c/up")).state is OperationState.DONE


async def test_a_driver_that_keeps_no_backups_says_so(harness: Harness) -> None:
    if not isinstance(harness.driver.shelf, NoShelf):
        pytest.skip("this driver keeps backups")
    assert await harness.driver.shelf.list(harness.node) == ()
    with pytest.raises(PermanentError) as caught:
        await harness.driver.shelf.verify(harness.node, {"id": "x"})
    assert caught.value.code is Code.SYS_UNSUPPORTED
    assert (await harness.driver.shelf.prune(harness.node, [{"id": "x"}], 0.0)).backups == ()


async def test_a_backup_tells_what_it_holds_and_is_found_on_the_node(seen: Harness) -> None:
    assert await seen.driver.shelf.list(seen.node) == ()
    backup = await seen.driver.backup(seen.node, seen.new, "c/backup")
    assert backup["scope"] == ["versions", "config", "state"]
    assert backup["packages"] == {pin.name: pin.version for pin in seen.old.spec.packages}
    assert str(backup["digest"]).startswith("sha256:")
    assert backup["location"]
    (held,) = await seen.driver.shelf.list(seen.node)
    assert (held.id, held.size_bytes) == (backup["id"], backup["size_bytes"])
    assert held.size_bytes > 0


async def test_a_backup_that_nobody_touched_is_what_was_kept(seen: Harness) -> None:
    backup = await seen.driver.backup(seen.node, seen.new, "c/backup")
    await to_new(seen)
    assert (await seen.driver.shelf.verify(seen.node, backup)).ok


async def test_a_tampered_backup_is_seen_and_not_put_back(seen: Harness) -> None:
    backup = await seen.driver.backup(seen.node, seen.new, "c/backup")
    await to_new(seen)
    before = await seen.driver.inspect(seen.node, seen.new)
    seen.tamper(backup)
    found = await seen.driver.shelf.verify(seen.node, backup)
    assert (found.ok, found.code) == (False, Code.SYS_BACKUP_DAMAGED)
    await seen.driver.rollback(seen.node, seen.new, backup, "c/back")
    assert (await ended(seen, "c/back")).state is OperationState.FAILED
    assert await seen.driver.inspect(seen.node, seen.new) == before


async def test_a_backup_of_another_digest_is_not_the_one_that_was_taken(seen: Harness) -> None:
    backup = await seen.driver.backup(seen.node, seen.new, "c/backup")
    other = {**backup, "digest": "sha256:" + "0" * 64}
    assert (await seen.driver.shelf.verify(seen.node, other)).code is Code.SYS_BACKUP_DAMAGED


async def test_a_backup_that_is_not_there_is_told_apart(seen: Harness) -> None:
    backup = await seen.driver.backup(seen.node, seen.new, "c/backup")
    assert (await seen.driver.shelf.prune(seen.node, [backup], None)).backups == (backup["id"],)
    assert (await seen.driver.shelf.verify(seen.node, backup)).code is Code.SYS_BACKUP_NOT_FOUND


async def test_of_two_backups_one_is_pruned_and_the_other_still_puts_the_node_back(seen: Harness) -> None:
    """Both hold the same packages: contents are kept once, and as long as somebody needs them."""
    first = await seen.driver.backup(seen.node, seen.new, "c/backup-1")
    second = await seen.driver.backup(seen.node, seen.new, "c/backup-2")
    await to_new(seen)
    assert (await seen.driver.shelf.prune(seen.node, [first], None)).backups == (first["id"],)
    assert (await seen.driver.shelf.prune(seen.node, [first], None)).busy is False
    assert [held.id for held in await seen.driver.shelf.list(seen.node)] == [second["id"]]
    assert (await seen.driver.shelf.verify(seen.node, second)).ok
    await seen.driver.rollback(seen.node, seen.new, second, "c/back")
    assert (await ended(seen, "c/back")).state is OperationState.DONE
    assert [check for check in await seen.driver.verify_rollback(seen.node, seen.new, second) if not check.ok] == []


async def test_old_operations_are_pruned_and_young_ones_stay(seen: Harness) -> None:
    await to_new(seen)
    assert (await seen.driver.shelf.prune(seen.node, [], 3600.0)).operations == 0
    assert (await seen.driver.poll(seen.node, "c/up")).state is OperationState.DONE
    await seen.lapse()
    assert (await seen.driver.shelf.prune(seen.node, [], 0.0)).operations >= 1
    assert (await seen.driver.poll(seen.node, "c/up")).state is OperationState.UNKNOWN


async def test_nothing_is_pruned_while_an_operation_is_under_way(seen: Harness) -> None:
    backup = await seen.driver.backup(seen.node, seen.new, "c/backup")
    await seen.driver.stage(seen.node, seen.new)
    await seen.driver.start(seen.node, seen.new, "c/up")
    found = await seen.driver.shelf.prune(seen.node, [backup], 0.0)
    if (await seen.driver.poll(seen.node, "c/up")).state is OperationState.RUNNING:
        assert found.busy
    if found.busy:
        assert (await seen.driver.shelf.verify(seen.node, backup)).ok
    assert (await ended(seen, "c/up")).state is OperationState.DONE


async def test_a_smaller_scope_keeps_less_and_puts_back_less(seen: Harness) -> None:
    whole = await seen.driver.backup(seen.node, seen.new, "c/whole")
    part = await seen.driver.backup(seen.node, seen.new, "c/part", ("config", "state"))
    assert part["scope"] == ["config", "state"]
    assert int(str(part["size_bytes"])) <= int(str(whole["size_bytes"]))
    await to_new(seen)
    software = (await seen.driver.inspect(seen.node, seen.new)).packages
    await seen.driver.rollback(seen.node, seen.new, part, "c/back")
    assert (await ended(seen, "c/back")).state is OperationState.DONE
    assert (await seen.driver.inspect(seen.node, seen.new)).packages == software


async def test_without_room_there_is_no_backup_and_nothing_is_left_of_it(seen: Harness) -> None:
    with seen.full():
        with pytest.raises(PermanentError) as caught:
            await seen.driver.backup(seen.node, seen.new, "c/backup")
        assert caught.value.code is Code.SYS_BACKUP_SPACE
        assert await seen.driver.shelf.list(seen.node) == ()
    assert (await seen.driver.backup(seen.node, seen.new, "c/backup"))["digest"]
