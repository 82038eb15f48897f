from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

from escalator.cli import node, notice
from escalator.cli.base import Csv, Shown, Table, Value, human, title

ID = "f526a89f-7163-5e87-b05f-d8f5923fbbcb"


def table(names, rows, width=0, read=""):
    out = io.StringIO()
    Table(read).emit_list(names, rows, out, SimpleNamespace(max_width=width, fit_width=False, print_empty=False))
    return out.getvalue()


def test_a_table_is_folded_to_the_screen_and_ids_stay_in_one_piece():
    seen = table(["id", "message", "reason"], [[ID, "word " * 30, "x"]], 90)
    assert max(map(len, seen.splitlines())) <= 90
    assert ID in seen
    assert seen.count("word") == 30


def test_a_table_that_fits_is_left_alone_and_one_that_cannot_fit_stays_readable():
    assert len(table(["id", "message"], [[ID, "short"]], 90).splitlines()) == 5
    narrow = table(["id", "message"], [[ID, "word " * 30]], 30)
    assert ID in narrow
    assert "| word word word word " in narrow


WHEN = "2026-11-29 22:07:40Z"


def test_on_a_narrow_screen_the_others_give_way_to_what_is_read():
    row = [WHEN, "notice.undeliverable", "site7-agents-2-0-night", "cn-0008", "word " * 12]
    seen = table(["at", "action", "campaign", "node", "message"], [row], 90, "message")
    assert max(map(len, seen.splitlines())) <= 90
    assert "| word word word word word " in seen, "dates and names are folded first"
    assert "| 2026-11-29 | notice.undeliverable |" in seen
    alike = table(["at", "action", "campaign", "node", "message"], [row], 90)
    assert "word word word word word" not in alike


def test_words_are_not_broken_and_what_cannot_fit_is_rather_too_wide():
    rows = [["n1", "notice.undeliverable", "word " * 10]]
    seen = table(["id", "action", "message"], rows, 60, "message")
    assert max(map(len, seen.splitlines())) <= 60
    assert "notice.undeliverable" in seen
    assert "notice.undeliverable" in table(["id", "action", "message"], rows, 20, "message")


def test_without_a_screen_nothing_is_folded():
    assert len(table(["id", "message"], [[ID, "word " * 100]]).splitlines()) == 5


def test_titles_are_for_people_and_an_empty_list_is_nothing():
    assert "| Started at |" in table(["started_at"], [["now"]])
    assert table(["a"], []) == ""


def test_what_is_missing_is_an_empty_cell_of_csv():
    out = io.StringIO()
    Csv().emit_list(["a", "b"], [[None, Shown(None, "nothing")]], out, SimpleNamespace(quote_mode="minimal"))
    assert out.getvalue().split() == ["a,b", ","]


ODD = [Shown({"total": 12, "who": "é"}, "12"), Shown(None, ""), True, [1, "a"], "word", 0]


def test_bare_values_are_no_python():
    out = io.StringIO()
    Value().emit_list(list("abcdef"), [ODD], out, None)
    assert out.getvalue() == '{"total": 12, "who": "é"}  true [1, "a"] word 0\n'
    one = io.StringIO()
    Value().emit_one(list("abcdef"), ODD, one, None)
    assert one.getvalue().splitlines() == ['{"total": 12, "who": "é"}', "", "true", '[1, "a"]', "word", "0"]
    lines = io.StringIO()
    Csv().emit_list(list("abcdef"), [ODD], lines, SimpleNamespace(quote_mode="minimal"))
    assert json.loads(next(csv.reader([lines.getvalue().splitlines()[1]]))[0]) == {"total": 12, "who": "é"}


def test_values_are_said_as_people_say_them():
    assert (human(None), human(True), human([1, 2]), human({"a": None})) == ("", "yes", "1\n2", "a: ")
    assert title("az") == "Az"
    assert Shown({"a": 1}, "one").machine_readable() == {"a": 1}
    assert str(Shown({"a": 1}, "one")) == "one"


def test_a_rung_that_was_left_again_and_a_notice_withdrawn_after_its_answer_say_so() -> None:
    rung = {"rung": "Cordoned", "status": False, "since": "2026-01-01T00:00:00Z", "message": "the compute service is as it was"}
    assert node.rung_line(rung) == "Cordoned undone  2026-01-01T00:00:00Z  the compute service is as it was"
    assert node.rung_line(rung | {"status": True}).startswith("Cordoned  2026")
    assert notice.state_line({"state": "cancelled", "result": "ACK"}) == "cancelled after ACK"
    assert notice.state_line({"state": "answered", "result": "ACK"}) == "answered ACK"
    assert notice.state_line({"state": "delivered", "result": "DEFER"}) == "deferred"
    assert notice.state_line({"state": "undeliverable", "result": None}) == "not delivered"
    assert "reply_by" not in notice.ListNotices.spare


def test_no_cell_of_csv_is_a_formula_whatever_a_name_begins_with() -> None:
    given = ["=HYPERLINK(1)", "+cmd", "-x", "@SUM(1)", "\tx", "a=b", "-5", "+358 40 123", "-1.5%", -5, None, "'=1"]
    out = io.StringIO()
    Csv().emit_list([str(n) for n in range(len(given))], [given], out, SimpleNamespace(quote_mode="minimal"))
    cells = next(csv.reader([out.getvalue().splitlines()[1]]))
    assert cells[:5] == ["'=HYPERLINK(1)", "'+cmd", "'-x", "'@SUM(1)", "'\tx"]
    assert cells[5:] == ["a=b", "-5", "+358 40 123", "-1.5%", "-5", "", "'=1"]
