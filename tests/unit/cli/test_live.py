from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from escalator.cli import live
from escalator.cli.spans import date_time, offset, seconds_of, span
from escalator.model.progress import Rung

NOW = 1_767_225_600.0


def drawn(thing, width=140) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(thing)
    return out.getvalue()


def task(node, state="pending", *rungs, **more):
    ladder = [{"rung": rung.value, "since": NOW, "status": True} for rung in rungs]
    return {"node": node, "wave": 1, "attempt": 1, "state": state, "step": "", "ladder": ladder, "updated_at": NOW - 5, **more}


def view(*tasks, state="running", **more):
    count = Counter(t["state"] for t in tasks)
    ended = count["done"] + count["failed"] + count["skipped"]
    progress = {
        "total": len(tasks),
        "ended": ended,
        "percent": 100 * count["done"] / len(tasks),
        "back": state.startswith(("roll", "resto")),
        "running": 0,
        **count,
        "done": count["done"],
    }
    return {"name": "c1", "state": state, "progress": progress, "tasks": list(tasks), **more}


def test_the_screen_shows_state_progress_time_left_and_whom_it_waits_for():
    waiting = {"vnfm": "core", "node": "n2", "since": NOW - 90, "reply_by": "2026-01-01T00:05:00Z", "delivered": False}
    seen = drawn(live.screen(view(task("n1", "done"), task("n2", "running"), eta_s=600, waiting=[waiting]), NOW))
    assert "c1  RUNNING" in seen
    assert "1 of 2 nodes" in seen
    assert " 50 % " in seen
    assert "about 10 min left" in seen
    assert "waiting for core about n2 for 1 min 30 s, at most 5 min more (not delivered yet)" in seen


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("aborted", "1 of 4 nodes upgraded, 1 failed, 2 skipped"),
        ("completed", "1 of 4 nodes upgraded, 1 failed, 2 skipped"),
        ("rolled_back", "1 of 4 nodes back, 1 failed, 2 skipped"),
        ("restored", "1 of 4 nodes back, 1 failed, 2 skipped"),
        ("restoring", "1 of 4 nodes back, 1 failed, 2 skipped"),
    ],
)
def test_what_is_skipped_or_has_failed_does_not_count_as_upgraded(state, said):
    nodes = [task("n1", "done"), task("n2", "failed"), task("n3", "skipped"), task("n4", "skipped")]
    seen = drawn(live.screen(view(*nodes, state=state), NOW))
    assert said in seen
    assert " 25 % " in seen


def test_the_reason_stands_there_with_its_code():
    seen = drawn(live.screen(view(task("n1"), state="suspended", code="ESC-UPG-014", reason="2 nodes failed"), NOW))
    assert "SUSPENDED" in seen
    assert "ESC-UPG-014: 2 nodes failed" in seen


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (task("n"), ". . . . . . . . ."),
        (task("n", "running"), "> . . . . . . . ."),
        (task("n", "running", Rung.STAGED, Rung.CORDONED), "S C > . . . . . ."),
        (task("n", "failed", Rung.STAGED), "S x . . . . . . ."),
        (task("n", "done", *Rung), "S C N V B U R v A"),
        (task("n", "done", Rung.STAGED, Rung.AVAILABLE), "S - - - - - - - A"),
    ],
)
def test_the_ladder_tells_what_is_reached_and_where_the_node_is(given, shown):
    assert live.ladder(given).plain == shown


def test_a_rung_that_was_undone_is_not_reached():
    undone = task("n", "rolled-back")
    undone["ladder"] = [{"rung": "Staged", "status": True}, {"rung": "Cordoned", "status": False}]
    assert live.ladder(undone).plain == "S x . . . . . . ."


def test_when_not_all_nodes_fit_those_that_need_a_look_are_shown_and_the_rest_is_counted():
    nodes = [task(f"n{n:03}") for n in range(200)]
    nodes[150] = task("n150", "failed", code="ESC-SYS-006", message="the installer ended with 1")
    nodes[180] = task("n180", "running", step="vacate")
    seen = drawn(live.screen(view(*nodes), NOW, height=20))
    assert len(seen.splitlines()) <= 20
    assert "n150" in seen
    assert "ESC-SYS-006 the installer ended with 1" in seen
    assert "n180" in seen
    assert "and 189 more" in seen


