"""Checks of nodes: each has its place in the plan, not too many are away, what stays on them may, windows hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance
from escalator.model.plan import Impact, Upgrade
from escalator.upgrade_manager.planner.lead import waits_s
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay, Violation, present, too_many
from escalator.upgrade_manager.planner.verify.sound import Look, all_left

ALLOWED_ALONE = ("stop-start", "in-place", "leave")
"""Default actions that let an instance be stopped that cannot migrate and that nobody speaks for."""


def check_nodes(replay: Replay) -> Iterator[Violation]:
    """Every node of the scope stands in one list; none is upgraded that should not be."""
    left = {item.node for item in replay.plan.totals.not_upgraded}
    for node in sorted(replay.scope):
        if (node in replay.upgrades) == (node in left):
            yield Violation(code=Code.PLN_V_NODES, node=node, message=f"{node} is in scope and stands in both lists or in none")
    for node in sorted((set(replay.upgrades) | left) - replay.scope):
        yield Violation(code=Code.PLN_V_NODES, node=node, message=f"{node} is not in scope")
    for item in replay.plan.totals.not_upgraded:
        if not item.reason:
            yield Violation(code=Code.PLN_V_NODES, node=item.node, message=f"{item.node} is left out without a reason")
    counts = Counter(upgrade.node for upgrade in replay.plan.upgrades)
    for node, count in counts.items():
        if node not in replay.inventory.node_by_id:
            yield Violation(code=Code.PLN_V_NODES, node=node, message=f"{node} is not in the inventory")
        elif count > 1:
            yield Violation(code=Code.PLN_V_NODES, node=node, message=f"{node} is upgraded {count} times")
    for upgrade in replay.upgrades.values():
        yield from _upgrade(replay, upgrade)


def _upgrade(replay: Replay, upgrade: Upgrade) -> Iterator[Violation]:
    node = replay.node(upgrade.node)
    at = upgrade.start_s
    if node.id in replay.out:
        yield Violation(code=Code.PLN_V_STATE, node=node.id, time_s=at, message=f"{node.id} is out of service and upgraded")
    if node.hold is not None and node.id not in replay.under_way:
        yield Violation(code=Code.PLN_V_STATE, node=node.id, time_s=at, message=f"{node.id} is held by a person and upgraded")
    if node.progress == "done":
        yield Violation(code=Code.PLN_V_STATE, node=node.id, time_s=at, message=f"{node.id} is upgraded already")
    if node.id in replay.under_way:
        yield from _goes_on(replay, upgrade)
        return
    lasts_s = replay.campaign.spec.estimates.upgrade_of(node)
    if abs(upgrade.end_s - at - lasts_s) > NEAR_S:
        message = f"the upgrade of {node.id} lasts {upgrade.end_s - at:g} s, the estimate is {lasts_s:g} s"
        yield Violation(code=Code.PLN_V_DURATION, node=node.id, time_s=at, message=message)
    if replay.away[node.id][0] < replay.plan.at_s - NEAR_S:
        message = f"{node.id} begins at {replay.away[node.id][0]:g} s, before the plan's own start"
        yield Violation(code=Code.PLN_V_LEAD, node=node.id, time_s=at, message=message)


def _goes_on(replay: Replay, upgrade: Upgrade) -> Iterator[Violation]:
    """A turn under way ends after the moment of the plan, and what runs began before it."""
    at_s, progress = replay.plan.at_s, replay.node(upgrade.node).progress
    fits = upgrade.start_s <= at_s + NEAR_S if progress == "upgrading" else upgrade.start_s >= at_s - NEAR_S
    if not fits or upgrade.end_s < at_s - NEAR_S:
        message = f"{upgrade.node} was {progress} at {at_s:g} s, and its row says otherwise"
        yield Violation(code=Code.PLN_V_STATE, node=upgrade.node, time_s=upgrade.start_s, message=message)


def check_away(replay: Replay) -> Iterator[Violation]:
    """Never more nodes out of service than allowed, in all and of each rack, zone or aggregate with a rule."""
    waves = replay.campaign.spec.waves
    most = waves.limit(len(replay.scope)) - len(replay.out & replay.scope)
    spans = [(start, end, node) for node, (start, end) in replay.away.items()]
    for at, count, node in _fresh(replay, too_many(spans, most)):
        beside = f"{len(replay.out & replay.scope)} out of service anyway"
        message = f"{counted(count, 'node is', 'nodes are')} away, and {beside}; the limit is exceeded"
        yield Violation(code=Code.PLN_V_UNAVAILABLE, node=node, time_s=at, message=message)
    for rule in waves.spread:
        down: Counter[str] = Counter(v for n in replay.out & replay.scope for v in rule.values(replay.node(n)))
        by_value: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
        for start, end, node in spans:
            for value in rule.values(replay.node(node)):
                by_value[value].append((start, end, node))
        for value, there in by_value.items():
            for at, count, node in _fresh(replay, too_many(there, rule.max - down[value])):
                are = counted(count, f"node of {rule.by} {value} is", f"nodes of {rule.by} {value} are")
                message = f"{are} away, the limit is {rule.max}"
                yield Violation(code=Code.PLN_V_UNAVAILABLE, node=node, time_s=at, message=message)


def _fresh(replay: Replay, found: Iterator[tuple[float, int, str]]) -> Iterator[tuple[float, int, str]]:
    """Without what had begun before the plan: nothing can be done about that."""
    return (row for row in found if row[2] not in replay.under_way)


def check_reserve(replay: Replay) -> Iterator[Violation]:
    """So many nodes in service are without any instance, whenever a node goes or takes its first instance.

    A node that had begun before the plan is out of service, and empties onto what there is.
    """
    reserve = replay.campaign.spec.waves.reserve_hosts
    if not reserve:
        return
    hosts = [node for node in replay.scope - replay.out if "compute" in replay.node(node).roles]
    count = {node: len(replay.inventory.instances_by_node.get(node, ())) for node in hosts}
    away: set[str] = set()
    for at, kind, node, origin in _of_reserve(replay):
        first = kind == 3 and not count.get(node, 1)
        if kind in (0, 3) and node in count:
            count[node] += 1 if kind else -1
        elif kind == 1:
            away.discard(node)
        elif kind == 2:
            away.add(node)
        if (kind == 2 or first) and origin not in replay.under_way and at >= replay.plan.at_s - NEAR_S:
            empty = sum(not number and name not in away for name, number in count.items())
            if empty < reserve:
                message = f"{counted(empty, 'host in service is', 'hosts in service are')} empty, the reserve is {reserve}"
                yield Violation(code=Code.PLN_V_RESERVE, node=node, time_s=at, message=message)


def _of_reserve(replay: Replay) -> Sequence[tuple[float, int, str, str]]:
    """In order of time: an instance has left a node (0), a node is back (1) or goes (2), a node takes an instance (3).

    With each the node whose turn it is a part of.
    """
    events: list[tuple[float, int, str, str]] = []
    for move in replay.moves:
        events += [(move.end_s, 0, move.origin, move.origin), (move.start_s, 3, move.target, move.origin)]
    for node, (start, end) in replay.away.items():
        events += [(end, 1, node, node), (start, 2, node, node)]
    return sorted(events, key=lambda e: (round(e[0] / NEAR_S), e[1]))


def check_stays(replay: Replay, seen: Look) -> Iterator[Violation]:
    """What is left on a node that is upgraded has an impact that covers it, and something allows it."""
    rows: defaultdict[str, dict[str, Impact]] = defaultdict(dict)
    for impact in replay.impacts:
        rows[impact.node][impact.instance] = impact
        if impact.node not in replay.upgrades:
            message = f"{impact.instance} is impacted on {impact.node}, which is not upgraded"
            yield Violation(code=Code.PLN_V_STAY, node=impact.node, instance=impact.instance, message=message)
    if len(replay.impacts) < len(replay.plan.impacts):
        yield Violation(code=Code.PLN_V_STAY, message="an impact names an instance or a node that is not in the inventory")
    for node, upgrade in replay.upgrades.items():
        if node not in rows and all_left(replay, seen, node):
            continue
        there, said = present(replay, node, upgrade.start_s), rows.get(node, {})
        for instance in there:
            yield from _stay(replay, instance, upgrade, said.get(instance.id))
        for name in sorted(said.keys() - {instance.id for instance in there}):
            message = f"{name} is not on {node} and has an impact there"
            yield Violation(code=Code.PLN_V_STAY, node=node, instance=name, time_s=upgrade.start_s, message=message)


def _stay(replay: Replay, instance: Instance, upgrade: Upgrade, row: Impact | None) -> Iterator[Violation]:
    wrong = partial(Violation, node=upgrade.node, instance=instance.id, time_s=upgrade.start_s)
    if row is None or row.start_s > upgrade.start_s + NEAR_S or row.end_s < upgrade.end_s - NEAR_S:
        message = f"{instance.id} is left on {upgrade.node} and no impact covers its upgrade"
        yield wrong(code=Code.PLN_V_STAY, message=message)
        return
    if (row.kind == "offline") == instance.running:
        message = f"{instance.id} is {instance.state} and its impact is {row.kind}"
        yield wrong(code=Code.PLN_V_STAY, message=message)
    if instance.blocked is not None:
        message = f"{instance.id} cannot be touched ({instance.blocked}) and its node is upgraded"
        yield wrong(code=Code.PLN_V_STAY, message=message)
    alone = instance.migration == "none" and instance.vacate == "move"
    action = replay.campaign.spec.workloads.default.action
    allowed = action in ALLOWED_ALONE or replay.campaign.spec.mode == "non-smooth"
    if row.kind != "offline" and alone and instance.id not in replay.managed and not allowed:
        message = f"nothing allows {instance.id} to stay on {upgrade.node}: it has no VNF manager"
        yield wrong(code=Code.PLN_V_STAY, message=message)


def check_windows(replay: Replay, lengths: tuple[float, ...]) -> Iterator[Violation]:
    """Each turn lies in the window that its row names, with time for nine of ten cases, its lead time and a rollback."""
    if not lengths:
        return
    estimates = replay.campaign.spec.estimates
    fresh = {node: span for node, span in replay.away.items() if node not in replay.under_way}
    slowest = max((replay.upgrades[node].end_s - replay.upgrades[node].start_s for node in fresh), default=0.0)
    rollback_s = slowest if estimates.rollback_s is None else estimates.rollback_s
    starts = [0.0]
    for length in lengths:
        starts.append(starts[-1] + length)
    for node, (start, end) in fresh.items():
        number = replay.upgrades[node].window
        closes = starts[number + 1] if number < len(lengths) else -1.0
        lead_s = waits_s(replay.campaign.spec, replay.inventory.instances_by_node.get(node, ()))
        needs = start + estimates.p90 * (end - start) + rollback_s + lead_s
        if closes < 0 or start < starts[number] - NEAR_S or needs > closes + NEAR_S:
            # Counted and timed as the tables of the plan do: the first window is 1.
            away, until, shut = (timedelta(seconds=round(at)) for at in (start, needs, closes))
            message = f"{node} is away from {away} and needs until {until}; window {number + 1} ends at {shut}"
            yield Violation(code=Code.PLN_V_WINDOW, node=node, time_s=start, message=message)
