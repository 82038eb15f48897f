"""What a VNF manager of OpenStack Fenix replies, and how replies per instance become the answer to a notice.

Fenix asks per instance, a notice asks per VNF manager: the answer is complete with the last instance's reply. What was said
until then is kept, and counts for its instance when the deadline passes without the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.document import Model, load, parse
from escalator.model.errors import ConflictError, InputError, Problem
from escalator.model.notice import Notice, NoticeState, Reply
from escalator.storage.port import Notices
from escalator.vim_interface.negotiation import OPEN, Verdict
from escalator.vim_interface.parts import Part, as_reply, heard

ASKED = ("PLANNED_MAINTENANCE", "PREPARE_MAINTENANCE")
"""States in which a reply is about instances."""
Action = Literal["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"]


class FenixReply(Model):
    """Body of a reply. Keys that some clients add are taken and mean nothing."""

    model_config = ConfigDict(extra="ignore")

    state: Annotated[
        str,
        StringConstraints(
            pattern=r"^N?ACK_(MAINTENANCE|SCALE_IN|PREPARE_MAINTENANCE|PLANNED_MAINTENANCE|MAINTENANCE_COMPLETE|INSTANCE_ACTION_DONE)$"
        ),
    ]
    instance_action: Action | None = None
    instance_actions: Mapping[str, Action] = Field(default_factory=dict, max_length=10_000)

    @property
    def about(self) -> str:
        """The state that is replied to."""
        return self.state.partition("ACK_")[2]

    @property
    def refused(self) -> bool:
        """Whether it is a NACK."""
        return self.state.startswith("NACK")


def parse_reply(body: bytes) -> FenixReply:
    """Read a reply; raises InputError with all problems."""
    if not body.strip().startswith(b"{"):
        raise InputError(Code.VIM_REPLY, "The reply is not valid.", problems=[Problem("", "a JSON object is expected")])
    return load(FenixReply, parse(body.strip()), code=Code.VIM_REPLY)


def part_of(reply: FenixReply, notice: Notice, instance: str) -> Part:
    """Return what a reply says about one instance. An action that is not possible here is no word on what may be done."""
    action = reply.instance_action or reply.instance_actions.get(instance)
    return Part(reply.refused, action if action in notice.allowed_actions and not reply.refused else None)


class Replies:
    """Parts of answers, by notice and by what they are about: an instance, or a project that is asked for room."""

    def __init__(self, notices: Notices, clock: Clock) -> None:
        self._notices = notices
        self._clock = clock

    async def hear(self, notice: Notice, about: str, part: Part, of: int) -> Reply | None:
        """Take one of so many parts; the answer to the notice when it is complete, None before.

        A refusal is the answer at once. Raises ConflictError when another one was given about the same, or too late.
        """
        if notice.state is NoticeState.ANSWERED:
            return _known(notice, about, part)
        now = self._clock.now()
        if notice.state not in OPEN or (notice.reply_by is not None and now >= notice.reply_by):
            raise ConflictError(Code.VIM_LATE, "The time to reply has passed, or the notice was withdrawn.")
        parts = heard(await self._notices.replies(notice.id))
        if about not in parts and not part.refused:
            await self._notices.record_reply(notice.id, now, as_reply(about, part), Verdict.PARTIAL.value)
            # Read again: of parts that come at the same time, whoever is written last sees all of them.
            parts = heard(await self._notices.replies(notice.id))
        if parts.get(about, part) != part:
            raise _other(about)
        if part.refused:
            return Reply(result="NACK", reason=f"refused for {about}")
        if len(parts) < of:
            return None
        return Reply(result="ACK", instances={name: one.action for name, one in parts.items() if one.action is not None})


def _known(notice: Notice, about: str, part: Part) -> Reply:
    """The answer that is known already, when this part agrees with it: clients say things twice."""
    reply = notice.reply
    if reply is None or (reply.result == "NACK") != part.refused:
        raise _other(about)
    if not part.refused and reply.instances.get(about) != part.action:
        raise _other(about)
    return reply


def _other(about: str) -> ConflictError:
    return ConflictError(Code.VIM_SUPERSEDED, f"A different reply about {about} was accepted before.")
