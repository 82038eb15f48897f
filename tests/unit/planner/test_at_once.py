"""Spans that overlap are counted as by looking at every moment, whatever came and went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from escalator.upgrade_manager.planner.repair.at_once import AtOnce

SPANS = st.tuples(st.integers(0, 20), st.integers(1, 6)).map(lambda one: (float(one[0]), float(one[0] + one[1])))


def most(spans: list[tuple[float, float]], start: float, end: float) -> int:
    """Spans are of whole seconds, and half of one lies in each of those."""
    moments = [second + 0.5 for second in range(int(start), int(end))]
    return max(sum(s < at < e for s, e in spans) for at in moments)


@given(st.lists(SPANS, max_size=12), st.lists(SPANS, max_size=6), st.data())
def test_the_most_at_once_is_that_of_some_moment(
    first: list[tuple[float, float]], more: list[tuple[float, float]], data: st.DataObject
) -> None:
    there, spans = AtOnce([s for s, _ in first], [e for _, e in first]), list(first)
    for span in more:
        there.add(*span)
        spans.append(span)
    for span in data.draw(st.lists(st.sampled_from(spans), unique_by=id, max_size=4)) if spans else []:
        if span in spans:
            there.remove(*span)
            spans.remove(span)
    assert len(there) == len(spans)
    start, end = data.draw(SPANS)
    found = most(spans, start, end)
    assert there.reach(found, start, end)
    assert not there.reach(found + 1, start, end)
