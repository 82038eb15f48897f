"""A mended rest as a plan with its report."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import compress, repeat
from math import inf
from operator import attrgetter, itemgetter

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.plan import Condition, Hit, Impact, Move, Plan, PlanGroup, Upgrade
from escalator.upgrade_manager.planner import conditions as c
from escalator.upgrade_manager.planner.cloud import SLACK, Cloud
from escalator.upgrade_manager.planner.givens import first_conditions
from escalator.upgrade_manager.planner.hits import Spans, hits_from
from escalator.upgrade_manager.planner.kinds import cluster_domains, kind_groups, kinds_there, order_conditions, order_of
from escalator.upgrade_manager.planner.owners import owner_named, owner_of
from escalator.upgrade_manager.planner.progress import told
from escalator.upgrade_manager.planner.repair.apart import Ends
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.mending import Mended
from escalator.upgrade_manager.planner.repair.nights import later_until
from escalator.upgrade_manager.planner.repair.rows import Rest, Row
from escalator.upgrade_manager.planner.rows import bounds_of, totals_of
from escalator.upgrade_manager.planner.stages import groups_condition, groups_of
from escalator.upgrade_manager.planner.turns import Domain, Found, Rules, Turn

_OWNER, _SPAN = itemgetter(2, 3), itemgetter("start_s", "end_s")
_IN_ORDER = attrgetter("start_s", "instance")


def plan_of(given: Given, rest: Rest, late_s: float, mended: Mended, ends: Ends) -> Plan:
    """The rows as a plan, as `make_plan` tells of one; its bounds are only those that can be had from the rows."""
    rows = sorted(rest.rows.values(), key=lambda row: (row.start_s, row.node.id))
    kept = _kept(given, rest, rows, late_s)
    moves = _moves(kept, rows)
    closer = ends.closer
    several = _several(given)
    groups = groups_of(given.campaign, given.inventory, given.parent)
    groups = groups or (kind_groups(given.campaign, given.inventory) if several else ())
    found = Found([Turn(0, (), (), row.away_s, row.start_s, row.end_s) for row in rows], {}, closer=closer)
    checks = (*_checks(given, groups, ends, found, several=several), _mended_condition(late_s, mended))
    parts = _bounds(given, rows)
    upgrades = _upgrades(given, rows)
    # Every part is ours: nobody has to look at a hundred thousand of them again.
    return Plan.model_construct(
        smooth=all(check.ok for check in checks),
        at_s=given.at_s,
        order=order_of(given.campaign) if several else (),
        upgrades=upgrades,
        moves=moves,
        impacts=_impacts(rows),
        bounds=bounds_of(len(moves), parts),
        totals=totals_of(upgrades, moves, found.end_s, _left(given)),
        groups=groups,
        hits=_hits(given, rest, rows, kept),
        closer=closer,
        conditions=checks,
    )


def _upgrades(given: Given, rows: Sequence[Row]) -> tuple[Upgrade, ...]:
    return tuple(
        Upgrade.of_values(
            {
                "start_s": row.start_s,
                "end_s": row.end_s,
                "node": row.node.id,
                "wave": row.wave,
                "window": given.windows.index(row.away_s),
                "waits": row.waits,
            }
        )
        for row in rows
    )


def _kept(given: Given, rest: Rest, rows: Sequence[Row], late_s: float) -> list[Move]:
    """Moves of turns whose moves are the same as so far, in that order; only they stand any more."""
    for row in rows:
        for number in row.kept if row.changed else ():
            rest.stands[number] = False
    kept = compress(given.parent.moves, rest.stands)
    if not late_s:
        return [*kept]
    ends_s = given.windows.end(given.at_s)  # what is of later nights is not late
    return later_until(kept, late_s, ends_s - SLACK)


def _moves(kept: Sequence[Move], rows: Sequence[Row]) -> tuple[Move, ...]:
    """All moves by start: those of the plan so far are in order, and there is little else to put among them."""
    others = [move for row in rows for move in row.running]
    others += [move for row in rows if row.changed for move in row.moves]
    others.sort(key=_IN_ORDER)
    found: list[Move] = []
    last = 0
    for move in others:
        at = bisect_left(kept, _IN_ORDER(move), lo=last, key=_IN_ORDER)
        found += kept[last:at]
        found.append(move)
        last = at
    return (*found, *kept[last:])


def _impacts(rows: Sequence[Row]) -> tuple[Impact, ...]:
    found = [
        Impact.of_values(
            {
                "start_s": row.start_s,
                "end_s": row.end_s,
                "instance": instance.id,
                "kind": kind,
                "node": row.node.id,
            }
        )
        for row in rows
        for instance, kind in row.stays
    ]
    return tuple(sorted(found, key=attrgetter("start_s", "instance")))


def _left(given: Given) -> dict[str, str]:
    scope = given.scope
    left = {**scope.left_out, **told(scope, given.progress), **{node.id: "already upgraded" for node in scope.upgraded}}
    return {**left, **given.stuck, **given.blocked}


def _several(given: Given) -> bool:
    """Whether kinds of nodes go one after the other."""
    alike = len({node.roles for node in given.inventory.nodes}) < 2
    return given.scope.apart and not alike and len(kinds_there(given.campaign, given.inventory)) > 1


def _checks(given: Given, groups: Sequence[PlanGroup], ends: Ends, found: Found, *, several: bool) -> Iterator[Condition]:
    campaign, inventory, scope = given.campaign, given.inventory, given.scope
    cloud = Cloud(nodes=list(given.nodes))
    # Whether its estimates are for reboots was told with the plan that is repaired.
    yield from first_conditions(campaign, inventory, scope, given.noted, given.managed, impact="none")
    yield c.group_condition(given.blocked)
    yield from groups_condition(groups if campaign.spec.scope.groups else ())
    yield c.capacity_condition((), "")
    yield from c.other_conditions(cloud, _rules(given, cloud), found, "")
    yield from c.spread_conditions(ends.groups, ends.levels, ends.closer)
    if several:
        yield from order_conditions(campaign, inventory, groups)


def _rules(given: Given, cloud: Cloud) -> Rules:
    spec = given.campaign.spec
    domains = [Domain(rule.by, rule.max, ()) for rule in spec.waves.spread]
    clustered = given.scope.apart and any(node.roles != ("compute",) for node in given.inventory.nodes)
    clusters = cluster_domains(given.campaign, given.inventory, cloud) if clustered else ()
    return Rules(
        width=given.width,
        per_node=spec.migration.per_node,
        total=spec.migration.total,
        lead_s=spec.workloads.notify.lead_time_s,
        max_fill=spec.waves.max_fill,
        extra_moves=0,
        reserve=spec.waves.reserve_hosts,
        domains=(*domains, *clusters),
        windows=given.windows,
        at_s=given.at_s,
    )


def _mended_condition(late_s: float, mended: Mended) -> Condition:
    said = []
    if mended.elsewhere:
        said.append(counted(mended.elsewhere, "move goes", "moves go") + " elsewhere")
    if mended.put_off:
        said.append(counted(mended.put_off, "turn is", "turns are") + " put off")
    if late_s:
        said.append(f"what has not begun is {late_s:.0f} s later")
    message = f"the plan so far goes on: {', '.join(said)}" if said else "the plan so far goes on unchanged"
    return Condition(code=Code.PLN_REPAIRED.value, ok=True, message=message)


def _bounds(given: Given, rows: Sequence[Row]) -> dict[str, float]:
    """Of the rest that has not begun: one turn, all turns side by side, all moves. The others need the whole cloud in numbers."""
    migration, estimates = given.campaign.spec.migration, given.campaign.spec.estimates
    longest = turns = moving = 0.0
    shortest = inf
    for row in rows:
        if row.begun:
            continue
        upgrade_s, lasts_s, longest_s = estimates.upgrade_of(row.node), row.moving_s, row.longest_s
        if row.changed:
            lasts = [move.end_s - move.start_s for move in row.moves]
            lasts_s, longest_s = sum(lasts), max(lasts, default=0.0)
        turn_s = max(lasts_s / migration.per_node, longest_s) + upgrade_s
        longest, turns = max(longest, turn_s), turns + turn_s
        if lasts_s:
            moving, shortest = moving + lasts_s, min(shortest, upgrade_s)
    found = {"node": longest, "parallel": turns / max(1, given.width)}
    if moving:
        found["bandwidth"] = moving / migration.total + shortest
    return {name: round(given.at_s + seconds, 6) for name, seconds in found.items() if seconds}


def _lists() -> defaultdict[tuple[str | None, str], list[tuple[float, float]]]:
    return defaultdict(list)


def _hits(given: Given, rest: Rest, rows: Sequence[Row], kept: Sequence[Move]) -> tuple[Hit, ...]:
    known, single = given.inventory.instance_by_id, given.windows.open
    windows = {row.node.id: 0 if single else given.windows.index(row.away_s) for row in rows}
    moved: Spans = defaultdict(list)
    stayed: Spans = defaultdict(list)
    theirs: defaultdict[int, defaultdict[tuple[str | None, str], list[tuple[float, float]]]] = defaultdict(_lists)
    within = repeat(0) if single else map(windows.__getitem__, compress(given.so_far.origins, rest.stands))
    owners = map(_OWNER, compress(rest.theirs, rest.stands))
    for window, owner, span in zip(within, owners, map(_SPAN, map(vars, kept)), strict=False):
        theirs[window][owner].append(span)
    for window, there in theirs.items():
        for (vnf, project), spans in there.items():
            moved[window, owner_named(vnf, project)] += spans
    for row in rows:
        window = windows[row.node.id]
        for move in (*row.running, *(row.moves if row.changed else ())):
            moved[window, owner_of(known[move.instance])].append((move.start_s, move.end_s))
        for instance, kind in row.stays:
            if kind != "offline":
                stayed[window, owner_of(instance)].append((row.start_s, row.end_s))
    return hits_from(moved, stayed)
