"""A release stays as long as a backup is kept that can be restored with it only, whatever became of its campaign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.backup import BackupState, NodeBackup, RestoreState
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.staying import Retention
from escalator.upgrade_manager.releases import ReleaseService
from escalator.world.world import World

RETENTION = Retention(keep_last=1, max_age_s=1e12)


async def _needed(*backups: NodeBackup) -> None:
    clock = VirtualClock()
    async with simulate(World.in_memory(clock), clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        for backup in backups:
            await sim.store.backups.add(backup)
        await ReleaseService(sim.ctx, RETENTION).require_unneeded(RELEASE.id)


def backup(number: int, release: str = RELEASE.id, state: BackupState = BackupState.KEPT) -> NodeBackup:
    return NodeBackup(
        id=f"bk-{number}", campaign="rolled-back", node=f"cn-{number}", operation=f"o{number}", driver="simulated",
        release=release, taken_at=float(number), state=state,
    )  # fmt: skip


def test_backups_that_need_it_are_named() -> None:
    with pytest.raises(ConflictError) as caught:
        virtual_time.run(_needed(backup(1), backup(2, state=BackupState.DAMAGED)))
    assert caught.value.code is Code.SYS_RELEASE_NEEDED
    names = "backups bk-2 of cn-2, bk-1 of cn-1 can be restored with it only"
    assert f"{names}, kept by retention: the last one of its node (backups.keep_last)." in caught.value.message
    assert caught.value.remedy == f"escalator backup prune --release {RELEASE.id}; escalator release remove {RELEASE.id}"


def test_the_remedy_is_what_lets_go_what_is_kept() -> None:
    older, newer = replace(backup(1), node="cn"), replace(backup(2, release="other/1.0.0"), node="cn")
    with pytest.raises(ConflictError) as caught:
        virtual_time.run(_needed(older, newer))
    assert caught.value.message.endswith("backup bk-1 of cn can be restored with it only.")
    assert caught.value.remedy == f"escalator backup prune; escalator release remove {RELEASE.id}"
    with pytest.raises(ConflictError) as caught:
        virtual_time.run(_needed(replace(older, restore=RestoreState.RUNNING), newer))
    assert "kept by its restore, which is under way" in caught.value.message
    assert caught.value.remedy == f"escalator backup show bk-1; escalator release remove {RELEASE.id}"


def test_those_that_were_pruned_or_came_before_another_release_need_nothing() -> None:
    virtual_time.run(_needed(backup(1, state=BackupState.PRUNED), backup(2, release="other/1.0.0")))
