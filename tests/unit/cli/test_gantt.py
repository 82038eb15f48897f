from __future__ import annotations

import io

import pytest
from rich.console import Console

from escalator.cli.gantt import Chart

LONG = "compute-with-a-long-name-0"
PLAN = {
    "moves": [{"from": f"{LONG}2", "start_s": 0.0}],
    "upgrades": [{"node": f"{LONG}{n}", "start_s": 600.0 * n, "end_s": 600.0 * n + 500, "window": n // 3} for n in range(6)],
}


@pytest.mark.parametrize(("width", "axis"), [(60, 31), (80, 51), (120, 72), (300, 72)])
def test_the_chart_is_as_wide_as_the_screen_lets_it_be(width, axis):
    out = io.StringIO()
    Console(file=out, width=width).print(Chart(PLAN, None))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2 + 6 + 1
    assert max(map(len, lines)) <= width
    assert [len(line) for line in lines if " window 2 " in line] == [len(f"{LONG}0") + 2 + axis]
    assert max(len(line) for line in lines if "█" in line) == len(f"{LONG}0") + 2 + axis
