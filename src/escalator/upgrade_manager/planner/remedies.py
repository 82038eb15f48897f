"""What would make a plan smooth that lacks room: how many empty hosts of which shape, found by planning with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from escalator.model.counting import counted
from escalator.upgrade_manager.planner.cloud import Cloud, Guest
from escalator.upgrade_manager.planner.conditions import shape
from escalator.upgrade_manager.planner.search import RESERVE, START
from escalator.upgrade_manager.planner.trials import (
    LARGEST,
    MOST_HOSTS,
    fewest_hosts,
    is_complete,
    model_of,
    runs,
    searched,
)
from escalator.upgrade_manager.planner.turns import Found, Midway, Rules
from escalator.upgrade_manager.planner.windows import Windows


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
    model = model_of(cloud, short)
    count = fewest_hosts(cloud, rules, model, midway)
    more = f", or add {counted(count, 'empty host')} like {cloud.nodes[model].id}, already upgraded" if count is not None else ""
    return lower + more


def _largest_reserve(cloud: Cloud, rules: Rules, midway: Midway) -> int:
    """The largest reserve that holds while every node gets its turn; 0 where none does."""
    fits, too_large = 0, rules.reserve
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        if runs(cloud, replace(rules, reserve=middle), midway):
            fits = middle
        else:
            too_large = middle
    return fits


def _in_the_campaign(cloud: Cloud, rules: Rules, midway: Midway) -> str:
    """Numbers of the campaign with which there would be room, found by planning with them; empty for none."""
    if len(cloud.nodes) > LARGEST:
        return ""
    if rules.reserve and runs(cloud, replace(rules, reserve=0), midway):
        return f"lower waves.reserve_hosts to {_largest_reserve(cloud, rules, midway)}; or "
    leaving = sum(guest.leaves for number, guests in enumerate(cloud.guests) if cloud.ready[number] for guest in guests)
    tried = searched(cloud, replace(rules, extra_moves=leaving), midway)
    if not leaving or tried.extra <= rules.extra_moves or not is_complete(tried):
        return ""
    share = ceil(100 * tried.extra / leaving) / 100
    return f"raise waves.max_extra_moves to {share:g}: {counted(tried.extra, 'instance moves', 'instances move')} twice then; or "


def _hosts(cloud: Cloud, rules: Rules, lacking: Mapping[int, Guest | None], midway: Midway) -> str:
    guests = [guest for guest in lacking.values() if guest is not None]
    model = model_of(cloud, lacking)
    what = like(cloud, model)
    need = f"for {counted(len(lacking), 'node')}; the largest instances need {shape(cloud, guests)}"
    if len(cloud.nodes) > LARGEST:
        return f"add at least 1 empty host {what}, already upgraded, {need}"
    count = fewest_hosts(cloud, rules, model, midway)
    if count is not None:
        return f"add {counted(count, 'empty host')} {what}, already upgraded, {need}"
    count = None if rules.windows.open else fewest_hosts(cloud, replace(rules, windows=Windows()), model, midway)
    if count is not None:
        hosts = f"add at least {counted(count, 'empty host')} {what}, already upgraded, {need}"
        return f"{hosts}; not even {MOST_HOSTS} of them bring every node into these windows: give more of them, or longer ones"
    return f"{MOST_HOSTS} empty hosts {what} would not be enough, {need}; let instances stay in place, or relax their groups"


def like(cloud: Cloud, model: int) -> str:
    """Hosts like the model, with what they have room for."""
    room = " + ".join(_amounts(cloud, cell) for cell in cloud.cells[model])
    return f"like {cloud.nodes[model].id} ({room})" if room else "of the same kind"


def _amounts(cloud: Cloud, cell: int) -> str:
    rows = zip(cloud.resources, cloud.capacity[cell], strict=True)
    return ", ".join(f"{name} {amount:g}" for name, amount in rows if amount)
