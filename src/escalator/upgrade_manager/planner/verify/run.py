"""A campaign as it ran, checked against the rules that its plans had to hold to.

Estimates are no rules: how long something took is not checked, only what was true at the same time and in which order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import floor, inf

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Inventory
from escalator.model.plan import PlanGroup
from escalator.upgrade_manager.planner.verify.replay import Violation, too_many

CLOSE_S = 1.0
"""Events are written down a little before or after what they tell of."""
Span = tuple[float, float, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impacted:
    """One impact as it was: a move (`target` says where to) or a stay through an upgrade. One that lasts ends with the record."""

    instance: str
    groups: tuple[str, ...]
    node: str
    target: str | None
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A move that was made."""

    instance: str
    origin: str
    target: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What happened, in seconds from the campaign's start by the clock on the wall."""

    away: Sequence[Span] = ()
    """When each node was out of service: from, until, node; a node can be so several times, and at the end still be."""
    installed: Sequence[Span] = ()
    """When each node's software was changed: from, until, node."""
    upgraded: Mapping[str, float] = field(default_factory=dict)
    """When the new software of each node was proved."""
    impacts: Sequence[Impacted] = ()
    moves: Sequence[Made] = ()
    deleted: Mapping[str, float] = field(default_factory=dict)
    """Instances that are gone since, each with from when on it may have been."""
    windows: Sequence[tuple[float, float]] = ()
    """Maintenance windows: from, until. None when time was open."""
    groups: Sequence[PlanGroup] = ()
    """Groups of nodes that went one after the other."""
    spared: bool = False
    """Whether the release touched no instance: who was on a node then was not impacted."""


def verify_run(campaign: Campaign, inventory: Inventory, record: Record) -> Sequence[Violation]:
    """Everything that a campaign did against the rules. `inventory` is the cloud as its first plan saw it."""
    checks = (_check_away, _check_windows, _check_groups, _check_bounds, _check_moves, _check_extra, _check_stays, _check_order)
    return [violation for check in checks for violation in check(campaign, inventory, record)]


def _check_away(campaign: Campaign, inventory: Inventory, record: Record) -> Iterator[Violation]:
    waves = campaign.spec.waves
    scope = {node.id: node for node in inventory.nodes if campaign.spec.scope.includes(node)}
    most = waves.limit(len(scope))
    for at, count, node in too_many(record.away, most):
        message = f"{counted(count, 'node was', 'nodes were')} out of service, max_unavailable is {most}"
        yield Violation(code=Code.PLN_V_UNAVAILABLE, node=node, time_s=at, message=message)
    for rule in waves.spread:
        by_value: defaultdict[str, list[Span]] = defaultdict(list)
        for start, end, node in record.away:
            for value in rule.values(scope[node]) if node in scope else ():
                by_value[value].append((start, end, node))
        for value, spans in by_value.items():
            for at, count, node in too_many(spans, rule.max):
                were = counted(count, f"node of {rule.by} {value} was", f"nodes of {rule.by} {value} were")
                message = f"{were} out of service, the limit is {rule.max}"
                yield Violation(code=Code.PLN_V_UNAVAILABLE, node=node, time_s=at, message=message)


def _check_windows(_: Campaign, __: Inventory, record: Record) -> Iterator[Violation]:
    for start, _end, node in record.away:
        if record.windows and not any(opens - CLOSE_S <= start <= closes + CLOSE_S for opens, closes in record.windows):
            message = f"the turn of {node} began outside of every maintenance window"
            yield Violation(code=Code.PLN_V_WINDOW, node=node, time_s=start, message=message)


def _check_groups(_: Campaign, inventory: Inventory, record: Record) -> Iterator[Violation]:
    rows: defaultdict[str, list[Span]] = defaultdict(list)
    for impact in record.impacts:
        for name in impact.groups if impact.end_s > impact.start_s else ():  # a move refused at once impacts nobody
            rows[name].append((impact.start_s, impact.end_s, impact.instance))
    for name, several in rows.items():
        group = inventory.group_by_id.get(name)
        if group is None:
            continue
        spans = _each_once(several)
        limit = group.limit(len(inventory.members.get(name, ())))
        wrong = partial(Violation, code=Code.PLN_V_GROUP, group=name)
        for at, count, instance in too_many(spans, limit):
            were = counted(count, f"member of {name} was", f"members of {name} were")
            yield wrong(time_s=at, instance=instance, message=f"{were} impacted, the limit is {limit}")
        last = -inf
        for at, ends, instance in sorted([(s, 1, i) for s, _, i in spans] + [(e, 0, i) for _, e, i in spans]):
            if not ends:
                last = at
            elif at - last < group.recovery_s - CLOSE_S:
                message = (
                    f"{instance} was impacted {at - last:.1f} s after another of {name}, which recovers in {group.recovery_s:g} s"
                )
                yield wrong(time_s=at, instance=instance, message=message)


