"""Notices to VNF managers and their replies, as plain values.

Names follow the notification and reply elements of the native Vi-Vnfm interface (SOL conventions: camelCase on the
wire, snake_case here).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from escalator.model.document import DnsLabel, Model
from escalator.model.forms import WEB_ADDRESS
from escalator.model.host import Host

Disposition = Literal["MOVED", "KEEP", "MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"]


class NoticeType(StrEnum):
    """What a notice says; the values go over the wire."""

    MAINTENANCE_PLANNED = "MaintenancePlanned"
    HOST_MAINTENANCE_UPCOMING = "HostMaintenanceUpcoming"
    RESOURCE_ACTION_DONE = "ResourceActionDone"
    HOST_AVAILABLE = "HostAvailable"
    NOTICE_CANCELLED = "NoticeCancelled"
    SCALE_IN_REQUESTED = "ScaleInRequested"
    SCALE_OUT_POSSIBLE = "ScaleOutPossible"
    CAMPAIGN_COMPLETED = "CampaignCompleted"
    CAMPAIGN_ABORTED = "CampaignAborted"
    WINDOWS = "MaintenanceWindowsNotification"
    CAPACITY_TAKEN = "CapacityTakenNotification"
    CAPACITY_RETURNED = "CapacityReturnedNotification"
    RESOURCE_CHANGE = "VirtualisedResourceChangeNotification"
    CAMPAIGN_STATE = "CampaignStateNotification"
    PROJECT_EVENT = "ProjectEvent"

    @property
    def word(self) -> str:
        """The type in a word or two, for people; programs get it as it goes over the wire."""
        return _WORDS[self]


_WORDS = {
    NoticeType.MAINTENANCE_PLANNED: "planned",
    NoticeType.HOST_MAINTENANCE_UPCOMING: "upcoming",
    NoticeType.RESOURCE_ACTION_DONE: "instance done",
    NoticeType.HOST_AVAILABLE: "available",
    NoticeType.NOTICE_CANCELLED: "cancelled",
    NoticeType.SCALE_IN_REQUESTED: "scale-in asked",
    NoticeType.SCALE_OUT_POSSIBLE: "scale-out possible",
    NoticeType.CAMPAIGN_COMPLETED: "completed",
    NoticeType.CAMPAIGN_ABORTED: "aborted",
    NoticeType.WINDOWS: "windows",
    NoticeType.CAPACITY_TAKEN: "taken",
    NoticeType.CAPACITY_RETURNED: "returned",
    NoticeType.RESOURCE_CHANGE: "resource change",
    NoticeType.CAMPAIGN_STATE: "campaign state",
    NoticeType.PROJECT_EVENT: "project event",
}


def word_of(name: str) -> str:
    """The word of a type as it goes over the wire; one that a newer server has stays as it is."""
    return _WORDS[NoticeType(name)] if name in set(NoticeType) else name


FOR_ORCHESTRATORS = frozenset(
    {
        NoticeType.WINDOWS,
        NoticeType.CAPACITY_TAKEN,
        NoticeType.CAPACITY_RETURNED,
        NoticeType.RESOURCE_CHANGE,
        NoticeType.CAMPAIGN_STATE,
    }
)
"""What orchestrators are told. VNF managers never get these, and orchestrators never get anything else."""
IN_ORDER = FOR_ORCHESTRATORS | {NoticeType.PROJECT_EVENT}
"""What goes out one after another, the oldest first; `PROJECT_EVENT` is for the message bus alone."""


VnfmNoticeType = Literal[
    "MaintenancePlanned",
    "HostMaintenanceUpcoming",
    "ResourceActionDone",
    "HostAvailable",
    "NoticeCancelled",
    "ScaleInRequested",
    "ScaleOutPossible",
    "CampaignCompleted",
    "CampaignAborted",
]
"""What VNF managers are told: every other type."""


class NoticeState(StrEnum):
    """Where a notice stands."""

    PENDING = "pending"  # not delivered yet, delivery goes on
    DELIVERED = "delivered"  # the VNF manager has it
    ANSWERED = "answered"  # delivered and answered
    SILENT = "silent"  # delivered, and the deadline passed without an answer
    UNDELIVERABLE = "undeliverable"  # delivery failed for good
    CANCELLED = "cancelled"  # withdrawn


Uri = Annotated[str, StringConstraints(pattern=WEB_ADDRESS, max_length=2008)]


class Auth(Model):
    """How Escalator authenticates at a VNF manager. `credential` is the name of a file inside `credentials_dir`."""

    type: Literal["none", "basic", "bearer", "oauth2", "tls-cert"] = "none"
    credential: DnsLabel | None = None
    token_endpoint: Annotated[str, StringConstraints(pattern=WEB_ADDRESS, max_length=2008)] | None = None
    """With `oauth2`: where tokens are fetched."""


class Commands(Model):
    """Commands of `vim.commands` that speak to a VNF."""

    prepare: DnsLabel | None = None
    """Run when its node is about to go: it switches the VNF over, or moves its business."""
    restore: DnsLabel | None = None
    """Run when the node is available again, or nothing happens after all."""
    health: DnsLabel | None = None
    """Run to see whether the VNF's manager is there."""
    busy: DnsLabel | None = None
    """Run to see whether a lifecycle operation is under way; with any dialect."""
    scale: DnsLabel | None = None
    """Run to scale its VNFs in when room is asked for, and out again when that is possible."""


