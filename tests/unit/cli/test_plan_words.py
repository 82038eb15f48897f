"""Words of a plan on the screen that depend on what it is for, on its windows, and on how wide the reader's screen is."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from escalator.cli.gantt import gantt, svg
from escalator.cli.plan_tables import windows
from escalator.cli.spans import zoned
from escalator.main import main
from escalator.model.codes import Code
from escalator.model.plan import Condition
from escalator.upgrade_manager.engine.rollback.planning import _scope_back
from escalator.upgrade_manager.planner.make import make_plan
from unit.planner.clouds import campaign, cloud, node

NIGHTS = [{"days": ["sat", "sun"], "start": "01:00", "length_s": 4200, "time_zone": "Europe/Helsinki"}]


def planned(start: str, **spec: Any) -> dict[str, Any]:
    now_s = datetime.fromisoformat(start).timestamp()
    return make_plan(campaign(windows=NIGHTS, **spec), cloud(node("a")), now_s=now_s).model_dump(by_alias=True, mode="json")


def drawn(thing: Any) -> str:
    out = io.StringIO()
    Console(width=140, file=out).print(thing)
    return out.getvalue()


def test_a_window_that_is_too_short_for_a_turn_stands_in_the_table_with_how_long_it_is_open() -> None:
    text = drawn(windows(planned("2026-12-05T02:05:30+02:00"), None))
    first, second = (line for line in text.splitlines() if line.lstrip()[:2] in ("1 ", "2 "))
    assert "Sat 2026-12-05 02:05:30 (+02:00)" in first
    assert "no turn fits into it: it is open for 4 min 30 s" in first
    assert second.split()[-1] == "a"


def test_a_long_night_names_some_of_its_nodes_and_in_full_all_of_them() -> None:
    there = cloud(*[node(f"n{number}") for number in range(6)])
    now_s = datetime.fromisoformat("2026-12-04T12:00:00+02:00").timestamp()
    plan = make_plan(campaign(windows=NIGHTS, waves={"max_unavailable": 6}), there, now_s=now_s).model_dump(
        by_alias=True, mode="json"
    )
    assert "n0, n1, n2, n3 and 2 more" in drawn(windows(plan, 40))
    assert "n0, n1, n2, n3, n4, n5" in drawn(windows(plan, None))


def test_seconds_of_a_window_are_told_where_it_has_some() -> None:
    assert zoned("2026-12-05T02:01:30+02:00") == "Sat 2026-12-05 02:01:30 (+02:00)"
    assert zoned("2026-12-05T02:01:00+02:00") == "Sat 2026-12-05 02:01 (+02:00)"


def test_the_chart_of_a_rollback_takes_nodes_back() -> None:
    plan = planned("2026-12-04T12:00:00+02:00")
    assert "█ the node is upgraded" in drawn(gantt(plan, None, 140))
    back = {**plan, "purpose": "rollback"}
    assert "█ the node is taken back" in drawn(gantt(back, None, 140))
    assert "blue: the node is taken back" in svg(back, "c")


def test_a_remedy_on_the_way_back_asks_for_hosts_that_are_back() -> None:
    found = Condition(code=Code.PLN_CAPACITY.value, ok=False, message="", remedy="add 1 empty host like a, already upgraded")
    assert _scope_back(found, campaign(), cloud(), 1).remedy == "add 1 empty host like a, already taken back"


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("", 160)])
def test_who_sets_columns_gets_a_plan_of_that_width(
    columns: str, widest: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory, document = tmp_path / "i.yaml", tmp_path / "c.yaml"
    names = ", ".join(f"n{n}" for n in range(60))
    inventory.write_text(
        "apiVersion: escalator/v1\nkind: Inventory\nnodes:\n"
        + "".join(f"- {{id: {name}, numa: [{{pcpu: 8}}], state: down}}\n" for name in names.split(", "))
    )
    document.write_text(
        "apiVersion: escalator/v1\nkind: Campaign\nmetadata: {name: c}\nspec: {mode: smooth, scope: {select: {}}}\n"
    )
    monkeypatch.setenv("COLUMNS", columns)
    main(["plan", "--inventory", str(inventory), "--campaign", str(document)])
    found = max(len(line.rstrip()) for line in capsys.readouterr().out.splitlines())
    assert found <= widest
    assert found > widest - 40
