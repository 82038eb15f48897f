"""A plan on a narrow screen: its times stay in one piece, and each day is told once."""

from __future__ import annotations

from rich.console import Console

from escalator.cli.plan_view import plan_view
from unit.cli.test_plan_times import FRIDAY_S, NIGHTS, planned


def drawn(width: int) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as seen:
        console.print(plan_view(planned(FRIDAY_S, windows=NIGHTS), "c", full=True))
    return seen.get()


def test_on_a_narrow_screen_a_day_is_told_once_and_no_time_is_folded() -> None:
    narrow = drawn(80)
    assert max(map(len, narrow.splitlines())) <= 80
    nodes = narrow[narrow.index("Nodes by wave") : narrow.index("Chart")]
    assert nodes.count("Sat 12-05") == nodes.count("Sun 12-06") == 1
    assert "01:00:00 - 01:20:00" in nodes
    assert "Takes" not in nodes
    hits = narrow[narrow.index("VNFs that are hit") : narrow.index("Moves")]
    assert "Sat" not in hits, "the window tells the day"
    moves = narrow[narrow.index("Moves") :]
    assert moves.count("Sat 12-05") == 1
    assert "Sat 12-05 01:00:00 - 01:20:00" in drawn(120)


def test_a_window_closes_at_a_clock_time_where_the_day_is_that_of_its_opening() -> None:
    windows = drawn(120).partition("Nodes by wave")[0]
    assert "Sat 2026-12-05 01:00 (+02:00)  02:10 " in " ".join(windows.split(" ")).replace("   ", "  ")
