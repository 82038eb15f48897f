"""The port of storage, one part per subject. Two implementations pass one contract suite: SQL and memory.

Every method is one transaction. A change of state names the state it expects and raises ConflictError otherwise.
Rows are the frozen values of `model`; times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from escalator.model.alarm import Alarm
from escalator.model.constraint import Constraint, ConstraintKind
from escalator.model.hold import Hold
from escalator.model.notice import Notice, NoticeState, Reply, Vnfm
from escalator.model.progress import CampaignState, Event, NodeTask
from escalator.model.subscription import Subscription
from escalator.storage.backup_rows import Backups
from escalator.storage.changes import Restorations
from escalator.storage.history import Events
from escalator.storage.turns import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRow:
    """A campaign as stored. `document` is the campaign document as plain data (JSON mode, by alias)."""

    name: str
    document: Mapping[str, Any]
    state: CampaignState = CampaignState.DRAFT
    cloud: str | None = None
    """Id of the cloud it runs on, from its start."""
    plan: str | None = None
    code: str = ""
    reason: str = ""
    """Why it is in this state, for people."""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A stored plan: the document and the inventory it was made from, both as JSON text."""

    id: str
    campaign: str
    parent: str | None
    digest: str
    document: str
    inventory: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A release as stored: its document as plain data, and the digest over document and files."""

    id: str
    digest: str
    document: Mapping[str, Any]
    imported_at: float
    envelope: str | None = None
    """The signed envelope that the document came in, as it came; None = it came without."""
    signed_by: Mapping[str, str] = field(default_factory=dict)
    """The trusted keys whose signatures counted when it was taken in: public key (hexadecimal) by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactRow:
    """One instance's impact: a move or the upgrade of its node under it. Open while `ended_at` is null."""

    id: str
    """`task/instance/n`: repeating the same id changes nothing."""
    campaign: str
    node: str
    instance: str
    kind: str
    groups: tuple[str, ...] = ()
    target: str | None = None
    demand: Mapping[str, float] = field(default_factory=dict)
    cells: tuple[int, ...] = ()
    """NUMA entries used on the target, each with `demand`."""
    started_at: float = 0.0
    ended_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSlot:
    """A node that is out of service because of a campaign."""

    campaign: str
    node: str
    task: str
    since: float


class Releases(Protocol):
    """Imported releases."""

    async def add(self, row: ReleaseRow) -> None:
        """Store; when the same digest is there, only an envelope that comes with it is taken, with who signed.

        Raises ConflictError when the id has another digest.
        """
        ...

    async def remove(self, release_id: str) -> None:
        """Forget; nothing happens when it is not there."""
        ...

    async def get(self, release_id: str) -> ReleaseRow | None:
        """The release of that id, or None."""
        ...

    async def list(self) -> Sequence[ReleaseRow]:
        """All releases, in order of id."""
        ...


class Vnfms(Protocol):
    """Registered VNF managers."""

    async def add(self, vnfm: Vnfm) -> None:
        """Store. Raises ConflictError when the name is taken."""
        ...

    async def replace(self, vnfm: Vnfm, known: Vnfm | None = None) -> None:
        """Store in place of the one of that name. Raises NotFoundError when there is none.

        With `known` only while it is that; raises ConflictError (`VIM_CHANGED`) when it is something else by now.
        """
        ...

    async def remove(self, name: str, known: Vnfm | None = None) -> None:
        """Forget, with its subscription; with `known` only while it is that. Raises as `replace` does."""
        ...

    async def get(self, name: str) -> Vnfm | None:
        """The VNF manager of that name, or None."""
        ...

    async def list(self) -> Sequence[Vnfm]:
        """All VNF managers, in order of name."""
        ...


class Subscriptions(Protocol):
    """Subscriptions of VNF managers, one each."""

    async def add(self, row: Subscription) -> None:
        """Store. Raises ConflictError when the VNF manager has one, NotFoundError when it is not registered."""
        ...

    async def replace(self, row: Subscription) -> None:
        """Store in place of the VNF manager's own. Raises NotFoundError when it has none."""
        ...

    async def remove(self, vnfm: str) -> None:
        """Forget. Raises NotFoundError when the VNF manager has none."""
        ...

    async def get(self, vnfm: str) -> Subscription | None:
        """That of the VNF manager, or None."""
        ...

    async def list(self) -> Sequence[Subscription]:
        """All, in order of the VNF managers' names."""
        ...


