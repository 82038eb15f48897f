"""Maintenance windows on the calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from escalator.model.campaign import CampaignSpec
from escalator.upgrade_manager.planner.nights import (
    assumed_start_s,
    lengths,
    local_text,
    opening,
    openings,
    until_worked_s,
    worked_s,
)
from unit.planner.clouds import campaign

HELSINKI = ZoneInfo("Europe/Helsinki")
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def spec(**changes: Any) -> CampaignSpec:
    return campaign(**changes).spec


def window(*days: str, start: str = "01:00", hours: float = 4, zone: str = "Europe/Helsinki") -> dict[str, Any]:
    return {"days": list(days), "start": start, "length_s": hours * 3600, "time_zone": zone}


def local(*date: int) -> float:
    return datetime(*date, tzinfo=HELSINKI).timestamp()


def test_windows_come_in_order_of_their_local_time() -> None:
    found = list(islice(openings(spec(windows=[window("sat"), window("sun", hours=2)]), local(2026, 11, 25, 12)), 3))
    saturday, sunday = local(2026, 11, 28, 1), local(2026, 11, 29, 1)
    assert found == [
        (saturday, saturday + 4 * 3600),
        (sunday, sunday + 2 * 3600),
        (local(2026, 12, 5, 1), local(2026, 12, 5, 5)),
    ]


def test_a_window_that_is_open_counts_from_now() -> None:
    now = local(2026, 11, 28, 3)
    assert next(openings(spec(windows=[window("sat")]), now)) == (now, local(2026, 11, 28, 5))


def test_a_window_over_a_clock_change_lasts_its_real_time() -> None:
    opens, closes = next(openings(spec(windows=[window("sun")]), local(2026, 10, 24, 12)))
    assert (opens, closes - opens) == (local(2026, 10, 25, 1), 4 * 3600)
    assert datetime.fromtimestamp(closes, HELSINKI).hour == 4  # and not 5: the clocks went back in between


def test_windows_that_meet_are_one() -> None:
    joined = spec(windows=[window("sat", start="22:00", hours=3), window("sun", start="00:30", hours=2)])
    assert next(openings(joined, local(2026, 11, 27, 12))) == (local(2026, 11, 28, 22), local(2026, 11, 29, 2, 30))


def test_dates_cut_windows() -> None:
    dated = spec(windows=[window("sat")], not_before="2026-12-05T02:00:00+02:00", not_after="2026-12-12T02:00:00+02:00")
    assert list(openings(dated, local(2026, 11, 25))) == [
        (local(2026, 12, 5, 2), local(2026, 12, 5, 5)),
        (local(2026, 12, 12, 1), local(2026, 12, 12, 2)),
    ]


def test_without_windows_time_is_open_from_the_first_date_to_the_last() -> None:
    now = local(2026, 11, 25)
    assert lengths(spec(), now) == ()
    assert list(openings(spec(), now)) == [(now, float("inf"))]
    assert list(openings(spec(not_before="2026-11-26T00:00:00+02:00"), now)) == [(local(2026, 11, 26), float("inf"))]
    assert list(openings(spec(not_after="2026-11-24T00:00:00+02:00"), now)) == []


def test_without_a_moment_a_week_begins_on_its_monday() -> None:
    week = spec(windows=[window("sun", hours=2, zone="UTC"), window("mon", hours=3, zone="UTC")])
    assert list(lengths(week, None))[:3] == [3 * 3600, 2 * 3600, 3 * 3600]
    assert list(lengths(week, datetime(2026, 11, 25, tzinfo=UTC).timestamp()))[:2] == [2 * 3600, 3 * 3600]


def test_the_monday_is_one_of_the_campaigns_own_time_and_cuts_no_window() -> None:
    east = spec(windows=[window("mon", "tue", hours=2)])
    assert list(lengths(east, None))[:3] == [2 * 3600] * 3
    over_midnight = spec(windows=[window("sun", start="22:00", hours=4), window("wed", hours=3)])
    assert list(lengths(over_midnight, None))[:3] == [3 * 3600, 4 * 3600, 3 * 3600]
    assert assumed_start_s(over_midnight, None) == local(2024, 1, 1, 2)
    always = spec(windows=[window("mon", "tue", "wed", "thu", "fri", "sat", "sun", start="00:00", hours=24)])
    assert assumed_start_s(always, None) == local(2024, 1, 1)
    assert assumed_start_s(east, 12.0) == 12.0


@pytest.mark.parametrize(
    "wrong", [{"start": "25:00"}, {"days": []}, {"days": ["someday"]}, {"length_s": 0}, {"time_zone": "Mars"}]
)
def test_a_window_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(windows=[window("sat") | wrong])


def test_working_time_is_what_lay_inside_of_windows() -> None:
    nights = spec(windows=[window("sat"), window("sun", hours=2)])
    start = local(2026, 11, 25, 12)
    saturday, sunday = local(2026, 11, 28, 1), local(2026, 11, 29, 1)
    hours = [worked_s(nights, start, at) / 3600 for at in (start, saturday, saturday + 3600, saturday + 9 * 3600, sunday + 1800)]
    assert hours == [0, 0, 1, 4, 4.5]


def test_without_windows_all_time_is_working_time() -> None:
    assert worked_s(spec(), 1000.0, 4600.0) == 3600.0


def test_what_is_left_to_do_ends_on_the_clock_after_the_hours_between_windows() -> None:
    nights, friday = spec(windows=[window("sat", "sun")]), local(2026, 11, 27, 12)
    assert until_worked_s(nights, friday, 3600) == local(2026, 11, 28, 2) - friday
    assert until_worked_s(nights, friday, 5 * 3600) == local(2026, 11, 29, 2) - friday
    assert until_worked_s(spec(), friday, 3600) == 3600
    assert until_worked_s(spec(not_before="2026-11-28T00:00:00+02:00"), friday, 3600) == 13 * 3600
    short = spec(windows=[window("sat")], not_after="2026-11-28T02:00:00+02:00")
    assert until_worked_s(short, friday, 2 * 3600) is None


def test_moments_are_told_in_the_zone_of_the_campaign() -> None:
    at = local(2026, 12, 5, 1)
    assert local_text(spec(windows=[window("sat")]), at) == "Sat 2026-12-05 01:00 (+02:00)"
    assert local_text(spec(not_before="2026-12-01T00:00:00+01:00"), at) == "Sat 2026-12-05 00:00 (+01:00)"
    assert local_text(spec(), at) == "Fri 2026-12-04 23:00 (+00:00)"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"not_before": "2026-11-26T12:00:00Z"},
        {"not_after": "2026-11-26T12:00:00Z"},
        {"windows": [window("sat"), window("sun", hours=2)]},
        {"windows": [window("sat", start="23:00", hours=30), window("mon", start="00:00", zone="UTC")]},
        {"windows": [window("wed")], "not_before": "2026-11-26T12:00:00Z", "not_after": "2026-12-09T00:00:00Z"},
        {"windows": [window(*WEEK, start="00:00", hours=24)]},
    ],
)
def test_the_first_opening_is_the_one_that_openings_begin_with(changes: dict[str, Any]) -> None:
    campaign_spec = spec(**changes)
    for hour in range(24 * 20):
        now_s = local(2026, 11, 25) + hour * 3600 - (hour % 2)
        assert opening(campaign_spec, now_s) == next(openings(campaign_spec, now_s), None)


def test_windows_without_a_gap_never_close() -> None:
    always = spec(windows=[window(*WEEK, start="00:00", hours=24, zone="UTC")])
    today = local(2026, 11, 25, 12)
    assert opening(always, today) == (today, float("inf"))
    # An end that lay as far ahead as is looked would be another one each day: a night that is over, and the next one that begins.
    assert opening(always, today + 86400) == (today + 86400, float("inf"))
    ends = spec(windows=[window(*WEEK, start="00:00", hours=24, zone="UTC")], not_after="2026-12-01T00:00:00Z")
    assert opening(ends, today) == (today, datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    assert opening(ends, local(2026, 12, 2)) is None
