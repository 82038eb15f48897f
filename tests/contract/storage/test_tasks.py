"""Node tasks and their memos, over every kind of storage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import cycle

import pytest

from contract.storage.samples import FULL_EVENT, FULL_TASK, JSON, event, task
from escalator.model.progress import TaskKind, TaskState
from escalator.storage.port import Store


async def test_a_task_comes_back_as_it_was_given(store: Store) -> None:
    await store.tasks.put(FULL_TASK)
    assert await store.tasks.get("c1", "n1") == FULL_TASK
    assert await store.tasks.get("c1", "n2") is None
    assert await store.tasks.get("c2", "n1") is None


async def test_a_task_is_stored_as_it_is_now(store: Store) -> None:
    await store.tasks.put(FULL_TASK)
    await store.tasks.put(task(attempt=2, state=TaskState.DONE))
    assert await store.tasks.get("c1", "n1") == task(attempt=2, state=TaskState.DONE)


async def test_the_latest_attempt_counts(store: Store) -> None:
    for attempt in (2, 10, 9):
        await store.tasks.put(task(attempt=attempt, wave=attempt))
    assert await store.tasks.get("c1", "n1") == task(attempt=10, wave=10)
    assert await store.tasks.list("c1") == [task(attempt=10, wave=10)]


async def test_tasks_are_listed_in_order_of_wave_and_node(store: Store) -> None:
    for node, wave in (("n3", 1), ("n1", 2), ("n2", 1), ("n0", 10)):
        await store.tasks.put(task(node, wave=wave))
    await store.tasks.put(task("n9", campaign="c2"))
    assert [found.node for found in await store.tasks.list("c1")] == ["n2", "n3", "n1", "n0"]


async def test_tasks_can_be_listed_without_their_ladders(store: Store) -> None:
    await store.tasks.put(FULL_TASK)
    assert await store.tasks.list("c1", ladders=False) == [replace(FULL_TASK, ladder=())]


async def test_the_events_of_a_task_stand_in_the_history(store: Store) -> None:
    await store.tasks.put(task(), [event("a"), FULL_EVENT])
    await store.tasks.put(task(), [])
    assert [found.action for found in await store.events.read()] == ["a", FULL_EVENT.action]


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "text", [], [1, [2]], {}, JSON], ids=repr)
async def test_what_is_remembered_comes_back(store: Store, value: object) -> None:
    assert await store.tasks.remember("c1/n1/1", "found", value) == value
    assert await store.tasks.memo("c1/n1/1") == {"found": value}


async def test_what_is_remembered_comes_back_as_json_has_it(store: Store) -> None:
    assert await store.tasks.remember("c1/n1/1", "found", {"pair": (1, 2)}) == {"pair": [1, 2]}
    assert await store.tasks.memo("c1/n1/1") == {"found": {"pair": [1, 2]}}


@pytest.mark.parametrize("value", [object(), {"nan": float("nan")}, b"bytes"], ids=lambda value: type(value).__name__)
async def test_what_is_no_json_is_not_remembered(store: Store, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        await store.tasks.remember("c1/n1/1", "found", value)
    assert await store.tasks.memo("c1/n1/1") == {}


async def test_the_last_value_stands(store: Store) -> None:
    await store.tasks.remember("c1/n1/1", "boot_id", "a")
    assert await store.tasks.remember("c1/n1/1", "boot_id", "b") == "b"
    assert await store.tasks.memo("c1/n1/1") == {"boot_id": "b"}


@pytest.mark.parametrize("first", ["a", None])
async def test_with_once_the_first_value_stands(store: Store, first: str | None) -> None:
    assert await store.tasks.remember("c1/n1/1", "boot_id", first, once=True) == first
    assert await store.tasks.remember("c1/n1/1", "boot_id", "b", once=True) == first
    assert await store.tasks.memo("c1/n1/1") == {"boot_id": first}


async def test_each_task_has_its_own_memo(store: Store) -> None:
    await store.tasks.remember("c1/n1/1", "key", 1)
    await store.tasks.remember("c1/n1/1", "other", 2)
    await store.tasks.remember("c1/n1/2", "key", 3)
    assert await store.tasks.memo("c1/n1/1") == {"key": 1, "other": 2}
    assert await store.tasks.memo("c1/n1/2") == {"key": 3}
    assert await store.tasks.memo("c1/n9/1") == {}


async def test_of_many_values_at_once_all_see_the_first(stores: tuple[Store, Store]) -> None:
    values = await asyncio.gather(
        *(
            store.tasks.remember("c1/n1/1", "key", number, once=True)
            for store, number in zip(cycle(stores), range(20), strict=False)
        )
    )
    assert len(set(values)) == 1
    assert await stores[0].tasks.memo("c1/n1/1") == {"key": values[0]}


async def test_the_last_turn_of_a_kind_is_found_whatever_came_after_it(store: Store) -> None:
    turns = {1: TaskKind.UPGRADE, 2: TaskKind.UPGRADE, 3: TaskKind.ROLLBACK}
    for attempt, kind in turns.items():
        await store.tasks.put(task("n1", attempt=attempt, kind=kind))
    assert await store.tasks.last_of("c1", "n1", TaskKind.UPGRADE) == task("n1", attempt=2)
    assert await store.tasks.last_of("c1", "n1", TaskKind.RESTORE) is None
    assert await store.tasks.last_of("c2", "n1", TaskKind.UPGRADE) is None


async def test_the_first_turn_of_each_kind_is_told_by_node(store: Store) -> None:
    assert await store.tasks.firsts("c1", TaskKind.ROLLBACK) == {}
    await store.tasks.put(task("n1"))
    await store.tasks.put(task("n2"))
    for attempt, kind in ((2, TaskKind.UPGRADE), (3, TaskKind.ROLLBACK), (4, TaskKind.ROLLBACK)):
        await store.tasks.put(task("n1", attempt=attempt, kind=kind))
    await store.tasks.put(task("n2", campaign="c2", attempt=2, kind=TaskKind.ROLLBACK))
    assert await store.tasks.firsts("c1", TaskKind.ROLLBACK) == {"n1": 3}
    assert await store.tasks.firsts("c1", TaskKind.UPGRADE) == {"n1": 1, "n2": 1}
