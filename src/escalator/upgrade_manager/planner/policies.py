"""Running the search with several policies and keeping the best plan.

Fewest nodes left, then fewest groups whose members end closer together than they began, then soonest, then fewest moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from escalator.upgrade_manager.planner import bounds
from escalator.upgrade_manager.planner.cloud import SLACK, Cloud
from escalator.upgrade_manager.planner.queue import LIVELY
from escalator.upgrade_manager.planner.search import START, Search
from escalator.upgrade_manager.planner.spread import closer_of
from escalator.upgrade_manager.planner.turns import Found, Midway, NotYet, Policy, Rules, Turn

GOOD_ENOUGH = 1.005
"""A plan this near to the lower bound is not searched any further."""
FEW = 50
"""Up to so many nodes all are looked at whenever something ends, and cells are chosen by how little is free in them.

In larger clouds there are enough cells to choose one by the proportions of what is free in it.
"""
SMALL = 300
"""Up to so many nodes every policy is tried."""
PATIENCE = 30
"""Nodes without room that are looked at before the others wait, in larger clouds."""
BATCH_S = 30.0
WEIGHT = 0.02
IDLE_SHARE = 0.2
"""Share of an upgrade's time that a node may stay half emptied for its groups, in larger clouds: others use the time."""
SPARE_S = (0.0, 0.0, 0.0, 60.0, 60.0, 300.0, 300.0, 900.0, 900.0, 1800.0, 1800.0, 3600.0, 3600.0, 3600.0)
"""What every node with departures is given beside its own lateness, run after run, until no turn passes its window.

Each step is tried again before the next: often one node is late, and a run in which only that one is given more keeps the
night full. What is late in the last run is left out, with all whose instances go there: that may be a tenth of the cloud.
"""
LATER = 0.1
"""Share of the time left by which a plan that keeps more may end later than one that keeps less, or than the plan so far."""
SOON_LATER = 0.02
"""The same in smaller clouds, where another search takes no time: a campaign is planned anew often, and each adds its part."""
TRIES = 1500
"""Nodes times runs of the search that are spent on one plan of a smaller cloud."""
MOST_TRIES = 150


def best_of(cloud: Cloud, rules: Rules, midway: Midway = START) -> Found:
    """The best of what the policies find.

    In the middle of a campaign the plan so far is kept first: same order, same targets wherever they still hold. Where that
    leaves nodes out, or ends much later, smaller clouds try the same order with other targets. Only where that does not do
    either, everything that has not begun is planned anew. Of what was tried the one is taken that changes least, unless
    another one ends sooner by more than is worth it.
    """
    if not midway.order:
        return _anew(cloud, rules, midway)
    small = len(cloud.nodes) <= SMALL
    later, order = SOON_LATER if small else LATER, _again(cloud, rules, midway)
    tried = [_in_time(cloud, rules, order, midway, keep=True)]
    if small and not _in_good_time(rules, midway, tried, later):
        tried.append(_in_time(cloud, rules, replace(order, awaits=False), midway, keep=True))
    if not _in_good_time(rules, midway, tried, later):
        tried.append(_anew(cloud, rules, midway))
    return _worth_it(rules, tried, later)


def _again(cloud: Cloud, rules: Rules, midway: Midway) -> Policy:
    """The order of the plan so far, let through as it was searched."""
    nodes = len(cloud.nodes)
    plain = Policy(fixed=midway.order, queue_weight=WEIGHT, angle=nodes > FEW, foresees=FEW < nodes <= SMALL)
    return replace(plain, order="timed", idle_share=IDLE_SHARE) if nodes > SMALL and rules.windows.open else plain


def _in_good_time(rules: Rules, midway: Midway, tried: Sequence[Found], later: float) -> bool:
    """Whether one of these leaves no node out and ends soon enough, so that nothing else needs to be tried."""
    latest_s = rules.at_s + (1.0 + later) * max(0.0, midway.end_s - rules.at_s)
    return any(not found.left and found.end_s <= latest_s for found in tried)


def _worth_it(rules: Rules, tried: Sequence[Found], later: float) -> Found:
    """The first of these but for those that leave out more nodes than another one, or end later by so much of the time left."""
    fewest = min(len(found.left) for found in tried)
    enough = [found for found in tried if len(found.left) == fewest]
    soonest_s = max(rules.at_s, min(found.end_s for found in enough))  # without any turn there is no end
    return next(found for found in enough if found.end_s <= soonest_s + later * (soonest_s - rules.at_s) + SLACK)


