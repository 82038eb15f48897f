"""From stored rows to replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache

from escalator.api import views as v
from escalator.api.times import stamp, stamp_or_none
from escalator.model.errors import EscalatorError
from escalator.model.hold import Hold
from escalator.model.inventory import Node
from escalator.model.notice import Notice
from escalator.model.plan import Plan
from escalator.model.progress import Counts, Event, NodeTask, Restoration, counts_of
from escalator.storage.port import CampaignRow, ImpactRow, OutageRow, ReleaseRow, WatchRow
from escalator.upgrade_manager.engine.proof import Proof
from escalator.upgrade_manager.engine.replan import Replan
from escalator.upgrade_manager.engine.staging import Staged

KEPT_TASKS = 4096
"""Each is about four kilobytes. The largest clouds have more nodes; their looks are slower, not wrong."""


def progress(counts: Counts) -> v.ProgressView:
    """The nodes in numbers."""
    return v.ProgressView(**asdict(counts), ended=counts.ended, percent=counts.percent)


@lru_cache(maxsize=KEPT_TASKS)
def task_view(task: NodeTask, tries: int) -> v.TaskView:
    """One node task, which is that try of its kind.

    Kept, as most nodes of a campaign are as they were when somebody looked a second ago.
    """
    ladder = [
        v.RungView(rung=c.rung.value, status=c.status, since=stamp(c.since), reason=c.reason, message=c.message)
        for c in task.ladder
    ]
    return v.TaskView(
        campaign=task.campaign,
        node=task.node,
        wave=task.wave,
        attempt=task.attempt,
        tries=tries,
        kind=task.kind.value,
        state=task.state.value,
        step=task.step,
        ladder=ladder,
        code=task.code,
        message=task.message,
        updated_at=stamp(task.updated_at),
    )


def campaign_summary(row: CampaignRow, tasks: Sequence[NodeTask] | None = None) -> v.CampaignSummary:
    """A campaign for a list."""
    return v.CampaignSummary(
        name=row.name,
        state=row.state.value,
        code=row.code,
        reason=row.reason,
        release=row.document.get("spec", {}).get("release"),
        plan=row.plan,
        created_at=stamp(row.created_at),
        started_at=stamp_or_none(row.started_at),
        ended_at=stamp_or_none(row.ended_at),
        progress=None if tasks is None else progress(counts_of(row.state, tasks)),
    )


def plan_summary(plan: Plan) -> v.PlanSummary:
    """A plan in short."""
    return v.PlanSummary(
        id=plan.id,
        digest=plan.digest,
        parent=plan.parent,
        smooth=plan.smooth,
        nodes=plan.totals.nodes,
        moves=plan.totals.moves,
        makespan_s=plan.totals.makespan_s,
        bounds=plan.bounds,
        not_upgraded=plan.totals.not_upgraded,
        conditions=plan.conditions,
    )


def node_view(node: Node, instances: int, task: NodeTask | None) -> v.NodeView:
    """A node with its place in the campaign."""
    return v.NodeView(
        id=node.id,
        roles=node.roles,
        az=node.az,
        rack=node.rack,
        state=node.state,
        maintenance=node.maintenance,
        maintenance_reason=node.maintenance_reason,
        versions=node.versions,
        instances=instances,
        hold=node.hold,
        campaign=task.campaign if task else None,
        task=task.state.value if task else None,
        step=task.step if task else None,
        message=task.message if task else None,
    )


def hold_view(hold: Hold) -> v.HoldView:
    """A person's hold on a node."""
    return v.HoldView(node=hold.node, reason=hold.reason, since=stamp(hold.since))


def release_view(row: ReleaseRow, hindrance: EscalatorError | None) -> v.ReleaseView:
    """A release with its document, who signed it, and what keeps new campaigns from using it."""
    spec = row.document["spec"]
    name, _, version = row.id.partition("/")
    return v.ReleaseView(
        id=row.id,
        name=name,
        version=version,
        type=spec.get("type", ""),
        impact=spec.get("impact", ""),
        digest=row.digest,
        imported_at=stamp(row.imported_at),
        signature="unsigned" if row.envelope is None else "trusted" if row.signed_by else "not-verified",
        signed_by=sorted(row.signed_by),
        expires=spec.get("expires"),
        hindrance=v.HindranceView(code=hindrance.code.value, message=hindrance.message) if hindrance else None,
        document=row.document,
    )