def test_who_asked_for_more_time_is_told_with_how_much():
    waiting = {"vnfm": "core", "node": "n2", "since": NOW - 90, "reply_by": NOW + 300, "deferred_until": NOW + 120}
    assert "waiting for core about n2 for 1 min 30 s, which asks for another 2 min, at most 5 min more" in drawn(
        live.screen(view(task("n2", "running"), waiting=[waiting]), NOW)
    )
    assert "which asked for time that is over" in drawn(
        live.screen(view(task("n2", "running"), waiting=[{**waiting, "deferred_until": NOW - 5, "reply_by": NOW - 5}]), NOW)
    )


def test_who_is_waited_for_can_be_answered_for_with_the_command_that_is_shown():
    waits = [{"vnfm": name, "notice": f"id-{name}", "node": "n2", "since": NOW} for name in ("duty", "core")]
    seen = drawn(live.screen(view(task("n2", "running"), waiting=waits), NOW), 120)
    assert "answer for duty: escalator notice reply id-duty --result ACK" in seen
    assert "id-core" not in seen


def test_the_screen_keeps_to_its_height_with_waiting_lines_too():
    waiting = [{"vnfm": f"v{n}", "node": "n", "since": NOW} for n in range(8)]
    more = {"waiting": waiting, "reason": "r", "next": ["a"]}
    seen = drawn(live.screen(view(*[task(f"n{n}") for n in range(100)], **more), NOW, height=30))
    assert len(seen.splitlines()) <= 30


def test_many_answers_that_are_waited_for_are_counted():
    waiting = [{"vnfm": f"v{n}", "node": "n", "since": NOW} for n in range(8)]
    seen = drawn(live.screen(view(task("n1"), waiting=waiting), NOW))
    assert seen.count("waiting for") == live.MOST_WAITS
    assert "and for 3 more answers" in seen


def test_a_group_that_did_not_succeed_is_the_wave_that_the_campaign_has_come_to():
    stuck = view(task("n1", "skipped", wave=1), task("n2", wave=2), code="ESC-UPG-042", state="suspended")
    assert live.wave(stuck) == ", wave 1 of 2"
    assert live.wave({**stuck, "code": ""}) == ", wave 2 of 2"


def test_on_a_screen_of_few_lines_messages_are_cut_and_never_the_nodes():
    long = task("compute-0001", "failed", code="ESC-SYS-006", message="the installer ended " * 20)
    lines = drawn(live.screen(view(long), NOW, height=20), 110).splitlines()
    assert any(line.startswith("compute-0001     1  failed") and "ESC-" in line for line in lines), lines
    assert sum("installer" in line for line in lines) <= 1


def test_on_a_narrow_screen_of_few_lines_those_that_need_a_look_have_a_line_of_their_own():
    told = [task(f"n{n:02}", "pending", message="waits for room: 2 nodes are out of service") for n in range(30)]
    said = "the installer ended with 100, and said a lot of things about it"
    told[20] = task("n20", "failed", code="ESC-SYS-006", message=said)
    lines = drawn(live.screen(view(*told), NOW, height=20), 80).splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    assert f"n20 ESC-SYS-006 {said}" in [line.rstrip() for line in lines]
    assert any(line.startswith("n20      1  failed") for line in lines), lines
    told[20]["message"] = said * 3
    cut = drawn(live.screen(view(*told), NOW, height=20), 80).splitlines()
    assert any(line.startswith("n20 ESC-SYS-006 the installer") for line in cut), "a message gives way to the node's name"


def test_markup_in_messages_is_text():
    seen = drawn(live.screen(view(task("n1", "failed", message="[red]ups[/red] [/]")), NOW))
    assert "[red]ups[/red] [/]" in seen


def test_changes_are_told_once_each():
    first = view(task("n1"), task("n2"))
    second = view(task("n1", "running", step="cordon"), task("n2"))
    third = view(task("n1", "failed", step="upgrade", code="ESC-SYS-006", message="no"), task("n2"))
    assert live.change_lines(None, first) == ["c1 running, 0 of 2 nodes upgraded"]
    assert live.change_lines(first, second) == ["n1 running cordon"]
    assert live.change_lines(second, second) == []
    assert live.change_lines(second, third) == [
        "n1 failed upgrade ESC-SYS-006: no",
        "c1 running, 0 of 2 nodes upgraded, 1 failed",
    ]
    waits = {**third, "code": "ESC-UPG-019", "reason": "waits for a host that failed: n9"}
    told = "c1 running, 0 of 2 nodes upgraded, 1 failed ESC-UPG-019: waits for a host that failed: n9"
    assert live.change_lines(third, waits) == [told]
    assert live.change_lines(waits, waits) == []
    over = {**third, "state": "suspended", "reason": "1 failed"}
    assert live.change_lines(third, over) == ["c1 suspended, 0 of 2 nodes upgraded, 1 failed: 1 failed"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (90, "1 min 30 s"), (600, "10 min"), (3599, "59 min"), (3600, "1 h 0 min"),
        (7500, "2 h 5 min"), (100_000, "1 d 3 h"), (-3, "0 s"), (None, ""), (float("inf"), ""),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds, shown):
    assert span(seconds) == shown


