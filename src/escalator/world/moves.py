"""Moves of instances, with the refusals that a real cloud has."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.inventory import Instance
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.placement import unfit
from escalator.world.records import Move
from escalator.world.rules import FaultKind, Subject
from escalator.world.state import State
from escalator.world.timings import Timings

Kind = Literal["live", "cold"]


class Moves:
    """Orders to move, and where they stand."""

    def __init__(self, state: State, timings: Timings, faults: FaultBook, audit: Audit) -> None:
        self._state = state
        self._timings = timings
        self._faults = faults
        self._audit = audit
        state.handlers["move"] = self._end

    def get(self, instance_id: str) -> Move | None:
        """The latest move of the instance."""
        self._state.look()
        return self._state.moves.rows.get(instance_id)

    def standing(self, instance_id: str) -> tuple[Move | None, Instance | None, float]:
        """The latest move, the instance where it is now (None when it is gone), and the time now."""
        now = self._state.look()
        return self._state.moves.rows.get(instance_id), self._state.instances.rows.get(instance_id), now

    def start(self, instance_id: str, origin: str, target: str, kind: Kind, *, forced: bool = False) -> None:
        """Begin a move; nothing happens when it is under way or done. `forced`: a target out of service is none the worse.

        Raises PermanentError (`CLD_NOT_FOUND`, `CLD_NO_VALID_HOST`, `CLD_REFUSED`) and TemporaryError (`CLD_BUSY`).
        """
        with self._state.change() as now:
            instance = self._state.instance(instance_id)
            last = self._state.moves.rows.get(instance_id)
            same = last is not None and (last.origin, last.target, last.kind) == (origin, target, kind)
            if (last is not None and same and last.state in ("running", "confirm")) or instance.node == target:
                return
            self._allowed(instance, origin, kind)
            cells = self._room(instance, target, live=kind == "live", forced=forced)
            self._begin(
                now,
                instance,
                Move(
                    instance=instance_id,
                    origin=origin,
                    target=target,
                    kind=kind,
                    cells=cells,
                    origin_cells=instance.cells,
                    state="running",
                    was=instance.state,
                    started_at=now,
                    ends_at=None,
                    outcome="done",
                    attempt=last.attempt + 1 if last is not None else 1,
                ),
            )

    def confirm(self, instance_id: str) -> None:
        """End a cold move that waits for it: the instance stays on the target."""
        with self._state.change() as now:
            move = self._waiting(instance_id)
            if move is None:
                return
            instance = self._state.instance(instance_id)
            self._state.usage.claim(move.origin, move.origin_cells, instance.demand, -1)
            self._state.place(instance.model_copy(update={"state": move.was, "task_state": None}))
            self._state.moves.put(instance_id, replace(move, state="done", message="confirmed"))
            self._ended(now, instance, move, "move-done")

    def revert(self, instance_id: str) -> None:
        """Take back a cold move that waits for confirm: the instance is on its origin again."""
        with self._state.change() as now:
            move = self._waiting(instance_id)
            if move is None:
                return
            instance = self._state.instance(instance_id)
            self._state.usage.claim(move.origin, move.origin_cells, instance.demand, -1)
            back = {"node": move.origin, "numa_cell": cell_of(move.origin_cells), "state": move.was, "task_state": None}
            self._state.place(instance.model_copy(update=back))
            self._state.moves.put(instance_id, replace(move, state="failed", message="reverted"))
            self._ended(now, instance, move, "move-failed")

    def abort(self, instance_id: str) -> None:
        """Abort a live move that is under way; nothing happens when there is none."""
        with self._state.change() as now:
            move = self._state.moves.rows.get(instance_id)
            if move is not None and move.state == "running" and move.kind == "live":
                self._state.cancel(move.event)
                self._fail(now, move, "aborted")

    def break_off(self, now: float, node: str) -> None:
        """Fail the moves under way from and to a node that went down. Call it inside a change."""
        for instance_id in [*self._state.on_node[node], *self._state.inbound[node]]:
            move = self._state.moves.rows.get(instance_id)
            if move is not None and move.state == "running":
                self._state.cancel(move.event)
                self._fail(now, move, f"node {node} went down")

    def forget(self, now: float, instance_id: str) -> None:
        """End whatever move of the instance is under way, because its owner deletes it. Call it inside a change."""
        move = self._state.moves.rows.get(instance_id)
        if move is not None and move.state == "running":
            self._state.cancel(move.event)
            self._fail(now, move, "the instance was deleted")
        elif move is not None and move.state == "confirm":
            self._state.usage.claim(move.origin, move.origin_cells, self._state.instance(instance_id).demand, -1)
        self._state.moves.drop(instance_id)

    def _allowed(self, instance: Instance, origin: str, kind: Kind) -> None:
        if instance.task_state is not None:
            raise TemporaryError(Code.CLD_BUSY, f"Instance {instance.id} is busy: {instance.task_state}.")
        if instance.node != origin:
            raise PermanentError(Code.CLD_REFUSED, f"Instance {instance.id} is on {instance.node}, not on {origin}.")
        if self._state.node(origin).state != "up":
            raise PermanentError(Code.CLD_REFUSED, f"Node {origin} of instance {instance.id} is down.")
        if instance.migration == "none" or (kind == "live" and instance.migration == "cold"):
            why = instance.migration_reason or "its resources are bound to its node"
            raise PermanentError(Code.CLD_REFUSED, f"Instance {instance.id} cannot be moved {kind}: {why}.")
        if instance.state not in ({"active", "paused"} if kind == "live" else {"active", "stopped"}):
            raise PermanentError(Code.CLD_REFUSED, f"Instance {instance.id} is {instance.state}: no {kind} move.")

    def _room(self, instance: Instance, target: str, *, live: bool, forced: bool) -> tuple[int, ...]:
        node = self._state.node(target)
        if forced:
            node = node.model_copy(update={"maintenance": False})
        why = unfit(node, instance, self._state.node(instance.node), live=live) or self._clash(instance, target)
        cells = self._state.usage.fit(node, instance)
        if cells is None and why is None:
            why = "it has not enough room"
        if why is not None or cells is None:
            raise PermanentError(Code.CLD_NO_VALID_HOST, f"Node {target} cannot take instance {instance.id}: {why}.")
        return cells

    def _clash(self, instance: Instance, target: str) -> str | None:
        for group in instance.groups:
            row = self._state.groups.rows.get(group)
            if row is None or row.per_node is None:
                continue
            others = [one for one in self._state.members[group] if one != instance.id and target in self._ends(one)]
            if len(others) >= row.per_node:
                return f"{others[0]} of anti-affinity group {group} is there"
        return None

    def _ends(self, instance_id: str) -> tuple[str, ...]:
        """Nodes that the instance counts on: both ends while it moves."""
        node = self._state.instances.rows[instance_id].node
        move = self._state.moves.rows.get(instance_id)
        return (move.origin, move.target) if move is not None and move.state in ("running", "confirm") else (node,)

    def _begin(self, now: float, instance: Instance, move: Move) -> None:
        fault: FaultKind = "live_migration" if move.kind == "live" else "cold_migration"
        nominal_s = self._timings.move_s(instance.memory_gib, move.kind)
        takes_s = self._timings.real(nominal_s, "move", move.instance, move.attempt)
        fate = self._faults.fate(fault, Subject(node=move.origin, instance=move.instance), takes_s)
        ends_at = None if fate.takes_s is None else now + fate.takes_s
        event = 0 if ends_at is None else self._state.schedule(ends_at, "move", move.instance)
        self._state.usage.claim(move.target, move.cells, instance.demand)
        self._state.inbound[move.target][move.instance] = None
        self._state.moves.put(move.instance, replace(move, outcome=fate.outcome, ends_at=ends_at, event=event))
        task = "migrating" if move.kind == "live" else "resize_migrating"
        self._state.place(instance.model_copy(update={"task_state": task}))
        self._audit.note(now, "move-start", node=move.origin, instance=move.instance, detail=f"{move.kind} to {move.target}")
        if move.was == "active":
            self._audit.impact(now, instance, begins=True)

    def _end(self, instance_id: str, at: float) -> None:
        move = self._state.moves.rows[instance_id]
        match move.outcome:
            case "done" if move.kind == "live":
                self._complete(at, move)
            case "done":
                self._arrive(move, {"state": "resized", "task_state": None}, release=False)
                self._state.moves.put(instance_id, replace(move, state="confirm", message="waits for confirm"))
            case "lost":
                self._lose(at, move)
            case _:
                self._fail(at, move, "simulated failure of the migration")

    def _complete(self, at: float, move: Move) -> None:
        """A live move is over; the fault `arrival` leaves its instance broken on the target, and so still impacted."""
        broken = self._faults.check("arrival", Subject(node=move.target, instance=move.instance)) is not None
        self._arrive(move, {"state": "error" if broken else move.was, "task_state": None}, release=True)
        self._state.moves.put(move.instance, replace(move, state="done", message="completed"))
        self._ended(at, self._state.instance(move.instance), replace(move, was="error") if broken else move, "move-done")

    def _arrive(self, move: Move, update: dict[str, object], *, release: bool) -> None:
        instance = self._state.instance(move.instance)
        self._unclaim(move, instance)
        self._state.place(instance.model_copy(update={"node": move.target, "numa_cell": cell_of(move.cells), **update}))
        if not release:
            self._state.usage.claim(move.origin, move.origin_cells, instance.demand)

    def _fail(self, at: float, move: Move, message: str) -> None:
        instance = self._state.instance(move.instance)
        self._unclaim(move, instance)
        self._state.place(instance.model_copy(update={"task_state": None}))
        self._state.moves.put(move.instance, replace(move, state="failed", message=message))
        self._ended(at, instance, move, "move-failed")

    def _lose(self, at: float, move: Move) -> None:
        instance = self._state.instance(move.instance)
        self._unclaim(move, instance)
        self._state.remove(move.instance)
        self._state.moves.put(move.instance, replace(move, state="lost", message="the instance was lost"))
        self._audit.incident(at, "instance-lost", move.origin, move.instance, "the instance was lost in its migration")
        self._ended(at, instance, move, "move-failed")

    def _unclaim(self, move: Move, instance: Instance) -> None:
        self._state.usage.claim(move.target, move.cells, instance.demand, -1)
        self._state.inbound[move.target].pop(move.instance, None)

    def _ended(self, at: float, instance: Instance, move: Move, what: str) -> None:
        self._audit.note(at, what, node=move.target, instance=move.instance, detail=f"{move.kind} from {move.origin}")
        if what == "move-done":
            self._state.released.drop(move.instance)
        if move.was == "active":
            self._audit.impact(at, instance, begins=False)

    def _waiting(self, instance_id: str) -> Move | None:
        move = self._state.moves.rows.get(instance_id)
        return move if move is not None and move.state == "confirm" else None


def cell_of(cells: tuple[int, ...]) -> int | tuple[int, ...]:
    """Entries of a node as an inventory writes them."""
    return cells[0] if len(cells) == 1 else cells
