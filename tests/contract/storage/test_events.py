"""The history, over every kind of storage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import cycle, pairwise

from contract.storage.samples import FULL_EVENT, campaign, event, task
from escalator.model.progress import CampaignState
from escalator.storage.port import Store


async def test_an_event_comes_back_as_it_was_given_with_its_number(store: Store) -> None:
    await store.events.append([FULL_EVENT, event("plain")])
    first, second = await store.events.read()
    assert first == replace(FULL_EVENT, seq=first.seq)
    assert second == event("plain", seq=second.seq)
    assert 0 < first.seq < second.seq


async def test_a_given_number_is_not_kept(store: Store) -> None:
    await store.events.append([event("a"), event("b", seq=700)])
    assert [found.seq for found in await store.events.read()] != [1, 700]
    assert await store.events.read(699) == []


async def test_nothing_to_append_is_nothing(store: Store) -> None:
    await store.events.append([])
    assert await store.events.read() == []


async def test_a_reader_gets_what_is_after_the_last_it_saw(store: Store) -> None:
    await store.events.append([event(f"e{number}") for number in range(5)])
    page = await store.events.read(limit=2)
    assert [found.action for found in page] == ["e0", "e1"]
    rest = await store.events.read(page[-1].seq)
    assert [found.action for found in rest] == ["e2", "e3", "e4"]
    assert await store.events.read(rest[-1].seq) == []


async def test_a_reader_may_ask_for_a_campaign_or_a_node(store: Store) -> None:
    places = [("c1", "n1"), ("c1", "n2"), ("c2", "n1"), ("c1", None), (None, None), ("c1", "n1")]
    await store.events.append([event(str(number), campaign=c, node=n) for number, (c, n) in enumerate(places)])

    async def actions(**where: object) -> str:
        return "".join(found.action for found in await store.events.read(**where))

    assert await actions(campaign="c1") == "0135"
    assert await actions(node="n1") == "025"
    assert await actions(campaign="c1", node="n1") == "05"
    assert await actions(campaign="c1", limit=2) == "01"
    first = (await store.events.read(campaign="c1"))[1].seq
    assert await actions(after=first, campaign="c1") == "35"


async def test_a_reader_that_follows_misses_nothing_while_many_write(stores: tuple[Store, Store]) -> None:
    await stores[0].campaigns.add(campaign())

    async def write(store: Store, number: int) -> None:
        if number % 3 == 0:
            await store.campaigns.change("c1", [CampaignState.DRAFT], [event(f"e{number}")], reason=str(number))
        else:
            await store.tasks.put(task(f"n{number}"), [event(f"e{number}")])

    async def follow() -> list[int]:
        seen: list[str] = []
        numbers = [0]
        while len(seen) < 60:
            page = await stores[1].events.read(numbers[-1])
            seen += [found.action for found in page]
            numbers += [found.seq for found in page]
            await asyncio.sleep(0)
        assert sorted(seen) == sorted(f"e{number}" for number in range(60))
        return numbers

    async with asyncio.timeout(60):
        numbers, *_ = await asyncio.gather(
            follow(), *(write(store, number) for store, number in zip(cycle(stores), range(60), strict=False))
        )
    assert all(one < next_one for one, next_one in pairwise(numbers))


async def test_a_reader_may_ask_for_a_code_and_for_a_time(store: Store) -> None:
    rows = [(10.0, None), (20.0, "ESC-SYS-006"), (30.0, "ESC-VIM-003"), (40.0, "ESC-SYS-006"), (50.0, None)]
    await store.events.append([event(str(number), at=at, code=code, campaign="c1") for number, (at, code) in enumerate(rows)])

    async def actions(**only: object) -> str:
        return "".join(found.action for found in await store.events.read(**only))

    assert await actions(code="ESC-SYS-006") == "13"
    assert await actions(since=20.0) == "1234", "what is from that time on is there"
    assert await actions(until=40.0) == "012", "what is at that time is not"
    assert await actions(since=20.0, until=40.0, code="ESC-SYS-006", campaign="c1") == "1"
    assert await actions(since=20.0, limit=2) == "12"
    assert await actions(action="3", since=20.0) == "3"
    assert await actions(code=None, since=None, until=None) == "01234"
    assert await actions(since=20.0, campaign="c2") == ""


async def test_the_last_number_is_that_of_the_newest_event(store: Store) -> None:
    assert await store.events.last() == 0
    await store.events.append([event("a"), event("b", code="ESC-SYS-006")])
    assert await store.events.last() == (await store.events.read())[-1].seq
