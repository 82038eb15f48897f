"""Maintenance windows on the calendar: when they open and close, and how they lie end to end in working time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from heapq import merge
from itertools import islice
from zoneinfo import ZoneInfo

from escalator.model.campaign import DAYS, CampaignSpec, Window
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError

MOST = 400
"""Windows that a plan looks ahead: more than a year of nights."""
LOOK_AHEAD_DAYS = 9 * 366
ANY_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 - it begins in the campaign's own zone
"""Where weeks are counted from when no date is given."""
DAY_S = 86400.0
WEEK_S = 7 * DAY_S

Span = tuple[float, float]


def openings(spec: CampaignSpec, now_s: float) -> Iterator[Span]:
    """Windows that have not closed at `now_s` (Unix seconds), first to last, those that meet joined; cut to the campaign's dates.

    Without windows, one: from `not_before` (or now) to `not_after` (or for ever).
    """
    begin = max(now_s, spec.not_before.timestamp() if spec.not_before else now_s)
    end = spec.not_after.timestamp() if spec.not_after else float("inf")
    if not spec.windows:
        if begin < end:
            yield (begin, end)
        return
    for opens, closes in _joined(_all(spec.windows, begin)):
        if max(opens, begin) >= end:
            return
        if closes > begin:
            yield (max(opens, begin), min(closes, end))


def opening(spec: CampaignSpec, now_s: float) -> Span | None:
    """The first of `openings`, which costs next to nothing to ask for again and again; None when there is none any more.

    Windows that leave no gap never close, until `not_after`.
    """
    if not spec.windows:
        return next(openings(spec, now_s), None)
    begin = max(now_s, spec.not_before.timestamp() if spec.not_before else now_s)
    end = spec.not_after.timestamp() if spec.not_after else float("inf")
    opens, closes = next(span for span in _of_the_day(spec.windows, int(begin // DAY_S)) if span[1] > begin)
    opens = max(opens, begin)
    return (opens, min(closes, end)) if opens < end else None


def require_window(spec: CampaignSpec, now_s: float) -> None:
    """Raise ConditionsError (`PLN_WINDOW`) when the campaign's time is over before it begins."""
    if opening(spec, now_s) is not None:
        return
    remedy = "Give later dates: escalator campaign edit, then plan again."
    if spec.not_after is not None and spec.not_after.timestamp() <= now_s:
        message = f"not_after ({spec.not_after.isoformat()}) has passed."
    else:
        message = "No maintenance window opens before not_after."
    raise ConditionsError(Code.PLN_WINDOW, message, remedy=remedy)


@lru_cache(maxsize=128)
def _of_the_day(windows: tuple[Window, ...], day: int) -> Sequence[Span]:
    """The windows, those that meet joined, to the first that closes after that day, counted in UTC from 1970 on."""
    found: list[Span] = []
    for span in _joined(_all(windows, day * DAY_S)):
        found.append(span)
        if span[1] > (day + 1) * DAY_S:
            break
    never = len(found) == 1 and found[0][1] - found[0][0] > (LOOK_AHEAD_DAYS - 1) * DAY_S
    return [(found[0][0], float("inf"))] if never else found


def worked_s(spec: CampaignSpec, start_s: float, at_s: float) -> float:
    """Working time from a campaign's start to a later moment (both Unix seconds): what lies inside of its windows."""
    total = 0.0
    for opens, closes in islice(openings(spec, start_s), MOST):
        if opens >= at_s:
            break
        total += min(closes, at_s) - opens
    return total


def until_worked_s(spec: CampaignSpec, now_s: float, work_s: float) -> float | None:
    """Seconds on the clock until so much more working time is over, counted from `now_s` (Unix seconds).

    None when the windows that are left do not hold it.
    """
    left = work_s
    for opens, closes in islice(openings(spec, now_s), MOST):
        if opens + left <= closes:
            return opens + left - now_s
        left -= closes - opens
    return None


def local(spec: CampaignSpec, at_s: float) -> datetime:
    """A moment (Unix seconds) in the campaign's own time: the zone of its first window, else that of its date, else UTC."""
    return datetime.fromtimestamp(at_s, _zone(spec))


def _zone(spec: CampaignSpec) -> tzinfo:
    if spec.windows:
        return ZoneInfo(spec.windows[0].time_zone)
    if spec.not_before is not None and spec.not_before.tzinfo is not None:
        return spec.not_before.tzinfo
    return UTC


def local_text(spec: CampaignSpec, at_s: float) -> str:
    """The same for people: `Sat 2026-12-05 01:00 (+02:00)`."""
    moment = local(spec, at_s)
    return f"{moment:%a %Y-%m-%d %H:%M} ({moment.isoformat()[-6:]})"


def lengths(spec: CampaignSpec, now_s: float | None) -> Sequence[float]:
    """Lengths of the windows to come; empty when time is open. Without `now_s` the week begins on a Monday."""
    return tuple(closes - opens for opens, closes in spans(spec, now_s))


def spans(spec: CampaignSpec, now_s: float | None) -> Sequence[Span]:
    """The same windows with when they open and close, Unix seconds; empty when time is open."""
    if not spec.windows and spec.not_after is None:
        return ()
    return tuple(islice(openings(spec, assumed_start_s(spec, now_s)), MOST))


def assumed_start_s(spec: CampaignSpec, now_s: float | None) -> float:
    """When the campaign starts (Unix seconds): `now_s` where that is known, else its `not_before`, else as a Monday begins.

    That Monday is one in the campaign's own time. A window that is open as it begins is over first: it would be cut short.
    """
    if now_s is not None:
        return now_s
    if spec.not_before is not None:
        return spec.not_before.timestamp()
    monday = ANY_MONDAY.replace(tzinfo=_zone(spec)).timestamp()
    opens, closes = next(openings(spec, monday - 1), (monday, monday))
    return closes if opens < monday < closes < monday + WEEK_S else monday


def _all(windows: Sequence[Window], begin: float) -> Iterator[Span]:
    """Every opening from a week before `begin` on, by start."""
    return merge(*(_weekly(window, begin) for window in windows))


def _weekly(window: Window, begin: float) -> Iterator[Span]:
    """Openings of one window. A local time that a clock change skips counts all the same."""
    zone = ZoneInfo(window.time_zone)
    hour, minute = map(int, window.start.split(":"))
    first = datetime.fromtimestamp(begin, zone).date() - timedelta(days=8)
    days = {DAYS.index(day) for day in window.days}
    for number in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=number)
        if day.weekday() in days:
            opens = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp()
            yield (opens, opens + window.length_s)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Windows that meet or overlap are one."""
    current: Span | None = None
    for opens, closes in spans:
        if current is not None and opens <= current[1]:
            current = (current[0], max(current[1], closes))
            continue
        if current is not None:
            yield current
        current = (opens, closes)
    if current is not None:
        yield current