def signed_by(release: v.ReleaseView) -> str:
    """Who signed a release, in words."""
    return f"signed by {', '.join(release.signed_by)}" if release.signed_by else release.signature


def notice_view(notice: Notice) -> v.NoticeView:
    """A notice without its reply address."""
    return v.NoticeView(
        id=notice.id,
        type=notice.type.value,
        vnfm=notice.vnfm,
        campaign=notice.campaign,
        node=notice.node,
        state=notice.state.value,
        result=notice.reply.result if notice.reply else None,
        instances=len(notice.resources),
        attempts=notice.attempts,
        created_at=stamp(notice.created_at),
        delivered_at=stamp_or_none(notice.delivered_at),
        answered_at=stamp_or_none(notice.answered_at),
        reply_by=stamp_or_none(notice.reply_by),
        action_at=stamp_or_none(notice.action_at),
        code=notice.error_code,
        message=notice.error,
    )


def event_view(event: Event) -> v.EventView:
    """One line of the history."""
    return v.EventView(
        seq=event.seq,
        at=stamp(event.at),
        action=event.action,
        campaign=event.campaign,
        node=event.node,
        object_id=event.object_id,
        step=event.step,
        outcome=event.outcome,
        code=event.code,
        message=event.message,
        duration_s=event.duration_s,
        by=event.by,
        data=event.data,
    )


def restoration_view(row: Restoration) -> v.RestorationView:
    """One entry of the break-glass sheet."""
    return v.RestorationView(
        id=row.id,
        campaign=row.campaign,
        kind=row.kind,
        object_id=row.object_id,
        node=row.node,
        found=row.found,
        commands=row.commands,
        created_at=stamp(row.created_at),
    )


def replan_view(made: Replan, *, followed: bool) -> v.ReplanView:
    """A plan for the rest of a campaign."""
    plan = made.plan
    return v.ReplanView(
        plan=plan.id,
        parent=plan.parent,
        followed=followed,
        smooth=plan.smooth,
        changes=list(made.lines),
        beyond=list(made.beyond),
        left_out=list(made.left),
        nodes=plan.totals.nodes,
        moves=plan.totals.moves,
        makespan_s=plan.totals.makespan_s,
    )


def verification_view(proof: Proof) -> v.VerificationView:
    """The verifier's word on a run."""
    violations = [v.ViolationView(**(asdict(found) | {"code": found.code.value})) for found in proof.violations]
    return v.VerificationView(
        turns=proof.turns, upgraded=proof.upgraded, moves=proof.moves, impacts=proof.impacts, violations=violations
    )


def outages_view(watches: Sequence[WatchRow], outages: Sequence[OutageRow], until: float) -> v.OutagesView:
    """What the probes saw; an outage that had not ended lasts until then."""
    return v.OutagesView(
        watches=[
            v.WatchView(
                vnf=watch.vnf,
                probe=watch.probe,
                interval_s=watch.interval_s,
                since=stamp(watch.since),
                until=stamp(watch.until),
                sent=watch.sent,
                failed=watch.failed,
            )
            for watch in watches
        ],
        outages=[
            v.OutageView(
                vnf=row.vnf,
                probe=row.probe,
                started_at=stamp(row.started_at),
                ended_at=stamp_or_none(row.ended_at),
                seconds=round(max(0.0, (until if row.ended_at is None else row.ended_at) - row.started_at), 3),
                reason=row.reason,
            )
            for row in outages
        ],
    )


def impact_view(row: ImpactRow) -> v.ImpactView:
    """One impact."""
    return v.ImpactView(
        kind=row.kind,
        node=row.node,
        target=row.target,
        groups=row.groups,
        started_at=stamp(row.started_at),
        ended_at=stamp_or_none(row.ended_at),
        seconds=None if row.ended_at is None else round(row.ended_at - row.started_at, 3),
    )


def staged_view(staged: Staged) -> v.StagedView:
    """What came of staging a node."""
    return v.StagedView(
        node=staged.node,
        release=staged.release,
        staged=not staged.code,
        at=stamp(staged.at),
        code=staged.code or None,
        message=staged.message,
    )


def staging_view(under_way: bool, nodes: Sequence[Staged]) -> v.StagingView:  # noqa: FBT001 - a fact, not a switch
    """A campaign's staging."""
    return v.StagingView(under_way=under_way, nodes=[staged_view(one) for one in nodes])
