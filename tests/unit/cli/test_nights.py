"""A plan in rows for a change request, from a file: what each night does."""

from __future__ import annotations

import json
from typing import Any

from escalator.cli.campaign_nights import night_rows
from unit.cli.terminal import run
from unit.cli.test_plan_times import FRIDAY_S, NIGHTS, planned


def listed(tmp_path, plan: dict[str, Any], *words: str) -> Any:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    seen = run("campaign", "nights", "--file", file, *words, "-f", "json")
    assert seen.code == 0, seen.err
    return json.loads(seen.out)


def test_each_node_stands_in_its_night_with_its_expected_times(tmp_path) -> None:
    found = listed(tmp_path, planned(FRIDAY_S, windows=NIGHTS))
    assert [(row["night"], row["node"], row["moves"], row["stays"]) for row in found] == [
        (1, "n3", 0, 0), (1, "n0", 1, 0), (2, "n1", 1, 0), (2, "n2", 1, 0),
    ]  # fmt: skip
    assert found[1] == {
        "night": 1, "opens": "2026-12-05T01:00:00+02:00", "closes": "2026-12-05T02:10:00+02:00", "node": "n0", "wave": 2,
        "out_from": "2026-12-05T01:20:00+02:00", "begins": "2026-12-05T01:20:05+02:00", "ends": "2026-12-05T01:40:05+02:00",
        "moves": 1, "stays": 0, "left_out": None,
    }  # fmt: skip
    assert {row["opens"] for row in found if row["night"] == 2} == {"2026-12-06T01:00:00+02:00"}


def test_one_night_can_be_asked_for_by_vnf_and_by_instance(tmp_path) -> None:
    plan = planned(FRIDAY_S, windows=NIGHTS)
    hit = listed(tmp_path, plan, "--by", "vnf", "--night", "2")
    assert [(row["vnf"], row["moved"], row["begins"], row["hit_s"]) for row in hit] == [
        ("amf-0", 1, "2026-12-06T01:20:05+02:00", 5.0),
        ("amf-1", 1, "2026-12-06T01:00:00+02:00", 5.0),
    ]
    moved = listed(tmp_path, plan, "--by", "instance", "--night", "1")
    assert [(row["instance"], row["node"], row["how"], row["to"]) for row in moved] == [("v0", "n0", "live", "n3")]


def test_what_stays_on_its_node_is_told_too_and_what_ends_with_its_window_is_of_that_night() -> None:
    rows = [
        {"window": 0, "opens": "2026-12-05T01:00:00+02:00", "closes": "2026-12-05T02:00:00+02:00", "starts_s": 0.0},
        {"window": 2, "opens": "2026-12-07T01:00:00+02:00", "closes": "2026-12-07T02:00:00+02:00", "starts_s": 3600.0},
    ]
    upgrades = [{"node": "a", "start_s": 2400.0, "end_s": 3600.0, "wave": 1, "window": 0}]
    stays = [{"instance": "v", "kind": "stop-start", "node": "a", "start_s": 2400.0, "end_s": 3600.0}]
    extra = [{"instance": "w", "from": "a", "to": "b", "kind": "live", "start_s": 3600.0, "end_s": 3605.0}]
    left = [{"node": "c", "reason": "it is down"}]
    plan = {"windows": rows, "upgrades": upgrades, "moves": extra, "impacts": stays, "totals": {"not_upgraded": left}}
    told = [(row["night"], row["instance"], row["to"], row["ends"]) for row in night_rows(plan, "instance")]
    assert told == [(1, "v", None, "2026-12-05T02:00:00+02:00"), (3, "w", "b", "2026-12-07T01:00:05+02:00")]
    nodes = [(row["night"], row["node"], row["left_out"]) for row in night_rows(plan, "node")]
    assert nodes == [(1, "a", None), (None, "c", "it is down")]


def test_where_no_date_is_known_times_are_working_time(tmp_path) -> None:
    plan = planned(windows=NIGHTS)
    assert [(row["night"], row["begins"]) for row in listed(tmp_path, plan)] == [(1, 0.0), (1, 1205.0), (2, 4205.0), (2, 5410.0)]
    seen = run("campaign", "nights", "--file", tmp_path / "plan.json")
    assert ("working time" in seen.err, "0:20:05" in seen.out) == (True, True)


def test_csv_has_a_line_for_each_row(tmp_path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(planned(FRIDAY_S, windows=NIGHTS)))
    lines = run("campaign", "nights", "--file", tmp_path / "plan.json", "--by", "vnf", "-f", "csv").out.splitlines()
    assert lines[0] == '"night","opens","closes","vnf","begins","ends","moved","stayed","hit_s","at_once"'
    assert len(lines) == 4


def test_a_campaign_or_a_file_is_named(tmp_path) -> None:
    assert run("campaign", "nights").code == 2
    assert run("campaign", "nights", "c", "--file", tmp_path / "plan.json").code == 2


def test_no_name_in_a_file_steers_the_terminal_or_begins_a_formula(tmp_path) -> None:
    plan = planned(FRIDAY_S, windows=NIGHTS)
    plan["hits"][0]["vnf"] = "=cmd()\x1b[31m"
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    for form in ("table", "json", "csv"):
        seen = run("campaign", "nights", "--file", file, "--by", "vnf", "-f", form)
        assert (seen.code, "\x1b" in seen.out, "\\u001b" in seen.out) == (0, False, False)
    assert "\"'=cmd()" in seen.out
