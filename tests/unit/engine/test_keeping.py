"""Which backups may go: never one that a campaign may need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.storage.samples import backup, campaign
from escalator.model.backup import BackupState, NodeBackup, RestoreState
from escalator.model.progress import CampaignState, Restoration
from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.keeping import prune, spent
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.staying import Needs, Retention, stays
from escalator.world.world import World

DAY_S = 86400.0
OPEN = Needs({"open": CampaignState.COMPLETED})
BACKUPS = st.lists(
    st.builds(
        backup,
        st.uuids().map(str),
        node=st.sampled_from(["a", "b"]),
        campaign=st.sampled_from(["over", "open"]),
        taken_at=st.integers(0, 100).map(lambda day: day * DAY_S),
        state=st.sampled_from(BackupState),
        restore=st.sampled_from(RestoreState),
    ),
    max_size=12,
    unique_by=lambda row: row.id,
)


@given(BACKUPS, st.integers(0, 4), st.integers(0, 100))
def test_what_is_needed_or_young_stays_and_the_rest_goes(rows: list[NodeBackup], keep_last: int, days: int) -> None:
    now = 100 * DAY_S
    gone = {row.id for row in spent(rows, OPEN, Retention(keep_last, days * DAY_S), now)}
    for row in rows:
        needed = row.campaign == "open" or row.restore is RestoreState.RUNNING or row.state is BackupState.PRUNED
        assert not (needed and row.id in gone)
    for node in ("a", "b"):
        left = [r for r in rows if r.node == node and r.state is not BackupState.PRUNED]
        newest = sorted(left, key=lambda r: (-r.taken_at, r.id))
        for place, row in enumerate(newest):
            free = row.campaign == "over" and row.restore is not RestoreState.RUNNING
            goes = place >= keep_last or now - row.taken_at > days * DAY_S
            assert (row.id in gone) == (free and goes)


def test_the_last_of_each_node_stay() -> None:
    rows = [backup(f"{node}{n}", node=node, campaign="over", taken_at=float(n)) for node in "ab" for n in range(5)]
    gone = spent(rows, Needs(), Retention(keep_last=3), now=10.0)
    assert sorted(row.id for row in gone) == ["a0", "a1", "b0", "b1"]


def test_what_is_too_old_goes_even_if_it_is_the_last() -> None:
    row = backup(campaign="over", taken_at=0.0)
    assert spent([row], Needs(), Retention(max_age_s=DAY_S), now=DAY_S) == []
    assert spent([row], Needs(), Retention(max_age_s=DAY_S), now=DAY_S + 1) == [row]
    assert spent([row], Needs({"over": CampaignState.COMPLETED}), Retention(max_age_s=DAY_S), now=DAY_S + 1) == []


async def _going(left_by: str) -> tuple[list[str], list[str]]:
    """Which backups of committed campaigns go while a node is left out of service, and once that is back."""
    clock = VirtualClock()
    async with simulate(World.in_memory(clock), clock) as sim:
        for name in ("left-out", "other"):
            await sim.store.campaigns.add(campaign(name, state=CampaignState.COMMITTED))
            for node in ("cn-1", "cn-2"):
                await sim.store.backups.add(backup(f"{name}/{node}", campaign=name, node=node, operation=f"{name}/{node}"))
        cordon = Restoration(
            id=f"{left_by}/cn-1/1/cordon/cn-1",
            campaign=left_by,
            kind="cordon",
            object_id="cn-1",
            node="cn-1",
            found={"enabled": True},
            commands=(),
            created_at=1.0,
        )
        await sim.store.restorations.add(cordon)
        retention = Retention(keep_last=0, max_age_s=0.0)
        before = [row.id for row in (await prune(sim.ctx, retention, dry_run=True)).pruned]
        await sim.store.restorations.done(cordon.id, clock.now())
        return sorted(before), sorted(row.id for row in (await prune(sim.ctx, retention, dry_run=True)).pruned)


@pytest.mark.parametrize(("left_by", "stay"), [("left-out", {"left-out/cn-1"}), ("restore", {"left-out/cn-1", "other/cn-1"})])
def test_what_may_be_the_way_back_of_a_node_out_of_service_stays_after_the_commit(left_by: str, stay: set[str]) -> None:
    before, after = virtual_time.run(_going(left_by))
    assert after == ["left-out/cn-1", "left-out/cn-2", "other/cn-1", "other/cn-2"]
    assert set(after) - set(before) == stay


def test_what_keeps_each_backup_is_told_with_the_command_that_brings_its_end_nearer() -> None:
    needed = Needs({"open": CampaignState.COMPLETED, "under-way": CampaignState.SUSPENDED}, frozenset({("over", "out")}))
    rows = [
        backup("open", campaign="open", taken_at=1.0),
        backup("under-way", campaign="under-way", taken_at=2.0),
        backup("out", node="out", campaign="over", taken_at=3.0),
        backup("busy", node="busy", campaign="over", taken_at=4.0, restore=RestoreState.RUNNING),
        backup("last", node="quiet", campaign="over", taken_at=5.0),
        backup("older", node="quiet", campaign="over", taken_at=4.0),
        backup("gone", node="quiet", campaign="over", taken_at=3.0, state=BackupState.PRUNED),
    ]
    found = stays(rows, needed, Retention(keep_last=1, max_age_s=DAY_S), now=10.0)
    assert {name: (stay.why, stay.then) for name, stay in found.items()} == {
        "open": ("campaign open, which is completed and may still need it", "escalator campaign commit open"),
        "under-way": ("campaign under-way, which is suspended and may still need it", "escalator campaign show under-way"),
        "out": ("out, which was left out of service and may have no other way back", "escalator restoration list"),
        "busy": ("its restore, which is under way", "escalator backup show busy"),
        "last": (
            "retention: the last one of its node (backups.keep_last)",
            f"escalator backup prune --release {rows[4].release}",
        ),
    }
    assert [name for name, stay in found.items() if stay.by_retention] == ["last"]
    assert (found["last"].until, found["open"].until) == (5.0 + DAY_S, None)


def test_of_a_release_all_goes_that_only_retention_keeps() -> None:
    rows = [
        backup("kept", node="a", campaign="over", release="agent/2.0.0"),
        backup("other", node="b", campaign="over", release="agent/1.0.0"),
        backup("needed", node="c", campaign="open", release="agent/2.0.0"),
        backup("gone", node="d", campaign="over", release="agent/2.0.0", state=BackupState.PRUNED),
    ]
    assert [row.id for row in spent(rows, OPEN, Retention(), 10.0, "agent/2.0.0")] == ["kept"]
