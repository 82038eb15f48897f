"""Checks of groups: limits, recovery and lead times; affinity and anti-affinity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Group, Instance
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay, Violation, present
from escalator.upgrade_manager.planner.verify.sound import Look, Span


def check_limits(replay: Replay, seen: Look, windows: Sequence[tuple[float, float]]) -> Iterator[Violation]:
    """At most so many members of a group are impacted at once; any two impacts overlap or are its recovery apart, by the clock.

    `windows`: when each maintenance window opens and closes on the clock; none when time is open.
    """
    known = replay.inventory.instance_by_id
    stays = [(row.start_s, row.end_s, known[row.instance]) for row in replay.impacts if row.kind != "offline"]
    yield from _leads(replay, stays)
    if seen.early:
        yield from _leads(replay, ((start, end, instance) for start, end, *_, instance in replay.steps))
    spans = seen.spans
    for start, end, instance in stays:
        for name in instance.groups:
            spans[name].append((start, end, instance.id))
    down = {node.id for node in replay.inventory.nodes if node.state == "down"}
    for group_id, rows in spans.items():
        members, group = replay.inventory.members[group_id], replay.inventory.group_by_id[group_id]
        lost = sum(member.node in down for member in members) if down else 0
        rows.sort()
        if not _one_by_one(replay, group, rows, lost):
            yield from _limit(replay, group, rows, lost, windows)


def _leads(replay: Replay, impacts: Iterable[tuple[float, float, Instance]]) -> Iterator[Violation]:
    lead, begins_s = replay.campaign.spec.workloads.notify.lead_time_s, replay.plan.at_s - NEAR_S
    for start, _, instance in impacts:
        name = instance.id
        if begins_s <= start < lead - NEAR_S:
            message = f"{name} is impacted at {start:g} s, before the campaign's lead time"
            yield Violation(code=Code.PLN_V_LEAD, instance=name, time_s=start, message=message)
        if begins_s <= start < instance.lead_s - NEAR_S:
            message = f"{name} is impacted at {start:g} s, before its own lead time of {instance.lead_s:g} s"
            yield Violation(code=Code.PLN_V_LEAD, instance=name, time_s=start, message=message)


def _one_by_one(replay: Replay, group: Group, rows: list[Span], down: int) -> bool:
    """Whether surely each impact begins when the one ahead is over and recovered from, and the group bears one."""
    first = rows[0][0]
    if first < replay.plan.at_s or first < group.lead_s or group.limit(len(replay.inventory.members[group.id])) <= down:
        return False
    recovery_s, free = group.recovery_s, float("-inf")
    for start, end, _ in rows:
        if start < free:
            return False
        free = end + recovery_s
    return True


def check_noticed(replay: Replay) -> Iterator[Violation]:
    """In a smooth plan nobody notices its live migration whom no VNF manager speaks for and whose groups name no limit."""
    if not replay.plan.smooth:
        return
    estimate_s = replay.campaign.spec.estimates.migration.interruption_s
    for *_, move, instance in replay.steps:
        most_s = instance.max_interruption_s
        if most_s is None or move.kind != "live" or instance.id in replay.managed:
            continue
        seen = instance.seen_instead(move.kind, estimate_s)
        lasts_s = estimate_s if seen is None else seen.longest_s
        if lasts_s <= most_s:
            continue
        groups = [replay.inventory.group_by_id[name] for name in instance.groups]
        spoken = [g for g in groups if g.max_impacted or g.min_preserved is not None or g.policy.endswith("anti-affinity")]
        if not any(group.limit(len(replay.inventory.members[group.id])) for group in spoken):
            message = f"{instance.id} moves live, which takes {lasts_s:g} s, and its VNF notices more than {most_s:g} s"
            yield Violation(code=Code.VIM_V_NOTICED, instance=instance.id, node=move.origin, time_s=move.start_s, message=message)


def _limit(
    replay: Replay, group: Group, rows: list[Span], down: int, windows: Sequence[tuple[float, float]]
) -> Iterator[Violation]:
    limit, at_s = group.limit(len(replay.inventory.members[group.id])), replay.plan.at_s
    recovery_s, lead_s = group.recovery_s, group.lead_s
    active: list[tuple[float, float]] = []
    """Start and end of what is under way."""
    last, began = float("-inf"), float("-inf")
    for start, end, name in rows:
        wrong = partial(Violation, group=group.id, instance=name, time_s=start)
        # What begins at one moment overlaps, however short it is; without recovery it may as well follow one another.
        over = {one for one in active if one[1] <= start + NEAR_S and (not recovery_s or one[0] < start - NEAR_S)}
        if over:
            last, began = max((last, began), *((until, since) for since, until in over))
            active = [one for one in active if one not in over]
        active.append((start, end))
        if start < at_s - NEAR_S:
            continue  # under way when the plan was made
        if start < lead_s - NEAR_S:
            message = f"{name} is impacted at {start:g} s, before the lead time of {group.id}"
            yield wrong(code=Code.PLN_V_LEAD, message=message)
        # By the clock no less passes than in working time.
        if start - last < recovery_s - NEAR_S and (passed_s := _passed_s(windows, (began, last), start)) < recovery_s - NEAR_S:
            apart = f"{passed_s:g} s after another member of {group.id}"
            message = f"{name} is impacted {apart}, which recovers in {recovery_s:g} s"
            yield wrong(code=Code.PLN_V_GROUP, message=message)
        if len(active) + down > limit:
            are = counted(len(active), f"member of {group.id} is", f"members of {group.id} are")
            message = f"{are} impacted and {down} down; the limit is {limit}"
            yield wrong(code=Code.PLN_V_GROUP, message=message)


def _passed_s(windows: Sequence[tuple[float, float]], span: tuple[float, float], start_s: float) -> float:
    """Seconds on the clock from the end of something to the start of something else: what is between their windows counts."""
    (began_s, end_s), worked, idle, closed = span, 0.0, 0.0, None
    for opens, closes in windows:
        if worked > start_s + NEAR_S:
            break
        # What ends as a window closes ends in it; what starts then does so as the next one opens.
        if closed is not None and began_s < worked - NEAR_S and end_s <= worked + NEAR_S and start_s >= worked - NEAR_S:
            idle += opens - closed
        worked, closed = worked + closes - opens, closes
    return start_s - end_s + idle


def check_apart(replay: Replay) -> Iterator[Violation]:
    """No instance goes where its group has as many members as one node may have, counted at both ends while they move."""
    hard = {g.id: g.per_node for g in replay.inventory.groups if g.per_node is not None and not _strangers(replay, g.id)}
    if not hard:
        return
    there: defaultdict[tuple[str, str], int] = defaultdict(int)
    for group in hard:
        for node in {member.id: member.node for member in replay.inventory.members[group]}.values():
            there[group, node] += 1
    moves = [move for *_, move, instance in replay.steps if not hard.keys().isdisjoint(instance.groups)]
    events = [event for move in moves for event in ((move.end_s, 0, move), (move.start_s, 1, move))]
    for at, begins, move in sorted(events, key=lambda e: (round(e[0] / NEAR_S), e[1], e[2].instance)):
        for group in hard.keys() & set(replay.inventory.instance_by_id[move.instance].groups):
            if not begins:
                there[group, move.origin] -= 1
                continue
            there[group, move.target] += 1
            if at < replay.plan.at_s - NEAR_S:
                continue  # under way when the plan was made: the group may have come to allow less since
            if there[group, move.target] > hard[group]:
                message = f"{move.instance} joins another member of anti-affinity group {group} on {move.target}"
                if hard[group] > 1:
                    message = f"{move.instance} is one more than the {hard[group]} members that {group} allows on {move.target}"
                yield Violation(
                    code=Code.PLN_V_AFFINITY, group=group, instance=move.instance, node=move.target, time_s=at, message=message
                )


def _strangers(replay: Replay, group: str) -> bool:
    """Whether no node ever sees two members of the group, or one of them twice: then time does not matter."""
    here, ends = replay.journeys.apart[group]
    seen = [*here.values(), *filter(None, ends)]
    again = replay.journeys.again
    seen += [move.target for name in here if name in again for move in again[name][:-1]] if again else []
    return len(set(seen)) == len(seen)


def check_together(replay: Replay) -> Iterator[Violation]:
    """Members of a hard affinity group leave a node together, to one node, or not at all."""
    tied = {group.id for group in replay.inventory.groups if group.policy == "affinity"}
    if not tied:
        return
    for node, upgrade in replay.upgrades.items():
        gone: defaultdict[str, set[str]] = defaultdict(set)
        for move in replay.departures.get(node, ()):
            for group in tied & set(replay.inventory.instance_by_id[move.instance].groups):
                gone[group].add(move.target)
        if not gone:
            continue
        left: Counter[str] = Counter(g for instance in present(replay, node, upgrade.start_s) for g in instance.groups)
        for group, targets in gone.items():
            if len(targets) > 1 or left[group]:
                message = f"members of affinity group {group} part when {node} is upgraded"
                yield Violation(code=Code.PLN_V_AFFINITY, group=group, node=node, time_s=upgrade.start_s, message=message)
