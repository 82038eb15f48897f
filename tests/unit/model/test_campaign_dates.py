"""A campaign that ends before it begins is refused when it comes, and read when it was taken in before."""

from __future__ import annotations

import pytest

from escalator.model.campaign import Campaign, load_campaign
from escalator.model.document import parse
from escalator.model.errors import InputError

TEXT = """
apiVersion: escalator/v1
kind: Campaign
metadata: {name: night}
spec:
  mode: smooth
  scope: {select: {role: compute}}
  not_before: "2027-12-01T12:00:00+02:00"
  not_after: "2026-12-01T12:00:00+02:00"
"""


def test_it_is_refused_with_its_line() -> None:
    with pytest.raises(InputError) as caught:
        load_campaign(parse(TEXT))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("spec.not_after", 9)
    assert "not later than not_before, 2027-12-01" in problem.message


def test_a_stored_one_can_be_read() -> None:
    assert Campaign.model_validate(parse(TEXT).data).spec.not_after is not None


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "-99999999999"])
@pytest.mark.parametrize("key", ["not_before", "not_after"])
def test_a_date_at_an_end_of_the_calendar_is_refused_with_its_line(key: str, given: str) -> None:
    with pytest.raises(InputError) as caught:
        load_campaign(parse(TEXT[: TEXT.index("  not_before")] + f"  {key}: {given}\n"))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == (f"spec.{key}", 8)
    assert "a time from 1970 to 9000 is expected" in problem.message


def test_one_that_begins_first_is_taken() -> None:
    assert load_campaign(parse(TEXT.replace("2026-", "2028-"))).spec.not_after is not None


def test_it_is_told_beside_what_else_is_wrong() -> None:
    with pytest.raises(InputError) as caught:
        load_campaign(parse(TEXT.replace("mode: smooth", "mode: rough")))
    assert [problem.path for problem in caught.value.problems] == ["spec.mode", "spec.not_after"]


@pytest.mark.parametrize("given", ["22:30", "00:30", "'22:30'"])
def test_a_time_of_day_is_what_is_written_with_and_without_quotes(given: str) -> None:
    window = f"  windows: [{{days: [sat], start: {given}, length_s: 14400, time_zone: Europe/Helsinki}}]\n"
    text = TEXT[: TEXT.index("  not_before")] + window
    assert load_campaign(parse(text)).spec.windows[0].start == given.strip("'")


def test_no_number_is_told_that_nobody_has_written() -> None:
    text = TEXT[: TEXT.index("  not_before")] + "  estimates: {upgrade_s: 20:00}\n"
    with pytest.raises(InputError) as caught:
        load_campaign(parse(text))
    assert "given: '20:00'" in caught.value.problems[0].message


@pytest.mark.parametrize("given", ["2026-12-01", '"2026-12-01T22:00"', "soon"])
def test_a_moment_that_is_not_whole_is_told_with_an_example(given: str) -> None:
    text = TEXT[: TEXT.index("  not_before")] + f"  not_before: {given}\n"
    with pytest.raises(InputError) as caught:
        load_campaign(parse(text))
    (problem,) = caught.value.problems
    shown = given.strip('"')
    assert problem.message == (
        f"'{shown}' is no moment: a date, a time and the offset from UTC are expected, as 2026-12-01T22:00:00+01:00"
    )