class Campaigns(Protocol):
    """Campaigns and their plans."""

    async def add(self, row: CampaignRow) -> None:
        """Store. Raises ConflictError when the name is taken."""
        ...

    async def get(self, name: str) -> CampaignRow | None:
        """The campaign of that name, or None."""
        ...

    async def state(self, name: str) -> CampaignState | None:
        """Only the state: it is read before every step, so this parses no document."""
        ...

    async def list(self) -> Sequence[CampaignRow]:
        """All campaigns, oldest first."""
        ...

    async def change(
        self,
        name: str,
        expected: Sequence[CampaignState],
        events: Sequence[Event] = (),
        memo: Mapping[str, object] | None = None,
        **changes: object,
    ) -> CampaignRow:
        """Change fields of a campaign that is in one of the expected states, append the events, return the new row.

        `memo` is remembered of it in the same transaction: a change that is refused leaves nothing behind.

        A change of `state` to running sets `cloud` too; raises ConflictError (`UPG_ONE_RUNNING`) when another campaign
        occupies that cloud, and (`UPG_STATE`) when the state is another; NotFoundError without one. `revision` grows by one.
        """
        ...

    async def start(
        self, name: str, tasks: Sequence[NodeTask], events: Sequence[Event], memo: Mapping[str, object], **changes: object
    ) -> CampaignRow:
        """As `change`, of a planned one, with these node tasks and no others, and what is remembered of it.

        Raises ConflictError (`UPG_STATE`) when its plan is gone, too.
        """
        ...

    async def withdraw(
        self, name: str, expected: Sequence[CampaignState], events: Sequence[Event], instead: CampaignRow | None = None
    ) -> None:
        """Remove it with all that is kept of it, or its plans and store `instead`; append the events. Raises as `change` does."""
        ...

    async def add_plan(self, row: PlanRow) -> None:
        """Store, once. Raises NotFoundError without its campaign, ConflictError when the id has another digest."""
        ...

    async def get_plan(self, plan_id: str) -> PlanRow | None:
        """The plan of that id, or None."""
        ...

    async def list_plans(self, campaign: str) -> Sequence[PlanRow]:
        """Plans of a campaign, oldest first; `document` and `inventory` are left empty."""
        ...


class Admission(Protocol):
    """The two doors. `decide` sees the rows as they are inside the transaction and returns a reason to refuse, or None."""

    async def enter_node(self, slot: NodeSlot, decide: Callable[[Sequence[NodeSlot]], str | None]) -> str | None:
        """Take a node slot. None when taken (or held already by the same task), else the reason.

        It is refused, too, to a task that is stored and does not wait for its turn any more: a person was quicker.
        """
        ...

    async def put_instead(self, seen: NodeTask, task: NodeTask, events: Sequence[Event] = (), *, leave: bool = False) -> None:
        """Store the task where `seen` stands, append the events, and with `leave` give the node's slot back: one transaction.

        Raises ConflictError (`UPG_STATE`) when attempt or state of the node is another by now, and when it waits no more but
        has gone through the door.
        """
        ...

    async def leave_node(self, campaign: str, node: str, task: str | None = None) -> None:
        """Give the slot back; nothing happens when it is not taken, or by another task than the one named."""
        ...

    async def node_slots(self) -> Sequence[NodeSlot]:
        """The slots taken, oldest first."""
        ...

    async def enter_impact(self, row: ImpactRow, since: float, decide: Callable[[Sequence[ImpactRow]], str | None]) -> str | None:
        """Take an impact's slots. `decide` sees the impacts that are open or ended after `since`."""
        ...

    async def end_impact(self, row_id: str, at: float) -> None:
        """End an impact; nothing happens when it is not open."""
        ...

    async def withdraw_impact(self, row_id: str) -> None:
        """Forget an open impact by which nothing happened: as if it had never asked."""
        ...

    async def impacts(self, campaign: str) -> Sequence[ImpactRow]:
        """All impacts of the campaign, open and ended, oldest first."""
        ...