def _each_once(spans: Sequence[Span]) -> list[Span]:
    """Impacts of one instance at one time are one: a second turn of its node may have found what the first left impacted."""
    found: dict[str, list[Span]] = {}
    for start, end, instance in sorted(spans):
        known = found.setdefault(instance, [])
        if known and start < known[-1][1]:
            known[-1] = (known[-1][0], max(known[-1][1], end), instance)
        else:
            known.append((start, end, instance))
    return [span for each in found.values() for span in each]


def _check_bounds(campaign: Campaign, _: Inventory, record: Record) -> Iterator[Violation]:
    migration = campaign.spec.migration
    moving = [impact for impact in record.impacts if impact.target is not None]
    places: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for impact in moving:
        span = (impact.start_s, impact.end_s, impact.instance)
        places["from", impact.node].append(span)
        places["to", impact.target or ""].append(span)
    limits = [(migration.total, "in all", [(i.start_s, i.end_s, i.instance) for i in moving])]
    limits += [(migration.per_node, f"{way} {node}", spans) for (way, node), spans in places.items()]
    for most, where, spans in limits:
        for at, count, instance in too_many(spans, most):
            message = f"{count} moves at once {where}, the limit is {most}"
            yield Violation(code=Code.PLN_V_CONCURRENCY, instance=instance, time_s=at, message=message)


def _check_moves(_: Campaign, __: Inventory, record: Record) -> Iterator[Violation]:
    turns: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for start, end, node in record.away:
        turns[node].append((start, end))
    for move in record.moves:
        if any(start + CLOSE_S < move.at_s < end - CLOSE_S for start, end in turns[move.target]):
            message = f"{move.instance} went to {move.target}, which was having its turn"
            yield Violation(code=Code.PLN_V_TARGET, instance=move.instance, time_s=move.at_s, node=move.target, message=message)


def _check_extra(campaign: Campaign, inventory: Inventory, record: Record) -> Iterator[Violation]:
    count: defaultdict[str, int] = defaultdict(int)
    left: defaultdict[str, int] = defaultdict(int)
    for move in record.moves:
        count[move.instance] += 1
        left[move.origin] += 1
    beyond = sum(number - 1 for number in count.values())
    share = campaign.spec.waves.max_extra_moves
    movable = sum(instance.running and instance.migration != "none" for instance in inventory.instances)
    later = {node for group in record.groups if group.after for node in group.nodes}
    # A canary that failed was emptied all the same, before any other.
    tried = {node for _, _, node in record.away if left[node]} if record.groups else set()
    first = [left[node] for node in {*record.upgraded, *tried} if node not in later]
    allowed = max(floor(share * movable), min(first, default=0)) if share else 0
    if beyond > allowed:
        message = (
            f"{counted(beyond, 'move was', 'moves were')} made beyond one per instance, {counted(allowed, 'is', 'are')} allowed"
        )
        yield Violation(code=Code.PLN_V_EXTRA, message=message)


def _check_order(_: Campaign, __: Inventory, record: Record) -> Iterator[Violation]:
    """No node began before the groups before its own were through for the first time, and had soaked."""
    first: dict[str, tuple[float, float]] = {}
    for start, end, node in sorted(record.away):
        first.setdefault(node, (start, end))
    opens = {
        group.name: max((first[node][1] for node in group.nodes if node in first), default=-inf) + group.soak_s
        for group in record.groups
    }
    for group in record.groups:
        for node in group.nodes:
            late = [name for name in group.after if node in first and first[node][0] < opens[name] - CLOSE_S]
            if late:
                message = f"{node} began before group {late[0]} was through and had soaked"
                yield Violation(code=Code.PLN_V_STAGES, node=node, time_s=first[node][0], message=message)


def _check_stays(_: Campaign, inventory: Inventory, record: Record) -> Iterator[Violation]:
    """Whoever was on a node while its software was changed was known to be impacted then."""
    covered: defaultdict[tuple[str, str], list[Impacted]] = defaultdict(list)
    for impact in record.impacts:
        if impact.target is None:
            covered[impact.node, impact.instance].append(impact)
    lost = {impact.instance for impact in record.impacts if impact.target} - {move.instance for move in record.moves}
    moved: defaultdict[str, list[Made]] = defaultdict(list)
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for move in sorted(record.moves, key=lambda m: m.at_s):
        moved[move.instance].append(move)
        seen[move.target].add(move.instance)
    for instance in inventory.instances:
        # A move that did not end well: a person was told, and where the instance is is not in the history.
        if instance.running and instance.id not in lost:
            seen[instance.node].add(instance.id)
    for start, end, node in () if record.spared else record.installed:
        for name in sorted(seen[node] & inventory.instance_by_id.keys() - lost):
            there = [move.target for move in moved[name] if move.at_s <= start]
            known = any(i.start_s <= start + CLOSE_S and i.end_s >= end - CLOSE_S for i in covered[node, name])
            known = known or record.deleted.get(name, inf) <= start
            if (there[-1] if there else inventory.instance_by_id[name].node) == node and not known:
                message = f"{name} was on {node} while its software was changed, and nothing covered that"
                yield Violation(code=Code.PLN_V_STAY, node=node, instance=name, time_s=start, message=message)
