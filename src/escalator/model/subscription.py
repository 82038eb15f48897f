"""Subscriptions of VNF managers: what they send, in the style of ETSI GS NFV-SOL 003 and SOL 013, and what is kept of it.

Names are camelCase on the wire and snake_case here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from escalator.model.document import Model
from escalator.model.forms import WEB_ADDRESS
from escalator.model.inventory import Instance
from escalator.model.notice import NoticeType, VnfmNoticeType

MAX_VALUES = 1000
"""Values of one attribute of a filter; who owns more leaves the attribute out."""

AuthType = Literal["BASIC", "OAUTH2_CLIENT_CREDENTIALS", "TLS_CERT"]
Uri = Annotated[str, StringConstraints(pattern=WEB_ADDRESS, max_length=2008)]
Secret = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024)]
Id = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=255)]
Ids = Annotated[tuple[Id, ...], Field(min_length=1, max_length=MAX_VALUES)]
Types = Annotated[tuple[VnfmNoticeType, ...], Field(min_length=1, max_length=len(get_args(VnfmNoticeType)))]


class _Sent(Model):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=False)


class Filter(_Sent):
    """Which notices are wanted: every attribute that is named has to hold, with one of its values."""

    notification_types: Types | None = None
    project_ids: Ids | None = None
    vnf_instance_ids: Ids | None = None
    group_ids: Ids | None = None
    resource_ids: Ids | None = None

    @classmethod
    def kept(cls, text: str) -> Filter:
        """Return a filter as it was stored. Types that no VNF manager is told were once taken: they wanted nothing."""
        values = json.loads(text)
        types = values.pop("notificationTypes", ())
        told = [kind for kind in types if kind in get_args(VnfmNoticeType)]
        return cls.model_validate_json(json.dumps(values | ({"notificationTypes": told} if told else {})))

    def covers(self, instance: Instance) -> bool:
        """Whether notices about the instance are wanted."""
        return (
            (self.project_ids is None or instance.project in self.project_ids)
            and (self.vnf_instance_ids is None or instance.vnf in self.vnf_instance_ids)
            and (self.group_ids is None or not set(self.group_ids).isdisjoint(instance.groups))
            and (self.resource_ids is None or instance.id in self.resource_ids)
        )

    def takes(self, kind: NoticeType) -> bool:
        """Whether notices of that type are wanted."""
        return self.notification_types is None or kind in self.notification_types

    def means_the_same(self, other: Filter) -> bool:
        """Whether both want the same, in whatever order they name it."""
        names = type(self).model_fields
        return all(set(getattr(self, name) or ()) == set(getattr(other, name) or ()) for name in names)


class BasicParams(_Sent):
    """User and password for HTTP Basic (RFC 7617)."""

    user_name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f:]+$", max_length=255)]
    password: Secret = Field(repr=False)


class OAuth2Params(_Sent):
    """Client credentials (RFC 6749, 4.4) with which tokens are fetched."""

    client_id: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,255}$")]
    client_password: Secret = Field(repr=False)
    token_endpoint: Uri


class Authentication(_Sent):
    """How the subscriber lets Escalator authenticate at its address: any of the types listed."""

    auth_type: Annotated[tuple[AuthType, ...], Field(min_length=1, max_length=3)]
    params_basic: BasicParams | None = None
    params_oauth2_client_credentials: OAuth2Params | None = None


class SubscriptionRequest(_Sent):
    """What is POSTed to subscribe."""

    callback_uri: Uri
    filter: Filter = Filter()
    authentication: Authentication | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A VNF manager's subscription as it is kept. It has one at most, so its id is the VNF manager's name."""

    vnfm: str
    callback_uri: str
    filter: Filter = field(default_factory=Filter)
    auth: AuthType | None = None
    """How Escalator authenticates at the address; chosen among what the subscriber takes."""
    sealed: str | None = field(default=None, repr=False)
    """The secrets for it, encrypted."""
    created_at: float = 0.0
    """Unix seconds."""
