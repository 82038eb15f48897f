"""The table of answers: what a VNF manager's word, its silence or a lost notice allows, for every planned action."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.inventory import Instance
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.steps.consult import _decide, _said, _trouble
from escalator.vim_interface.port import Answer

PLANNED = ("live", "cold", "in-place", "stop-start", "offline")
HARMFUL = ("cold", "in-place", "stop-start")


def instance(migration: str = "live", state: str = "active") -> Instance:
    return Instance(id="v", project="p", node="a", migration=migration, state=state)


def answer(state: str = "answered", result: str | None = "ACK", said: str | None = None, **more: Any) -> Answer:
    words = {} if said is None else {"v": said}
    return Answer(vnfm="m", notice="n", state=state, result=result, instances=("v",), dispositions=words, **more)


def decided(planned: str, *answers: Answer, of: Instance | None = None, noticing: bool = False) -> str | Outcome:
    found = _decide({"v": planned}, answers, {"v": of or instance()}, {"v"} if noticing else ())
    return found if isinstance(found, Outcome) else found["v"]


@pytest.mark.parametrize("planned", PLANNED)
@pytest.mark.parametrize(
    ("state", "result"),
    [("silent", None), ("undeliverable", None), ("cancelled", None), ("answered", "NACK"), ("answered", "ACK")],
)
def test_without_a_word_about_the_instance_only_a_live_migration_is_allowed(planned: str, state: str, result: str | None) -> None:
    found = decided(planned, answer(state, result))
    if planned in HARMFUL:
        assert isinstance(found, Outcome)
        assert found.status is Status.SKIP
        assert f"does not allow {planned} of instance v" in found.message
    else:
        assert found == planned


@pytest.mark.parametrize(
    ("state", "result", "code"),
    [
        ("silent", None, Code.UPG_SILENT),
        ("undeliverable", None, Code.UPG_UNDELIVERABLE),
        ("answered", "NACK", Code.UPG_REJECTED),
        ("answered", "ACK", Code.UPG_REJECTED),
    ],
)
def test_the_code_says_which_of_them_it_was(state: str, result: str | None, code: Code) -> None:
    found = decided("in-place", answer(state, result))
    assert isinstance(found, Outcome)
    assert found.code == code.value


@pytest.mark.parametrize("result", ["ACK", "NACK", None])
@pytest.mark.parametrize("state", ["answered", "silent", "undeliverable"])
def test_a_live_migration_that_is_noticed_needs_a_yes_where_no_group_bears_it(state: str, result: str | None) -> None:
    found = decided("live", answer(state, result if state == "answered" else None), noticing=True)
    if (state, result) == ("answered", "ACK"):
        assert found == "live"
    else:
        assert isinstance(found, Outcome)
        assert (found.status, found.code) == (Status.SKIP, Code.VIM_NOTICED.value)


@pytest.mark.parametrize("state", ["silent", "undeliverable"])
def test_of_a_notice_without_an_answer_about_all_an_instance_has_the_one_about_it(state: str) -> None:
    assert decided("in-place", answer(state, None, "OWN_ACTION", heard=("v",))) == "own"
    assert decided("live", answer(state, None, heard=("v",)), noticing=True) == "live"
    found = decided("in-place", answer(state, None, heard=("v",)))
    assert isinstance(found, Outcome)
    assert found.message == "the answer of m does not allow in-place of instance v"
    other = _decide({"v": "in-place"}, [answer(state, None, heard=("w",))], {"v": instance()})
    assert isinstance(other, Outcome)


def test_it_is_said_about_which_there_was_no_word() -> None:
    some = Answer(vnfm="m", notice="n", state="silent", instances=("a", "b", "c"), heard=("b",))
    assert _said(some) == "m did not answer in time about a, c of 3 instances"
    many = Answer(vnfm="m", notice="n", state="silent", instances=tuple("abcdefgh"), heard=("b",))
    assert _said(many) == "m did not answer in time about a, c, d, e, f and 2 more of 8 instances"
    assert _said(answer("silent", None)) == "m did not answer in time"


@pytest.mark.parametrize(("planned", "said"), [*product(PLANNED, ("MOVED", "KEEP"))])
def test_moved_and_keep_consent_to_what_is_planned(planned: str, said: str) -> None:
    assert decided(planned, answer(said=said)) == planned


@pytest.mark.parametrize("planned", PLANNED)
def test_own_action_leaves_the_instance_to_its_manager(planned: str) -> None:
    assert decided(planned, answer(said="OWN_ACTION")) == "own"


@pytest.mark.parametrize(
    ("said", "migration", "expected"),
    [
        ("MIGRATE", "live", "live"),
        ("MIGRATE", "cold", "cold"),
        ("MIGRATE", "none", None),
        ("LIVE_MIGRATE", "live", "live"),
        ("LIVE_MIGRATE", "cold", None),
        ("LIVE_MIGRATE", "none", None),
    ],
)
@pytest.mark.parametrize("planned", HARMFUL)
def test_migrate_moves_what_can_move_and_never_allows_anything_else(
    said: str, migration: str, expected: str | None, planned: str
) -> None:
    found = decided(planned, answer(said=said), of=instance(migration))
    assert isinstance(found, Outcome) if expected is None else found == expected


@pytest.mark.parametrize("said", ["MIGRATE", "LIVE_MIGRATE"])
def test_what_does_not_run_is_not_migrated(said: str) -> None:
    assert decided("offline", answer(said=said), of=instance(state="stopped")) == "offline"


def test_nobody_needs_to_consent_to_what_nobody_speaks_for() -> None:
    assert decided("stop-start") == "stop-start"


def test_an_instance_that_is_gone_is_not_decided_about() -> None:
    assert _decide({"v": "in-place"}, [answer("silent", None)], {}) == {}


def test_each_manager_speaks_for_its_own() -> None:
    mine = answer(said="KEEP")
    theirs = Answer(vnfm="o", notice="o", state="silent", instances=("w",))
    instances = {"v": instance(), "w": instance().model_copy(update={"id": "w"})}
    assert _decide({"v": "in-place", "w": "live"}, [mine, theirs], instances) == {"v": "in-place", "w": "live"}
    assert isinstance(_decide({"v": "in-place", "w": "in-place"}, [mine, theirs], instances), Outcome)


@pytest.mark.parametrize(
    ("given", "trouble"),
    [
        (answer("undeliverable", None), Code.UPG_UNDELIVERABLE),
        (answer("silent", None), Code.UPG_SILENT),
        (answer("answered", "NACK"), Code.UPG_REJECTED),
        (answer("answered", "ACK"), None),
        (answer("answered", "DEFER"), None),
        (answer("open", None), None),
    ],
)
def test_a_lost_notice_is_not_silence(given: Answer, trouble: Code | None) -> None:
    assert _trouble(given) is trouble
