"""What is kept of nodes, over every kind of storage."""

from __future__ import annotations

import asyncio

from contract.storage.samples import backup
from escalator.model.backup import BackupState, RestoreState
from escalator.storage.port import Store


async def test_a_backup_comes_back_as_it_was_given(store: Store) -> None:
    assert await store.backups.add(backup()) == backup()
    assert await store.backups.get("bk-1") == backup()
    assert await store.backups.get("bk-2") is None


async def test_the_first_row_of_an_id_stays(store: Store) -> None:
    await store.backups.add(backup())
    assert await store.backups.add(backup(taken_at=9.0, digest="sha256:other")) == backup()


async def test_they_are_listed_newest_first_by_campaign_and_node(store: Store) -> None:
    rows = [backup("a", taken_at=1.0), backup("b", taken_at=3.0, node="cn-2"), backup("c", taken_at=2.0, campaign="c2")]
    for row in rows:
        await store.backups.add(row)
    assert [row.id for row in await store.backups.list()] == ["b", "c", "a"]
    assert [row.id for row in await store.backups.list("c1")] == ["b", "a"]
    assert [row.id for row in await store.backups.list(node="cn-1")] == ["c", "a"]
    assert [row.id for row in await store.backups.list("c2", "cn-2")] == []


async def test_of_two_restores_of_a_node_one_begins(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.backups.add(backup("a"))
    await one.backups.add(backup("b"))
    begun = await asyncio.gather(one.backups.begin_restore("a", 5.0), two.backups.begin_restore("b", 5.0))
    assert sum(row is not None for row in begun) == 1
    assert [row.restores for row in await one.backups.restoring()] == [1]


async def test_a_restore_that_is_over_can_be_begun_again(store: Store) -> None:
    await store.backups.add(backup())
    await store.backups.begin_restore("bk-1", 5.0)
    await store.backups.mark("bk-1", restore=RestoreState.FAILED, code="ESC-SYS-055", message="no", restored_at=6.0)
    again = await store.backups.begin_restore("bk-1", 7.0)
    assert again is not None
    assert (again.restores, again.restored_at, again.code, again.message) == (2, 7.0, "", "")


async def test_what_is_pruned_is_not_restored(store: Store) -> None:
    await store.backups.add(backup())
    await store.backups.mark("bk-1", state=BackupState.PRUNED, pruned_at=4.0)
    assert await store.backups.begin_restore("bk-1", 5.0) is None
    assert await store.backups.begin_restore("nothing", 5.0) is None
    assert await store.backups.mark("nothing", message="x") is None
