"""What probes saw, over every kind of storage."""

from __future__ import annotations

from dataclasses import replace

from escalator.storage.port import OutageRow, Store, WatchRow

FIRST = OutageRow(campaign="c1", probe="amf", started_at=1_800_000_000.25, vnf="amf-7", reason="refused\0")
WATCH = WatchRow(campaign="c1", probe="amf", vnf="amf-7", interval_s=0.1, since=1.0, until=2.5, sent=3_000_000_000, failed=2)


async def test_outages_come_back_in_order_and_end_in_place(store: Store) -> None:
    row = replace(FIRST, reason="refused")
    later = replace(row, started_at=row.started_at + 1, probe="a")
    beside = replace(row, probe="smf", vnf="smf-1")
    for one in (later, beside, row, replace(row, campaign="c2")):
        await store.outages.put(one)
    ended = replace(row, ended_at=row.started_at + 0.75)
    await store.outages.put(ended)
    assert await store.outages.list("c1") == [ended, beside, later]
    assert await store.outages.list("none") == []


async def test_what_a_service_said_cannot_break_storage(store: Store) -> None:
    await store.outages.put(FIRST)
    (found,) = await store.outages.list("c1")
    assert found.reason.startswith("refused")


async def test_a_watch_is_kept_by_campaign_and_probe(store: Store) -> None:
    await store.outages.watch(replace(WATCH, until=1.5, sent=1, failed=0))
    await store.outages.watch(replace(WATCH, probe="Z"))
    await store.outages.watch(replace(WATCH, campaign="c2"))
    await store.outages.watch(WATCH)
    assert await store.outages.watches("c1") == sorted([WATCH, replace(WATCH, probe="Z")], key=lambda row: row.probe)
