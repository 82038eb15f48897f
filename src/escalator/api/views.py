"""What replies look like. Names and meaning are fixed once released; internal names may change behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from escalator.model.constraint import ConstraintKind, MaintenanceInfo
from escalator.model.inventory import Instance
from escalator.model.plan import Bounds, Condition, NotUpgraded
from escalator.model.subscription import AuthType


class View(BaseModel):
    """Base of every reply: frozen, and described in the OpenAPI document."""

    model_config = ConfigDict(frozen=True)


class ConstraintView(View):
    """What is declared for one object, and how many instances that is about now; null when the cloud does not answer."""

    kind: ConstraintKind
    id: str
    spec: MaintenanceInfo
    instances: int | None


class RungView(View):
    """One rung of the condition ladder that a node has reached."""

    rung: str
    status: bool
    since: str
    reason: str
    message: str


class TaskView(View):
    """One node's part of a campaign."""

    campaign: str
    node: str
    wave: int
    attempt: int
    """Which turn of the node in this campaign it is, upgrades and ways back counted together."""
    tries: int
    """Which turn of its kind it is: 2 is the second try."""
    kind: str
    """`upgrade`, `rollback` or `restore`: what the turn is for."""
    state: str
    step: str
    ladder: Sequence[RungView]
    code: str
    message: str
    updated_at: str


class ProgressView(View):
    """The campaign's nodes in numbers; on the way back those that have to go back, others do not count.

    `done` are upgraded, or back; `ended` have nothing left to do, however they ended; `percent` is the share that is done.
    """

    back: bool
    """Whether the way back is counted."""
    total: int
    ended: int
    done: int
    running: int
    held: int
    pending: int
    failed: int
    skipped: int
    percent: float


class WaitingView(View):
    """A VNF manager whose answer is waited for."""

    vnfm: str
    notice: str
    node: str | None
    since: str
    reply_by: str | None
    deferred_until: str | None
    """Until when it asked for time, where its answer so far is a `DEFER`."""
    delivered: bool


class UndeliveredView(View):
    """A notice that did not reach its VNF manager, and is not tried again."""

    vnfm: str
    notice: str
    node: str | None
    notification_type: str
    code: str | None
    message: str | None


class PlanSummary(View):
    """A plan in short: what it comes to and which conditions hold."""

    id: str
    digest: str
    parent: str | None
    smooth: bool
    nodes: int
    moves: int
    makespan_s: float
    bounds: Bounds
    not_upgraded: Sequence[NotUpgraded]
    conditions: Sequence[Condition]


class PlanRef(View):
    """A stored plan in a list."""

    id: str
    digest: str
    parent: str | None
    created_at: str
    current: bool


class ReplanView(View):
    """A plan for the rest of a campaign, against the one that is followed so far."""

    plan: str
    parent: str | None
    followed: bool
    """Whether it is followed from now on; a trial, and a plan that changes nothing, are not."""
    smooth: bool
    changes: Sequence[str]
    """One line each: `+` new, `-` not any more, `~` changed."""
    beyond: Sequence[str]
    """What goes beyond what a person approved."""
    left_out: Sequence[str]
    """Approved nodes that have no turn in it: they wait, and a person is called when only such ones are left."""
    nodes: int
    moves: int
    makespan_s: float


class ViolationView(View):
    """Something that a run did against the rules; `time_s` counts from the campaign's start."""

    code: str
    message: str
    time_s: float | None
    node: str | None
    instance: str | None
    group: str | None


class VerificationView(View):
    """The verifier's word on a run, as far as its history goes."""

    turns: int
    upgraded: int
    moves: int
    impacts: int
    violations: Sequence[ViolationView]


class InterruptionView(View):
    """How a VNF, a group or an instance was impacted by a campaign. Times in seconds."""

    name: str
    members: int
    hit: int
    """Instances of it that were impacted."""
    impacts: int
    impacted_s: float
    """Time in which at least one was impacted."""
    longest_s: float
    """The longest single impact."""
    at_once: int
    """Most that were impacted at the same time."""
    limit: int | None
    """How many of a group may be."""
    beyond_s: float
    """Time in which more than that were."""
    under_way: bool
    back_impacts: int
    """Of the impacts, those on the way back: a rollback, or a restore."""
    back_s: float
    """Of `impacted_s`, the time on the way back."""
    tolerates_s: float | None
    """Longest interruption that an instance's VNF does not notice, as it declares."""
    spent_s: float | None
    """Of a group's budget, over all campaigns of the period."""
    budget_s: float | None
    """How long a group may be impacted beyond its limit in the period."""
    outages: int | None
    """How often the probes of a VNF found its service away; null where no probe looked."""
    away_s: float | None
    """Time in which at least one of them did."""
    longest_away_s: float | None


class OutageView(View):
    """One time in which a probe found a VNF's service away; up to one interval too short, a time-out and an interval too long."""

    vnf: str
    probe: str
    started_at: str
    ended_at: str | None
    """Null while it is away."""
    seconds: float
    reason: str


class WatchView(View):
    """How a probe looked at a VNF's service during a campaign."""

    vnf: str
    probe: str
    interval_s: float
    since: str
    until: str
    sent: int
    """Looks so far."""
    failed: int
    """Looks that found no service."""


class OutagesView(View):
    """What the probes saw during a campaign, and how they looked."""

    watches: Sequence[WatchView]
    outages: Sequence[OutageView]


class ImpactView(View):
    """One impact of one instance: a move, or the upgrade of its node under it."""

    kind: str
    node: str
    target: str | None
    groups: Sequence[str]
    started_at: str
    ended_at: str | None
    seconds: float | None