class Notices(Protocol):
    """Outbox of notices and inbox of replies."""

    async def add(self, notices: Sequence[Notice]) -> None:
        """Put notices into the outbox in one transaction; ids that are there already change nothing."""
        ...

    async def get(self, notice_id: str) -> Notice | None:
        """The notice of that id, or None."""
        ...

    async def by_token(self, token: str) -> Notice | None:
        """The notice whose reply address ends with the token, or None."""
        ...

    async def for_task(self, task: str) -> Sequence[Notice]:
        """The notices that a node task waits for, oldest first."""
        ...

    async def awaiting(self, task: str) -> bool:
        """Whether an answer to any of them is still awaited: one question for what would be many rows."""
        ...

    async def list(
        self, campaign: str | None = None, limit: int = 1000, *, given_up: bool = False, about: Sequence[str] = ()
    ) -> Sequence[Notice]:
        """Newest first; `given_up`: only those of the campaign that could not be delivered.

        `about`: only those of the campaign that ask about an instance with one of these ids, or of one of these projects.
        """
        ...

    async def due(self, now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Pending notices whose next attempt is due, the longest due first; those to one receiver by their age."""
        ...

    async def expired(self, now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Pending or delivered notices whose `reply_by` is not after `now`, the oldest deadline first; `to`: of one receiver."""
        ...

    async def update(
        self, notice_id: str, expected: Sequence[NoticeState], events: Sequence[Event] = (), **changes: object
    ) -> Notice | None:
        """Change a notice that is in one of the expected states, and append the events; None when it is not, or is unknown."""
        ...

    async def answer(self, notice_id: str, expected: Sequence[NoticeState], at: float, reply: Reply) -> Notice | None:
        """Let the reply be the answer to a notice in one of the expected states, and append it to the inbox as `accepted`.

        None, and nothing is changed, when it is in another state or unknown.
        """
        ...

    async def record_reply(self, notice_id: str, at: float, reply: Reply, verdict: str) -> None:
        """Append to the inbox: every reply that arrived, with what became of it (`accepted`, `duplicate`, `late`, ...).

        Raises NotFoundError when there is no such notice.
        """
        ...

    async def replies(self, notice_id: str) -> Sequence[Mapping[str, Any]]:
        """Every reply to the notice in order of arrival, as `{at, verdict, reply}` with the reply as plain data."""
        ...


class Constraints(Protocol):
    """What VNFs declare that they tolerate, by kind and id of whom it is about."""

    async def put(self, constraint: Constraint) -> None:
        """Store, in place of what was declared before."""
        ...

    async def remove(self, kind: ConstraintKind, object_id: str) -> None:
        """Forget. Raises NotFoundError when nothing is declared."""
        ...

    async def get(self, kind: ConstraintKind, object_id: str) -> Constraint | None:
        """What is declared for that one, or None."""
        ...

    async def find(self, keys: Collection[tuple[ConstraintKind, str]]) -> Sequence[Constraint]:
        """What is declared for any of these, in order of kind and id."""
        ...

    async def list(self) -> Sequence[Constraint]:
        """All, in order of kind and id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageRow:
    """One time in which a probe found a VNF's service away; Unix seconds, `ended_at` None while it is."""

    campaign: str
    probe: str
    started_at: float
    """When the first probe was sent that was not answered."""
    ended_at: float | None = None
    """When the first one was sent that was."""
    vnf: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """What one probe did during a campaign: from when to when it looked, and how often."""

    campaign: str
    probe: str
    vnf: str
    interval_s: float
    since: float
    until: float
    sent: int = 0
    failed: int = 0


class Outages(Protocol):
    """What probes saw of the VNFs' services."""

    async def put(self, row: OutageRow) -> None:
        """Store, in place of what is known of the outage of that campaign, probe and begin."""
        ...

    async def watch(self, row: WatchRow) -> None:
        """Store, in place of what is known of that probe in that campaign."""
        ...

    async def list(self, campaign: str) -> Sequence[OutageRow]:
        """A campaign's outages, in order of begin and probe."""
        ...

    async def watches(self, campaign: str) -> Sequence[WatchRow]:
        """What each probe did during a campaign, in order of their names."""
        ...


class Holds(Protocol):
    """Nodes that people hold, whatever campaign runs."""

    async def put(self, hold: Hold) -> None:
        """Store, in place of the node's hold so far."""
        ...

    async def remove(self, node: str) -> bool:
        """Forget; whether there was one."""
        ...

    async def gate(self, campaign: str, node: str) -> tuple[CampaignState | None, Hold | None]:
        """What decides before each step of a node, in one read: the campaign's state, and the node's hold."""
        ...

    async def list(self) -> Sequence[Hold]:
        """All of them, in order of node."""
        ...


class Alarms(Protocol):
    """Where VNF managers want to be told about single instances. An alarm is live until it ends."""

    async def put(self, alarm: Alarm, *, per_server: int, per_project: int) -> bool:
        """Store, in place of the one of that id.

        False, and nothing is stored, when its server or its project has as many other live ones as that.
        """
        ...

    async def get(self, alarm_id: str) -> Alarm | None:
        """The alarm of that id, live or ended, or None."""
        ...

    async def of_servers(self, servers: Collection[str]) -> Sequence[Alarm]:
        """Live and ended ones of these instances, by the time of their registration, then by id."""
        ...

    async def mark(self, alarm_id: str, **changes: object) -> Alarm | None:
        """Change a live alarm; None when it has ended, or is unknown."""
        ...

    async def end(self, alarm_id: str, at: float) -> Alarm | None:
        """End a live alarm and return it as it was; None when there is none. One that was told for no notice is forgotten."""
        ...

    async def forget(self, before: float) -> None:
        """Forget those that ended before that time."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """All parts of storage."""

    releases: Releases
    vnfms: Vnfms
    subscriptions: Subscriptions
    constraints: Constraints
    alarms: Alarms
    campaigns: Campaigns
    tasks: Tasks
    admission: Admission
    restorations: Restorations
    notices: Notices
    events: Events
    outages: Outages
    backups: Backups
    holds: Holds
