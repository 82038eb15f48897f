"""Keeping VNFs from scaling up while nodes are away: their projects' quotas, and back to exactly what they were.

A project keeps what it uses, and for each of its VNFs room for its largest instance: who heals one by building it anew before
the old one is gone must be able to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from escalator.cloud_manager.port import Quota
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance
from escalator.model.progress import Event, Restoration
from escalator.upgrade_manager.engine.context import Context

KIND = "quota"
UNSEEN = (Code.CLD_CREDENTIALS, Code.CLD_FORBIDDEN, Code.CLD_CONFIG)
"""Refusals by which nothing is known of a quota: others say that its project is gone."""
_REFUSED = "quota_refused/"
"""Before the row of a quota that the cloud refuses to put back, in the campaign's memory."""
_OURS = "locked_"
"""Before what we set, among what was found: only that is ours to put back."""


def headrooms(instances: Iterable[Instance]) -> Mapping[str, Quota]:
    """Room that each project keeps to heal: the sum of the largest instances of its VNFs."""
    largest: dict[tuple[str, str], Quota] = {}
    for instance in instances:
        if instance.vnf is None:
            continue
        size, key = _size(instance), (instance.project, instance.vnf)
        known = largest.get(key, Quota(0, 0, 0))
        largest[key] = Quota(max(known.cores, size.cores), max(known.ram_mib, size.ram_mib), 1)
    rooms: defaultdict[str, Quota] = defaultdict(lambda: Quota(0, 0, 0))
    for (project, _), size in largest.items():
        rooms[project] = rooms[project].plus(size)
    return dict(rooms)


async def lock(ctx: Context, campaign: str, instances: Iterable[Instance]) -> None:
    """Bound the projects of these instances to what they use and their headroom. Safe to repeat.

    What is bound and not put back stays so as it is: what was found then is what comes back. Raises what the cloud raises.
    """
    bound = {row.object_id: row for row in await locked(ctx, campaign)}
    for project, room in sorted(headrooms(instances).items()):
        seen = await ctx.cloud.quotas.state(project)
        if project in bound:
            # A crash may have come before the cloud was told.
            if seen.limits == _found(bound[project]):
                await ctx.cloud.quotas.change(project, _ours(bound[project]))
            continue
        limits = seen.limits.least(seen.in_use.plus(room))
        if limits == seen.limits:
            continue
        found = {**seen.limits.to_json(), **{_OURS + key: value for key, value in limits.to_json().items()}}
        row = Restoration(
            id=f"{campaign}/{KIND}/{project}",
            campaign=campaign,
            kind=KIND,
            object_id=project,
            node="",
            found=found,
            commands=ctx.cloud.by_hand(KIND, "", project, found),
            created_at=ctx.clock.now(),
        )
        await ctx.store.restorations.add(row)
        await _rewrite(ctx)
        await ctx.cloud.quotas.change(project, limits)
        await _tell(ctx, campaign, "quota.locked", project, f"{seen.limits} becomes {limits}")


async def unlock(ctx: Context, campaign: str) -> None:
    """Put back what is not put back yet. A quota that somebody else has changed since is theirs.

    One that the cloud refuses to show or to change stays on the sheet, which is told once. Raises TemporaryError when it does
    not answer.
    """
    for row in await locked(ctx, campaign):
        now = None
        try:
            now = (await ctx.cloud.quotas.state(row.object_id)).limits
            said = _said(row, now)
        except PermanentError as error:
            if error.code in UNSEEN:
                await _refused(ctx, row, error)
                continue
            said = f"left: {error.message}"
        if now == _ours(row):
            try:
                await ctx.cloud.quotas.change(row.object_id, _found(row))
            except PermanentError as error:
                await _refused(ctx, row, error)
                continue
        await ctx.store.restorations.done(row.id, ctx.clock.now())
        await _rewrite(ctx)
        await _tell(ctx, campaign, "quota.unlocked", row.object_id, said)


async def locked(ctx: Context, campaign: str) -> Sequence[Restoration]:
    """Quotas that the campaign has set and not put back."""
    return [row for row in await ctx.store.restorations.open(campaign) if row.kind == KIND]


async def is_back(ctx: Context, row: Restoration) -> bool:
    """Whether the quota is seen to be as it was found, by whoever's hand."""
    try:
        return (await ctx.cloud.quotas.state(row.object_id)).limits == _found(row)
    except PermanentError:
        return False


def _size(instance: Instance) -> Quota:
    span = instance.numa_span
    return Quota(round(instance.demand.get("pcpu", 0.0) * span), round(instance.demand.get("mem_mib", 0.0) * span), 1)


def _said(row: Restoration, now: Quota) -> str:
    if now == _ours(row):
        return f"{now} becomes {_found(row)}"
    return f"it is as it was: {now}" if now == _found(row) else f"left as it is by somebody else's hand: {now}"


def _found(row: Restoration) -> Quota:
    return Quota.from_json(row.found)


def _ours(row: Restoration) -> Quota:
    return Quota.from_json({key.removeprefix(_OURS): value for key, value in row.found.items() if key.startswith(_OURS)})


async def _refused(ctx: Context, row: Restoration, error: PermanentError) -> None:
    """Tell once that a person has to put it back."""
    key = f"{_REFUSED}{row.id}"
    if key not in await ctx.store.tasks.memo(row.campaign):
        await _tell(ctx, row.campaign, "quota.unlocked", row.object_id, f"not put back: {error.message}", error.code)
        await ctx.store.tasks.remember(row.campaign, key, ctx.clock.now())


async def _rewrite(ctx: Context) -> None:
    await ctx.sheet.rewrite(ctx.store.restorations)


async def _tell(ctx: Context, campaign: str, action: str, project: str, message: str, code: Code | None = None) -> None:
    event = Event(
        at=ctx.clock.now(),
        action=action,
        campaign=campaign,
        object_id=project,
        outcome="done" if code is None else "failed",
        code=None if code is None else code.value,
        message=message,
    )
    await ctx.store.events.append((event,))