def _anew(cloud: Cloud, rules: Rules, midway: Midway) -> Found:
    todo = [node for node, ready in enumerate(cloud.ready) if ready]
    # In the middle nodes wait for the answer, and the parent was searched for long: no shuffled orders are tried again.
    policies = _policies(cloud, len(todo), shuffled=not midway.order, open_=rules.windows.open)
    # It only says when to stop: a large cloud is searched once, and its bounds take a second or two.
    bound = max(bounds.makespan(cloud, todo, rules).values(), default=0.0) if len(policies) > 1 else 0.0
    best: Found | None = None
    for policy in policies:
        found = _in_time(cloud, rules, policy, midway)
        if best is None or found.worth() < best.worth():
            best = found
        if not best.left and not best.closer and best.end_s <= rules.at_s + bound * GOOD_ENOUGH:
            break
    return best if best is not None else Found([], {})


def _in_time(cloud: Cloud, rules: Rules, policy: Policy, midway: Midway, *, keep: bool = False) -> Found:
    """A run in which every turn ends in its window: nodes whose departures took longer than was thought are given more."""
    slow: dict[int, float] = {}
    begun = {one.node for one in midway.begun}
    for spare_s in SPARE_S:
        found = Search(cloud, rules, policy, slow, midway, keep=keep).run()
        # What has begun lies where it lies, though it may have begun at this very moment.
        fresh = [turn for turn in found.turns if turn.node not in begun]
        late = {turn.node: over for turn in fresh if (over := _over(cloud, rules, turn)) > SLACK}
        if not late:
            return found
        for node in range(len(cloud.nodes)):
            if any(guest.leaves for guest in cloud.guests[node]):
                slow[node] = max(slow.get(node, 0.0) + 1.2 * late.get(node, 0.0), spare_s)
    return _without(cloud, found, set(late))


def _over(cloud: Cloud, rules: Rules, turn: Turn) -> float:
    """Seconds by which the turn may pass the end of its window in nine of ten cases."""
    return turn.away_s + rules.needs_s(turn.away_s, turn.end_s) + cloud.lead_s[turn.node] - rules.windows.end(turn.away_s)


def _without(cloud: Cloud, found: Found, late: set[int]) -> Found:
    """The turns without those that are late, and without those that take instances to them afterwards."""
    gone = set(late)
    more = True
    while more:
        more = False
        for turn in found.turns:
            if turn.node not in gone and any(move.placed.target in gone for move in turn.moves):
                gone.add(turn.node)
                more = True
    waits = {node: NotYet(inf, "no window is left that is long enough") for node in gone}
    turns = [turn for turn in found.turns if turn.node not in gone]
    return Found(turns, found.left | waits, found.extra, closer=closer_of(cloud, turns))


def _policies(cloud: Cloud, nodes: int, *, shuffled: bool, open_: bool) -> Sequence[Policy]:
    """What is tried, the most promising first. How much of it is a matter of size alone: the same cloud gives the same plan."""
    seeds = (0,) if _begun(cloud) else (nodes, 1)
    if nodes > SMALL and open_ and _begun(cloud):
        batch_s = BATCH_S if nodes > LIVELY else 0.0
        return [Policy("timed", seeds[0], WEIGHT, PATIENCE, batch_s, angle=True, idle_share=IDLE_SHARE)]
    if nodes > LIVELY:
        return [Policy("size", seeds[0], WEIGHT, patience=PATIENCE, batch_s=BATCH_S, angle=True)]
    if nodes > SMALL:
        return [Policy(order, seed, WEIGHT, PATIENCE, angle=True) for seed in seeds for order in ("mixed", "size")]
    patience = PATIENCE if nodes > FEW else 10**9
    orders = ("mixed", "size", "chain")
    fits = ((WEIGHT, False), (0.0, False), (WEIGHT, True)) if nodes > FEW else ((WEIGHT, False), (0.0, False))
    plain = [
        Policy(order, seed, weight, patience, angle=angle, foresees=nodes > FEW)
        for seed in seeds
        for order in orders
        for weight, angle in fits
    ]
    tries = max(0, TRIES // max(nodes, 1) - len(plain)) if shuffled else 0
    more = range(min(tries, MOST_TRIES))
    turned = [nodes > FEW and n // 3 % 2 == 0 for n in more]
    shuffles = (
        Policy(orders[n % 3], seeds[0], WEIGHT, patience, angle=turned[n], shuffle=n + 1, foresees=nodes > FEW) for n in more
    )
    return [*plain, *shuffles]


def _begun(cloud: Cloud) -> bool:
    """Whether a node is upgraded already, or can be at once because nothing has to leave it."""
    return any(cloud.done) or any(
        ready and not any(guest.leaves for guest in guests) for ready, guests in zip(cloud.ready, cloud.guests, strict=True)
    )
