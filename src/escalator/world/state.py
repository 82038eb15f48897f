"""Tables of the world with their indexes, and the events that are still to come.

Every change goes through `State.change()`: what has become due is applied first, and what changed is committed as one
transaction. Reading applies what is due, too, so nobody ever sees the past.
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Group, Instance, Node
from escalator.world.file import Sink
from escalator.world.history import History
from escalator.world.placement import Usage
from escalator.world.records import (
    Event,
    GateRow,
    GivenUp,
    Heard,
    Incident,
    Kept,
    LeaseRow,
    Move,
    Operation,
    PendingReply,
    Power,
    ProbeRow,
    QuotaRow,
    Released,
    Router,
    Software,
    VnfmRow,
)
from escalator.world.rules import Fault, FaultCount

T = TypeVar("T")


class Table(Generic[T]):
    """Rows of one kind by key, written through to the sink."""

    def __init__(self, kind: str, row: type[T], sink: Sink | None) -> None:
        self.kind = kind
        self.rows: dict[str, T] = {}
        self._adapter: TypeAdapter[T] = TypeAdapter(row)
        self._sink = sink

    def put(self, key: str, row: T) -> None:
        """Keep the row, in place of the one with that key."""
        self.rows[key] = row
        if self._sink is not None:
            self._sink.put(self.kind, key, self._adapter.dump_json(row, exclude_defaults=True, by_alias=True))

    def drop(self, key: str) -> None:
        """Forget the row, if there is one."""
        if self.rows.pop(key, None) is not None and self._sink is not None:
            self._sink.delete(self.kind, key)

    def load(self, key: str, body: bytes) -> None:
        """Take a row from the file."""
        self.rows[key] = self._adapter.validate_json(body)


class State:
    """Everything that is true in the world now."""

    def __init__(self, clock: Clock, sink: Sink | None = None) -> None:
        self.clock = clock
        self._sink = sink
        self.nodes = Table("node", Node, sink)
        self.instances = Table("instance", Instance, sink)
        self.groups = Table("group", Group, sink)
        self.software = Table("software", Software, sink)
        self.moves = Table("move", Move, sink)
        self.power = Table("power", Power, sink)
        self.operations = Table("operation", Operation, sink)
        self.backups = Table("backup", Kept, sink)
        self.vnfms = Table("vnfm", VnfmRow, sink)
        self.quotas = Table("quota", QuotaRow, sink)
        self.probes = Table("probe", ProbeRow, sink)
        self.doors = Table("door", str, sink)
        self.gates = Table("gate", GateRow, sink)
        self.leases = Table("lease", LeaseRow, sink)
        self.released = Table("released", Released, sink)
        self.routers = Table("router", Router, sink)
        self.masters = Table("master", str, sink)
        self.flags = Table("flag", str, sink)
        self.given_up = Table("given-up", GivenUp, sink)
        self.replies = Table("reply", PendingReply, sink)
        self.heard = Table("heard", Heard, sink)
        self.faults = Table("fault", Fault, sink)
        self.fault_counts = Table("fault-count", FaultCount, sink)
        self.history = History(sink)
        self.incidents = Table("incident", Incident, sink)
        self.events = Table("event", Event, sink)
        self.meta = Table("meta", str, sink)
        self.usage = Usage()
        self.handlers: dict[str, Callable[[str, float], None]] = {}
        self.unavailable: dict[str, None] = {}
        self.on_node: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.members: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.inbound: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.at_work: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._heap: list[tuple[float, int]] = []
        self._seq = 0
        self._depth = 0
        """How many changes are open within one another: the outermost one commits."""
        self._lock = threading.RLock()

    @contextmanager
    def change(self) -> Iterator[float]:
        """One transaction, with the time now. What is due is applied before."""
        with self._lock:
            self._depth += 1
            try:
                now = self.clock.now()
                self._settle(now)
                yield now
            finally:
                self._depth -= 1
                if self._sink is not None and self._depth == 0:
                    self._sink.commit()

    def look(self) -> float:
        """Apply what is due, for somebody who reads; the time now."""
        now = self.clock.now()
        if self._heap and self._heap[0][0] <= now:
            with self.change():
                pass
        return now

    def schedule(self, at: float, what: str, subject: str) -> int:
        """Let the handler of `what` run at `at`; the number under which `cancel` finds it."""
        seq = self._next_seq()
        self.events.put(str(seq), Event(seq=seq, at=at, what=what, subject=subject))
        heapq.heappush(self._heap, (at, seq))
        return seq

    def cancel(self, seq: int) -> None:
        """Forget an event that is still to come."""
        self.events.drop(str(seq))

    def next_due(self) -> float | None:
        """When the next event is due; None when nothing is to come."""
        while self._heap and str(self._heap[0][1]) not in self.events.rows:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _next_seq(self) -> int:
        """A number never given before."""
        self._seq += 1
        self.meta.put("seq", str(self._seq))
        return self._seq

    def node(self, node_id: str) -> Node:
        """The node; raises PermanentError when there is none."""
        node = self.nodes.rows.get(node_id)
        if node is None:
            raise PermanentError(Code.CLD_NOT_FOUND, f"The simulated cloud has no node {node_id}.")
        return node

    def instance(self, instance_id: str) -> Instance:
        """The instance; raises PermanentError when there is none."""
        instance = self.instances.rows.get(instance_id)
        if instance is None:
            raise PermanentError(Code.CLD_NOT_FOUND, f"The simulated cloud has no instance {instance_id}.")
        return instance

    def add_node(self, node: Node) -> None:
        """Put a new node into the world."""
        self.put_node(node)
        self.usage.add_node(node)

    def put_node(self, node: Node) -> None:
        """Put the new state of a node into the world."""
        self.nodes.put(node.id, node)
        self._index_node(node)

    def place(self, instance: Instance) -> None:
        """Put an instance, or its new state or place, into the world."""
        old = self.instances.rows.get(instance.id)
        self.instances.put(instance.id, instance)
        if old is not None and (old.node, old.cells) == (instance.node, instance.cells):
            return
        if old is not None:
            self._unindex(old)
        self._index(instance)

    def remove(self, instance_id: str) -> None:
        """Take an instance out of the world."""
        self._unindex(self.instance(instance_id))
        self.instances.drop(instance_id)

    def restore(self, rows: Iterator[tuple[str, str, bytes]]) -> None:
        """Take everything from the file's rows and make the indexes anew."""
        tables: dict[str, Table[Any]] = {table.kind: table for table in vars(self).values() if isinstance(table, Table)}
        for kind, key, body in rows:
            tables[kind].load(key, body)
        for node in self.nodes.rows.values():
            self.usage.add_node(node)
            self._index_node(node)
        for instance in self.instances.rows.values():
            self._index(instance)
        for move in self.moves.rows.values():
            if move.state in ("running", "confirm"):
                self.usage.claim(*self._claimed(move))
            if move.state == "running":
                self.inbound[move.target][move.instance] = None
        for operation in self.operations.rows.values():
            if operation.state == "running":
                self.at_work[operation.node][operation.id] = None
        self._heap = [(event.at, event.seq) for event in self.events.rows.values()]
        heapq.heapify(self._heap)
        self._seq = int(self.meta.rows.get("seq", "0"))

    def _claimed(self, move: Move) -> tuple[str, tuple[int, ...], Any]:
        """What the move holds on the other end than the one its instance is counted on."""
        instance = self.instance(move.instance)
        if instance.node == move.origin:
            return move.target, move.cells, instance.demand
        return move.origin, move.origin_cells, instance.demand

    def _index_node(self, node: Node) -> None:
        if node.maintenance or node.state == "down":
            self.unavailable[node.id] = None
        else:
            self.unavailable.pop(node.id, None)

    def _index(self, instance: Instance) -> None:
        self.on_node[instance.node][instance.id] = None
        for group in instance.groups:
            self.members[group][instance.id] = None
        self.usage.claim(instance.node, instance.cells, instance.demand)

    def _unindex(self, instance: Instance) -> None:
        self.on_node[instance.node].pop(instance.id, None)
        for group in instance.groups:
            self.members[group].pop(instance.id, None)
        self.usage.claim(instance.node, instance.cells, instance.demand, -1)

    def _settle(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            _, seq = heapq.heappop(self._heap)
            event = self.events.rows.get(str(seq))
            if event is not None:
                self.events.drop(str(seq))
                self.handlers[event.what](event.subject, event.at)
