"""The verifier's entry: all checks of a plan, and what they found."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.model.release import Impact, spares_instances
from escalator.upgrade_manager.planner.nights import lengths, spans
from escalator.upgrade_manager.planner.verify import groups, kinds, moves, nodes, spread, stages
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay, Violation
from escalator.upgrade_manager.planner.verify.sound import look

MOST = 1000
"""Violations that are told; a plan with more is not read to its end by anybody."""


def verify(
    campaign: Campaign,
    inventory: Inventory,
    plan: Plan,
    managed: Collection[str] = frozenset(),
    now_s: float | None = None,
    impact: Impact | None = None,
) -> Sequence[Violation]:
    """Everything that the plan does against the rules, at most MOST; none for a sound plan.

    `impact` is that of the release; null: what the plan itself says of it is believed.

    `managed` and `now_s` as for `make_plan`: instances that a VNF manager speaks for, and the moment that tells which
    maintenance window comes first.
    """
    spared = spares_instances(impact or plan.impact)
    replay = Replay(_empty(inventory) if spared else inventory, campaign, plan, frozenset(managed))
    found: list[Violation] = []
    for violation in chain(_touched(plan, impact), kinds.check_kinds(replay, impact), _all(replay, now_s)):
        found.append(violation)
        if len(found) == MOST:
            break
    return found


def _empty(inventory: Inventory) -> Inventory:
    """The nodes alone: instances that run on undisturbed bind nothing."""
    return Inventory(nodes=inventory.nodes)


def _touched(plan: Plan, impact: Impact | None) -> Iterator[Violation]:
    """What the plan says that the release touches is so, and what is not touched is neither moved nor impacted."""
    if impact is not None and plan.impact != impact:
        message = f"the plan is for a release of impact {plan.impact}, and that of the release is {impact}"
        yield Violation(code=Code.PLN_V_REPORT, message=message)
    if not spares_instances(impact or plan.impact):
        return
    touched = [(move.instance, move.origin) for move in plan.moves] + [(row.instance, row.node) for row in plan.impacts]
    for instance, node in touched:
        message = f"{instance} is moved or impacted, and the release does not touch instances"
        yield Violation(code=Code.PLN_V_STAY, node=node, instance=instance, message=message)


def _all(replay: Replay, now_s: float | None) -> Iterator[Violation]:
    seen = look(replay)
    yield from nodes.check_nodes(replay)
    yield from nodes.check_away(replay)
    yield from nodes.check_stays(replay, seen)
    yield from nodes.check_windows(replay, tuple(lengths(replay.campaign.spec, now_s)))
    calendar = spans(replay.campaign.spec, now_s)
    yield from stages.check_groups(replay, calendar)
    yield from stages.check_waves(replay, calendar)
    yield from nodes.check_reserve(replay)
    yield from moves.check_moves(replay, seen)
    yield from moves.check_extra(replay)
    yield from moves.check_bounds(replay, seen)
    yield from moves.check_room(replay, seen)
    yield from groups.check_limits(replay, seen, calendar)
    yield from groups.check_noticed(replay)
    yield from groups.check_apart(replay)
    yield from groups.check_together(replay)
    yield from spread.check_spread(replay)
    yield from _report(replay)


def _report(replay: Replay) -> Iterator[Violation]:
    """What the plan says of itself: totals, bounds, and whether it is smooth."""
    plan = replay.plan
    last = max((upgrade.end_s for upgrade in plan.upgrades), default=0.0)
    wrong = []
    if (plan.totals.nodes, plan.totals.moves) != (len(plan.upgrades), len(plan.moves)):
        wrong.append("the totals do not count what the plan holds")
    if abs(plan.totals.makespan_s - last) > NEAR_S:
        wrong.append(f"the makespan is {plan.totals.makespan_s:g} s and the last upgrade ends at {last:g} s")
    if plan.bounds.moves > len(plan.moves) or plan.bounds.makespan_s > last + NEAR_S:
        wrong.append(f"the plan undercuts its own bounds: {counted(plan.bounds.moves, 'move')}, {plan.bounds.makespan_s:g} s")
    failing = [condition for condition in plan.conditions if not condition.ok]
    if plan.smooth == bool(failing):
        wrong.append(f"smooth is {plan.smooth} with {counted(len(failing), 'failing condition')}")
    wrong += [f"condition {condition.code} fails without a remedy" for condition in failing if not condition.remedy]
    fit = {n for n in replay.scope - replay.out if replay.node(n).progress not in ("done", "failed") and not replay.node(n).hold}
    if plan.smooth and fit - set(replay.upgrades):
        wrong.append(f"the plan is smooth and leaves out {', '.join(sorted(fit - set(replay.upgrades))[:10])}")
    for message in wrong:
        yield Violation(code=Code.PLN_V_REPORT, message=message)
