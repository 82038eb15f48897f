from __future__ import annotations

import io

import pytest
from rich.console import Console

from escalator.cli.plan_view import run_view, summary_view, verdict, violations_view


def drawn(thing) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(thing)
    return out.getvalue()


def plan(count):
    totals = {"nodes": count, "moves": count, "makespan_s": 600.0}
    bounds = {"moves": 0, "makespan_s": 600.0, "binding": "node"}
    upgrades = [{"wave": n} for n in range(count)]
    return {"smooth": True, "id": "p", "parent": None, "totals": totals, "bounds": bounds, "upgrades": upgrades}


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 node in 1 wave, 1 move (at least 0)"), (2, "2 nodes in 2 waves, 2 moves (at least 0)")]
)
def test_one_is_no_plural(count, said):
    assert said in drawn(verdict(plan(count), "c1"))


def test_one_is_no_plural_in_what_was_checked_either():
    totals = {"nodes": 1, "moves": 1}
    one = {"time_s": None, "code": "ESC-PLN-102", "message": "x"}
    assert "No violation  1 node, 1 move\n" in drawn(violations_view([], totals))
    assert "1 violation  1 node, 1 move\n" in drawn(violations_view([one], totals))
    found = {"turns": 1, "upgraded": 1, "moves": 1, "impacts": 1, "violations": [one]}
    assert "1 rule broken  1 turn, 1 node upgraded, 1 move, 1 impact\n" in drawn(run_view(found))
    short = {"smooth": True, "nodes": 1, "moves": 0, "makespan_s": 0.0, "not_upgraded": [], "conditions": []}
    assert "1 node, 0 moves, " in drawn(summary_view(short))
