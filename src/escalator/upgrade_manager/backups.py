"""The use cases of backups: see, verify, restore and prune them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from escalator.model.backup import BackupState, NodeBackup
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, EscalatorError, NotFoundError, PermanentError
from escalator.model.progress import Event
from escalator.system_support.port import Check, SystemSupport
from escalator.upgrade_manager.engine import keeping
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.keeping import Swept
from escalator.upgrade_manager.engine.restore import (
    COURSE,
    refuse_for_clusters,
    refuse_under_instances,
    refuse_while_active,
    workflow_of,
)
from escalator.upgrade_manager.engine.staying import Retention, Stay, needs, stays
from escalator.upgrade_manager.engine.way_back import no_way_back

_log = structlog.get_logger()


class BackupService:
    """Everything that people ask of backups."""

    def __init__(self, ctx: Context, retention: Retention) -> None:
        self._ctx = ctx
        self._retention = retention

    def on_behalf(self, ctx: Context) -> BackupService:
        """The same use cases, in the name of the operator of that context."""
        return BackupService(ctx, self._retention)

    async def list(self, campaign: str | None = None, node: str | None = None) -> Sequence[NodeBackup]:
        """All, those of a campaign, of a node, or of both; newest first."""
        return await self._ctx.store.backups.list(campaign, node)

    async def get(self, backup_id: str) -> NodeBackup:
        """One backup. Raises NotFoundError (`SYS_BACKUP_NOT_FOUND`)."""
        row = await self._ctx.store.backups.get(backup_id)
        if row is None:
            message = f"There is no backup {backup_id!r}."
            raise NotFoundError(Code.SYS_BACKUP_NOT_FOUND, message, remedy="escalator backup list")
        return row

    async def verify(self, backup_id: str) -> tuple[NodeBackup, Check]:
        """Compare its content on the node with its digest.

        Raises TemporaryError when the node does not answer, PermanentError when its driver keeps no backups.
        """
        row = await self.get(backup_id)
        _refuse_pruned(row)
        check = await self._system(row).shelf.verify(row.node, row.content)
        now = self._ctx.clock.now()
        if check.ok:
            marked = await self._ctx.store.backups.mark(row.id, state=BackupState.KEPT, verified_at=now)
        else:
            marked = await self._ctx.store.backups.mark(row.id, state=BackupState.DAMAGED)
        await self._tell(row, "backup.verify", "done" if check.ok else "failed", check.message, check.code)
        return marked or row, check

    async def restore(self, backup_id: str, *, accept_impact: bool = False, accept_cluster: str = "") -> NodeBackup:
        """Begin to put the node back on the backup; it goes on by itself, whatever becomes of this process.

        Raises ConflictError while a campaign is active or the node is being restored, or when the backup is pruned;
        ConditionsError when instances run on the node, or its clusters cannot do without it, and that is not accepted, or
        when the release that came after it lets nobody go back. `accept_cluster`: why that of the clusters is; empty = it is not.
        """
        row = await self.get(backup_id)
        _refuse_pruned(row)
        self._system(row)
        refused = await no_way_back(self._ctx, row)
        if refused is not None:
            raise refused
        await refuse_while_active(self._ctx)
        if not accept_cluster:
            await refuse_for_clusters(self._ctx, row.node)
        if not accept_impact:
            await refuse_under_instances(self._ctx, row.node)
        begun = await self._ctx.store.backups.begin_restore(backup_id, self._ctx.clock.now())
        if begun is None:
            raise ConflictError(Code.SYS_BACKUP_BUSY, f"A backup of {row.node} is being restored already.")
        await self._ctx.store.tasks.remember(workflow_of(begun), "accept_impact", accept_impact)
        await self._ctx.store.tasks.remember(workflow_of(begun), "accept_cluster", accept_cluster)
        how = ["instances that run on it may be impacted"] if accept_impact else []
        how += [f"its clusters are not asked: {accept_cluster}"] if accept_cluster else []
        await self._tell(begun, "backup.restore", "started", "; ".join(how))
        await self._ctx.launcher.start(COURSE, workflow_of(begun), {"backup": begun.id})
        return begun

    async def kept_by(self, node: str | None = None) -> Mapping[str, Stay]:
        """What keeps each backup, or each of a node, by its id; those that are gone, or go next time, are not in it."""
        rows = await self._ctx.store.backups.list(None, node)
        return stays(rows, await needs(self._ctx), self._retention, self._ctx.clock.now())

    async def prune(self, *, dry_run: bool = False, release: str = "") -> Swept:
        """Remove what the retention of the settings lets go; never what a campaign may still need.

        With a release, what was taken before its installation goes instead, whatever retention says.
        """
        return await keeping.prune(self._ctx, self._retention, dry_run=dry_run, release=release)

    async def tend(self, every_s: float) -> None:
        """Prune for ever."""
        while True:
            await self._ctx.clock.sleep(every_s)
            try:
                await self.prune()
            except EscalatorError as error:  # storage does not answer: nothing is lost by looking again later
                _log.warning("backup.prune", code=error.code.value, message=error.message)

    async def take_up(self) -> None:
        """A server may have died between the record that a restore runs and the start of its workflow."""
        for row in await self._ctx.store.backups.restoring():
            await self._ctx.launcher.start(COURSE, workflow_of(row), {"backup": row.id})

    def _system(self, row: NodeBackup) -> SystemSupport:
        system = self._ctx.systems.get(row.driver)
        if system is None:
            raise PermanentError(Code.SYS_CONFIG, f"The driver {row.driver!r} that took the backup is not configured.")
        return system

    async def _tell(self, row: NodeBackup, action: str, outcome: str, message: str, code: Code | None = None) -> None:
        event = Event(
            at=self._ctx.clock.now(),
            action=action,
            campaign=row.campaign,
            node=row.node,
            object_id=row.id,
            outcome=outcome,
            code=None if code is None else code.value,
            message=message,
            by=self._ctx.by,
        )
        await self._ctx.store.events.append((event,))


def _refuse_pruned(row: NodeBackup) -> None:
    if row.state is BackupState.PRUNED:
        message = f"The backup {row.id} was pruned: it is not on {row.node} any more."
        raise ConflictError(Code.SYS_BACKUP_NOT_FOUND, message, remedy=f"escalator backup list --node {row.node}")
