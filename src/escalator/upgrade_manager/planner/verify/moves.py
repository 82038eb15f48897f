"""Checks of moves: origin, kind, target, room, affinity, bounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from math import floor
from operator import le

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Node, Requires
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.verify.replay import (
    NEAR_S,
    Replay,
    Violation,
    cells,
    too_many,
    upgraded_by,
)
from escalator.upgrade_manager.planner.verify.sound import RESOURCES, Look, all_left

MAX_DIGITS = 18
"""Of a number in a version: clouds and files may say what has thousands, and it cannot even be read."""


def check_moves(replay: Replay, seen: Look) -> Iterator[Violation]:
    """Each move begins where the instance is, lasts as estimated, and is one that the instance can make."""
    if len(replay.moves) < len(replay.plan.moves):
        yield Violation(code=Code.PLN_V_ORIGIN, message="a move names an instance or a node that is not in the inventory")
    yield from _journeys(replay)
    for check in ALONE:
        for move, instance in seen.doubtful:
            yield from check(replay, move, instance)
    yield from _older(replay)


def _wrong(move: Move, code: Code, message: str) -> Violation:
    return Violation(code=code, instance=move.instance, node=move.origin, time_s=move.start_s, message=message)


def _journeys(replay: Replay) -> Iterator[Violation]:
    for name, moves in replay.journeys.again.items():
        here, free_s = replay.inventory.instance_by_id[name].node, 0.0
        for move in moves:
            if move.origin != here:
                yield _wrong(move, Code.PLN_V_ORIGIN, f"{name} is on {here}, not on {move.origin}")
            if move.start_s < free_s - NEAR_S:
                yield _wrong(move, Code.PLN_V_ORIGIN, f"{name} moves twice at once")
            here, free_s = move.target, move.end_s


def _runs(replay: Replay, move: Move) -> bool:
    """Whether the move had begun when the plan was made: it goes where it goes, whatever has been told of the nodes since."""
    return move.start_s < replay.plan.at_s - NEAR_S


def _origin(replay: Replay, move: Move, instance: Instance) -> Iterator[Violation]:
    if move.origin != instance.node and instance.id not in replay.journeys.again:
        yield _wrong(move, Code.PLN_V_ORIGIN, f"{instance.id} is on {instance.node}, not on {move.origin}")


def _time(replay: Replay, move: Move, instance: Instance) -> Iterator[Violation]:
    begins_s = replay.plan.at_s - NEAR_S
    if move.start_s < begins_s:
        if move.origin not in replay.under_way:
            yield _wrong(move, Code.PLN_V_LEAD, f"{instance.id} moves before the plan's own start")
        if move.end_s >= begins_s:
            return
    lasts_s = replay.campaign.spec.estimates.move_s(instance.memory_gib, move.kind)
    if move.start_s < begins_s or abs(move.end_s - move.start_s - lasts_s) > NEAR_S:
        message = f"the move of {instance.id} lasts {move.end_s - move.start_s:g} s, the estimate is {lasts_s:g} s"
        yield _wrong(move, Code.PLN_V_DURATION, message)


def _kind(_: Replay, move: Move, instance: Instance) -> Iterator[Violation]:
    can = instance.migration
    if can != "live" and (can == "none" or move.kind == "live"):
        yield _wrong(move, Code.PLN_V_KIND, f"{instance.id} cannot be moved {move.kind}")
    if instance.blocked is not None or not instance.running:
        message = f"{instance.id} is moved although it is {instance.blocked or instance.state}"
        yield _wrong(move, Code.PLN_V_KIND, message)


def _turn(replay: Replay, move: Move, _: Instance) -> Iterator[Violation]:
    """Instances leave nodes that are upgraded, and neither end of a move is upgraded meanwhile."""
    if move.origin not in replay.upgrades:
        message = f"{move.instance} leaves {move.origin}, which is not upgraded"
        yield _wrong(move, Code.PLN_V_ORIGIN, message)
    for node in (move.origin, move.target):
        turn = replay.upgrades.get(node)
        if turn is not None and move.start_s < turn.end_s - NEAR_S and turn.start_s < move.end_s - NEAR_S:
            yield _wrong(move, Code.PLN_V_TARGET, f"{move.instance} moves while {node} is upgraded")


def _target(replay: Replay, move: Move, instance: Instance) -> Iterator[Violation]:
    target, origin = replay.node(move.target), replay.node(move.origin)
    needs = Requires() if _runs(replay, move) else instance.requires
    for problem in _unfit(replay, target, origin, needs):
        yield _wrong(move, Code.PLN_V_TARGET, f"{instance.id} to {target.id}: {problem}")
    used, span = cells(move.numa_cell, instance.numa_span), instance.numa_span
    if len(set(used)) != span or any(not 0 <= cell < len(target.numa) for cell in used):
        problem = f"{span} NUMA entries are needed, and {len(set(used))} are named"
        yield _wrong(move, Code.PLN_V_TARGET, f"{instance.id} to {target.id}: {problem}")


def _unfit(replay: Replay, target: Node, origin: Node, needs: Requires) -> Iterator[str]:
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


def _extra(replay: Replay, move: Move, _: Instance) -> Iterator[Violation]:
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


ALONE = (_origin, _time, _kind, _turn, _target, _extra)
"""Checks of one move, as far as nothing has to be known of the others."""


def _older(replay: Replay) -> Iterator[Violation]:
    """Nobody goes to a hypervisor that is older than its own, but for one that this campaign has renewed by then."""
    told = {node.id: _version(node.versions["hypervisor"]) for node in replay.inventory.nodes if node.versions.get("hypervisor")}
    for move in replay.moves if told else ():
        new, old = told.get(move.target), told.get(move.origin)
        if new is None or old is None or new >= old or _runs(replay, move):
            continue
        renewed = upgraded_by(replay, move.target, move.start_s) and replay.node(move.target).progress != "done"
        if not renewed:
            message = f"the hypervisor of {move.target} is older than that of {move.origin}"
            yield Violation(
                code=Code.PLN_V_TARGET, instance=move.instance, node=move.target, time_s=move.start_s, message=message
            )


def _version(text: str) -> list[tuple[int, str]]:
    parts = text.replace("-", ".").split(".")
    return [(int(part), "") if part.isdecimal() and len(part) <= MAX_DIGITS else (-1, part) for part in parts]


def check_extra(replay: Replay) -> Iterator[Violation]:
    """Moves beyond one per instance are no more than the campaign allows, or than the first node needs where none is empty.

    Those of turns that had begun when the plan was made were decided with the turn, and counted then.
    """
    share = replay.campaign.spec.waves.max_extra_moves
    decided = {id(move) for move in replay.moves if move.extra and move.origin in replay.under_way}
    beyond = sum(max(0, sum(id(move) not in decided for move in moves) - 1) for moves in replay.journeys.again.values())
    if not beyond:
        return
    movable = sum(
        instance.running and instance.migration != "none"
        for node in replay.scope
        for instance in replay.inventory.instances_by_node.get(node, ())
    )
    needed = _first_needs(replay)
    allowed = max(floor(share * movable), needed) if share else 0
    if beyond > allowed:
        message = f"{counted(beyond, 'move')} beyond one per instance, {counted(allowed, 'is', 'are')} allowed"
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


def check_bounds(replay: Replay, seen: Look) -> Iterator[Violation]:
    """Never more moves at once than allowed: from a node, to a node, in all."""
    migration = replay.campaign.spec.migration
    if not _never_more(replay, migration.total):
        yield from _at_once(replay.moves, migration.total, "in all", None)
    for node, moves in replay.departures.items() if seen.overlap_from else ():
        if node in seen.overlap_from:
            yield from _at_once(moves, migration.per_node, f"from {node}", node)
    for node, moves in replay.arrivals.items() if seen.overlap_to else ():
        if node in seen.overlap_to:
            yield from _at_once(moves, migration.per_node, f"to {node}", node)


def _never_more(replay: Replay, most: int) -> bool:
    """Whether there are never more moves at once, told as `too_many` does; for next to all plans that is all there is to tell."""
    ends = sorted([step[1] for step in replay.steps])
    over = 0
    for count, step in enumerate(replay.steps, start=1):
        start_s = step[0]
        while over < count and ends[over] <= start_s:
            over += 1
        if count - over > most:
            tick = round(start_s / NEAR_S)
            while over < count and round(ends[over] / NEAR_S) <= tick:
                over += 1
            if count - over > most:
                return False
    return True


def _at_once(moves: Sequence[Move], most: int, where: str, node: str | None) -> Iterator[Violation]:
    spans = [(move.start_s, move.end_s, move.instance) for move in moves]
    for at, count, name in too_many(spans, most):
        message = f"{count} moves at once {where}, the limit is {most}"
        yield Violation(code=Code.PLN_V_CONCURRENCY, instance=name, node=node, time_s=at, message=message)


def check_room(replay: Replay, seen: Look) -> Iterator[Violation]:
    """No NUMA entry takes more than it has, a moving instance counted at both ends."""
    fill = replay.campaign.spec.waves.max_fill
    names = seen.loads.keys() | {move.target for move, _ in seen.doubtful}
    most: dict[int, tuple[Sequence[float], object]] = {}
    tight = {name for name in names if not (_holds(replay, seen, name, most) or _holds_all(replay, name, fill))}
    if tight:
        yield from _over_time(replay, tight, fill)


def _holds(replay: Replay, seen: Look, name: str, most: dict[int, tuple[Sequence[float], object]]) -> bool:
    """Whether the node has surely left everything before it has room for all that ever arrives.

    `most`: what an entry may take, by the number of what it offers, as far as that was asked for.
    """
    if not all_left(replay, seen, name):
        return False
    load, fill = seen.loads[name], replay.campaign.spec.waves.max_fill
    for number, cell in enumerate(replay.node(name).numa):
        found = most.get(id(cell))
        if found is None:
            found = most[id(cell)] = [cell.get(what, 0.0) * fill for what in seen.places], cell
        at = number * RESOURCES
        if not all(map(le, load[at : at + len(found[0])], found[0])):
            return False
    return True


def _holds_all(replay: Replay, name: str, fill: float) -> bool:
    """Whether the node has room for all that ever arrives, at once, beside what has not left it when the first one comes."""
    left = [{resource: amount * fill for resource, amount in cell.items()} for cell in replay.node(name).numa]
    arrivals = replay.arrivals[name]
    first = round(arrivals[0].start_s / NEAR_S)  # they are in order
    gone = {move.instance for move in replay.departures.get(name, ()) if round(move.end_s / NEAR_S) <= first}
    there = [(i.cells, i.demand) for i in replay.inventory.instances_by_node.get(name, ()) if i.id not in gone]
    known = replay.inventory.instance_by_id
    for move in arrivals:
        instance = known[move.instance]
        where = move.numa_cell
        there.append(((where,) if isinstance(where, int) else cells(where, instance.numa_span), instance.demand))
    for used, demand in there:
        for number in used:
            if not 0 <= number < len(left):
                return False
            cell = left[number]
            for resource, amount in demand.items():
                cell[resource] = cell.get(resource, 0.0) - amount
    return all(amount >= -NEAR_S for cell in left for amount in cell.values())


def _over_time(replay: Replay, tight: Collection[str], fill: float) -> Iterator[Violation]:
    """The same for the nodes for which time tells: event by event."""
    used: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for node in tight:
        for instance in replay.inventory.instances_by_node.get(node, ()):
            for cell in instance.cells:
                used[node, cell].update(instance.demand)
    moves = [move for move in replay.moves if move.origin in tight or move.target in tight]
    events = [event for move in moves for event in ((move.end_s, 0, move), (move.start_s, 1, move))]
    where: dict[str, tuple[int, ...]] = {}
    before: dict[int, tuple[int, ...]] = {}
    for at, begins, move in sorted(events, key=lambda e: (round(e[0] / NEAR_S), e[1], e[2].instance)):
        instance = replay.inventory.instance_by_id[move.instance]
        if not begins:
            for cell in before.pop(id(move), ()):
                used[move.origin, cell].subtract(instance.demand)
            continue
        before[id(move)] = where.get(instance.id, instance.cells)
        where[instance.id] = cells(move.numa_cell, instance.numa_span)
        for cell in where[instance.id] if move.target in tight else ():
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
