"""Checks of the order of groups of nodes and of waves: who is in which group, and that each waits for those before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from escalator.model.codes import Code
from escalator.model.node_groups import NodeGroup
from escalator.model.plan import PlanGroup
from escalator.upgrade_manager.planner.verify.kinds import check_kind_groups
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay, Violation

Spans = Sequence[tuple[float, float]]
wrong = partial(Violation, code=Code.PLN_V_STAGES)


def check_groups(replay: Replay, windows: Spans) -> Iterator[Violation]:
    """Each node is in one group that may have it, and begins when all groups before its own are through and have soaked.

    `windows`: when each maintenance window opens and closes on the clock; none when time is open.
    """
    rules = {group.name: group for group in replay.campaign.spec.scope.groups}
    found = {group.name: group for group in replay.plan.groups}
    if not rules:
        if found:
            yield from check_kind_groups(replay, replay.plan.groups)
        return
    counts = Counter(node for group in found.values() for node in group.nodes)
    for node in sorted(replay.scope):
        if counts[node] != 1:
            yield wrong(node=node, message=f"{node} is in {counts[node]} groups")
    for name in sorted(rules.keys() - found.keys()):
        yield wrong(message=f"group {name} is missing")
    for name in sorted(rules.keys() & found.keys()):
        yield from _membership(replay, rules[name], found[name])
    for group in found.values():
        for first in sorted(_before(rules, group.name) & found.keys()):
            yield from _one_after_the_other(replay, found[first].nodes, group.nodes, rules[first], windows)


def _membership(replay: Replay, rule: NodeGroup, group: PlanGroup) -> Iterator[Violation]:
    nodes = group.nodes
    if group.soak_s != rule.soak_s:
        yield wrong(message=f"group {rule.name} soaks {group.soak_s:g} s, not {rule.soak_s:g} s")
    if replay.plan.at_s:
        return  # who is in which group was decided at the start, by what nodes were then, and by how many there were
    there = [replay.inventory.node_by_id[node] for node in nodes if node in replay.inventory.node_by_id]
    for node in there:
        if rule.select is not None and not rule.select.matches(node):
            yield wrong(node=node.id, message=f"group {rule.name} does not select {node.id}")
    if rule.sample is not None:
        fitting = sum(
            rule.select is None or rule.select.matches(node) for node in replay.inventory.nodes if node.id in replay.scope
        )
        if len(nodes) > rule.sample.size(fitting):
            yield wrong(message=f"group {rule.name} has {len(nodes)} nodes, its sample {rule.sample.size(fitting)}")


def _before(rules: dict[str, NodeGroup], name: str) -> set[str]:
    """Everything that the campaign puts before a group; before the nodes of no group, all."""
    if name not in rules:
        return set(rules)
    found: set[str] = set()
    ask = list(rules[name].after)
    while ask:
        first = ask.pop()
        if first not in found:
            found.add(first)
            ask += rules[first].after
    return found


def _one_after_the_other(
    replay: Replay, first: Sequence[str], then: Sequence[str], rule: NodeGroup, windows: Spans
) -> Iterator[Violation]:
    ends = max((replay.upgrades[node].end_s for node in first if node in replay.upgrades), default=None)
    if ends is None:
        return
    opens = _later(windows, ends, rule.soak_s)
    for node in then:
        if node in replay.away and node not in replay.under_way and replay.away[node][0] < opens - NEAR_S:
            message = f"{node} begins before group {rule.name} is through and has soaked {rule.soak_s:g} s"
            yield wrong(node=node, time_s=replay.away[node][0], message=message)


def check_waves(replay: Replay, windows: Spans) -> Iterator[Violation]:
    """Where waves do not overlap, each begins when those before are through and the pause is over."""
    spec = replay.campaign.spec
    if not spec.waves.soak_s and not spec.gates.between:
        return
    rows = sorted((upgrade.wave, node) for node, upgrade in replay.upgrades.items())
    for wave, node in rows:
        if node in replay.under_way:
            continue
        ends = max((replay.upgrades[other].end_s for before, other in rows if before < wave), default=None)
        if ends is not None and replay.away[node][0] < _later(windows, ends, spec.waves.soak_s) - NEAR_S:
            message = f"{node} begins before the waves before {wave} are through and paused {spec.waves.soak_s:g} s"
            yield wrong(node=node, time_s=replay.away[node][0], message=message)


def _later(windows: Spans, at_s: float, wait_s: float) -> float:
    """Working time at which so many seconds have passed on the clock since something ended."""
    if not windows:
        return at_s + wait_s
    worked = until = 0.0
    for opens, closes in windows:
        if at_s <= worked + (closes - opens) + NEAR_S:
            until = opens + (at_s - worked) + wait_s
            break
        worked += closes - opens
    worked = 0.0
    for opens, closes in windows:
        if until < closes - NEAR_S:
            return max(at_s, worked + max(0.0, until - opens))
        worked += closes - opens
    return float("inf")
