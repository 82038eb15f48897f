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


def test_one_that_begins_first_is_taken() -> None:
    assert load_campaign(parse(TEXT.replace("2026-", "2028-"))).spec.not_after is not None


def test_it_is_told_beside_what_else_is_wrong() -> None:
    with pytest.raises(InputError) as caught:
        load_campaign(parse(TEXT.replace("mode: smooth", "mode: rough")))
    assert [problem.path for problem in caught.value.problems] == ["spec.mode", "spec.not_after"]
