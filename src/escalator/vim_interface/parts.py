"""Answers about single instances: kept in the inbox one by one until the last of them makes the answer to the notice.

At the deadline they stay what they are: who was answered about has its answer, and about the others there was silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from escalator.model.notice import Disposition, Reply
from escalator.vim_interface.negotiation import Verdict

_ABOUT = "about "


@dataclass(frozen=True, slots=True)
class Part:
    """What was said about one instance; no action means yes without a word on what may be done."""

    about: str
    refused: bool
    action: Disposition | None


def as_reply(part: Part) -> Reply:
    """Return a part in the form in which the inbox keeps replies."""
    # The reason names what it is about: without an action nothing else would.
    words = {} if part.action is None else {part.about: part.action}
    return Reply(result="NACK" if part.refused else "ACK", instances=words, reason=f"{_ABOUT}{part.about}")


def heard(replies: Iterable[Mapping[str, Any]]) -> dict[str, Part]:
    """Return the parts among the replies of an inbox, by what they are about. The first one about the same counts."""
    found: dict[str, Part] = {}
    for row in replies:
        if row["verdict"] == Verdict.PARTIAL.value:
            reply = row["reply"]
            about = str(reply["reason"]).removeprefix(_ABOUT)
            found.setdefault(about, Part(about, reply["result"] == "NACK", reply["instances"].get(about)))
    return found
