"""The messages of the Vi-Vnfm interface as VNF managers' developers read them in the OpenAPI document.

Messages are made in `vim_interface.messages`; these models only describe them, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from escalator.model.notice import AffectedResource, Disposition, NoticeState, Reply, VnfmNoticeType


class Link(BaseModel):
    """Where a resource is."""

    href: str


class Links(BaseModel):
    """Links of a notification."""

    self: Link = Field(description="The notice as it stands now; the same address as `replyUri`.")


class Notification(BaseModel):
    """What is POSTed to a VNF manager's address. 204 is expected; the same `id` may come again."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    id: str
    notification_type: VnfmNoticeType
    subscription_id: str = Field(description="The name under which the VNF manager is registered.")
    time_stamp: datetime
    campaign_id: str
    occurrence_id: str = Field(description="The same in all messages about one node of one campaign.")
    host_id: str | None = None
    affected_resources: tuple[AffectedResource, ...] = Field((), description="Instances of the addressed VNF manager only.")
    allowed_actions: tuple[Disposition, ...] = Field((), description="What the reply may ask for.")
    reply_uri: str | None = Field(None, description="Where to PUT the reply. Missing when none is expected.")
    reply_by: datetime | None = None
    action_at: datetime | None = Field(None, description="When work begins; earlier when all have answered.")
    details: Mapping[str, str] = Field(default_factory=dict)
    links: Links | None = Field(None, alias="_links")


class Occurrence(Notification):
    """A notice as it stands now."""

    state: NoticeState
    reply: Reply | None = Field(None, description="The reply that counts.")


def example() -> dict[str, Any]:
    """Return a notification as it goes out."""
    uri = "https://escalator.example:8472/vi-vnfm/v1/replies/Zk3v0pX1dJ8s6QyQb2mWqg"
    return {
        "id": "5d0f7f0e-7c8e-5a4e-9a53-0c1d2e3f4a5b",
        "notificationType": "HostMaintenanceUpcoming",
        "subscriptionId": "vnfm-core",
        "timeStamp": "2027-01-15T01:00:00.000Z",
        "campaignId": "agent-2-0-site7",
        "occurrenceId": "agent-2-0-site7/cn-0001",
        "hostId": "cn-0001",
        "affectedResources": [
            {
                "resourceId": "vm-000001",
                "projectId": "core",
                "vnfInstanceId": "amf-7",
                "groupIds": ["g1"],
                "plannedAction": "live",
            }
        ],
        "allowedActions": ["MOVED", "KEEP", "OWN_ACTION", "MIGRATE", "LIVE_MIGRATE"],
        "replyUri": uri,
        "replyBy": "2027-01-15T01:05:00.000Z",
        "actionAt": "2027-01-15T01:05:01.000Z",
        "_links": {"self": {"href": uri}},
    }
