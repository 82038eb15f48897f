"""The axis of a chart tells the clock, window by window, where the plan knows it."""

from __future__ import annotations

from typing import Any

from escalator.cli.plan_times import Times

UPGRADES = [{"window": 0}, {"window": 1}]
OPENS = ("2026-12-01T22:40:00+01:00", "2026-12-02T23:00:00+01:00")
DATED: dict[str, Any] = {
    "upgrades": UPGRADES,
    "windows": [{"window": n, "starts_s": 7200.0 * n, "opens": at} for n, at in enumerate(OPENS)],
}


def test_ticks_are_whole_half_hours_of_the_clock_in_each_window() -> None:
    found = [*Times(DATED).ticks(1800.0, 10_800.0)]
    first = [(1200.0, "23:00"), (3000.0, "23:30"), (4800.0, "00:00"), (6600.0, "00:30")]
    assert found == [*first, (7200.0, "23:00"), (9000.0, "23:30"), (10_800.0, "00:00")]


def test_what_ends_with_a_window_has_that_windows_clock() -> None:
    times = Times(DATED)
    assert (times.at(7200.0), times.at(7200.0, ends=True)) == ("23:00", "00:40")


def test_without_a_clock_it_is_working_time() -> None:
    assert [*Times({"upgrades": UPGRADES}).ticks(3600.0, 7200.0)] == [(0.0, "0:00:00"), (3600.0, "1:00:00"), (7200.0, "2:00:00")]
