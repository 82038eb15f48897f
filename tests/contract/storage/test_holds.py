"""Nodes that people hold, over every kind of storage."""

from __future__ import annotations

from escalator.model.hold import Hold
from escalator.model.progress import CampaignState
from escalator.storage.port import CampaignRow, Store

FIRST = Hold(node="cn-2", reason="ticket 4711", since=1_800_000_000.25)


async def test_a_hold_is_kept_by_node_until_it_is_removed(store: Store) -> None:
    other = Hold(node="cn-1", since=1.0)
    await store.holds.put(FIRST)
    await store.holds.put(other)
    assert await store.holds.list() == [other, FIRST]
    assert (await store.holds.gate("none", "cn-2"))[1] == FIRST
    assert (await store.holds.gate("none", "cn-3"))[1] is None
    assert await store.holds.remove("cn-2")
    assert not await store.holds.remove("cn-2")
    assert await store.holds.list() == [other]


async def test_a_second_hold_takes_the_place_of_the_first(store: Store) -> None:
    await store.holds.put(FIRST)
    again = Hold(node="cn-2", reason="another", since=2.0)
    await store.holds.put(again)
    assert await store.holds.list() == [again]


async def test_the_gate_shows_state_and_hold_together_and_each_alone(store: Store) -> None:
    assert await store.holds.gate("wave", "cn-2") == (None, None)
    await store.holds.put(FIRST)
    assert await store.holds.gate("wave", "cn-2") == (None, FIRST)
    await store.campaigns.add(CampaignRow(name="wave", cloud="site", document={}, state=CampaignState.RUNNING))
    assert await store.holds.gate("wave", "cn-2") == (CampaignState.RUNNING, FIRST)
    assert await store.holds.gate("wave", "cn-1") == (CampaignState.RUNNING, None)
