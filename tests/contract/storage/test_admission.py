"""The two doors, over every kind of storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from contract.storage.samples import event, impact, slot, task
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import NodeTask, TaskState
from escalator.storage.port import ImpactRow, NodeSlot, Store

LIMIT = 3
FULL_IMPACT = impact(
    kind="in-place", groups=("g1", "å"), target="n2", demand={"pcpu": 4, "mem_mib": 8192.5}, cells=(0, 2), started_at=1.5
)


def at_most(limit: int) -> Callable[[Sequence[object]], str | None]:
    """Decide by number alone."""
    return lambda rows: None if len(rows) < limit else f"{len(rows)} are taken"


def never(rows: Sequence[object]) -> str | None:
    raise AssertionError(f"not asked: {rows}")


class Seen:
    """Lets everyone in and notes what it was shown."""

    def __init__(self) -> None:
        self.rows: Sequence[ImpactRow] = []

    def __call__(self, rows: Sequence[ImpactRow]) -> None:
        self.rows = rows


async def test_a_free_door_lets_a_node_in_and_a_full_one_says_why(store: Store) -> None:
    assert await store.admission.enter_node(slot("n1"), at_most(1)) is None
    assert await store.admission.enter_node(slot("n2"), at_most(1)) == "1 are taken"
    assert await store.admission.node_slots() == [slot("n1")]


async def test_a_task_that_holds_its_slot_is_not_asked_again(store: Store) -> None:
    await store.admission.enter_node(slot("n1"), at_most(1))
    assert await store.admission.enter_node(slot("n1", since=9.0), never) is None
    assert await store.admission.node_slots() == [slot("n1")]


async def test_the_next_attempt_takes_its_nodes_slot_over(store: Store) -> None:
    await store.admission.enter_node(slot("n1"), at_most(1))
    again = slot("n1", task="c1/n1/2", since=5.0)
    assert await store.admission.enter_node(again, at_most(2)) is None
    assert await store.admission.node_slots() == [again]


async def test_a_slot_that_is_given_back_is_free(store: Store) -> None:
    await store.admission.enter_node(slot("n1"), at_most(1))
    await store.admission.leave_node("c1", "n1")
    await store.admission.leave_node("c1", "n1")
    assert await store.admission.node_slots() == []
    assert await store.admission.enter_node(slot("n2"), at_most(1)) is None


async def test_a_slot_is_given_back_for_the_task_that_holds_it_alone(store: Store) -> None:
    await store.admission.enter_node(slot("n1", task="c1/n1/2"), at_most(1))
    await store.admission.leave_node("c1", "n1", "c1/n1/1")
    assert await store.admission.node_slots() == [slot("n1", task="c1/n1/2")]
    await store.admission.leave_node("c1", "n1", "c1/n1/2")
    assert await store.admission.node_slots() == []


@pytest.mark.parametrize(
    "stored",
    [task(state=TaskState.SKIPPED), task(state=TaskState.RUNNING), task(attempt=2)],
    ids=["skipped", "running", "another attempt"],
)
async def test_who_does_not_wait_for_a_turn_any_more_does_not_get_in(store: Store, stored: NodeTask) -> None:
    await store.tasks.put(stored)
    assert f"{stored.id} is {stored.state.value}" in str(await store.admission.enter_node(slot("n1"), never))
    assert await store.admission.node_slots() == []


async def test_who_waits_gets_in_and_is_not_asked_again_when_it_has_begun(store: Store) -> None:
    await store.tasks.put(task())
    assert await store.admission.enter_node(slot("n1"), at_most(1)) is None
    await store.tasks.put(task(state=TaskState.RUNNING))
    assert await store.admission.enter_node(slot("n1"), never) is None


async def test_what_stands_as_it_was_seen_is_replaced_and_its_slot_given_back(store: Store) -> None:
    seen = task(state=TaskState.FAILED)
    await store.tasks.put(task())
    await store.admission.enter_node(slot("n1"), at_most(1))
    await store.tasks.put(seen)
    await store.admission.put_instead(seen, task(attempt=2), [event("node.retry")])
    assert (await store.tasks.get("c1", "n1"), len(await store.admission.node_slots())) == (task(attempt=2), 1)
    skipped = task(attempt=2, state=TaskState.SKIPPED)
    await store.admission.put_instead(task(attempt=2), skipped, leave=True)
    assert (await store.tasks.get("c1", "n1"), await store.admission.node_slots()) == (skipped, [])
    assert [line.action for line in await store.events.read()] == ["node.retry"]


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        (None, task()),
        (task(state=TaskState.RUNNING), task()),
        (task(attempt=2), task(state=TaskState.FAILED)),
        (task(attempt=2), task()),
    ],
    ids=["nothing", "begun", "tried again", "tried again and waiting"],
)
async def test_what_stands_otherwise_is_left_alone(store: Store, stored: NodeTask | None, seen: NodeTask) -> None:
    if stored is not None:
        await store.tasks.put(stored)
    with pytest.raises(ConflictError) as caught:
        await store.admission.put_instead(seen, replace(seen, state=TaskState.SKIPPED), [event("node.skip")], leave=True)
    assert (caught.value.code, await store.tasks.get("c1", "n1")) == (Code.UPG_STATE, stored)
    assert await store.events.read() == []


async def test_what_waits_is_left_alone_once_it_is_through_the_door(store: Store) -> None:
    await store.tasks.put(task())
    await store.admission.enter_node(slot("n1"), at_most(1))
    with pytest.raises(ConflictError, match="just beginning"):
        await store.admission.put_instead(task(), task(state=TaskState.SKIPPED), leave=True)
    assert (await store.tasks.get("c1", "n1"), len(await store.admission.node_slots())) == (task(), 1)


async def test_either_a_node_goes_through_the_door_or_it_is_left_out(stores: tuple[Store, Store]) -> None:
    async def left_out(number: int) -> bool:
        seen = task(f"n{number}")
        try:
            await stores[1].admission.put_instead(seen, replace(seen, state=TaskState.SKIPPED))
        except ConflictError:
            return False
        return True

    for number in range(20):
        await stores[0].tasks.put(task(f"n{number}"))
    entered = (stores[0].admission.enter_node(slot(f"n{n}", task=f"c1/n{n}/1"), at_most(99)) for n in range(20))
    refused, skipped = await asyncio.gather(asyncio.gather(*entered), asyncio.gather(*map(left_out, range(20))))
    assert [(reason is None) != left for reason, left in zip(refused, skipped, strict=True)] == [True] * 20


async def test_slots_of_all_campaigns_are_listed_oldest_first(store: Store) -> None:
    slots = [slot("n3", since=1.0), slot("n1", since=2.0), slot("n1", campaign="c2", since=2.0)]
    for taken in reversed(slots):
        await store.admission.enter_node(taken, at_most(9))
    assert await store.admission.node_slots() == slots


async def test_what_decide_raises_leaves_the_door_as_it_was(store: Store) -> None:
    with pytest.raises(AssertionError):
        await store.admission.enter_node(slot("n1"), never)
    with pytest.raises(AssertionError):
        await store.admission.enter_impact(impact(), 0.0, never)
    assert await store.admission.enter_node(slot("n2"), at_most(1)) is None
    assert await store.admission.enter_impact(impact(), 0.0, at_most(1)) is None


async def test_of_many_nodes_at_once_no_more_enter_than_decide_allows(stores: tuple[Store, Store]) -> None:
    reasons = await asyncio.gather(
        *(
            store.admission.enter_node(slot(f"n{number}"), at_most(LIMIT))
            for store, number in zip(cycle(stores), range(30), strict=False)
        )
    )
    assert reasons.count(None) == LIMIT
    assert len(await stores[0].admission.node_slots()) == LIMIT


async def test_an_impact_comes_back_as_it_was_given(store: Store) -> None:
    assert await store.admission.enter_impact(FULL_IMPACT, 0.0, at_most(1)) is None
    assert await store.admission.impacts("c1") == [FULL_IMPACT]
    assert await store.admission.impacts("c2") == []


async def test_a_refused_impact_is_not_kept(store: Store) -> None:
    assert await store.admission.enter_impact(impact(), 0.0, at_most(0)) == "0 are taken"
    assert await store.admission.impacts("c1") == []


async def test_the_same_impact_again_changes_nothing_open_or_ended(store: Store) -> None:
    await store.admission.enter_impact(FULL_IMPACT, 0.0, at_most(1))
    assert await store.admission.enter_impact(replace(FULL_IMPACT, node="n9"), 0.0, never) is None
    await store.admission.end_impact("i1", 5.0)
    assert await store.admission.enter_impact(FULL_IMPACT, 0.0, never) is None
    assert await store.admission.impacts("c1") == [replace(FULL_IMPACT, ended_at=5.0)]


async def test_an_impact_ends_once(store: Store) -> None:
    await store.admission.enter_impact(impact(), 0.0, at_most(1))
    await store.admission.end_impact("i1", 5.0)
    await store.admission.end_impact("i1", 6.0)
    await store.admission.end_impact("unknown", 6.0)
    assert await store.admission.impacts("c1") == [impact(ended_at=5.0)]


async def test_what_is_withdrawn_was_never_there_and_may_come_again(store: Store) -> None:
    await store.admission.enter_impact(impact(), 0.0, at_most(1))
    await store.admission.withdraw_impact("i1")
    await store.admission.withdraw_impact("unknown")
    assert await store.admission.impacts("c1") == []
    assert await store.admission.enter_impact(impact(), 0.0, at_most(1)) is None
    await store.admission.end_impact("i1", 5.0)
    await store.admission.withdraw_impact("i1")
    assert await store.admission.impacts("c1") == [impact(ended_at=5.0)]


async def test_decide_sees_what_is_open_or_ended_after_the_given_time(store: Store) -> None:
    for number, ended_at in enumerate([4.0, 5.0, 5.5, None, 3.0, 7.0]):
        await store.admission.enter_impact(impact(f"i{number}", campaign=f"c{number % 2}"), 0.0, Seen())
        if ended_at is not None:
            await store.admission.end_impact(f"i{number}", ended_at)
    seen = Seen()
    await store.admission.enter_impact(impact("new"), 5.0, seen)
    assert {row.id for row in seen.rows} == {"i2", "i3", "i5"}
    assert {row.id: row.ended_at for row in seen.rows} == {"i2": 5.5, "i3": None, "i5": 7.0}


async def test_impacts_are_listed_oldest_first(store: Store) -> None:
    for row_id, started_at in (("b", 2.0), ("c", 1.0), ("a", 2.0)):
        await store.admission.enter_impact(impact(row_id, started_at=started_at), 0.0, at_most(9))
    assert [row.id for row in await store.admission.impacts("c1")] == ["c", "a", "b"]


async def test_of_many_impacts_at_once_no_more_start_than_decide_allows(stores: tuple[Store, Store]) -> None:
    reasons = await asyncio.gather(
        *(
            store.admission.enter_impact(impact(f"i{number}"), 0.0, at_most(LIMIT))
            for store, number in zip(cycle(stores), range(30), strict=False)
        )
    )
    assert reasons.count(None) == LIMIT
    assert len(await stores[1].admission.impacts("c1")) == LIMIT


async def test_leaving_while_others_enter_lets_exactly_the_next_in(stores: tuple[Store, Store]) -> None:
    async def work(store: Store, number: int) -> int:
        """Enter, be alone inside as the limit says, and leave."""
        tried = 0
        while await store.admission.enter_node(slot(f"n{number}"), at_most(LIMIT)) is not None:
            tried += 1
            assert tried < 10_000
            await asyncio.sleep(0)
        inside: list[NodeSlot] = [*await store.admission.node_slots()]
        await store.admission.leave_node("c1", f"n{number}")
        return len(inside)

    inside = await asyncio.gather(*(work(store, number) for store, number in zip(cycle(stores), range(12), strict=False)))
    assert max(inside) <= LIMIT
    assert await stores[0].admission.node_slots() == []
