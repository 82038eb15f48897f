"""A mended rest as a plan with its report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf

from escalator.model.codes import Code
from escalator.model.plan import Condition, Hit, Impact, Move, Plan, PlanGroup, Upgrade
from escalator.upgrade_manager.planner import conditions as c
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.givens import first_conditions, owner_of
from escalator.upgrade_manager.planner.hits import Spans, hits_from
from escalator.upgrade_manager.planner.kinds import cluster_domains, kind_groups, kinds_there, order_conditions, order_of
from escalator.upgrade_manager.planner.progress import told
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.mending import Mended
from escalator.upgrade_manager.planner.repair.rows import Rest, Row
from escalator.upgrade_manager.planner.rows import bounds_of, totals_of
from escalator.upgrade_manager.planner.spread import closer_between
from escalator.upgrade_manager.planner.stages import groups_condition, groups_of
from escalator.upgrade_manager.planner.turns import Domain, Found, Rules, Turn
from escalator.upgrade_manager.planner.watching import Watched


def shifted(rest: Rest, late_s: float) -> None:
    """Let everything that has not begun be so much later."""
    if not late_s:
        return
    for row in rest.rows.values():
        row.moves = [_later(move, late_s) for move in row.moves]
        if not row.upgrading:
            row.start_s += late_s
            row.end_s += late_s
        if not row.begun:
            row.away_s += late_s


def plan_of(given: Given, rest: Rest, late_s: float, mended: Mended) -> Plan:
    """The rows as a plan, as `make_plan` tells of one; its bounds are only those that can be had from the rows."""
    rows = sorted(rest.rows.values(), key=lambda row: (row.start_s, row.node.id))
    moves = _moves(rows)
    known = given.inventory.instance_by_id
    watched, closer = closer_between(given.inventory, ((known[move.instance], move.origin, move.target) for move in moves))
    groups = groups_of(given.campaign, given.inventory, given.parent)
    groups = groups or (kind_groups(given.campaign, given.inventory) if given.scope.apart else ())
    found = Found([Turn(0, (), (), row.away_s, row.start_s, row.end_s) for row in rows], {}, closer=closer)
    checks = (*_checks(given, groups, watched, found), _mended_condition(late_s, mended))
    parts = _bounds(given, rows)
    upgrades = _upgrades(given, rows)
    several = given.scope.apart and len(kinds_there(given.campaign, given.inventory)) > 1
    return Plan(
        smooth=all(check.ok for check in checks),
        at_s=given.at_s,
        order=order_of(given.campaign) if several else (),
        upgrades=upgrades,
        moves=moves,
        impacts=_impacts(rows),
        bounds=bounds_of(len(moves), parts),
        totals=totals_of(upgrades, moves, found.end_s, _left(given)),
        groups=groups,
        hits=_hits(given, rows),
        closer=closer,
        conditions=checks,
    )


def _later(move: Move, late_s: float) -> Move:
    return Move.model_construct(
        instance=move.instance,
        origin=move.origin,
        target=move.target,
        numa_cell=move.numa_cell,
        kind=move.kind,
        start_s=move.start_s + late_s,
        end_s=move.end_s + late_s,
        extra=move.extra,
    )


def _upgrades(given: Given, rows: Sequence[Row]) -> tuple[Upgrade, ...]:
    return tuple(
        Upgrade.model_construct(
            node=row.node.id,
            start_s=row.start_s,
            end_s=row.end_s,
            wave=row.wave,
            window=given.windows.index(row.away_s),
            waits=row.waits,
        )
        for row in rows
    )


def _moves(rows: Sequence[Row]) -> tuple[Move, ...]:
    found = [move for row in rows for move in (*row.moves, *row.running)]
    found.sort(key=lambda move: (move.start_s, move.instance))
    return tuple(found)


def _impacts(rows: Sequence[Row]) -> tuple[Impact, ...]:
    found = [
        Impact.model_construct(
            instance=instance.id,
            kind=kind,  # type: ignore[arg-type]  # the kind of a stay
            node=row.node.id,
            start_s=row.start_s,
            end_s=row.end_s,
        )
        for row in rows
        for instance, kind in row.stays
    ]
    return tuple(sorted(found, key=lambda impact: (impact.start_s, impact.instance)))


def _left(given: Given) -> dict[str, str]:
    scope = given.scope
    left = {**scope.left_out, **told(scope, given.progress), **{node.id: "already upgraded" for node in scope.upgraded}}
    return {**left, **given.stuck, **given.blocked}


def _checks(given: Given, groups: Sequence[PlanGroup], watched: list[Watched], found: Found) -> Iterator[Condition]:
    campaign, inventory, scope = given.campaign, given.inventory, given.scope
    cloud = Cloud(nodes=list(given.nodes), watched=watched)
    yield from first_conditions(campaign, inventory, scope, given.actions, given.managed)
    yield c.group_condition(given.blocked)
    yield from groups_condition(groups if campaign.spec.scope.groups else ())
    yield c.capacity_condition((), "")
    yield from c.other_conditions(cloud, _rules(given, cloud), found)
    yield from c.spread_conditions(cloud, found)
    if scope.apart:
        yield from order_conditions(campaign, inventory, groups)


def _rules(given: Given, cloud: Cloud) -> Rules:
    spec = given.campaign.spec
    domains = [Domain(rule.by, rule.max, ()) for rule in spec.waves.spread]
    clusters = cluster_domains(given.campaign, given.inventory, cloud) if given.scope.apart else ()
    return Rules(
        width=given.width,
        per_node=spec.migration.per_node,
        total=spec.migration.total,
        lead_s=spec.workloads.notify.lead_time_s,
        max_fill=spec.waves.max_fill,
        extra_moves=0,
        domains=(*domains, *clusters),
        windows=given.windows,
        at_s=given.at_s,
    )


def _mended_condition(late_s: float, mended: Mended) -> Condition:
    said = []
    if mended.elsewhere:
        said.append(f"{mended.elsewhere} moves go elsewhere")
    if mended.put_off:
        said.append(f"{mended.put_off} turns are put off")
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
        lasts = [move.end_s - move.start_s for move in row.moves]
        upgrade_s = estimates.upgrade_of(row.node)
        turn_s = max([sum(lasts) / migration.per_node, *lasts], default=0.0) + upgrade_s
        longest, turns = max(longest, turn_s), turns + turn_s
        if lasts:
            moving, shortest = moving + sum(lasts), min(shortest, upgrade_s)
    found = {"node": longest, "parallel": turns / max(1, given.width)}
    if moving:
        found["bandwidth"] = moving / migration.total + shortest
    return {name: round(given.at_s + seconds, 6) for name, seconds in found.items() if seconds}


def _hits(given: Given, rows: Sequence[Row]) -> tuple[Hit, ...]:
    known = given.inventory.instance_by_id
    moved: Spans = defaultdict(list)
    stayed: Spans = defaultdict(list)
    for row in rows:
        window = given.windows.index(row.away_s)
        for move in (*row.moves, *row.running):
            moved[window, owner_of(known[move.instance])].append((move.start_s, move.end_s))
        for instance, kind in row.stays:
            if kind != "offline":
                stayed[window, owner_of(instance)].append((row.start_s, row.end_s))
    return hits_from(moved, stayed)
