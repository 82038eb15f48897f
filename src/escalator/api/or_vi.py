"""What orchestrators' developers read in the OpenAPI document, and the one address that orchestrators may look at.

Messages are made in `vim_interface.reports`; the models only describe them, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from escalator.api.problems import documented
from escalator.api.vnfm_messages import Link
from escalator.vim_interface.orchestrators import Orchestrators
from escalator.vim_interface.reports import API_VERSION, MIGRATED, SUBSCRIPTIONS


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=False)


class SubscriptionLinks(BaseModel):
    """Links of a notification to an orchestrator."""

    subscription: Link = Field(description="Where the orchestrator sees that it is registered.")


class _Told(_Shape):
    id: str = Field(description="The same for every delivery of this notification.")
    subscription_id: str = Field(description="The name under which the orchestrator is registered.")
    time_stamp: datetime = Field(description="When it was made, which may be long before it arrives.")
    vim_id: str = Field(description="The cloud.")
    campaign_id: str
    links: SubscriptionLinks = Field(alias="_links")


class PlannedHost(_Shape):
    """When a host is planned to be out of service, the moves from it included."""

    host_id: str
    planned_start: datetime
    planned_end: datetime


class PlannedWindow(_Shape):
    """A maintenance window and the hosts whose turn is planned in it."""

    start_time: datetime
    end_time: datetime | None = Field(None, description="Missing where the campaign has no windows.")
    hosts: tuple[PlannedHost, ...]


class MaintenanceWindowsNotification(_Told):
    """What a campaign has in mind: when it starts, and again whenever another plan is followed from then on."""

    notification_type: Literal["MaintenanceWindowsNotification"]
    plan_id: str
    windows: tuple[PlannedWindow, ...]


class CapacityTakenNotification(_Told):
    """Nothing new is placed on a host from now on."""

    notification_type: Literal["CapacityTakenNotification"]
    occurrence_id: str = Field(description="The same when the capacity is given back.")
    host_id: str
    zone_id: str | None = None
    capacity: Mapping[str, float] = Field(description="All that the host has, by resource: `pcpu`, `mem_mib`, `vf` ...")


class CapacityReturnedNotification(_Told):
    """Escalator holds the host no more. It follows every `CapacityTakenNotification` once the host is back."""

    notification_type: Literal["CapacityReturnedNotification"]
    occurrence_id: str
    host_id: str
    zone_id: str | None = None
    capacity: Mapping[str, float]
    in_service: bool = Field(description="False when somebody else has disabled it in the meantime, or it is down.")
    upgraded: bool | None = Field(None, description="Whether its new software is proved. Missing when a person put it back.")
    versions: Mapping[str, str] = Field(default_factory=dict, description="What it runs now, by layer, where that is known.")
    reason: str = ""
    percent_done: int | None = Field(None, ge=0, le=100, description="As of the campaign's state, this host's turn included.")


class ChangedResourceData(_Shape):
    """Where the resource is, whether it works, and where it was if it moved."""

    host_id: str
    operational: bool = Field(description="Whether it is in the state that it was in before the host's turn.")
    previous_host_id: str | None = Field(None, description="With `MIGRATED` only.")
    migration_type: Literal["live_migration", "offline_migration"] | None = Field(None, description="With `MIGRATED` only.")


class VirtualisedResourceChangeNotification(_Told):
    """A virtualised compute resource has changed: the element of that name of ETSI GS NFV-IFA 005, in the style of NFV-SOL."""

    notification_type: Literal["VirtualisedResourceChangeNotification"]
    change_id: str = Field(description="The same for all orchestrators.")
    virtualised_resource_id: str = Field(description="The server's id in the cloud.")
    change_type: Literal["MIGRATED", "STOPPED", "STARTED"] = Field(
        description="It is on another host; it was stopped where it is, while its host is upgraded; it runs again there."
    )
    changed_resource_data: ChangedResourceData


class CampaignStateNotification(_Told):
    """The campaign is in another state."""

    notification_type: Literal["CampaignStateNotification"]
    campaign_state: Literal["running", "paused", "suspended", "aborting", "aborted", "completed"]
    reason: str = ""
    percent_done: int | None = Field(None, ge=0, le=100, description="Share of the campaign's nodes whose turn is over.")


OrchestratorNotification = Annotated[
    MaintenanceWindowsNotification
    | CapacityTakenNotification
    | CapacityReturnedNotification
    | VirtualisedResourceChangeNotification
    | CampaignStateNotification,
    Field(discriminator="notification_type"),
]


class SelfLink(BaseModel):
    """Where a resource is."""

    self: Link


class Subscription(_Shape):
    """What an orchestrator is told."""

    id: str
    notification_types: tuple[str, ...]
    links: SelfLink = Field(alias="_links")


def example() -> dict[str, Any]:
    """Return a notification as it goes out."""
    return {
        "id": "0c1f0f0e-7c8e-5a4e-9a53-0c1d2e3f4a5b",
        "notificationType": "VirtualisedResourceChangeNotification",
        "subscriptionId": "nfvo",
        "timeStamp": "2027-01-15T01:06:20.000Z",
        "vimId": "site7",
        "campaignId": "agent-2-0-site7",
        "changeId": "77a0f2f5-2a3b-5b5d-8d0e-6c5f1f0a9b21",
        "virtualisedResourceId": "5f2c1f9a-54a4-4d3e-9a39-8d6c1b1d9f10",
        "changeType": MIGRATED,
        "changedResourceData": {
            "previousHostId": "cn-0001",
            "hostId": "cn-0002",
            "migrationType": "live_migration",
            "operational": True,
        },
        "_links": {"subscription": {"href": f"https://escalator.example:8472{SUBSCRIPTIONS}/nfvo"}},
    }


webhooks = APIRouter()
_ANSWERS: dict[int | str, dict[str, Any]] = {
    "400": {"description": "What is said is refused; so do 409, 413, 415 and 422. It is not sent again, and what follows is."},
    "default": {"description": "It is sent again, with the same id, and nothing that is newer before it."},
}


@webhooks.post(
    "orchestrator-notification",
    status_code=204,
    responses=_ANSWERS,
    openapi_extra={"requestBody": {"content": {"application/json": {"example": example()}}}},
)
async def orchestrator_notification(body: OrchestratorNotification) -> None:
    """Tell an orchestrator: in order, each once or, after trouble on the way, more than once with the same id.

    Nothing is asked, and nothing waits for it. The profile is Escalator's own: ETSI GS NFV-IFA 005 has no REST binding.
    """


def or_vi_router(orchestrators: Orchestrators) -> APIRouter:
    """Return the address that `_links` of a notification leads to."""
    router = APIRouter()

    @router.get(f"{SUBSCRIPTIONS}/{{name}}", responses={200: {"model": Subscription}, **documented(404)})
    async def get_subscription(name: str, response: Response) -> dict[str, Any]:
        """Show an orchestrator that it is registered, and what it is told."""
        response.headers.update({"Version": API_VERSION, "Cache-Control": "no-store"})
        return await orchestrators.subscription(name)

    return router
