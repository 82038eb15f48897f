"""The dialect of people: the operator's own command tells whoever is on duty, who answers with `escalator notice reply`.

The command gets the notice as JSON on its standard input. Exit code 0: the person is told; 75 (EX_TEMPFAIL of
sysexits.h): try again later; anything else: it cannot be delivered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.notice import Notice, Vnfm
from escalator.processes import TEMPORARY, filled, found_program, passed_on, running
from escalator.settings import Manual as ManualSettings
from escalator.vim_interface.messages import notification

TEST = "TEST"
"""Type and id of a notice that is none."""
ASKS_NOTHING = "This is a test of Escalator's notices. It asks for nothing, nothing is planned, and no answer is expected."


class Manual:
    """Tells people by a command. `base_url` is where replies may also be put."""

    def __init__(self, settings: ManualSettings, base_url: str, timeout_s: float, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._environment = passed_on(environment)

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """Run the command; raises TemporaryError or PermanentError with what it said."""
        message = notification(notice, self._base_url) | {"contact": vnfm.spec.contact}
        if notice.reply_token is not None:
            message |= _answers(notice)
        names = {"vnfm": vnfm.name, "contact": vnfm.spec.contact or "", "notice": notice.id, "campaign": notice.campaign}
        argv = filled(self._settings.argv, {**names, "node": notice.node or "-"})
        await self._run(vnfm.name, argv, json.dumps(message).encode())

    async def test(self, vnfm: Vnfm) -> None:
        """Look whether the command is there. Nobody is woken up for a test."""
        self._program(vnfm.name)

    async def tell_test(self, vnfm: Vnfm) -> None:
        """Let whoever is on duty get a notice that is a test, on the way of every other one; raises as `deliver`.

        Its type is `TEST`, it has no id that could be answered, and it names neither a campaign nor a node.
        """
        message = {"notificationType": TEST, "vnfm": vnfm.name, "contact": vnfm.spec.contact, "comment": ASKS_NOTHING}
        words = {"notice": TEST, "campaign": "-", "node": "-", "vnfm": vnfm.name, "contact": vnfm.spec.contact or ""}
        await self._run(vnfm.name, filled(self._settings.argv, words), json.dumps(message).encode())

    def _program(self, name: str) -> str:
        if not self._settings.argv:
            remedy = "Set vim.manual.argv to the command that tells whoever is on duty."
            raise PermanentError(Code.VIM_REGISTRATION, f"Nothing tells the people of VNF manager {name}.", remedy=remedy)
        found = found_program(self._settings.argv[0], self._environment)
        if found is None:
            raise PermanentError(Code.VIM_REGISTRATION, f"The command {self._settings.argv[0]} of vim.manual.argv is not there.")
        return found

    async def _run(self, name: str, argv: Sequence[str], text: bytes) -> None:
        program = self._program(name)
        try:
            async with asyncio.timeout(self._timeout_s), running((program, *argv[1:]), text, self._environment) as process:
                ended = await process
        except TimeoutError as error:
            message = f"The command that tells the people of {name} did not end within {self._timeout_s:g} s."
            raise TemporaryError(Code.VIM_UNREACHABLE, message) from error
        _judge(name, ended.code, ended.said)


def _answers(notice: Notice) -> dict[str, str]:
    """The commands that answer. A yes says what holds for the instances: a bare one allows live migrations only."""
    command = f"escalator notice reply {notice.id} --result"
    if not notice.allowed_actions:
        return {"answerWith": f"{command} ACK", "refuseWith": f"{command} NACK"}
    yes = {"answerWith": f"{command} ACK --all MOVED", "answerWithKeep": f"{command} ACK --all KEEP"}
    return yes | {"refuseWith": f"{command} NACK"}


def _judge(name: str, code: int, said: str) -> None:
    if code == 0:
        return
    why = f": {said}" if said else "."
    message = f"The command that tells the people of {name} ended with {code}{why}"
    if code == TEMPORARY:
        raise TemporaryError(Code.VIM_UNREACHABLE, message)
    raise PermanentError(Code.VIM_REFUSED, message)
