"""Remedies in numbers: following them makes the plan smooth, and one less does not."""

from __future__ import annotations

import re
from typing import Any

from unit.planner.clouds import failing, node, plan_of, vm


def site(nodes: int, empty: int, used: float = 6.0) -> list[Any]:
    hosts = [node(f"n{n:02}") for n in range(nodes)]
    return [*hosts, *(vm(f"v{n:02}", f"n{n:02}", demand={"pcpu": used}) for n in range(empty, nodes))]


def number(remedy: str, of: str) -> float:
    found = re.search(rf"{re.escape(of)} (?:to )?([0-9.]*[0-9])", remedy)
    assert found, remedy
    return float(found[1])


def test_the_reserve_that_holds_is_named() -> None:
    def plan(reserve: int) -> Any:
        return plan_of(*site(12, 4), waves={"max_unavailable": 4, "reserve_hosts": reserve})

    fits = int(number(failing(plan(11))["ESC-PLN-010"].remedy, "lower waves.reserve_hosts"))
    assert plan(fits).smooth
    assert not plan(fits + 1).smooth


def test_hosts_that_let_a_reserve_hold_are_tried_out() -> None:
    remedy = failing(plan_of(*site(6, 2), waves={"max_unavailable": 1, "reserve_hosts": 4}))["ESC-PLN-010"].remedy
    more = int(number(remedy, "or add"))
    spares = [node(f"x{n}", progress="done") for n in range(more)]
    assert plan_of(*site(6, 2), *spares, waves={"max_unavailable": 1, "reserve_hosts": 4}).smooth
    assert not plan_of(*site(6, 2), *spares[1:], waves={"max_unavailable": 1, "reserve_hosts": 4}).smooth


def test_moves_beyond_one_are_named_where_they_would_do() -> None:
    things = site(6, 0, used=4.0)
    for thing in [vm("small", "n00", demand={"pcpu": 2.0}), vm("other", "n01", demand={"pcpu": 2.0})]:
        things.append(thing)

    def plan(share: float) -> Any:
        return plan_of(*things, waves={"max_unavailable": 1, "max_extra_moves": share})

    assert not plan(0.0).smooth
    share = number(failing(plan(0.0))["ESC-PLN-003"].remedy, "raise waves.max_extra_moves")
    assert plan(share).smooth
