"""What both implementations of storage say in the same words: refusals, and values as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.notice import Notice, NoticeState, Reply
from escalator.model.progress import CampaignState, NodeTask, TaskState

OCCUPYING = (
    CampaignState.RUNNING,
    CampaignState.PAUSED,
    CampaignState.SUSPENDED,
    CampaignState.ABORTING,
    CampaignState.ROLLING_BACK,
    CampaignState.ROLLBACK_PAUSED,
    CampaignState.ROLLBACK_FAILED,
    CampaignState.RESTORING,
)
"""States in which a campaign has its cloud to itself."""
ACCEPTED = "accepted"
"""Verdict on a reply that counts."""
AWAITING = (NoticeState.PENDING, NoticeState.DELIVERED)
"""States in which a notice may still be answered."""


def to_text(value: object) -> str:
    """JSON text of a value; raises TypeError or ValueError when it is none."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def asks_about(notice: Notice, about: Sequence[str]) -> bool:
    """Whether the notice asks about an instance with one of these ids, or of one of these projects."""
    asked = notice.resources if notice.reply_token is not None else ()
    return any(resource.resource_id in about or resource.project_id in about for resource in asked)


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value as JSON gives it back: tuples are lists, nothing is shared with the caller."""
    return json.loads(to_text(value))


def reply_record(at: float, reply: Mapping[str, Any], verdict: str) -> Mapping[str, Any]:
    """One line of the inbox."""
    return {"at": at, "verdict": verdict, "reply": reply}


def plain_reply(reply: Reply) -> Any:  # noqa: ANN401 - JSON
    """A reply as plain data."""
    return reply.model_dump(mode="json")


def release_exists(release_id: str) -> ConflictError:
    """The refusal of another content under a known id."""
    return ConflictError(Code.SYS_RELEASE_EXISTS, f"Release {release_id} exists with other content.")


def vnfm_exists(name: str) -> ConflictError:
    """The refusal of a second VNF manager of one name."""
    return ConflictError(Code.VIM_DUPLICATE, f"A VNF manager named {name} exists.")


def no_vnfm(name: str) -> NotFoundError:
    """There is no VNF manager of that name."""
    return NotFoundError(Code.VIM_NOT_FOUND, f"There is no VNF manager named {name}.")


def vnfm_changed(name: str) -> ConflictError:
    """The refusal of a change of what is something else by now."""
    message = f"The registration of {name} was changed by somebody else meanwhile; nothing of this change was carried out."
    return ConflictError(Code.VIM_CHANGED, message, remedy=f"See what it is now: escalator vnfm show {name}")


def subscribed_already(vnfm: str) -> ConflictError:
    """The refusal of a second subscription of one VNF manager."""
    message = f"VNF manager {vnfm} has a subscription, and one is what it may have."
    return ConflictError(Code.VIM_SUBSCRIBED, message, remedy="Delete that one first.")


def no_subscription(vnfm: str) -> NotFoundError:
    """The VNF manager has not subscribed."""
    return NotFoundError(Code.VIM_NOT_FOUND, f"There is no subscription {vnfm}.")


def no_constraint(kind: str, object_id: str) -> NotFoundError:
    """Nothing is declared for that one."""
    message = f"Nothing is declared for {kind} {object_id}."
    return NotFoundError(Code.VIM_NOT_FOUND, message, remedy="escalator constraint list")


def no_notice(notice_id: str) -> NotFoundError:
    """There is no notice of that id."""
    return NotFoundError(Code.VIM_NOT_FOUND, f"There is no notice {notice_id}.")


def campaign_exists(name: str) -> ConflictError:
    """The refusal of a second campaign of one name."""
    remedy = "Choose another metadata.name; one that has not started can be changed with escalator campaign edit FILE."
    return ConflictError(Code.UPG_DUPLICATE, f"A campaign named {name} exists.", remedy=remedy)


def no_campaign(name: str) -> NotFoundError:
    """There is no campaign of that name."""
    return NotFoundError(Code.UPG_NOT_FOUND, f"There is no campaign named {name}.", remedy="escalator campaign list")


def plan_exists(plan_id: str) -> ConflictError:
    """The refusal of another plan under a known id: plans are immutable."""
    return ConflictError(Code.UPG_DUPLICATE, f"Plan {plan_id} exists with other content.")


def wrong_state(name: str, state: CampaignState, expected: Collection[CampaignState]) -> ConflictError:
    """The refusal of a change of a campaign that is not in a state which allows it."""
    wanted = " or ".join(expected)
    facts = {"state": state.value, "expected": [*expected]}
    return ConflictError(Code.UPG_STATE, f"Campaign {name} is {state.value}; this needs {wanted}.", facts=facts)


def edited_meanwhile(name: str) -> ConflictError:
    """The refusal of a start by a plan that was made of another document."""
    remedy = f"escalator campaign plan {name}"
    return ConflictError(Code.UPG_STATE, f"Campaign {name} was edited while it was started.", remedy=remedy)


def require_as_seen(seen: NodeTask, attempt: int | None, state: str | None, *, begins: bool) -> None:
    """Raise ConflictError when the node's latest turn is another by now, or no longer waits as it is about to begin."""
    if (attempt, state) != (seen.attempt, seen.state.value):
        message = f"Node {seen.node} is {state or 'gone'} by now, and no longer {seen.state.value}."
        raise ConflictError(Code.UPG_STATE, message, remedy=f"escalator campaign show {seen.campaign}")
    if begins and seen.state is TaskState.PENDING:
        raise ConflictError(Code.UPG_STATE, f"Node {seen.node} is just beginning.", remedy="Abort, or let it end.")


def not_waiting(task: str, latest: str, state: TaskState) -> str | None:
    """Why the task may not go through the door, in words; None when it waits for its turn."""
    if latest == task and state is TaskState.PENDING:
        return None
    return f"{latest} is {state.value} by now"


def cloud_taken(cloud: str, by: str = "") -> ConflictError:
    """The refusal of a second campaign on one cloud; `by` is the other's name where it is known."""
    message = f"{f'Campaign {by}' if by else 'Another campaign'} has cloud {cloud}; one campaign at a time runs on a cloud."
    remedy = f"escalator campaign show {by}; let it end, or end it by a command that this names" if by else ""
    return ConflictError(Code.UPG_ONE_RUNNING, message, remedy=remedy, facts={"cloud": cloud, "campaign": by or None})
