"""Tries: whether every node would get its turn with other numbers of the campaign, or with so many more empty hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.policies import SMALL, best_of
from escalator.upgrade_manager.planner.search import RESERVE, Search
from escalator.upgrade_manager.planner.turns import Found, Midway, NotYet, Policy, Rules

LARGEST = 1500
"""Nodes up to which remedies are tried out; beyond, they are named without proof."""
MOST_HOSTS = 64
PROBE = Policy("size", queue_weight=0.02)


def searched(cloud: Cloud, rules: Rules, midway: Midway) -> Found:
    """What is found with these numbers: by one run, or as the plan itself is, where windows have to hold it and it is small."""
    found = Search(cloud, rules, PROBE, midway=midway).run()
    if rules.windows.open or len(cloud.nodes) > SMALL:
        return found
    # One run tells neither what of a night is late nor what a better order would bring into it.
    return best_of(cloud, rules, midway)


def runs(cloud: Cloud, rules: Rules, midway: Midway) -> bool:
    """Whether every node gets its turn that lacks no more than room, a reserve or a window."""
    return is_complete(searched(cloud, rules, midway))


def is_complete(found: Found) -> bool:
    """Whether no node is left for want of room, of a reserve or of one more window."""
    return not any(wait.lacking is not None or RESERVE in wait.reason or out_of_windows(wait) for wait in found.left.values())


def out_of_windows(wait: NotYet) -> bool:
    """Whether the windows were over before the node's turn. Windows that are too short for it are another matter."""
    return "window" in wait.reason and not wait.needs_s


def model_of(cloud: Cloud, lacking: Collection[int]) -> int:
    """The hardware and zone that most of the nodes left out share."""
    kinds = Counter((cloud.kinds[number], tuple(cloud.capacity[c] for c in cloud.cells[number])) for number in lacking)
    common = kinds.most_common(1)[0][0]
    return next(n for n in lacking if (cloud.kinds[n], tuple(cloud.capacity[c] for c in cloud.cells[n])) == common)


def fewest_hosts(cloud: Cloud, rules: Rules, model: int, midway: Midway) -> int | None:
    """Fewest spare hosts like the model with which every node gets its turn, in its window; None where too many are needed."""
    return fewest(lambda count: runs(with_spares(cloud, model, count), rules, midway), MOST_HOSTS)


def fewest(enough_with: Callable[[int], bool], most: int) -> int | None:
    """The least number that is enough: doubled until it is, then halved in between."""
    enough = 1
    while not enough_with(enough):
        if enough >= most:
            return None
        enough = min(2 * enough, most)
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if enough_with(middle):
            enough = middle
        else:
            too_few = middle
    return enough


def with_spares(cloud: Cloud, model: int, count: int) -> Cloud:
    """The cloud with so many more empty and upgraded nodes that are like the model."""
    first = len(cloud.host)
    cells = len(cloud.cells[model])
    kind = cloud.kinds[model]._replace(done=False)  # as new as what this campaign upgrades
    numbers = [tuple(range(first + n * cells, first + (n + 1) * cells)) for n in range(count)]
    rows = [cloud.capacity[cell] for cell in cloud.cells[model]] * count
    return replace(
        cloud,
        nodes=[*cloud.nodes, *[cloud.nodes[model]] * count],
        cells=[*cloud.cells, *numbers],
        host=[*cloud.host, *(len(cloud.nodes) + n for n in range(count) for _ in range(cells))],
        capacity=[*cloud.capacity, *rows],
        used=[*cloud.used, *([0.0] * len(cloud.resources) for _ in rows)],
        kinds=[*cloud.kinds, *[kind] * count],
        guests=[*cloud.guests, *([] for _ in range(count))],
        lead_s=[*cloud.lead_s, *[0.0] * count],
        managing=[*cloud.managing, *[False] * count],
        upgrade_s=[*cloud.upgrade_s, *[cloud.upgrade_s[model]] * count],
        done=[*cloud.done, *[True] * count],
        ready=[*cloud.ready, *[False] * count],
    )
