"""Crashing a simulated Escalator at any of its writes, and taking it up again on the same storage, journal and world."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.model.notice import NoticeType
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.memory import memory_store
from escalator.storage.port import Store
from escalator.upgrade_manager.engine.context import ProbeRules
from escalator.upgrade_manager.engine.runtimes.memory import Journal
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.records import Heard, VnfmRow
from escalator.world.world import World

WRITES = {
    "add",
    "add_plan",
    "append",
    "change",
    "done",
    "end_impact",
    "enter_impact",
    "enter_node",
    "leave_node",
    "put",
    "answer",
    "record_reply",
    "remember",
    "remove",
    "update",
}
"""Methods of storage that change something."""
LONG_S = 3 * 86400.0
PROBE = ProbeRules("reach-it")
AGENT = RELEASE.model_copy(update={"spec": RELEASE.spec.model_copy(update={"version": "2.1.0", "impact": "control"})})
"""A release that leaves instances alone."""


class Tripwire:
    """Counts writes; at the given one the process is dead: nothing more is written, by anybody."""

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.count = 0
        self.dead = False
        self.where = ""
        self.tripped = asyncio.Event()
        self._at = at
        self._after = after

    async def write(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.dead:
            raise asyncio.CancelledError
        self.count += 1
        strikes = self.count == self._at
        result = await call(*args, **kwargs) if not strikes or self._after else None
        if strikes:
            self.dead = True
            self.where = f"{'after' if self._after else 'before'} write {self.count}, {name}{args[:1]}"
            self.tripped.set()
            raise asyncio.CancelledError
        return result


class _Part:
    def __init__(self, part: Any, name: str, wire: Tripwire) -> None:
        self._part, self._name, self._wire = part, name, wire

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._part, method)
        if method not in WRITES:
            return call

        async def wired(*args: Any, **kwargs: Any) -> Any:
            return await self._wire.write(f"{self._name}.{method}", call, *args, **kwargs)

        return wired


def wired(store: Store, wire: Tripwire) -> Store:
    parts = {field.name: _Part(getattr(store, field.name), field.name, wire) for field in fields(store)}
    return replace(store, **parts)


def small_cloud(*, spare: bool = False) -> tuple[Inventory, tuple[VnfmRow, ...]]:
    """On a and b: a pinned pair and a migrating pair of VNFs, one VM that nobody speaks for; c, and a spare d, are empty."""
    cell = {"pcpu": 16.0, "mem_mib": 65536.0}

    def vm(number: int, node: str, **more: Any) -> Instance:
        return Instance(id=f"vm-{number}", node=node, numa_cell=0, demand={"pcpu": 2.0, "mem_mib": 4096.0}, **more)

    inventory = Inventory(
        nodes=tuple(
            Node(id=name, versions={"agent": "1.0.0"}, numa=(cell,)) for name in ("a", "b", "c", "d")[: 4 if spare else 3]
        ),
        instances=(
            vm(1, "a", project="up", groups=("pinned",), migration="none"),
            vm(2, "b", project="up", groups=("pinned",), migration="none"),
            vm(3, "a", project="core", groups=("pair",)),
            vm(4, "b", project="core", groups=("pair",)),
            vm(5, "a", project="free"),
        ),
        groups=(
            Group(id="pinned", policy="anti-affinity", max_impacted=1, recovery_s=30.0),
            Group(id="pair", policy="anti-affinity", max_impacted=1, recovery_s=30.0),
        ),
    )
    vnfms = (
        VnfmRow(name="up", behaviour="follows", delay_s=40.0, projects=("up",)),
        VnfmRow(name="core", behaviour="migrate", delay_s=20.0, projects=("core",)),
    )
    return inventory, vnfms


async def there(sim: Simulation) -> Any:
    return await sim.engine.result("campaign/c")


@dataclass
class Stand:
    """What outlives a crash."""

    clock: VirtualClock
    world: World
    store: Store
    journal: Journal
    probe: ProbeRules | None = None
    """How a probe VM proves each node, where one does."""

    @classmethod
    async def make(cls, document: str, prepare: Callable[[World], None], *, spare: bool = False, probe: bool = False) -> Stand:
        """A planned and started campaign named `c`; nothing of it has run yet."""
        clock = VirtualClock()
        world = World.in_memory(clock)
        inventory, vnfms = small_cloud(spare=spare)
        world.load(inventory, vnfms)
        stand = cls(clock, world, memory_store(), Journal(), PROBE if probe else None)
        prepare(world)
        more = {"store": stand.store, "journal": stand.journal, "probe_vm": stand.probe}
        async with simulate(world, clock, strict=True, **more) as sim:
            await import_release(stand.store, RELEASE, clock.now())
            await import_release(stand.store, AGENT, clock.now())
            await sim.campaigns.create(document)
            plan = await sim.campaigns.plan("c")
            assert plan.smooth, plan.conditions
            await sim.campaigns.start("c")
        return stand

    async def live(
        self,
        wire: Tripwire,
        steer: Callable[[Simulation], Any] | None = None,
        course: Callable[[Simulation], Awaitable[Any]] = there,
    ) -> bool:
        """Run until the campaign is over (True), or the wire is tripped (False); `course` says when it is over."""
        store = wired(self.store, wire)
        more = {"store": store, "journal": self.journal, "probe_vm": self.probe}
        async with simulate(self.world, self.clock, strict=True, **more) as sim:
            end = asyncio.ensure_future(course(sim))
            trip = asyncio.ensure_future(wire.tripped.wait())
            hand = asyncio.ensure_future(steer(sim)) if steer is not None else None
            done, _ = await asyncio.wait((end, trip), timeout=LONG_S, return_when=asyncio.FIRST_COMPLETED)
            trip.cancel()
            if hand is not None:
                hand.cancel()
            assert done, f"the campaign does not end: {await self.standing()}"
            over = end in done and not end.cancelled() and end.exception() is None and not wire.dead
            if not over:
                wire.dead = True
                end.cancel()
            await asyncio.gather(end, trip, *([hand] if hand else []), return_exceptions=True)
            if end in done and not wire.tripped.is_set() and not over:
                raise AssertionError(f"the drive died: {end}")
            if over:
                await self.clock.sleep(60.0)  # the last notices go out
            return over

    async def standing(self) -> list[str]:
        row = await self.store.campaigns.get("c")
        tasks = [f"{t.node} {t.state} {t.step} {t.code} {t.message}" for t in await self.store.tasks.list("c")]
        return [f"{row and row.state} {row and row.reason}", *tasks]

    async def broken(self, before: Inventory, upgrades: int = 1) -> Sequence[str]:
        """What does not hold although it has to, however often the manager crashed."""
        found = [f"incident: {i.what} {i.node} {i.instance} {i.message}" for i in self.world.audit.incidents]
        now = self.world.inventory()
        found += [f"node {n.id} is left in maintenance" for n in now.nodes if n.maintenance or n.state == "down"]
        found += [f"{what} is left of a probe VM" for what in (*self.world.probes.names, *self.world.probes.open_doors)]
        gone = {i.id for i in before.instances} - {i.id for i in now.instances}
        found += [f"instance {i} is lost" for i in sorted(gone)]
        found += [f"instance {i.id} is {i.state} {i.task_state}" for i in now.instances if not i.running or i.task_state]
        if self.world.audit.most_unavailable() > 1:
            found.append("more than one node was out of service")
        found += [f"group {g}: {peak} impacted at once" for g, peak in self.world.audit.group_peaks().items() if peak > 1]
        found += [f"impact {i.id} is open" for i in await self.store.admission.impacts("c") if i.ended_at is None]
        found += [f"{row.id} stays on {row.node}" for row in self.world.state.routers.rows.values() if row.node not in row.id]
        found += [f"storage is kept from recovering for {node}" for node in self.world.state.flags.rows]
        found += [f"slot of {slot.node} is taken" for slot in await self.store.admission.node_slots()]
        found += [f"{row.kind} of {row.object_id} is on the sheet" for row in await self.store.restorations.open()]
        return [*found, *(await self._notices()), *self._operations(upgrades), *self._told(), *(await self._hooks())]

    async def _hooks(self) -> list[str]:
        """Nodes that hooks have prepared for their maintenance and that are in service without those that follow on it."""
        open_ends: set[str] = set()
        for event in await self.store.events.read(limit=100_000):
            purpose = event.data.get("purpose") if event.action == "node.command" else None
            if purpose == "pre_maintenance":
                open_ends.add(event.node or "")
            elif purpose == "post_maintenance" and event.outcome == "done":
                open_ends.discard(event.node or "")
        return [f"{node} is prepared by hooks and not given back" for node in sorted(open_ends)]

    async def _notices(self) -> list[str]:
        found = []
        heard = {h.notice for h in self.world.vnfms.heard()}
        for notice in await self.store.notices.list("c", limit=10_000):
            if notice.id not in heard:
                found.append(f"{notice.type} to {notice.vnfm} never arrived: {notice.state}")
            kept = [r for r in await self.store.notices.replies(notice.id) if r["verdict"] == "accepted"]
            kept = [r for r in kept if r["reply"]["result"] != "DEFER"]  # a DEFER is not the last word
            if len(kept) > 1:
                found.append(f"{len(kept)} replies of {notice.vnfm} about {notice.node} count")
        asked = Counter((h.node, h.vnfm) for h in self.world.vnfms.heard() if h.type == NoticeType.HOST_MAINTENANCE_UPCOMING)
        told = Counter((h.node, h.vnfm) for h in self.world.vnfms.heard() if h.type == NoticeType.HOST_AVAILABLE)
        found += [f"{vnfm} was asked about {node} and not told that it is back" for node, vnfm in asked.keys() - told.keys()]
        return found

    def _told(self) -> list[str]:
        """What orchestrators heard against what happened: capacity that went came back, in that order, and nothing came twice."""
        found: list[str] = []
        for name in [row.name for row in self.world.vnfms.registrations() if row.spec.orchestrator]:
            heard = self.world.vnfms.heard(name)
            open_ends: set[str] = set()
            for one in heard:
                said = json.loads(one.details["report"])
                begins, ends = _ends(one.type, said)
                if ends and ends not in open_ends:
                    found.append(f"{name}: {ends} ends and did not begin")
                open_ends = (open_ends | {begins}) - {ends, ""}
            found += [f"{name}: {begun} begins and does not end" for begun in sorted(open_ends)]
            moved = Counter(e.instance for e in self.world.audit.history("move-done"))
            told = Counter(s["virtualisedResourceId"] for s in _said(heard) if s.get("changeType") == "MIGRATED")
            if moved != told:
                found.append(f"{name}: told of the moves {dict(told)}, not {dict(moved)}")
            states = [s["campaignState"] for s in _said(heard) if "campaignState" in s]
            if any(a == b for a, b in pairwise(["running", *states])) or states[-1:] not in (["completed"], ["aborted"]):
                found.append(f"{name}: told of the states {states}")
            if not heard or heard[0].type != NoticeType.WINDOWS:
                found.append(f"{name}: not told of the plan first")
        return found

    def _operations(self, upgrades: int) -> list[str]:
        begun = Counter(e.node for e in self.world.audit.history("upgrade-start"))
        moved = Counter(e.instance for e in self.world.audit.history("move-done"))
        found = [f"{node} was upgraded {count} times" for node, count in begun.items() if count > upgrades]
        most = 4 if self.world.audit.history("rollback-start") else 2
        return found + [f"{instance} moved {count} times" for instance, count in moved.items() if count > most]


def _said(heard: Sequence[Heard]) -> list[dict[str, Any]]:
    return [json.loads(one.details["report"]) for one in heard]


def _ends(kind: str, said: dict[str, Any]) -> tuple[str, str]:
    """What of an orchestrator's view a notice begins, and what it ends."""
    if kind == NoticeType.CAPACITY_TAKEN:
        return f"capacity {said['occurrenceId']}", ""
    if kind == NoticeType.CAPACITY_RETURNED:
        return "", f"capacity {said['occurrenceId']}"
    about = f"stop of {said.get('virtualisedResourceId')}"
    return (about if said.get("changeType") == "STOPPED" else "", about if said.get("changeType") == "STARTED" else "")
