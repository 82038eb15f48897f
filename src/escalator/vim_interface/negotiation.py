"""What becomes of a reply: a pure function of the notice, the reply and the time.

    accepted    counts as the answer
    duplicate   the accepted reply again: confirmed again, counted once
    superseded  differs from the accepted reply
    partial     is about one of several instances: the answer is complete with the last of them
    late        the deadline has passed, or the notice was settled or withdrawn without an answer
    invalid     does not fit the notice; every reason is named

A DEFER is not the last word: any other valid reply may follow it until the time that it names. As long as nobody has taken it
up, as its campaign rests, nothing begins and nobody waits: then any other valid reply may follow it, however late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from escalator.model.document import MAX_PROBLEMS
from escalator.model.errors import Problem
from escalator.model.notice import Notice, NoticeState, Reply
from escalator.vim_interface.times import from_rfc3339, to_rfc3339

OPEN = (NoticeState.PENDING, NoticeState.DELIVERED)
"""States in which an answer is still awaited. A reply may overtake the record of its notice's delivery."""
FIRST_REPLY_BY = "first_reply_by"
"""Key in a notice's details: the deadline before the first accepted DEFER, Unix seconds as text."""
DEFERRED_UNTIL = "deferred_until"
"""Key in a notice's details: until when the last accepted DEFER asked for time, Unix seconds as text."""


class Verdict(StrEnum):
    """What became of a reply; the values stand in the inbox."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    PARTIAL = "partial"
    LATE = "late"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons: `problems` lists all of them when the reply is invalid."""

    verdict: Verdict
    message: str = ""
    problems: tuple[Problem, ...] = ()


def is_deferred(notice: Notice) -> bool:
    """Tell whether the answer so far is a DEFER."""
    return notice.reply is not None and notice.reply.result == "DEFER"


def judge(notice: Notice, reply: Reply, now: float, *, max_defer_s: float) -> Judgement:
    """Decide about a reply that arrived at `now`. A DEFER may last until `max_defer_s` after the first deadline."""
    settled = _settled(notice, reply, now)
    if settled is not None:
        return settled
    if notice.reply == reply:
        return Judgement(Verdict.DUPLICATE)
    problems = (*_time_problems(notice, reply, now, max_defer_s), *_instance_problems(notice, reply))
    if problems:
        return Judgement(Verdict.INVALID, "The reply does not fit its notice.", problems[:MAX_PROBLEMS])
    return Judgement(Verdict.ACCEPTED)


def _settled(notice: Notice, reply: Reply, now: float) -> Judgement | None:
    """The verdict where the notice takes no more answers; None while it does."""
    if notice.state is NoticeState.ANSWERED:
        if notice.reply == reply:
            return Judgement(Verdict.DUPLICATE)
        if not is_deferred(notice):
            said = f" ({notice.reply.result})" if notice.reply is not None else ""
            return Judgement(Verdict.SUPERSEDED, f"A different reply to this notice was accepted before{said}.")
        return None
    if notice.state not in OPEN:
        return Judgement(Verdict.LATE, _closed(notice))
    late = notice.reply_by is not None and now >= notice.reply_by
    return Judgement(Verdict.LATE, _passed(notice)) if late else None


def _closed(notice: Notice) -> str:
    """Why the notice takes no answer: one that was refused is withdrawn, as nothing happens by it any more."""
    if notice.state is NoticeState.CANCELLED and notice.reply is not None:
        return f"The notice was answered {notice.reply.result} and then withdrawn: nothing happens by it any more."
    return _passed(notice) if notice.state is NoticeState.SILENT else _CLOSED[notice.state]


def _passed(notice: Notice) -> str:
    when = "has passed" if notice.reply_by is None else f"passed at {to_rfc3339(notice.reply_by)}"
    return f"The time to reply {when}: that no answer came counts as silence."


_CLOSED: Mapping[NoticeState, str] = MappingProxyType(
    {
        NoticeState.UNDELIVERABLE: "The notice could not be delivered, and its delivery was given up.",
        NoticeState.CANCELLED: "The notice was withdrawn: nothing happens by it any more.",
    }
)


def reply_until(reply: Reply | None) -> float | None:
    """Return the time that an accepted DEFER names, Unix seconds; None where there is none."""
    if reply is None or reply.result != "DEFER" or reply.until is None:
        return None
    return from_rfc3339(reply.until)


def _time_problems(notice: Notice, reply: Reply, now: float, max_defer_s: float) -> Iterator[Problem]:
    if reply.result != "DEFER":
        if reply.until is not None:
            yield Problem("until", f"only DEFER has a time; the result is {reply.result}")
        return
    if reply.until is None:
        yield Problem("until", "DEFER needs the time until which to wait")
        return
    try:
        until = from_rfc3339(reply.until)
    except (ValueError, OverflowError):
        yield Problem("until", "this is no RFC 3339 time with a zone, such as 2026-01-31T01:02:03Z")
        return
    latest = float(notice.details.get(FIRST_REPLY_BY, notice.reply_by or now)) + max_defer_s
    if until <= now:
        yield Problem("until", "this time has passed")
    if until > latest:
        yield Problem("until", f"the latest time that is accepted is {to_rfc3339(latest)}")


def _instance_problems(notice: Notice, reply: Reply) -> Iterator[Problem]:
    known = {resource.resource_id for resource in notice.resources}
    for instance, disposition in reply.instances.items():
        path = f"instances.{instance[:255]}"
        if instance not in known:
            yield Problem(path, "the notice is not about this instance")
        elif disposition not in notice.allowed_actions:
            yield Problem(path, f"{disposition} is not possible here; possible: {', '.join(notice.allowed_actions)}")
