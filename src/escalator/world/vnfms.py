"""Simulated VNF managers: what they own, how they behave, what they were told, what they answer and when."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from escalator.model.codes import Code
from escalator.model.errors import NotFoundError, TemporaryError
from escalator.model.notice import Disposition, Notice, NoticeType, Reply, Vnfm
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.records import Behaviour, Heard, PendingReply, Released, VnfmRow
from escalator.world.rules import Subject
from escalator.world.scaling import Scaling
from escalator.world.state import State
from escalator.world.timings import Timings

_DISPOSITIONS: Mapping[Behaviour, Disposition] = MappingProxyType(
    {
        "moves": "MOVED",
        "defer": "MOVED",
        "late": "MOVED",
        "twice": "MOVED",
        "partly": "MOVED",
        "keep": "KEEP",
        "own": "OWN_ACTION",
        "migrate": "MIGRATE",
        "live-migrate": "LIVE_MIGRATE",
    }
)
DEFER_USED = 0.8
"""Share of the time asked for with DEFER after which the answer comes: before that time is over."""
_UNWILLING = frozenset({"silent", "refuse", "unreachable"})
_SCALING_OUT = frozenset({NoticeType.SCALE_OUT_POSSIBLE, NoticeType.CAMPAIGN_COMPLETED, NoticeType.CAMPAIGN_ABORTED})
_MOOT = frozenset(kind.value for kind in (*_SCALING_OUT, NoticeType.NOTICE_CANCELLED))
"""After one of these nobody needs room any more."""
_SEVERAL = frozenset({"defer", "partly"})
"""Behaviours of whose replies each counts, not the first alone."""
_RELEASING = frozenset({"MOVED", "KEEP", "OWN_ACTION"})


class Vnfms:
    """All VNF managers of one world."""

    def __init__(self, state: State, timings: Timings, faults: FaultBook, audit: Audit, scaling: Scaling) -> None:
        self._state = state
        self._timings = timings
        self._faults = faults
        self._audit = audit
        self._scaling = scaling
        state.handlers["scale-in"] = self._scale_in
        self._due: list[tuple[float, str]] | None = None

    def put(self, vnfm: VnfmRow) -> None:
        """Add a VNF manager, or change how it behaves from now on."""
        with self._state.change():
            self._state.vnfms.put(vnfm.name, vnfm)

    def behave(self, name: str, behaviour: Behaviour, *, delay_s: float | None = None) -> None:
        """Change how a VNF manager behaves from now on. Raises NotFoundError."""
        row = self.get(name)
        self.put(replace(row, behaviour=behaviour, delay_s=row.delay_s if delay_s is None else delay_s))

    def get(self, name: str) -> VnfmRow:
        """The VNF manager. Raises NotFoundError."""
        row = self._state.vnfms.rows.get(name)
        if row is None:
            raise NotFoundError(Code.VIM_NOT_FOUND, f"The simulated world has no VNF manager {name}.")
        return row

    def registrations(self) -> tuple[Vnfm, ...]:
        """All of them as they are registered at the VIM Interface."""
        return tuple(row.registration() for row in self._state.vnfms.rows.values())

    def operate(self, name: str, vnf: str, seconds: float) -> None:
        """Begin a lifecycle operation of a VNF that ends after that time. Raises NotFoundError."""
        row = self.get(name)
        with self._state.change() as now:
            operations = {**row.operations, vnf: now + seconds / self._timings.speed}
            self._state.vnfms.put(name, replace(row, operations=operations))

    def operations(self, name: str) -> Mapping[str, str]:
        """The lifecycle operations that have not ended, by VNF. Raises NotFoundError."""
        now = self._state.look()
        return {vnf: "HEAL" for vnf, until in self.get(name).operations.items() if until > now}

    def probe(self, name: str) -> None:
        """Whether it would take notices. Raises TemporaryError (`VIM_UNREACHABLE`) when not, NotFoundError."""
        if self.get(name).behaviour == "unreachable":
            raise TemporaryError(Code.VIM_UNREACHABLE, f"The simulated VNF manager {name} does not answer.")

    def deliver(self, name: str, notice: Notice) -> None:
        """Give a notice to a VNF manager; the same one may come again.

        Raises TemporaryError (`VIM_UNREACHABLE`), PermanentError (`VIM_REFUSED`) where a fault says so, NotFoundError.
        """
        subject = Subject(vnfm=name, node=notice.node or "")
        with self._state.change() as now:
            row = self.get(name)
            self.probe(name)
            with self._faults.around("delivery", subject, Code.VIM_UNREACHABLE):
                self._hear(now, row, notice)

    def heard(self, name: str | None = None) -> tuple[Heard, ...]:
        """What the VNF manager (all of them, when null) was told, in order."""
        return tuple(heard for heard in self._state.heard.rows.values() if name in (None, heard.vnfm))

    def due_replies(self, now: float | None = None) -> tuple[PendingReply, ...]:
        """Replies whose time has come, in order, offered until `replied`."""
        until = self._state.look() if now is None else now
        found = []
        while self._queue and self._queue[0][0] <= until:
            item = heapq.heappop(self._queue)
            reply = self._state.replies.rows.get(item[1])
            if reply is not None:
                found.append((item, reply))
        for item, _ in found:
            heapq.heappush(self._queue, item)
        return tuple(reply for _, reply in found)

    def next_reply_at(self) -> float | None:
        """When the next reply is due; None when none is to come."""
        while self._queue and self._queue[0][1] not in self._state.replies.rows:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def replied(self, notice_id: str, number: int) -> None:
        """The reply was handed over, whatever became of it: it is not offered again."""
        with self._state.change():
            self._state.replies.drop(f"{notice_id}/{number}")

    @property
    def _queue(self) -> list[tuple[float, str]]:
        if self._due is None:
            self._due = [(reply.due_at, key) for key, reply in self._state.replies.rows.items()]
            heapq.heapify(self._due)
        return self._due

    def _hear(self, now: float, row: VnfmRow, notice: Notice) -> None:
        known = self._state.heard.rows.get(notice.id)
        if known is not None:
            self._state.heard.put(notice.id, replace(known, times=known.times + 1, token=notice.reply_token))
            if known.token not in (None, notice.reply_token):
                # Another address to reply to: whoever asks forgot that it did, as after the restore of an older database.
                self._promise_all(now, row, notice)
            return
        heard = Heard(
            notice=notice.id,
            vnfm=row.name,
            type=notice.type.value,
            at=now,
            campaign=notice.campaign,
            node=notice.node,
            instances=tuple(resource.resource_id for resource in notice.resources),
            reply_by=notice.reply_by,
            action_at=notice.action_at,
            details=notice.details,
            token=notice.reply_token,
        )
        self._state.heard.put(notice.id, heard)
        self._audit.note(now, "notice", node=notice.node, detail=f"{notice.type.value} to {row.name}")
        if notice.type in (NoticeType.HOST_AVAILABLE, NoticeType.NOTICE_CANCELLED) and notice.node is not None:
            self._come_back(row, notice.node)
        if notice.type in _SCALING_OUT:
            self._scaling.scale_out(now, row)
        if notice.type is NoticeType.SCALE_IN_REQUESTED and row.behaviour not in _UNWILLING:
            # Some time after its answer, as real ones do: what counts is the cloud.
            self._state.schedule(now + self._timings.real(2 * row.delay_s, "scale-in", notice.id), "scale-in", notice.id)
        self._promise_all(now, row, notice)

    def _promise_all(self, now: float, row: VnfmRow, notice: Notice) -> None:
        if notice.reply_token is not None:
            for number, (due_at, reply) in enumerate(self._answers(now, row, notice)):
                self._promise(row, notice, number, due_at, reply)

    def _scale_in(self, notice_id: str, at: float) -> None:
        heard = self._state.heard.rows[notice_id]
        since = (other for other in self._state.heard.rows.values() if other.vnfm == heard.vnfm and other.at >= heard.at)
        if not any(other.type in _MOOT and other.campaign == heard.campaign for other in since):
            self._scaling.scale_in(at, self.get(heard.vnfm), heard.instances)

    def _come_back(self, row: VnfmRow, node: str) -> None:
        """The business returns to the instances on the node."""
        for instance_id in self._state.on_node[node]:
            released = self._state.released.rows.get(instance_id)
            if released is not None and released.vnfm == row.name:
                self._state.released.drop(instance_id)

    def _answers(self, now: float, row: VnfmRow, notice: Notice) -> list[tuple[float, Reply]]:
        at = now + self._timings.real(row.delay_s, "reply", notice.id)
        asked = notice.resources if notice.type is NoticeType.HOST_MAINTENANCE_UPCOMING else ()
        said = {r.resource_id: _disposition(row, notice, r.planned_action) for r in asked}
        ack = Reply(result="ACK", instances=said)
        match row.behaviour:
            case "silent" | "unreachable":
                return []
            case "refuse":
                return [(at, Reply(result="NACK", reason="Simulated: not now"))]
            case "defer":
                until = at + row.defer_s / self._timings.speed
                deferral = Reply(result="DEFER", until=datetime.fromtimestamp(until, UTC).isoformat(), reason="Simulated: later")
                return [(at, deferral), (at + (until - at) * DEFER_USED, ack)]
            case "late":
                return [(max(at, (notice.reply_by or now) + row.delay_s / self._timings.speed), ack)]
            case "twice":
                other = Reply(result="NACK", reason="Simulated: a second thought")
                return [(at, ack), (at + row.delay_s / self._timings.speed, other)]
            case _:
                return [(at, one) for one in (_parts(said) if row.behaviour == "partly" and said else [ack])]

    def _promise(self, row: VnfmRow, notice: Notice, number: int, due_at: float, reply: Reply) -> None:
        key = f"{notice.id}/{number}"
        pending = PendingReply(
            notice=notice.id,
            number=number,
            vnfm=row.name,
            token=notice.reply_token or "",
            due_at=due_at,
            reply=reply,
            about=next(iter(reply.instances), None) if row.behaviour == "partly" else None,
        )
        queue = self._queue
        self._state.replies.put(key, pending)
        heapq.heappush(queue, (due_at, key))
        for instance, disposition in reply.instances.items() if number == 0 or row.behaviour in _SEVERAL else ():
            if disposition in _RELEASING and notice.node is not None:
                release = Released(instance=instance, node=notice.node, vnfm=row.name, disposition=disposition, at=due_at)
                self._state.released.put(instance, release)


def _parts(said: Mapping[str, Disposition]) -> list[Reply]:
    """About every second of its instances, the first one too; nothing about the others."""
    return [Reply(result="ACK", instances={instance: said[instance]}) for instance in sorted(said)[::2]]


def _disposition(row: VnfmRow, notice: Notice, planned_action: str) -> Disposition:
    """What it says about one instance; MOVED where what it would say is not possible."""
    wanted = _DISPOSITIONS.get(row.behaviour, "MOVED")
    if row.behaviour == "follows" and planned_action in ("live", "cold"):
        wanted = "MIGRATE"
    return wanted if wanted in notice.allowed_actions or not notice.allowed_actions else "MOVED"