class CampaignSummary(View):
    """A campaign in a list. `progress` stands there while it holds the cloud."""

    name: str
    state: str
    code: str
    reason: str
    release: str | None
    plan: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    progress: ProgressView | None = None


class StartedView(CampaignSummary):
    """A campaign that has been started."""

    short_of_time: str = ""
    """What of its plan has no time left in the windows as they are now, in a sentence; empty where all has."""


class RolledBackView(CampaignSummary):
    """A campaign that a person has sent back."""

    waits: str = ""
    """When its maintenance window opens before which no node goes back, in a sentence; empty where it does not wait for one."""


class FreezeView(View):
    """Whether everything is frozen: no campaign begins anything until people end it."""

    frozen: bool
    since: str | None = None
    reason: str = ""


class CampaignDetails(CampaignSummary):
    """A campaign with everything that people want to see while it runs."""

    cloud: str | None
    revision: int
    eta_s: float | None
    next: Sequence[str]
    waiting: Sequence[WaitingView]
    undelivered: Sequence[UndeliveredView]
    """Newest first; at most twenty."""
    undelivered_total: int
    """How many there are in all; no more than 1,000 are counted."""
    plan_summary: PlanSummary | None
    freeze: FreezeView | None
    """The freeze that holds it up, whatever else its reason tells; null where nothing is frozen or it does not hold the cloud."""
    tasks: Sequence[TaskView]
    document: Mapping[str, Any]


class HoldView(View):
    """A person's hold on a node: no campaign begins it until the hold is taken back."""

    node: str
    reason: str
    since: str


class NodeView(View):
    """A node of the cloud, and where it stands in the campaign that holds the cloud."""

    id: str
    roles: Sequence[str]
    az: str | None
    rack: str | None
    state: str
    maintenance: bool
    maintenance_reason: str | None
    versions: Mapping[str, str]
    instances: int
    hold: str | None = None
    campaign: str | None = None
    task: str | None = None
    step: str | None = None
    message: str | None = None


class StagedView(View):
    """What came of bringing a release's files onto a node before its turn."""

    node: str
    release: str
    staged: bool
    at: str
    code: str | None
    message: str


class StagingView(View):
    """A campaign's staging: whether it is under way, and each node that it has come to."""

    under_way: bool
    nodes: Sequence[StagedView]


class NodeDetails(NodeView):
    """A node with its instances and its node task."""

    node_task: TaskView | None
    staged: StagedView | None
    hosted: Sequence[Instance]


class ReleaseView(View):
    """An imported release."""

    id: str
    name: str
    version: str
    type: str
    impact: str
    digest: str
    imported_at: str
    signature: Literal["unsigned", "not-verified", "trusted"]
    """`not-verified`: it came signed, and no trust store was configured when it was imported."""
    signed_by: Sequence[str]
    """Trusted keys whose signatures counted when it was imported."""
    expires: str | None
    hindrance: HindranceView | None
    """Why no new campaign may use it now."""
    document: Mapping[str, Any]


class HindranceView(View):
    """Why something may not be used."""

    code: str
    message: str


class ReachabilityView(View):
    """Whether a VNF manager answers at its address with our credentials."""

    vnfm: str
    ok: bool
    code: str
    message: str
    """Why it does not answer; when it does, why the last notice was not taken, where that is so."""
    remedy: str = ""
    """What to do where that is more particular than what the code says."""


class SpokenForView(View):
    """What a registration is about in the cloud as it is now."""

    vnfm: str
    instances: int | None
    """How many instances it speaks for; null when the cloud does not answer."""
    unknown: Sequence[str]
    """What it names and nothing in the cloud has, such as `vnf amf-9`."""


class SubscribedView(View):
    """Where a VNF manager has said by itself that it is told, and how Escalator authenticates there."""

    callback_uri: str
    filter: Mapping[str, Sequence[str]]
    """What it wants, by the names that it has itself for it; empty = everything."""
    auth: AuthType | None
    created_at: str


class NoticeView(View):
    """A notice to a VNF manager and where it stands. The reply address is a secret of its receiver: never shown."""

    id: str
    type: str
    vnfm: str
    campaign: str
    node: str | None
    state: str
    result: str | None
    instances: int
    attempts: int
    created_at: str
    delivered_at: str | None
    answered_at: str | None
    reply_by: str | None
    action_at: str | None
    code: str | None
    message: str | None


class NoticeDetails(NoticeView):
    """A notice with what it is about and every reply that came."""

    resources: Sequence[Mapping[str, Any]]
    allowed_actions: Sequence[str]
    replies: Sequence[Mapping[str, Any]]
    report: Mapping[str, Any] | None = None
    """What an orchestrator is told; null for a VNF manager."""
    details: Mapping[str, str]
    """More in words, of one that needs no answer: its release and its first window, the id of what it withdraws."""


class EventView(View):
    """One line of the history."""

    seq: int
    at: str
    action: str
    campaign: str | None
    node: str | None
    object_id: str | None
    step: str | None
    outcome: str | None
    code: str | None
    message: str
    duration_s: float | None
    by: str | None
    """The operator who asked for it, by the name of the token; null where it has none, and for what nobody asked for."""
    data: Mapping[str, Any]


class RestorationView(View):
    """An entry of the break-glass sheet: what is not put back yet, and the commands that put it back by hand."""

    id: str
    campaign: str
    kind: str
    object_id: str
    node: str
    found: Mapping[str, Any]
    commands: Sequence[str]
    created_at: str


class Health(View):
    """The server answers."""

    status: str
