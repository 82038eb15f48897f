"""How long and how many at once, from impacts that lie over each other."""

from __future__ import annotations

import pytest

from escalator.upgrade_manager.engine.ledger import time_above


@pytest.mark.parametrize(
    ("spans", "most", "seconds"),
    [
        ([], 0, 0.0),
        ([(0, 10)], 0, 10.0),
        ([(0, 10), (5, 20)], 0, 20.0),
        ([(0, 10), (20, 30)], 0, 20.0),
        ([(0, 10), (5, 20)], 1, 5.0),
        ([(0, 10), (10, 20)], 1, 0.0),  # one ends when the other begins
        ([(0, 30), (5, 20), (10, 15)], 2, 5.0),
        ([(0, 30), (5, 20), (10, 15)], 3, 0.0),
    ],
)
def test_time_in_which_more_than_so_many_lie_over_each_other(spans: list[tuple[float, float]], most: int, seconds: float) -> None:
    assert time_above(spans, most) == seconds
