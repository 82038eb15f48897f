"""The dialect of an EMS that has commands: one to prepare a VNF, one to restore it, one that tells whether it is there.

Another one tells whether it is at work on a VNF, in this dialect or with any other.

Each gets the notice as JSON on its standard input. `prepare` runs behind the delivery, however long it takes: while it
does, the answer is deferred again and again, within the bounds of every DEFER. It ends with

    0     its instances are ready: what was announced may be done. What it wrote to standard output, if anything, is a JSON
          object that may say per instance what may be done
    70    refused (EX_SOFTWARE); what it wrote to standard error is the reason
    75    not now (EX_TEMPFAIL): it is run again after a pause

and anything else refuses, too. A command may be run twice for one notice: after a restart nobody knows how it ended.

The command of `commands.scale` is run in the same way with the verb `scale-in`, where its VNFs are asked to make room, and with
`scale-out` when they need not any more: also at the end of a campaign that has not asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.document import Source, load, parse
from escalator.model.errors import EscalatorError, InputError, PermanentError, TemporaryError
from escalator.model.notice import Notice, NoticeType, Reply, Vnfm
from escalator.processes import MESSAGE_BYTES, TEMPORARY, Ended, filled, found_program, passed_on, running
from escalator.settings import VnfCommand
from escalator.vim_interface.dialect import Fetched
from escalator.vim_interface.messages import notification
from escalator.vim_interface.negotiation import FIRST_REPLY_BY, reply_until
from escalator.vim_interface.times import to_rfc3339

SCALE_IN, SCALE_OUT = "scale-in", "scale-out"
"""Verbs of one and the same command."""
_AFTERWARDS = {
    NoticeType.HOST_AVAILABLE: "restore",
    NoticeType.NOTICE_CANCELLED: "restore",
    NoticeType.SCALE_OUT_POSSIBLE: SCALE_OUT,
    NoticeType.CAMPAIGN_COMPLETED: SCALE_OUT,
    NoticeType.CAMPAIGN_ABORTED: SCALE_OUT,
}
"""What is run for a notice that only tells."""
REFUSED = 70
REASON = 2000
"""Characters of a reason."""
HEALTH_S = 30.0
"""Who asks whether a VNF manager is there, or busy, waits for the answer."""
HEARTBEAT_S = 60.0
"""How far ahead an answer is deferred while the command runs."""
MARGIN_S = 5.0
"""How long before its deadline an answer is deferred: both ways take time."""
_log = structlog.get_logger()


@dataclass(slots=True)
class _Preparation:
    vnfm: str
    node: str | None
    task: asyncio.Task[None]


class Commands:
    """Speaks to VNFs by commands of the operator's. Set `on_reply` to hear of answers as they come."""

    def __init__(
        self, commands: Mapping[str, VnfCommand], base_url: str, max_defer_s: float, environment: Mapping[str, str], clock: Clock
    ) -> None:
        self._commands = commands
        self._base_url = base_url
        self._max_defer_s = max_defer_s
        self._environment = passed_on(environment)
        self._clock = clock
        self._under_way: dict[str, _Preparation] = {}
        self._replies: dict[str, Fetched] = {}
        self.on_reply: Callable[[], None] = lambda: None

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """Begin to prepare, or restore; raises PermanentError or TemporaryError with what the command said."""
        if notice.reply_token is not None:
            self._begin(vnfm, notice)
            return
        verb = _AFTERWARDS.get(notice.type)
        if notice.type is NoticeType.NOTICE_CANCELLED and notice.node is None:
            verb = SCALE_OUT
        if verb is not None and _named(vnfm, verb):
            await self._prepared(vnfm.name, notice.node)
            await self._restore(vnfm, notice, verb)

    async def resume(self, vnfm: Vnfm, notice: Notice) -> None:
        """Prepare again: how far an earlier server's command came nobody knows."""
        self._begin(vnfm, notice)

    async def test(self, vnfm: Vnfm) -> None:
        """Run the health command; without one, look whether the others are there."""
        for verb in ("prepare", "restore", SCALE_IN):
            if _named(vnfm, verb) is not None or verb == "prepare":
                self._program(self._command(vnfm, verb).argv[0])
        if vnfm.spec.commands.health is None:
            return
        ended = await self._run(vnfm, "health", {"vnfm": vnfm.name, "verb": "health"}, {"vnfm": vnfm.name})
        if ended.code != 0:
            raise TemporaryError(Code.VIM_UNREACHABLE, _said(vnfm, "health", ended))

    def next_reply_at(self) -> float | None:
        """At once, when there is one."""
        return self._clock.now() if self._replies else None

    async def fetch(self, now: float) -> Sequence[Fetched]:  # noqa: ARG002 - the port's signature
        """Return the answers that are not taken yet, the latest of each notice."""
        return tuple(self._replies.values())

    async def taken(self, reply: Fetched) -> None:
        """Forget an answer that is in the inbox, unless a later one took its place."""
        if self._replies.get(reply.reference) == reply:
            del self._replies[reply.reference]

    async def close(self) -> None:
        """End what runs."""
        tasks = [preparation.task for preparation in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def busy(self, vnfm: Vnfm) -> str | None:
        """Whether a lifecycle operation is under way, and what the command says of it; raises when it cannot tell."""
        ended = await self._run(vnfm, "busy", {"vnfm": vnfm.name, "verb": "busy"}, {"vnfm": vnfm.name})
        if ended.code not in (0, TEMPORARY):
            raise TemporaryError(Code.VIM_UNREACHABLE, _said(vnfm, "busy", ended))
        return ended.said if ended.code == TEMPORARY else None

    # -- preparing

    def _begin(self, vnfm: Vnfm, notice: Notice) -> None:
        if notice.id in self._under_way or notice.reply_token is None:
            return
        self._program(self._command(vnfm, _verb(notice)).argv[0])
        task = asyncio.create_task(self._prepare(vnfm, notice, notice.reply_token))
        self._under_way[notice.id] = _Preparation(vnfm.name, notice.node, task)
        task.add_done_callback(lambda ended: self._ended(notice.id, ended))

    def _ended(self, notice_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(notice_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("vim.failed", kind="prepare", object_id=notice_id, message=f"{type(error).__name__}: {error}")

    async def _prepared(self, vnfm: str, node: str | None) -> None:
        """A preparation that is under way ends before its VNF is restored."""
        tasks = [p.task for p in self._under_way.values() if p.vnfm == vnfm and p.node == node]
        if tasks:
            await asyncio.wait(tasks)

    async def _prepare(self, vnfm: Vnfm, notice: Notice, token: str) -> None:
        """Prepare and answer. What cannot even be started refuses, too: it is no silence."""
        try:
            await self._until_ended(vnfm, notice, token)
        except EscalatorError as error:
            self._say(notice, token, Reply(result="NACK", reason=error.message[:REASON]))

    async def _until_ended(self, vnfm: Vnfm, notice: Notice, token: str) -> None:
        command = self._command(vnfm, _verb(notice))
        latest = float(notice.details.get(FIRST_REPLY_BY, notice.reply_by or 0.0)) + self._max_defer_s
        deadline = max(notice.reply_by or latest, reply_until(notice.reply) or 0.0)
        while True:
            ended, deadline = await self._watched(vnfm, notice, token, deadline, latest)
            again = self._clock.now() + command.retry_s
            if ended.code != TEMPORARY or again + MARGIN_S >= latest:
                break
            deadline = min(again + HEARTBEAT_S, latest)
            self._say(notice, token, Reply(result="DEFER", until=to_rfc3339(deadline), reason=ended.said or None))
            await self._clock.sleep(command.retry_s)
        self._say(notice, token, answer_of(notice, vnfm, ended))

    async def _watched(self, vnfm: Vnfm, notice: Notice, token: str, deadline: float, latest: float) -> tuple[Ended, float]:
        """Run the command to its end, or its time-out, and keep the notice open meanwhile; the deadline then."""
        verb = _verb(notice)
        command = self._command(vnfm, verb)
        kill_at = min(self._clock.now() + command.timeout_s, latest - MARGIN_S)
        argv, text = self._call(vnfm, verb, self._message(notice, verb), _names(notice))
        async with running(argv, text, self._environment) as process:
            while not await self._ends(process, min(deadline - MARGIN_S, kill_at)):
                if self._clock.now() >= kill_at:
                    return Ended(REFUSED, b"", "it did not end in time"), deadline
                deadline = min(self._clock.now() + HEARTBEAT_S, latest)
                self._say(notice, token, Reply(result="DEFER", until=to_rfc3339(deadline), reason=f"{verb} runs"))
            return process.result(), deadline

    async def _ends(self, process: asyncio.Task[Ended], at: float) -> bool:
        """Wait until the command ends, or until that time; whether it has ended."""
        timer = asyncio.ensure_future(self._clock.sleep(max(0.0, at - self._clock.now())))
        try:
            await asyncio.wait((process, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return process.done()

    def _say(self, notice: Notice, token: str, reply: Reply) -> None:
        self._replies[notice.id] = Fetched(token, reply, notice.id)
        self.on_reply()

    # -- the others

    async def _restore(self, vnfm: Vnfm, notice: Notice, verb: str) -> None:
        ended = await self._run(vnfm, verb, self._message(notice, verb), _names(notice))
        if ended.code == TEMPORARY:
            raise TemporaryError(Code.VIM_UNREACHABLE, _said(vnfm, verb, ended))
        if ended.code != 0:
            raise PermanentError(Code.VIM_REFUSED, _said(vnfm, verb, ended))

    async def _run(self, vnfm: Vnfm, verb: str, message: Mapping[str, object], names: Mapping[str, str]) -> Ended:
        timeout_s = self._command(vnfm, verb).timeout_s
        timeout_s = min(timeout_s, HEALTH_S) if verb in ("health", "busy") else timeout_s
        argv, text = self._call(vnfm, verb, message, names)
        async with running(argv, text, self._environment) as process:
            if await self._ends(process, self._clock.now() + timeout_s):
                return process.result()
        why = f"The command {verb} of VNF manager {vnfm.name} did not end within {timeout_s:g} s."
        raise TemporaryError(Code.VIM_UNREACHABLE, why)

    def _message(self, notice: Notice, verb: str) -> dict[str, object]:
        return {"verb": verb, **notification(notice, self._base_url)}

    def _call(
        self, vnfm: Vnfm, verb: str, message: Mapping[str, object], names: Mapping[str, str]
    ) -> tuple[Sequence[str], bytes]:
        argv = filled(self._command(vnfm, verb).argv, {"vnfm": vnfm.name, "verb": verb, **names})
        return (self._program(argv[0]), *argv[1:]), json.dumps(message).encode()

    def _program(self, name: str) -> str:
        program = found_program(name, self._environment)
        if program is None:
            raise PermanentError(Code.VIM_REGISTRATION, f"The command {name} of vim.commands is not there.")
        return program

    def _command(self, vnfm: Vnfm, verb: str) -> VnfCommand:
        """The command that the registration names. Raises PermanentError when the settings have none of that name."""
        name = _named(vnfm, verb)
        command = self._commands.get(name or "")
        if command is None:
            message = f"VNF manager {vnfm.name} names the command {name} for {verb}; vim.commands has none of that name."
            raise PermanentError(Code.VIM_REGISTRATION, message, remedy="Add it to the server's settings.")
        return command


def answer_of(notice: Notice, vnfm: Vnfm, ended: Ended) -> Reply:
    """Return what the end of `prepare` says: without a word on an instance, its business has moved."""
    if ended.code != 0:
        return Reply(result="NACK", reason=_said(vnfm, _verb(notice), ended))
    everything = {resource.resource_id: "MOVED" for resource in notice.resources} if _verb(notice) == "prepare" else {}
    output = ended.output.strip()
    if not output:
        return Reply.model_validate({"result": "ACK", "instances": everything})
    if not output.startswith(b"{"):
        return _unreadable("The output is no JSON object.", [output[:MESSAGE_BYTES].decode(errors="replace")])
    try:
        data = parse(output).data
        unknown = sorted(data.keys() - {"instances", "reason"})
        reply = load(Reply, Source({"result": "ACK", "instances": everything, **data}))
    except InputError as error:
        return _unreadable(error.message, [str(problem) for problem in error.problems])
    strange = sorted(reply.instances.keys() - everything.keys())
    impossible = sorted(set(reply.instances.values()) - set(notice.allowed_actions))
    if unknown or strange or impossible:
        return _unreadable("The output does not fit the notice.", [*unknown, *strange, *impossible])
    return reply


def _unreadable(message: str, problems: Sequence[str]) -> Reply:
    return Reply(result="NACK", reason=f"{message} {'; '.join(problems)}"[:REASON])


def _verb(notice: Notice) -> str:
    """What the command is to do for a notice that asks."""
    return SCALE_IN if notice.type is NoticeType.SCALE_IN_REQUESTED else "prepare"


def _named(vnfm: Vnfm, verb: str) -> str | None:
    """Name of the command for that verb; None where the registration has none."""
    name: str | None = getattr(vnfm.spec.commands, "scale" if verb in (SCALE_IN, SCALE_OUT) else verb)
    return name


def _names(notice: Notice) -> Mapping[str, str]:
    return {"notice": notice.id, "campaign": notice.campaign, "node": notice.node or "-"}


def _said(vnfm: Vnfm, verb: str, ended: Ended) -> str:
    why = f": {ended.said}" if ended.said else "."
    return f"The command {verb} of VNF manager {vnfm.name} ended with {ended.code}{why}"
