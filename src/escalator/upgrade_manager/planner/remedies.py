"""What would make a plan smooth that lacks room: how many empty hosts of which shape, found by planning with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from escalator.model.counting import counted
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.conditions import shape
from escalator.upgrade_manager.planner.search import START, Search
from escalator.upgrade_manager.planner.turns import Found, Midway, Policy, Rules

LARGEST = 1500
"""Nodes up to which spare hosts are tried out; beyond, one is named without proof."""
MOST_HOSTS = 64
PROBE = Policy("size", queue_weight=0.02)


def spare_hosts(cloud: Cloud, rules: Rules, found: Found, midway: Midway = START) -> str:
    """The remedy for what found no room; empty when everything did."""
    lacking = {number: wait.lacking for number, wait in found.left.items() if wait.lacking is not None}
    if not lacking:
        return ""
    guests = [guest for guest in lacking.values() if guest is not None]
    model = _model(cloud, lacking)
    room = " + ".join(_amounts(cloud, cell) for cell in cloud.cells[model])
    what = f"like {cloud.nodes[model].id} ({room})" if room else "of the same kind"
    need = f"for {counted(len(lacking), 'node')}; the largest instances need {shape(cloud, guests)}"
    count = _fewest(cloud, rules, model, midway) if len(cloud.nodes) <= LARGEST else None
    if count is not None:
        return f"add {counted(count, 'empty host')} {what}, already upgraded, {need}"
    if len(cloud.nodes) > LARGEST:
        return f"add at least 1 empty host {what}, already upgraded, {need}"
    return f"{MOST_HOSTS} empty hosts {what} would not be enough, {need}; let instances stay in place, or relax their groups"


def _model(cloud: Cloud, lacking: Collection[int]) -> int:
    """The hardware and zone that most of the nodes left out share."""
    kinds = Counter((cloud.kinds[number], tuple(cloud.capacity[c] for c in cloud.cells[number])) for number in lacking)
    common = kinds.most_common(1)[0][0]
    return next(n for n in lacking if (cloud.kinds[n], tuple(cloud.capacity[c] for c in cloud.cells[n])) == common)


def _amounts(cloud: Cloud, cell: int) -> str:
    rows = zip(cloud.resources, cloud.capacity[cell], strict=True)
    return ", ".join(f"{name} {amount:g}" for name, amount in rows if amount)


def _fewest(cloud: Cloud, rules: Rules, model: int, midway: Midway) -> int | None:
    """Fewest spare hosts with which every node gets its turn: doubled until it is enough, then halved in between."""
    enough = 1
    while not _complete(cloud, rules, model, enough, midway):
        enough *= 2
        if enough > MOST_HOSTS:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if _complete(cloud, rules, model, middle, midway):
            enough = middle
        else:
            too_few = middle
    return enough


def _complete(cloud: Cloud, rules: Rules, model: int, count: int, midway: Midway) -> bool:
    left = Search(_with_spares(cloud, model, count), rules, PROBE, midway=midway).run().left
    return not any(wait.lacking is not None for wait in left.values())


def _with_spares(cloud: Cloud, model: int, count: int) -> Cloud:
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
        upgrade_s=[*cloud.upgrade_s, *[cloud.upgrade_s[model]] * count],
        done=[*cloud.done, *[True] * count],
        ready=[*cloud.ready, *[False] * count],
    )
