"""VNFs that are hit, from when something of them moves or is impacted."""

from __future__ import annotations

from collections import defaultdict

import pytest

from escalator.upgrade_manager.planner.hits import Spans, hits_from


@pytest.mark.parametrize(
    ("spans", "at_once", "impacted_s"),
    [
        ([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0)], 2, 4.0),
        ([(0.0, 2.0), (2.0, 3.0)], 1, 3.0),
        ([(0.0, 9.0), (1.0, 9.0), (2.0, 3.0), (4.0, 5.0)], 3, 9.0),
        ([(4.0, 4.0)], 0, 0.0),
    ],
)
def test_those_that_overlap_are_hit_at_once(spans: list[tuple[float, float]], at_once: int, impacted_s: float) -> None:
    moved: Spans = defaultdict(list, {(0, "amf"): spans})
    found = hits_from(moved, defaultdict(list))
    assert [(hit.vnf, hit.moved, hit.at_once, hit.impacted_s) for hit in found] == [("amf", len(spans), at_once, impacted_s)]
