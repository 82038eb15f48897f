"""Alarms of VNF managers that are told per instance, over every kind of storage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contract.storage.conftest import Opener
from contract.storage.samples import AWKWARD
from escalator.model.alarm import Alarm
from escalator.storage.port import Store


def alarm(alarm_id: str = "a1", **fields: Any) -> Alarm:
    given = {"id": alarm_id, "project": "p1", "server": "vm-1", "fault_action": "http://t/x", "fault_ids": ("1111",)}
    return Alarm(**{"registered_at": 1.5, **given, **fields})


async def put(store: Store, *alarms: Alarm) -> None:
    for one in alarms:
        assert await store.alarms.put(one, per_server=9, per_project=9)


FULL = alarm(
    fault_action=AWKWARD, fault_ids=("1111", 'å ;"'), notice="n", turn="c1/n1/1", told_at=2.25, ended_at=1234567890.123456
)


async def test_an_alarm_comes_back_as_it_was_given(store: Store) -> None:
    await put(store, FULL)
    assert await store.alarms.get("a1") == FULL
    assert await store.alarms.get("a2") is None


async def test_alarms_outlive_the_server(opener: Opener) -> None:
    async with opener() as store:
        await put(store, alarm())
    async with opener() as store:
        assert await store.alarms.of_servers(["vm-1"]) == [alarm()]


async def test_one_that_is_registered_again_takes_the_place_of_the_old(store: Store) -> None:
    await put(store, FULL, alarm(registered_at=7.0))
    assert await store.alarms.of_servers(["vm-1"]) == [alarm(registered_at=7.0)]


async def test_servers_and_projects_have_no_more_live_alarms_than_allowed(store: Store) -> None:
    await put(store, alarm("a1"), alarm("a2", server="vm-2"), replace(FULL, id="gone"))
    assert not await store.alarms.put(alarm("a3"), per_server=1, per_project=9)
    assert not await store.alarms.put(alarm("a3", server="vm-3"), per_server=1, per_project=2)
    assert await store.alarms.get("a3") is None
    assert await store.alarms.put(alarm("a1", registered_at=9.0), per_server=1, per_project=2)
    assert await store.alarms.put(alarm("a3", server="vm-3", project="p2"), per_server=1, per_project=2)


async def test_alarms_of_many_servers_are_found_in_order(store: Store) -> None:
    rows = [alarm("b", registered_at=1.0), alarm("a", registered_at=2.0), alarm("Z", server="vm-2", registered_at=2.0)]
    await put(store, *rows[::-1], alarm("c", server="vm-3"))
    assert await store.alarms.of_servers([f"vm-{n}" for n in (1, 2, *range(10, 2000))]) == [rows[0], rows[2], rows[1]]
    assert await store.alarms.of_servers(()) == []


async def test_only_live_alarms_are_marked(store: Store) -> None:
    await put(store, alarm())
    marked = await store.alarms.mark("a1", notice="n", turn="t", told_at=None)
    assert marked == alarm(notice="n", turn="t") == await store.alarms.get("a1")
    await store.alarms.end("a1", 3.0)
    assert await store.alarms.mark("a1", told_at=4.0) is None
    assert await store.alarms.mark("a2", told_at=4.0) is None
    assert await store.alarms.get("a1") == alarm(notice="n", turn="t", ended_at=3.0)


async def test_an_end_is_kept_only_where_it_may_be_an_answer(store: Store) -> None:
    await put(store, alarm("told", notice="n"), alarm("plain"))
    assert await store.alarms.end("told", 3.0) == alarm("told", notice="n")
    assert await store.alarms.end("plain", 3.0) == alarm("plain")
    assert await store.alarms.end("told", 4.0) is None
    assert await store.alarms.end("plain", 4.0) is None
    assert await store.alarms.of_servers(["vm-1"]) == [alarm("told", notice="n", ended_at=3.0)]


async def test_ends_are_forgotten_when_they_are_old(store: Store) -> None:
    await put(store, alarm("old", ended_at=1.0), alarm("new", ended_at=2.0), alarm("live"))
    await store.alarms.forget(2.0)
    assert {row.id for row in await store.alarms.of_servers(["vm-1"])} == {"new", "live"}
