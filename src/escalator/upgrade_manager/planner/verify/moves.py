"""Checks of moves: origin, kind, target, room, affinity, bounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from math import floor

from escalator.model.codes import Code
from escalator.model.inventory import Instance
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay, Violation, cells, too_many, upgraded_by


def check_moves(replay: Replay) -> Iterator[Violation]:
    """Each move begins where the instance is, lasts as estimated, and is one that the instance can make."""
    if len(replay.moves) < len(replay.plan.moves):
        yield Violation(code=Code.PLN_V_ORIGIN, message="a move names an instance or a node that is not in the inventory")
    for instance_id, moves in replay.moves_of.items():
        here, free_s = replay.inventory.instance_by_id[instance_id].node, 0.0
        for move in moves:
            wrong = partial(Violation, instance=instance_id, node=move.origin, time_s=move.start_s)
            if move.origin != here:
                message = f"{instance_id} is on {here}, not on {move.origin}"
                yield wrong(code=Code.PLN_V_ORIGIN, message=message)
            if move.start_s < free_s - NEAR_S:
                message = f"{instance_id} moves twice at once"
                yield wrong(code=Code.PLN_V_ORIGIN, message=message)
            here, free_s = move.target, move.end_s
            yield from _move(replay, move)


def _move(replay: Replay, move: Move) -> Iterator[Violation]:
    instance = replay.inventory.instance_by_id[move.instance]
    wrong = partial(Violation, instance=move.instance, node=move.origin, time_s=move.start_s)
    lasts_s = replay.campaign.spec.estimates.move_s(instance.memory_gib, move.kind)
    runs = move.start_s < replay.plan.at_s - NEAR_S
    if runs and move.origin not in replay.under_way:
        yield wrong(code=Code.PLN_V_LEAD, message=f"{instance.id} moves before the plan's own start")
    late = move.end_s < replay.plan.at_s - NEAR_S if runs else abs(move.end_s - move.start_s - lasts_s) > NEAR_S
    if late:
        message = f"the move of {instance.id} lasts {move.end_s - move.start_s:g} s, the estimate is {lasts_s:g} s"
        yield wrong(code=Code.PLN_V_DURATION, message=message)
    if instance.migration == "none" or (move.kind == "live" and instance.migration == "cold"):
        message = f"{instance.id} cannot be moved {move.kind}"
        yield wrong(code=Code.PLN_V_KIND, message=message)
    if not instance.running or instance.blocked is not None:
        message = f"{instance.id} is moved although it is {instance.blocked or instance.state}"
        yield wrong(code=Code.PLN_V_KIND, message=message)
    if move.origin not in replay.upgrades:
        message = f"{instance.id} leaves {move.origin}, which is not upgraded"
        yield wrong(code=Code.PLN_V_ORIGIN, message=message)
    for node in (move.origin, move.target):
        upgrade = replay.upgrades.get(node)
        if upgrade and move.start_s < upgrade.end_s - NEAR_S and upgrade.start_s < move.end_s - NEAR_S:
            message = f"{instance.id} moves while {node} is upgraded"
            yield wrong(code=Code.PLN_V_TARGET, message=message)
    for problem in _unfit(replay, move, instance):
        yield wrong(code=Code.PLN_V_TARGET, message=f"{instance.id} to {move.target}: {problem}")
    yield from _extra(replay, move)


def _unfit(replay: Replay, move: Move, instance: Instance) -> Iterator[str]:
    target, origin, needs = replay.node(move.target), replay.node(move.origin), instance.requires
    if target.id == origin.id:
        yield "it is there already"
    if target.id not in replay.scope or "compute" not in target.roles:
        yield "the node is no target of this campaign"
    if target.id in replay.out:
        yield "the node is out of service"
    if target.nova_cell != origin.nova_cell:
        yield "it is in another Nova cell"
    if needs.az not in (None, target.az):
        yield f"it is not in zone {needs.az}"
    for what in ("aggregates", "traits", "physnets"):
        lacking = sorted(set(getattr(needs, what)) - set(getattr(target, what)))
        if lacking:
            yield f"it lacks {what} {', '.join(lacking)}"
    used = cells(move.numa_cell, instance.numa_span)
    if len(set(used)) != instance.numa_span or any(not 0 <= cell < len(target.numa) for cell in used):
        yield f"{instance.numa_span} NUMA entries are needed, and {len(set(used))} are named"


def _extra(replay: Replay, move: Move) -> Iterator[Violation]:
    wrong = partial(Violation, instance=move.instance, node=move.target, time_s=move.start_s)
    upgraded = upgraded_by(replay, move.target, move.start_s)
    if upgraded == move.extra:
        word = "upgraded" if upgraded else "not upgraded"
        message = f"{move.instance} goes to {move.target}, which is {word}, and extra is {move.extra}"
        yield wrong(code=Code.PLN_V_EXTRA, message=message)
    away = replay.away.get(move.target)
    if not upgraded and away and move.start_s < away[1] - NEAR_S and away[0] < move.end_s - NEAR_S:
        message = f"{move.instance} goes to {move.target}, which is having its turn"
        yield wrong(code=Code.PLN_V_TARGET, message=message)
    renewed = upgraded and replay.node(move.target).progress != "done"
    new, old = (replay.node(name).versions.get("hypervisor") for name in (move.target, move.origin))
    if not renewed and new and old and _version(new) < _version(old):
        message = f"the hypervisor of {move.target} is older than that of {move.origin}"
        yield wrong(code=Code.PLN_V_TARGET, message=message)


def _version(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in text.replace("-", ".").split(".")]


def check_extra(replay: Replay) -> Iterator[Violation]:
    """Moves beyond one per instance are no more than the campaign allows, or than the first node needs where none is empty.

    Those of turns that had begun when the plan was made were decided with the turn, and counted then.
    """
    share = replay.campaign.spec.waves.max_extra_moves
    decided = {id(move) for move in replay.moves if move.extra and move.origin in replay.under_way}
    beyond = sum(max(0, sum(id(move) not in decided for move in moves) - 1) for moves in replay.moves_of.values())
    movable = sum(
        instance.running and instance.migration != "none"
        for node in replay.scope
        for instance in replay.inventory.instances_by_node.get(node, ())
    )
    needed = _first_needs(replay)
    allowed = max(floor(share * movable), needed) if share else 0
    if beyond > allowed:
        message = f"{beyond} moves beyond one per instance, {allowed} are allowed"
        yield Violation(code=Code.PLN_V_EXTRA, message=message)


def _first_needs(replay: Replay) -> int:
    """Moves away from the node that is the first to be emptied: the smallest number of them among those that may be first."""
    # Where nodes go group by group, it is in a group that waits for none. Kinds of nodes are no such groups: only nodes
    # that take instances can be empty, and where none of them gets a turn, others that have instances are emptied.
    groups = replay.plan.groups if replay.campaign.spec.scope.groups else ()
    later = {node for group in groups if group.after for node in group.nodes}
    fresh = replay.upgrades.keys() - replay.under_way - later
    leaving = {node: len(replay.departures.get(node, ())) for node in fresh}
    hosts = [count for node, count in leaving.items() if "compute" in replay.node(node).roles]
    return min(hosts or [count for count in leaving.values() if count], default=0)


def check_bounds(replay: Replay) -> Iterator[Violation]:
    """Never more moves at once than allowed: from a node, to a node, in all."""
    migration = replay.campaign.spec.migration
    yield from _at_once(replay.moves, migration.total, "in all", None)
    for node, moves in replay.departures.items():
        yield from _at_once(moves, migration.per_node, f"from {node}", node)
    for node, moves in replay.arrivals.items():
        yield from _at_once(moves, migration.per_node, f"to {node}", node)


def _at_once(moves: Sequence[Move], most: int, where: str, node: str | None) -> Iterator[Violation]:
    spans = [(move.start_s, move.end_s, move.instance) for move in moves]
    for at, count, name in too_many(spans, most):
        message = f"{count} moves at once {where}, the limit is {most}"
        yield Violation(code=Code.PLN_V_CONCURRENCY, instance=name, node=node, time_s=at, message=message)


def check_room(replay: Replay) -> Iterator[Violation]:
    """No NUMA entry takes more than it has, a moving instance counted at both ends."""
    fill = replay.campaign.spec.waves.max_fill
    used: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    where: dict[str, tuple[int, ...]] = {}
    targets = set(replay.arrivals)
    for instance in replay.inventory.instances:
        where[instance.id] = instance.cells
        if instance.node in targets:
            for cell in instance.cells:
                used[instance.node, cell].update(instance.demand)
    events = [event for move in replay.moves for event in ((move.end_s, 0, move), (move.start_s, 1, move))]
    before: dict[int, tuple[int, ...]] = {}
    for at, begins, move in sorted(events, key=lambda e: (round(e[0] / NEAR_S), e[1], e[2].instance)):
        instance = replay.inventory.instance_by_id[move.instance]
        if not begins:
            for cell in before.pop(id(move), ()):
                used[move.origin, cell].subtract(instance.demand)
            continue
        before[id(move)] = where[instance.id]
        where[instance.id] = cells(move.numa_cell, instance.numa_span)
        for cell in where[instance.id]:
            used[move.target, cell].update(instance.demand)
            if at >= replay.plan.at_s - NEAR_S:  # nothing can be done about what runs
                yield from _full(replay, move, cell, used[move.target, cell], fill, at)


def _full(replay: Replay, move: Move, cell: int, used: Counter[str], fill: float, at: float) -> Iterator[Violation]:
    numa = replay.node(move.target).numa
    there = numa[cell] if cell < len(numa) else {}
    for resource in replay.inventory.instance_by_id[move.instance].demand:
        if used[resource] > there.get(resource, 0.0) * fill + NEAR_S:
            message = f"{resource} of entry {cell} of {move.target} is {used[resource]:g} of {there.get(resource, 0.0):g}"
            yield Violation(code=Code.PLN_V_CAPACITY, node=move.target, instance=move.instance, time_s=at, message=message)
