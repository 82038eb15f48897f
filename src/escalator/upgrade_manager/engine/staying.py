"""Why a backup stays on its node, and what brings its end nearer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from escalator.model.backup import BackupState, NodeBackup, RestoreState
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.restore import BY_HAND
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON

NEEDLESS = (
    CampaignState.DRAFT,
    CampaignState.PLANNED,
    CampaignState.COMMITTED,
    CampaignState.ROLLED_BACK,
    CampaignState.RESTORED,
)
"""States of a campaign that will not ask for its backups any more, or not yet."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long backups stay that no campaign needs: the last so many of each node, none older than that."""

    keep_last: int = 3
    max_age_s: float = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Stay:
    """What keeps one backup."""

    why: str
    then: str
    """The command that ends it, or brings its end nearer."""
    until: float | None = None
    """When it ends by itself, in Unix seconds; None when it does not."""
    by_retention: bool = False
    """Whether nothing but the settings' retention keeps it."""


NOTHING = Stay("", "escalator backup prune")
"""Nothing keeps it: it goes with the next pruning."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Who may still ask for backups."""

    campaigns: Mapping[str, CampaignState] = field(default_factory=dict)
    """Campaigns that may be rolled back, or are on their way back."""
    out: frozenset[tuple[str, str]] = frozenset()
    """Campaigns with the nodes that they left out of service, whatever became of them: a backup may be such a node's way back.

    A restore by hand that went wrong stands for every campaign.
    """


async def needs(ctx: Context) -> Needs:
    """Who may still ask for backups now."""
    campaigns = {row.name: row.state for row in await ctx.store.campaigns.list() if row.state not in NEEDLESS}
    out = frozenset((row.campaign, row.node) for row in await ctx.store.restorations.open() if row.kind == CORDON)
    return Needs(campaigns, out)


def stays(rows: Sequence[NodeBackup], needed: Needs, retention: Retention, now: float) -> Mapping[str, Stay]:
    """What keeps each backup, by its id; those that are gone, or may go, are not in it.

    `rows` are all of the nodes that they are of, whatever their state: how many newer ones a node has decides about each.
    """
    newer: defaultdict[str, int] = defaultdict(int)
    found = {}
    for row in sorted(rows, key=lambda row: (-row.taken_at, row.id)):
        if row.state is BackupState.PRUNED:
            continue
        newer[row.node] += 1
        stay = _needed_by(row, needed) or _retained(row, newer[row.node], retention, now)
        if stay is not None:
            found[row.id] = stay
    return found


def nearer_to_final(name: str, state: CampaignState) -> str:
    """The command that brings a campaign nearer to its end for good."""
    unstarted = state in (CampaignState.DRAFT, CampaignState.PLANNED)
    over = state in (CampaignState.COMPLETED, CampaignState.ABORTED)
    verb = "remove" if unstarted else "commit" if over else "show"
    return f"escalator campaign {verb} {name}"


def _needed_by(row: NodeBackup, needed: Needs) -> Stay | None:
    """Whether somebody may still ask for it."""
    if row.restore is RestoreState.RUNNING:
        return Stay("its restore, which is under way", f"escalator backup show {row.id}")
    state = needed.campaigns.get(row.campaign)
    if state is not None:
        why = f"campaign {row.campaign}, which is {state.value} and may still need it"
        return Stay(why, nearer_to_final(row.campaign, state))
    if needed.out & {(row.campaign, row.node), (BY_HAND, row.node)}:
        return Stay(f"{row.node}, which was left out of service and may have no other way back", "escalator restoration list")
    return None


def _retained(row: NodeBackup, place: int, retention: Retention, now: float) -> Stay | None:
    """Whether the settings keep it although nobody asks for it any more."""
    if place > retention.keep_last or now - row.taken_at > retention.max_age_s:
        return None
    last = "the last one" if retention.keep_last == 1 else f"among the last {retention.keep_last}"
    why = f"retention: {last} of its node (backups.keep_last)"
    then = f"escalator backup prune --release {row.release}"
    return Stay(why, then, row.taken_at + retention.max_age_s, by_retention=True)
