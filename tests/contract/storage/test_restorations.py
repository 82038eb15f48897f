"""What has to be put back, over every kind of storage."""

from __future__ import annotations

from dataclasses import replace

from contract.storage.samples import JSON, restoration
from escalator.storage.port import Store


async def test_what_was_found_comes_back_as_it_was_given(store: Store) -> None:
    assert await store.restorations.add(restoration()) == restoration()
    assert await store.restorations.open() == [restoration()]


async def test_what_was_found_first_stays(store: Store) -> None:
    await store.restorations.add(restoration())
    assert await store.restorations.add(restoration(found={"status": "disabled"}, created_at=9.0)) == restoration()
    assert await store.restorations.open() == [restoration()]


async def test_what_is_put_back_is_not_open(store: Store) -> None:
    await store.restorations.add(restoration("r1"))
    await store.restorations.add(restoration("r2"))
    await store.restorations.done("r1", 5.0)
    await store.restorations.done("r1", 6.0)
    await store.restorations.done("unknown", 6.0)
    assert await store.restorations.open() == [restoration("r2")]


async def test_a_change_after_the_restoration_is_written_down_anew(store: Store) -> None:
    await store.restorations.add(restoration(found={"status": "enabled"}))
    await store.restorations.done("r1", 5.0)
    second = restoration(found=JSON, created_at=6.0)
    assert await store.restorations.add(second) == second
    assert await store.restorations.open() == [second]


async def test_what_is_open_is_listed_oldest_first(store: Store) -> None:
    for row_id, created_at in (("b", 2.0), ("c", 1.0), ("a", 2.0)):
        await store.restorations.add(restoration(row_id, created_at=created_at))
    assert [row.id for row in await store.restorations.open()] == ["c", "a", "b"]


async def test_what_is_open_is_listed_by_campaign_and_node(store: Store) -> None:
    rows = [
        restoration("r1", campaign="c1", node="cn-1"),
        restoration("r2", campaign="c1", node="cn-2"),
        restoration("r3", campaign="c2", node="cn-1"),
    ]
    for row in rows:
        await store.restorations.add(row)
    assert await store.restorations.open("c1") == rows[:2]
    assert await store.restorations.open("c1", "cn-1") == rows[:1]
    assert await store.restorations.open(node="cn-1") == [rows[0], rows[2]]
    assert await store.restorations.open(node="cn-3") == []
    assert await store.restorations.open("c3") == []


async def test_what_is_to_be_done_by_hand_may_change_as_long_as_it_is_open(store: Store) -> None:
    await store.restorations.add(restoration("r1"))
    await store.restorations.add(restoration("r2"))
    await store.restorations.say("r1", ("# first look", "run this"))
    await store.restorations.say("unknown", ("x",))
    assert await store.restorations.open() == [restoration("r1", commands=("# first look", "run this")), restoration("r2")]
    await store.restorations.done("r1", 5.0)
    await store.restorations.say("r1", ("later",))
    assert await store.restorations.open() == [restoration("r2")]


async def test_all_that_was_written_of_a_campaign_is_known_after_it_is_put_back(store: Store) -> None:
    rows = [restoration("r1", created_at=1.0), restoration("r2", created_at=2.0), restoration("r3", campaign="c2")]
    for row in rows:
        await store.restorations.add(row)
    await store.restorations.done("r1", 5.0)
    assert await store.restorations.written(rows[1].campaign) == [replace(rows[0], restored_at=5.0), rows[1]]
    assert await store.restorations.written("c3") == []
