"""What a VNF manager of OpenStack Fenix replies.

Fenix asks per instance, a notice asks per VNF manager: the answer is complete with the last instance's reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from escalator.model.codes import Code
from escalator.model.document import Model, load, parse
from escalator.model.errors import InputError, Problem
from escalator.model.notice import Notice
from escalator.vim_interface.parts import Part

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
    return Part(instance, reply.refused, action if action in notice.allowed_actions and not reply.refused else None)