class Lifecycle(Model):
    """Where the running lifecycle operations of its VNFs are seen, by ETSI GS NFV-SOL 003."""

    uri: Uri | None = None
    """Base of its VNF lifecycle management interface, such as `https://vnfm.example.net/vnflcm/v2`."""
    auth: Auth = Auth()


class SubscriptionRight(Model):
    """Whether the VNF manager may subscribe by itself: how it shows who it is, and where it may be told."""

    type: Literal["none", "basic", "bearer"] = "none"
    """How it authenticates at Escalator; with `none` it may not subscribe, and the operator says where notices go."""
    credential: DnsLabel | None = None
    """Name of a file in `credentials_dir`: the token, or `user:password`; 16 characters at least."""
    hosts: Annotated[tuple[Host, ...], Field(max_length=100)] = ()
    """Names, addresses or networks that its address may be at, beside `vim.callback_hosts` of the settings."""
    replies: Literal["credential"] | None = None
    """With `credential` it shows that with its replies, too; null = whoever has a notice's reply address may use it."""


class VnfmSpec(Model):
    """What a VNF manager owns and how it is reached."""

    dialect: Literal["vi-vnfm", "manual", "command", "fenix", "tacker", "or-vi", "fenix-bus", "simulated"] = "vi-vnfm"
    callback_uri: Uri | None = None
    auth: Auth = Auth()
    contact: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+][A-Za-z0-9._@+-]{0,252}$")] | None = None
    """Whom the operator's command tells, for the dialect `manual`: a name or number that the command knows."""
    commands: Commands = Commands()
    """Commands that speak to its VNFs, for the dialect `command`."""
    lifecycle: Lifecycle = Lifecycle()
    key: DnsLabel | None = None
    """For the dialect `tacker`: name of the file inside `credentials_dir` with the key in the address that it calls."""
    workflow: Literal["vnf", "default"] = "vnf"
    """For the dialect `fenix`, for which workflow of Fenix it is made: `vnf` hears of each instance by itself, `default` of all
    instances of a project on a node at once, by the address of their list."""
    subscription: SubscriptionRight = SubscriptionRight()
    projects: tuple[str, ...] = ()
    vnfs: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()

    @property
    def orchestrator(self) -> bool:
        """Whether it is an orchestrator, or the message bus: it is told, never asked, and owns nothing."""
        return self.dialect in ("or-vi", "fenix-bus")


class Vnfm(Model):
    """A registered VNF manager."""

    name: DnsLabel
    spec: VnfmSpec


class Reply(Model):
    """A VNF manager's answer to one notice: `{"result": …, "instances": {…}}`."""

    result: Literal["ACK", "NACK", "DEFER"]
    until: str | None = None
    """RFC 3339 time until which a DEFER asks to wait."""
    instances: Mapping[str, Disposition] = Field(default_factory=dict, max_length=10_000)
    reason: Annotated[str, StringConstraints(max_length=2000)] | None = None


PLANNED_ACTIONS = ("live", "cold", "in-place", "stop-start", "offline", "own", "scale-in")
"""What may be planned for an instance, as notices say it."""


class AffectedResource(Model):
    """One VM of the addressed VNF manager that the notice is about."""

    model_config = ConfigDict(alias_generator=to_camel)

    resource_id: str
    resource_name: str | None = None
    project_id: str
    vnf_instance_id: str | None = None
    group_ids: tuple[str, ...] = ()
    planned_action: str = Field(json_schema_extra={"enum": list(PLANNED_ACTIONS)})
    """What is planned for it: `live`, `cold`, `in-place`, `stop-start`, `offline`, or `scale-in` where it might go for good;
    `own` where its VNF manager said that it acts itself."""

    expected_interruption: float | None = None
    """For how long its live or cold migration is expected to interrupt it, seconds; where its VNF declares what it notices."""
    impact: bool | None = None
    """Whether that is longer than its VNF says that it does not notice: an impact, by the VNF's own word."""
    interim: bool | None = None
    """True when it is to move to a node that is still to be upgraded itself: it will have to move once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice to one VNF manager. Times are Unix seconds."""

    id: str
    type: NoticeType
    vnfm: str
    campaign: str
    node: str | None = None
    task: str | None = None
    """Id of the node task that waits for the answer; null where none is expected."""
    resources: tuple[AffectedResource, ...] = ()
    allowed_actions: tuple[str, ...] = ()
    created_at: float
    reply_by: float | None = None
    action_at: float | None = None
    state: NoticeState = NoticeState.PENDING
    attempts: int = 0
    next_attempt_at: float = 0.0
    delivered_at: float | None = None
    answered_at: float | None = None
    reply: Reply | None = None
    reply_token: str | None = None
    """Unguessable last part of the reply address; null where no reply is expected."""
    error_code: str | None = None
    error: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