def test_times_are_read_in_both_forms():
    assert seconds_of("2026-01-01T00:00:00.000Z") == seconds_of(NOW) == NOW
    assert date_time("2026-01-01T00:00:00Z") == "2026-01-01 00:00:00Z"
    assert offset(3725) == "1:02:05"


def test_on_a_narrow_screen_messages_stand_below_the_nodes_in_lines_of_their_own():
    said = "the VNF manager core asks that the node be left alone until the morning"
    seen = view(task("cn-0007", "skipped", step="notify", code="ESC-UPG-011", message=said), task("cn-0008"), state="suspended")
    narrow = drawn(live.screen(seen, NOW), 80).splitlines()
    assert max(map(len, narrow)) <= 80
    row = next(n for n, line in enumerate(narrow) if line.startswith("cn-0007"))
    assert narrow[row + 1].startswith("cn-0008"), "a node is one line"
    below = next(n for n, line in enumerate(narrow) if line.startswith("cn-0007 ESC-UPG-011"))
    assert " ".join(" ".join(narrow[below : below + 2]).split()) == f"cn-0007 ESC-UPG-011 {said}"
    assert f"ESC-UPG-011 {said}" in drawn(live.screen(seen, NOW), 160)


def test_a_node_that_is_held_back_does_not_keep_the_campaign_in_its_wave():
    held, late = task("n1", "held", wave=4), task("n9", wave=13)
    at_work = [task("n2", "running", wave=5), task("n3", "running", wave=12), task("n4", "running", wave=12)]
    assert live.wave(view(held, late, *at_work)) == ", waves 5 to 12 of 13"
    assert live.wave(view(held, late, at_work[1])) == ", wave 12 of 13"
    assert live.wave(view(held, late)) == ", wave 13 of 13"
    assert live.wave(view(held, task("n9", "done", wave=13))) == ", wave 4 of 13"


def test_on_the_way_back_header_rows_and_waves_are_those_of_the_way_back():
    back = {"kind": "rollback", "wave": 2}
    going = task("n1", "running", Rung.CORDONED, **back)
    seen = drawn(live.screen(view(going, task("n2", **{**back, "wave": 4}), state="rolling_back"), NOW))
    assert "C N V b A" in seen
    assert "S C N V B U R v A" not in seen
    assert "ladder: way back: Cordon" in seen
    both = drawn(live.screen(view(going, task("n2", **{**back, "wave": 4}), task("n3", "skipped", wave=6)), NOW))
    assert "wave 2 of 4" in both
    assert "C N V b A" in both
    assert "S C N V B U R v A" not in both
    assert "ladder: way back: Cordon" in both
    row = next(line for line in both.splitlines() if line.startswith("n3"))
    assert row.split() == ["n3", "6", "skipped"], "a node without a part in the way back shows no ladder"


FROZEN = {"frozen": True, "since": "2026-01-01T00:00:00Z", "reason": "storm"}
SAID = "everything is frozen: storm; it ends with escalator freeze end"


def test_a_freeze_stands_above_whatever_else_the_campaign_waits_for():
    seen = drawn(live.screen(view(task("n1"), state="rollback_paused", reason="paused by a person", freeze=FROZEN), NOW))
    assert seen.splitlines()[:3] == ["c1  ROLLBACK_PAUSED", SAID, "paused by a person"]
    alone = drawn(live.screen(view(task("n1"), state="rolling_back", reason=SAID, freeze=FROZEN), NOW))
    assert alone.count(SAID) == 1
    assert "frozen" not in drawn(live.screen(view(task("n1"), state="rolling_back", freeze=None), NOW))


def test_output_that_is_no_terminal_tells_a_freeze_once_and_its_end():
    before = view(task("n1"), state="rolling_back", reason="it was wrong", freeze=None)
    frozen = {**before, "freeze": FROZEN}
    held = {**frozen, "reason": SAID}
    assert live.change_lines(before, frozen) == [f"c1: {SAID}"]
    assert live.change_lines(before, held) == [f"c1: {SAID}"]
    assert live.change_lines(frozen, held) == []
    assert live.change_lines(held, before)[0] == "c1: the freeze has ended"
