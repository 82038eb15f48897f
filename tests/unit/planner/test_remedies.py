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


def night(length_s: float) -> list[dict[str, Any]]:
    return [{"days": ["tue", "wed"], "start": "01:00", "length_s": length_s, "time_zone": "Europe/Helsinki"}]


TWO_NIGHTS = {"not_before": "2026-12-01T00:00:00+02:00", "not_after": "2026-12-02T12:00:00+02:00"}


def test_hosts_are_tried_out_within_the_windows() -> None:
    # One empty host lets every node go, one after the other; two nights hold four nodes then.
    def plan(spares: int, **dates: str) -> Any:
        more = [node(f"x{n}", progress="done") for n in range(spares)]
        waves = {"max_unavailable": 4, "max_extra_moves": 0.0}
        return plan_of(*site(8, 0), *more, waves=waves, windows=night(4200.0), **dates)

    count = int(number(failing(plan(0, **TWO_NIGHTS))["ESC-PLN-003"].remedy, "add"))
    assert count == 2
    assert plan(count, **TWO_NIGHTS).smooth
    one_less = failing(plan(count - 1, **TWO_NIGHTS))
    assert list(one_less) == ["ESC-PLN-009"]


def test_free_room_that_is_short_asks_for_hosts_and_not_for_more_nodes_at_once() -> None:
    def plan(at_once: int, spares: int = 1, until: str = "2026-12-02T12:00:00+02:00") -> Any:
        more = [node(f"x{n}", progress="done") for n in range(spares)]
        waves = {"max_unavailable": at_once, "max_extra_moves": 0.0}
        dates = {**TWO_NIGHTS, "not_after": until}
        return plan_of(*site(8, 0), *more, waves=waves, windows=night(4200.0), **dates)

    remedy = failing(plan(4))["ESC-PLN-009"].remedy
    assert len(plan(8).upgrades) == len(plan(4).upgrades)
    assert remedy.startswith("add 1 empty host like n")
    assert "raise waves.max_unavailable" not in remedy
    assert plan(4, spares=2).smooth
    # The end of the campaign, which cuts its windows, is named, and the one that would do.
    assert "move not_after, Wed 2026-12-02 12:00 (+02:00), which leaves 2 windows, to Wed 2026-12-09 02:10" in remedy
    assert "2 more windows" in remedy
    assert plan(4, until="2026-12-09T02:10:00+02:00").smooth
    assert not plan(4, until="2026-12-08T12:00:00+02:00").smooth


def test_more_nodes_at_once_are_named_where_that_would_do() -> None:
    def plan(at_once: int) -> Any:
        return plan_of(*site(8, 8), waves={"max_unavailable": at_once}, windows=night(4200.0), **TWO_NIGHTS)

    remedy = failing(plan(1))["ESC-PLN-009"].remedy
    enough = int(number(remedy, "raise waves.max_unavailable"))
    assert plan(enough).smooth
    assert not plan(enough - 1).smooth


def test_a_window_that_the_campaigns_end_cuts_short_asks_for_a_later_end() -> None:
    def plan(until: str) -> Any:
        dates = {**TWO_NIGHTS, "not_after": until}
        return plan_of(*site(1, 1), windows=night(4200.0), **dates)

    remedy = failing(plan("2026-12-01T01:20:00+02:00"))["ESC-PLN-009"].remedy
    assert (
        remedy
        == "move not_after, Tue 2026-12-01 01:20 (+02:00), which leaves 1 window, to Tue 2026-12-01 02:10 (+02:00) or later"
    )
    assert plan("2026-12-01T02:10:00+02:00").smooth


def test_dates_without_windows_ask_for_a_later_end() -> None:
    def plan(until: str) -> Any:
        return plan_of(*site(3, 3), not_before="2026-12-01T00:00:00+02:00", not_after=until)

    remedy = failing(plan("2026-12-01T01:00:00+02:00"))["ESC-PLN-009"].remedy
    assert remedy.endswith("to Tue 2026-12-01 01:25 (+02:00) or later")
    assert plan("2026-12-01T01:25:00+02:00").smooth
    assert not plan("2026-12-01T01:20:00+02:00").smooth
