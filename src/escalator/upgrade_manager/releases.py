"""What people ask of releases, and who still needs one. Their files are kept by the release store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from escalator.model.backup import BackupState
from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, EscalatorError, NotFoundError
from escalator.storage.port import CampaignRow, ReleaseRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.states import CAMPAIGN_MOVES
from escalator.upgrade_manager.engine.staying import NOTHING, Retention, nearer_to_final, needs, stays

SHOWN = 5
"""So many of those who need a release are named."""


class ReleaseService:
    """The list of releases. A release is taken in and removed by the release store."""

    def __init__(self, ctx: Context, retention: Retention) -> None:
        self._ctx = ctx
        self._retention = retention

    async def list(self) -> Sequence[ReleaseRow]:
        """All imported releases."""
        return await self._ctx.store.releases.list()

    async def get(self, release_id: str) -> ReleaseRow:
        """One release. Raises NotFoundError."""
        row = await self._ctx.store.releases.get(release_id)
        if row is None:
            raise NotFoundError(
                Code.SYS_RELEASE_NOT_FOUND, f"There is no release {release_id!r}.", remedy="escalator release list"
            )
        return row

    def hindrance(self, row: ReleaseRow) -> EscalatorError | None:
        """Why no new campaign may use it; None when one may."""
        return self._ctx.vetting.hindrance(row)

    async def require_unneeded(self, release_id: str) -> None:
        """Raise ConflictError (`SYS_RELEASE_NEEDED`) while a campaign that is not final needs it, or a backup that is kept.

        A campaign needs the release that it names, and those that hold the packages which its nodes would go back to. A
        backup needs the one that came after it: that says whether, and how, its node may be taken back. Raises NotFoundError
        when there is no such release.
        """
        row = await self.get(release_id)
        needs = [need async for need in self._needs(row)]
        if needs:
            more = f", and {len(needs) - SHOWN} more" if len(needs) > SHOWN else ""
            message = f"{release_id} is still needed: {'; '.join(text for text, _ in needs[:SHOWN])}{more}."
            verbs = dict.fromkeys(verb for _, verb in needs[:SHOWN])
            remedy = "; ".join([*verbs, f"escalator release remove {row.id}"])
            raise ConflictError(Code.SYS_RELEASE_NEEDED, message, remedy=remedy)

    def forget(self, release_id: str) -> None:
        """It was removed: what comes under this name later is read anew."""
        self._ctx.book.forget_release(release_id)

    async def _needs(self, row: ReleaseRow) -> AsyncIterator[tuple[str, str]]:
        """Who needs it, in words, and the command that brings an end of that nearer."""
        named = set()
        pins = {(str(pin["name"]), str(pin["version"])) for pin in row.document["spec"].get("packages", ())}
        for campaign in await self._ctx.store.campaigns.list():
            if not CAMPAIGN_MOVES[campaign.state]:
                continue
            if campaign.document.get("spec", {}).get("release") == row.id:
                named.add(campaign.name)
                yield (
                    f"campaign {campaign.name} is {campaign.state.value} and names it",
                    nearer_to_final(campaign.name, campaign.state),
                )
                continue
            nodes = [node async for node in self._going_back(campaign, pins)]
            if nodes:
                said = f"the way back of {', '.join(nodes[:SHOWN])} in campaign {campaign.name} leads to it"
                yield said, nearer_to_final(campaign.name, campaign.state)
        rows = await self._ctx.store.backups.list()
        # Those of a campaign that is named already go with it.
        of_it = [b for b in rows if b.release == row.id and b.state is not BackupState.PRUNED and b.campaign not in named]
        kept = stays(rows, await needs(self._ctx), self._retention, self._ctx.clock.now()) if of_it else {}
        together: dict[tuple[str, str], list[str]] = {}
        for backup in of_it:
            stay = kept.get(backup.id, NOTHING)
            together.setdefault((stay.why, stay.then), []).append(f"{backup.id} of {backup.node}")
        for (why, then), names in together.items():
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            said = f"{'backup' if len(names) == 1 else 'backups'} {', '.join(names[:SHOWN])}{more} can be restored with it only"
            yield f"{said}, kept by {why}" if why else said, then

    async def _going_back(self, campaign: CampaignRow, pins: set[tuple[str, str]]) -> AsyncIterator[str]:
        """Nodes whose backup has one of the packages in that version."""
        for task in await self._ctx.store.tasks.list(campaign.name, ladders=False):
            backup = (await self._ctx.store.tasks.memo(task.id)).get("backup") or {}
            if pins.intersection((str(name), str(version)) for name, version in (backup.get("packages") or {}).items()):
                yield task.node


async def require_usable(ctx: Context, campaign: Campaign) -> None:
    """Raise ConditionsError when the campaign's release may not be used by a new campaign."""
    if campaign.spec.release is None:
        return
    row = await ctx.store.releases.get(campaign.spec.release)
    error = ctx.vetting.hindrance(row) if row is not None else None
    if error is not None:
        raise error
