"""Answers that come in parts, about one instance or project after the other: kept, and whole with the last of them.

What was said until then counts for what it is about when the deadline passes without the others.
"""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.notice import Notice, NoticeState, Reply
from escalator.storage.port import Notices
from escalator.vim_interface.negotiation import OPEN, Verdict
from escalator.vim_interface.parts import Part, as_reply, heard


class Collected:
    """Parts of answers, by notice and by what they are about: an instance, or a project that is asked for room."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def hear(self, notice: Notice, part: Part, of: int, now: float) -> Reply | None:
        """Take one of so many parts; the answer to the notice when it is complete, None before.

        A refusal is the answer at once. Raises ConflictError when another one was given about the same, or too late.
        """
        about = part.about
        if notice.state is NoticeState.ANSWERED:
            return _known(notice, part)
        if notice.state not in OPEN or (notice.reply_by is not None and now >= notice.reply_by):
            raise ConflictError(Code.VIM_LATE, "The time to reply has passed, or the notice was withdrawn.")
        parts = heard(await self._notices.replies(notice.id))
        if about not in parts and not part.refused:
            await self._notices.record_reply(notice.id, now, as_reply(part), Verdict.PARTIAL.value)
            # Read again: of parts that come at the same time, whoever is written last sees all of them.
            parts = heard(await self._notices.replies(notice.id))
        if parts.get(about, part) != part:
            raise _other(about)
        if part.refused:
            return Reply(result="NACK", reason=f"refused for {about}")
        if len(parts) < of:
            return None
        return Reply(result="ACK", instances={name: one.action for name, one in parts.items() if one.action is not None})


def _known(notice: Notice, part: Part) -> Reply:
    """The answer that is known already, when this part agrees with it: clients say things twice."""
    reply = notice.reply
    if reply is None or (reply.result == "NACK") != part.refused:
        raise _other(part.about)
    if not part.refused and reply.instances.get(part.about) != part.action:
        raise _other(part.about)
    return reply


def _other(about: str) -> ConflictError:
    return ConflictError(Code.VIM_SUPERSEDED, f"A different reply about {about} was accepted before.")
