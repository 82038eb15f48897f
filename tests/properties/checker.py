"""An independent judge of plans: it replays a plan event by event and says what breaks the format's semantics.

It shares no code with the planner. Documents come in as plain data, so that it reads what other programs would read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor
from typing import Any

NEAR = 1e-6
DAY_S = 86400.0


@dataclass(frozen=True)
class Span:
    """Something that lasts: [start, end)."""

    start: float
    end: float
    what: str
    about: str

    def meets(self, other: Span) -> bool:
        return self.start < other.end - NEAR and other.start < self.end - NEAR


class Judge:
    """One plan on one inventory by one campaign, all of them plain data; VNF managers speak for the instances `managed`."""

    def __init__(
        self, inventory: dict[str, Any], campaign: dict[str, Any], plan: dict[str, Any], managed: frozenset[str] = frozenset()
    ) -> None:
        self.managed = managed
        self.nodes = {n["id"]: n for n in inventory["nodes"]}
        self.instances = {i["id"]: i for i in inventory["instances"]}
        self.groups = {g["id"]: g for g in inventory["groups"]}
        self.members: dict[str, list[str]] = defaultdict(list)
        for instance in inventory["instances"]:
            for group in instance["groups"]:
                self.members[group].append(instance["id"])
        self.spec = campaign["spec"]
        self.plan = plan
        self.scope = {n["id"] for n in inventory["nodes"] if self._in_scope(n)}
        self.out = {n for n in self.nodes if self.nodes[n]["state"] == "down" or self.nodes[n]["maintenance"]}
        self.upgrade = {u["node"]: u for u in plan["upgrades"]}
        self.moves = sorted(plan["moves"], key=lambda m: (m["start_s"], m["end_s"]))

    def violations(self) -> list[str]:
        """Everything that is wrong, one line each."""
        found = [*self._nodes(), *self._moves(), *self._targets(), *self._room(), *self._affinity(), *self._unavailable()]
        return [*found, *self._bounds(), *self._staying(), *self._group_limits(), *self._report()]

    # -- who is where

    def _in_scope(self, node: dict[str, Any]) -> bool:
        scope = self.spec["scope"]
        return _selects(scope["select"], node) and not (scope.get("exclude") and _selects(scope["exclude"], node))

    def _stay(self, instance: str) -> list[tuple[float, float, str, tuple[int, ...]]]:
        """Where the instance counts: from, until, node, entries. A move counts at both ends."""
        here, cells, since, found = self.instances[instance]["node"], self._cells(self.instances[instance]), 0.0, []
        for move in self.moves:
            if move["instance"] == instance:
                found.append((since, move["end_s"], here, cells))
                here, cells, since = move["to"], _tuple(move["numa_cell"], self.instances[instance]["numa_span"]), move["start_s"]
        return [*found, (since, float("inf"), here, cells)]

    def _cells(self, instance: dict[str, Any]) -> tuple[int, ...]:
        return _tuple(instance["numa_cell"], instance["numa_span"])

    def _at(self, instance: str, time: float) -> str:
        """The node that the instance is on, moves ended by then counted."""
        here = self.instances[instance]["node"]
        for move in self.moves:
            if move["instance"] == instance and move["end_s"] <= time + NEAR:
                here = move["to"]
        return str(here)

    # -- the rules

    def _nodes(self) -> Iterator[str]:
        left = {n["node"]: n["reason"] for n in self.plan["totals"]["not_upgraded"]}
        for node in sorted(self.scope):
            if (node in self.upgrade) == (node in left):
                yield f"node {node} of the scope stands in both lists or in none"
            if node in left and not left[node]:
                yield f"node {node} is left out without a reason"
        for node in (set(self.upgrade) | set(left)) - self.scope:
            yield f"node {node} is out of scope"
        if len(self.upgrade) != len(self.plan["upgrades"]):
            yield "a node is upgraded twice"
        for node, upgrade in self.upgrade.items():
            if node in self.out:
                yield f"node {node} is out of service and upgraded"
            if self.nodes[node]["progress"] == "done":
                yield f"node {node} is upgraded already"
            lasts = self.spec["estimates"]["upgrade_s"]
            for model in reversed(self.spec["estimates"]["hardware"]):
                if model["labels"].items() <= self.nodes[node]["labels"].items():
                    lasts = model["upgrade_s"]
            if abs(upgrade["end_s"] - upgrade["start_s"] - lasts) > NEAR:
                yield f"the upgrade of {node} does not last as estimated"

    def _moves(self) -> Iterator[str]:
        spans: dict[str, list[Span]] = defaultdict(list)
        for move in self.moves:
            instance = self.instances[move["instance"]]
            if self._at(move["instance"], move["start_s"]) != move["from"]:
                yield f"{move['instance']} is not on {move['from']} at {move['start_s']}"
            gib = instance["demand"].get("mem_mib", 0.0) * instance["numa_span"] / 1024
            estimate = self.spec["estimates"]
            lasts = estimate["migration"]["base_s"] + estimate["migration"]["s_per_gib"] * gib
            lasts += estimate["cold_s"] if move["kind"] == "cold" else 0.0
            if abs(move["end_s"] - move["start_s"] - lasts) > NEAR:
                yield f"the move of {move['instance']} does not last as estimated"
            if instance["migration"] == "none" or (move["kind"] == "live" and instance["migration"] == "cold"):
                yield f"{move['instance']} cannot be moved {move['kind']}"
            if instance["state"] != "active" or instance.get("blocked"):
                yield f"{move['instance']} is moved although it is {instance['state']}"
            if move["from"] not in self.upgrade:
                yield f"{move['instance']} leaves {move['from']}, which is not upgraded"
            spans[move["instance"]].append(Span(move["start_s"], move["end_s"], "move", move["instance"]))
        for instance_id, moves in spans.items():
            if any(a.meets(b) for a, b in pairwise(sorted(moves, key=lambda s: s.start))):
                yield f"{instance_id} is moved twice at once"

    def _targets(self) -> Iterator[str]:
        for move in self.moves:
            target, origin = self.nodes[move["to"]], self.nodes[move["from"]]
            instance, needs = self.instances[move["instance"]], self.instances[move["instance"]]["requires"]
            said = f"{move['instance']} to {move['to']}"
            if move["to"] not in self.scope or move["to"] in self.out or "compute" not in target["roles"]:
                yield f"{said}: no target"
            if target["nova_cell"] != origin["nova_cell"] or needs["az"] not in (None, target["az"]):
                yield f"{said}: another cell or zone"
            for what in ("aggregates", "traits", "physnets"):
                if not set(needs[what]) <= set(target[what]):
                    yield f"{said}: it lacks {what}"
            done = target["progress"] == "done"
            ends = self.upgrade[move["to"]]["end_s"] if move["to"] in self.upgrade else float("inf")
            upgraded = done or ends <= move["start_s"] + NEAR
            if upgraded == move["extra"]:
                yield f"{said}: extra is {move['extra']}"
            if not upgraded and self._away(move["to"]).meets(Span(move["start_s"], move["end_s"], "", "")):
                yield f"{said}: the target is having its turn"
            renewed = upgraded and not done
            if not renewed and _older(target, origin):
                yield f"{said}: an older hypervisor"
            if len(_tuple(move["numa_cell"], instance["numa_span"])) != instance["numa_span"]:
                yield f"{said}: {instance['numa_span']} entries are needed"

    def _away(self, node: str) -> Span:
        """From a node's first departure, else its upgrade, to the end of its upgrade."""
        upgrade = self.upgrade.get(node)
        if upgrade is None:
            return Span(float("inf"), float("inf"), "", node)
        starts = [m["start_s"] for m in self.moves if m["from"] == node]
        return Span(min([*starts, upgrade["start_s"]]), upgrade["end_s"], "away", node)

    def _room(self) -> Iterator[str]:
        stays = [(instance, *stay) for instance in self.instances for stay in self._stay(instance)]
        arriving = {move["to"] for move in self.moves}
        for time in sorted({0.0} | {m["start_s"] for m in self.moves}):
            used: Counter[tuple[str, int, str]] = Counter()
            for instance, since, until, node, cells in stays:
                if since <= time + NEAR and time < until - NEAR:
                    for cell in cells:
                        for resource, amount in self.instances[instance]["demand"].items():
                            used[node, cell, resource] += amount
            # How full a node may be made binds where something arrives; what stood there before may be fuller.
            filled = {
                (m["to"], cell)
                for m in self.moves
                if m["start_s"] == time
                for cell in _tuple(m["numa_cell"], self.instances[m["instance"]]["numa_span"])
            }
            for (node, cell, resource), amount in used.items():
                fill = self.spec["waves"]["max_fill"] if (node, cell) in filled else 1.0
                if node in arriving and amount > self.nodes[node]["numa"][cell].get(resource, 0.0) * fill + NEAR:
                    yield f"{resource} of entry {cell} of {node} is {amount} at {time}"

    def _affinity(self) -> Iterator[str]:
        times = sorted({m["start_s"] for m in self.moves})
        for group_id, group in self.groups.items():
            members = self.members[group_id]
            most = 1 if group["policy"] == "anti-affinity" else group.get("max_per_node")
            if most is not None:
                for time in times:
                    ends = Counter(
                        node
                        for member in members
                        for node in {
                            n for since, until, n, _ in self._stay(member) if since <= time + NEAR and time < until - NEAR
                        }
                    )
                    for node in (node for node, count in ends.items() if count > most):
                        yield f"{ends[node]} members of {group_id} on {node} at {time}"
            if group["policy"] == "affinity":
                for node, upgrade in self.upgrade.items():
                    gone = {m["to"] for m in self.moves if m["from"] == node and m["instance"] in members}
                    left = [member for member in members if self._at(member, upgrade["start_s"]) == node]
                    if len(gone) > 1 or (gone and left):
                        yield f"members of affinity group {group_id} part at {node}"

    def _unavailable(self) -> Iterator[str]:
        wanted = self.spec["waves"]["max_unavailable"]
        limit = wanted if isinstance(wanted, int) else max(1, len(self.scope) * int(wanted[:-1]) // 100)
        away = [self._away(node) for node in self.upgrade]
        for one in away:
            there = sum(other.start <= one.start + NEAR and one.start < other.end - NEAR for other in away)
            if there + len(self.out & self.scope) > limit:
                yield f"{there} nodes away at {one.start}, the limit is {limit}"

    def _bounds(self) -> Iterator[str]:
        bounds = self.spec["migration"]
        for move in self.moves:
            now = [m for m in self.moves if m["start_s"] <= move["start_s"] + NEAR and move["start_s"] < m["end_s"] - NEAR]
            if len(now) > bounds["total"]:
                yield f"{len(now)} moves at {move['start_s']}"
            for end in ("from", "to"):
                if sum(m[end] == move[end] for m in now) > bounds["per_node"]:
                    yield f"too many moves {end} {move[end]} at {move['start_s']}"

    def _staying(self) -> Iterator[str]:
        default = self.spec["workloads"]["default"]["action"]
        for node, upgrade in self.upgrade.items():
            span = Span(upgrade["start_s"], upgrade["end_s"], "upgrade", node)
            for move in self.moves:
                if node in (move["from"], move["to"]) and span.meets(Span(move["start_s"], move["end_s"], "", "")):
                    yield f"{move['instance']} moves while {node} is upgraded"
            rows = {i["instance"]: i for i in self.plan["impacts"] if i["node"] == node}
            for instance in self.instances:
                if self._at(instance, upgrade["start_s"]) != node:
                    if instance in rows:
                        yield f"{instance} is not on {node} and has an impact there"
                    continue
                row = rows.get(instance)
                if row is None or row["start_s"] > upgrade["start_s"] + NEAR or row["end_s"] < upgrade["end_s"] - NEAR:
                    yield f"{instance} is left on {node} and no impact covers it"
                    continue
                facts = self.instances[instance]
                if (row["kind"] == "offline") != (facts["state"] != "active"):
                    yield f"{instance} is {facts['state']} and its impact is {row['kind']}"
                alone = facts["migration"] == "none" and not facts["groups"] and facts["vacate"] == "move"
                pinned = alone and instance not in self.managed
                if row["kind"] != "offline" and pinned and default not in ("stop-start", "in-place", "leave"):
                    yield f"nothing allows {instance} to stay on {node}"
                if facts.get("blocked"):
                    yield f"{instance} is blocked and its node is upgraded"
        for row in self.plan["impacts"]:
            if row["node"] not in self.upgrade:
                yield f"impact of {row['instance']} on {row['node']}, which is not upgraded"

    def _impacts(self) -> list[tuple[str, Span]]:
        found = [(m["instance"], Span(m["start_s"], m["end_s"], "move", m["instance"])) for m in self.moves]
        stays = [i for i in self.plan["impacts"] if i["kind"] != "offline"]
        return [*found, *((i["instance"], Span(i["start_s"], i["end_s"], "stay", i["instance"])) for i in stays)]

    def _clock(self, at: float, *, ends: bool) -> float:
        """Working time on the clock, from when the first of windows opens that are those of each Saturday and Sunday."""
        if not self.spec["windows"]:
            return at
        (window,) = self.spec["windows"]
        assert window["days"] == ["sat", "sun"]
        share = at / window["length_s"]
        number = max(0, ceil(share - NEAR) - 1 if ends else floor(share + NEAR))
        return at + number * (DAY_S - window["length_s"]) + number // 2 * 5 * DAY_S

    def _group_limits(self) -> Iterator[str]:
        lead = self.spec["workloads"]["notify"]["lead_time_s"]
        for instance, span in self._impacts():
            if span.start < lead - NEAR:
                yield f"{instance} is impacted at {span.start}, before the lead time"
        for group_id, group in self.groups.items():
            members = self.members[group_id]
            spans = [span for instance, span in self._impacts() if instance in members]
            down = sum(self.nodes[self.instances[m]["node"]]["state"] == "down" for m in members)
            limit = _limit(group, len(members))
            for span in spans:
                if span.start < group["lead_s"] - NEAR:
                    yield f"{span.about} is impacted at {span.start}, before the lead time of {group_id}"
                at_once = {s.about for s in spans if s.start <= span.start + NEAR and span.start < s.end - NEAR}
                if len(at_once) + down > limit:
                    yield f"{len(at_once)} members of {group_id} impacted at {span.start}, {down} down, the limit is {limit}"
                for other in spans:
                    apart = self._clock(other.start, ends=False) - self._clock(span.end, ends=True)
                    if not span.meets(other) and -NEAR <= apart < group["recovery_s"] - NEAR:
                        yield f"{other.about} is impacted {apart} s after {span.about} of {group_id}"

    def _report(self) -> Iterator[str]:
        totals = self.plan["totals"]
        if (totals["nodes"], totals["moves"]) != (len(self.upgrade), len(self.moves)):
            yield "the totals do not count what the plan holds"
        last = max((u["end_s"] for u in self.plan["upgrades"]), default=0.0)
        if abs(totals["makespan_s"] - last) > NEAR:
            yield f"the makespan is {totals['makespan_s']} and the last upgrade ends at {last}"
        bounds = self.plan["bounds"]
        if bounds["moves"] > len(self.moves) or bounds["makespan_s"] > last + NEAR:
            yield f"the plan undercuts its own bounds {bounds}"
        told = sorted((row["group"], row["level"]) for row in self.plan["closer"])
        if told != sorted(self._closer()):
            yield f"groups are closer together at the end: {sorted(self._closer())}, and the plan tells of {told}"
        bad = [c for c in self.plan["conditions"] if not c["ok"]]
        if self.plan["smooth"] == bool(bad):
            yield f"smooth is {self.plan['smooth']} with {len(bad)} failing conditions"
        if any(not c["remedy"] for c in bad):
            yield "a failing condition has no remedy"
        fit = {n for n in self.scope - self.out if self.nodes[n]["progress"] not in ("done", "failed")}
        if self.plan["smooth"] and fit - set(self.upgrade):
            yield f"the plan is smooth and leaves out {sorted(fit - set(self.upgrade))}"

    def _closer(self) -> Iterator[tuple[str, str]]:
        """Groups and levels at which fewer places have members at the end, or one has more than any had at the start."""
        for group_id, group in self.groups.items():
            if not group["policy"].endswith("anti-affinity"):
                continue
            for level in ("id", "rack", "az") if group["policy"].startswith("soft") else ("rack", "az"):
                at = [
                    Counter(str(place) for m in self.members[group_id] if (place := self.nodes[self._at(m, time)][level]))
                    for time in (-1.0, float("inf"))
                ]
                start, end = ((len(places), -max(places.values(), default=0)) for places in at)
                if start[0] > 1 and (end[0] < start[0] or end[1] < start[1]):
                    yield group_id, "node" if level == "id" else level


def _selects(select: dict[str, Any], node: dict[str, Any]) -> bool:
    role, zones = select.get("role"), select.get("az") or ()
    return (role is None or role in node["roles"]) and (not zones or node["az"] in zones)


def _tuple(cell: Any, span: int) -> tuple[int, ...]:
    if cell is None:
        return tuple(range(span))
    return (cell,) if isinstance(cell, int) else tuple(cell)


def _limit(group: dict[str, Any], members: int) -> int:
    if group["max_impacted"] is not None:
        return int(group["max_impacted"])
    if group["min_preserved"] is not None:
        return max(0, members - int(group["min_preserved"]))
    return 1 if group["policy"] in ("anti-affinity", "soft-anti-affinity") else members


def _older(target: dict[str, Any], origin: dict[str, Any]) -> bool:
    new, old = target["versions"].get("hypervisor"), origin["versions"].get("hypervisor")
    return bool(new and old) and [int(p) for p in new.split(".")] < [int(p) for p in old.split(".")]
