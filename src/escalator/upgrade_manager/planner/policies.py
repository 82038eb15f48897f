"""Running the search with several policies and keeping the best plan: fewest nodes left, then soonest, then fewest moves."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.upgrade_manager.planner import bounds
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.queue import LIVELY
from escalator.upgrade_manager.planner.search import Search
from escalator.upgrade_manager.planner.turns import Found, Policy, Rules

GOOD_ENOUGH = 1.005
"""A plan this near to the lower bound is not searched any further."""
SMALL = 300
"""Up to so many nodes every policy is tried."""
PATIENCE = 30
"""Nodes without room that are looked at before the others wait, in larger clouds."""
BATCH_S = 30.0
WEIGHT = 0.02
TRIES = 6000
"""Nodes times runs of the search that are spent on one plan of a smaller cloud."""
MOST_TRIES = 150


def best_of(cloud: Cloud, rules: Rules) -> Found:
    """The best of what the policies find."""
    todo = [node for node, ready in enumerate(cloud.ready) if ready]
    bound = max(bounds.makespan(cloud, todo, rules).values(), default=0.0)
    best: Found | None = None
    for policy in _policies(cloud, len(todo)):
        found = Search(cloud, rules, policy).run()
        if best is None or found.worth() < best.worth():
            best = found
        if not best.left and best.end_s <= bound * GOOD_ENOUGH:
            break
    return best if best is not None else Found([], {})


def _policies(cloud: Cloud, nodes: int) -> Sequence[Policy]:
    """What is tried, the most promising first. How much of it is a matter of size alone: the same cloud gives the same plan."""
    seeds = (0,) if _begun(cloud) else (nodes, 1)
    if nodes > LIVELY:
        return [Policy("size", seeds[0], WEIGHT, patience=PATIENCE, batch_s=BATCH_S)]
    patience = PATIENCE if nodes > SMALL else 10**9
    orders = ("mixed", "size", "chain")
    plain = [Policy(order, seed, weight, patience) for seed in seeds for order in orders for weight in (WEIGHT, 0.0)]
    tries = max(0, TRIES // max(nodes, 1) - len(plain))
    shuffled = [Policy(orders[n % 3], seeds[0], WEIGHT, patience, shuffle=n + 1) for n in range(min(tries, MOST_TRIES))]
    return [*plain, *shuffled]


def _begun(cloud: Cloud) -> bool:
    """Whether a node is upgraded already, or can be at once because nothing has to leave it."""
    return any(cloud.done) or any(
        ready and not any(guest.leaves for guest in guests) for ready, guests in zip(cloud.ready, cloud.guests, strict=True)
    )
