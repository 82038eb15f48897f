"""The native Vi-Vnfm message: how a notice looks on the wire, in the style of the ETSI NFV-SOL interfaces (camelCase)."""

from __future__ import annotations

from typing import Any

from escalator.model.notice import Notice
from escalator.vim_interface.times import to_rfc3339

API_VERSION = "1.0.0"
"""Sent as the `Version` header with every message, both ways."""
PURPOSE = "purpose"
"""Key in a notice's details: what a node's turn is for, where that is no upgrade."""
REPLIES = "/vi-vnfm/v1/replies"


def reply_uri(base_url: str, token: str) -> str:
    """Where the reply to a notice is put; whoever holds the address may answer."""
    return f"{base_url}{REPLIES}/{token}"


def notification(notice: Notice, base_url: str) -> dict[str, Any]:
    """Return the message of a notice. `base_url` is where VNF managers reach Escalator."""
    message: dict[str, Any] = {
        "id": notice.id,
        "notificationType": notice.type.value,
        "subscriptionId": notice.vnfm,
        "timeStamp": to_rfc3339(notice.created_at),
        "campaignId": notice.campaign,
        # Every message about one node of one campaign has the same: what was announced, withdrawn, is over.
        "occurrenceId": f"{notice.campaign}/{notice.node}" if notice.node else notice.campaign,
    }
    if notice.node is not None:
        message["hostId"] = notice.node
    if notice.resources:
        message["affectedResources"] = [resource.model_dump(by_alias=True, exclude_none=True) for resource in notice.resources]
    if notice.reply_token is None:
        return message | ({"details": dict(notice.details)} if notice.details else {})
    # What else is kept with a question is ours.
    purpose = {"details": {PURPOSE: notice.details[PURPOSE]}} if PURPOSE in notice.details else {}
    return message | _asking(notice, reply_uri(base_url, notice.reply_token)) | purpose


def _asking(notice: Notice, uri: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "allowedActions": list(notice.allowed_actions),
        "replyUri": uri,
        "_links": {"self": {"href": uri}},
    }
    if notice.reply_by is not None:
        message["replyBy"] = to_rfc3339(notice.reply_by)
    if notice.action_at is not None:
        message["actionAt"] = to_rfc3339(notice.action_at)
    return message


def occurrence(notice: Notice, base_url: str) -> dict[str, Any]:
    """Return the notice as it stands now: the message, its state, and the reply that counts."""
    shown = notification(notice, base_url) | {"state": notice.state.value}
    if notice.reply is not None:
        shown["reply"] = notice.reply.model_dump(mode="json", exclude_none=True)
    return shown
