"""What would make a plan smooth that lacks room: how many empty hosts of which shape, found by planning with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from math import ceil

from escalator.model.counting import counted
from escalator.upgrade_manager.planner.cloud import Cloud, Guest
from escalator.upgrade_manager.planner.conditions import shape
from escalator.upgrade_manager.planner.search import RESERVE, START, Search
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
    return f"{_in_the_campaign(cloud, rules, midway)}{_hosts(cloud, rules, lacking, midway)}"


def reserve_relief(cloud: Cloud, rules: Rules, found: Found, midway: Midway = START) -> str:
    """The remedy for a reserve that would not hold; empty when it does."""
    short = [number for number, wait in found.left.items() if RESERVE in wait.reason]
    if not short:
        return ""
    if len(cloud.nodes) > LARGEST:
        return f"add empty hosts, or lower waves.reserve_hosts below {rules.reserve}"
    lower = f"lower waves.reserve_hosts to {_largest_reserve(cloud, rules, midway)}"
    model = _model(cloud, short)
    count = _fewest(cloud, rules, model, midway)
    more = f", or add {counted(count, 'empty host')} like {cloud.nodes[model].id}, already upgraded" if count is not None else ""
    return lower + more


def _largest_reserve(cloud: Cloud, rules: Rules, midway: Midway) -> int:
    """The largest reserve that holds while every node gets its turn; 0 where none does."""
    fits, too_large = 0, rules.reserve
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        if _runs(cloud, replace(rules, reserve=middle), midway):
            fits = middle
        else:
            too_large = middle
    return fits


def _in_the_campaign(cloud: Cloud, rules: Rules, midway: Midway) -> str:
    """Numbers of the campaign with which there would be room, found by planning with them; empty for none."""
    if len(cloud.nodes) > LARGEST:
        return ""
    if rules.reserve and _runs(cloud, replace(rules, reserve=0), midway):
        return f"lower waves.reserve_hosts to {_largest_reserve(cloud, rules, midway)}; or "
    leaving = sum(guest.leaves for number, guests in enumerate(cloud.guests) if cloud.ready[number] for guest in guests)
    tried = Search(cloud, replace(rules, extra_moves=leaving), PROBE, midway=midway).run()
    if not leaving or tried.extra <= rules.extra_moves or not _is_complete(tried):
        return ""
    share = ceil(100 * tried.extra / leaving) / 100
    return f"raise waves.max_extra_moves to {share:g}: {counted(tried.extra, 'instance moves', 'instances move')} twice then; or "


def _hosts(cloud: Cloud, rules: Rules, lacking: Mapping[int, Guest | None], midway: Midway) -> str:
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
    return _runs(_with_spares(cloud, model, count), rules, midway)


def _runs(cloud: Cloud, rules: Rules, midway: Midway) -> bool:
    return _is_complete(Search(cloud, rules, PROBE, midway=midway).run())


def _is_complete(found: Found) -> bool:
    """Whether no node is left for want of room or of a reserve."""
    return not any(wait.lacking is not None or RESERVE in wait.reason for wait in found.left.values())


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
