from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.model.notice import AffectedResource, Notice, NoticeState, NoticeType, Reply
from escalator.vim_interface.negotiation import FIRST_REPLY_BY, OPEN, Verdict, judge
from escalator.vim_interface.times import from_rfc3339, to_rfc3339

NOW = 1_800_000_000.0
REPLY_BY = NOW + 300
MAX_DEFER_S = 3600.0


def resource(name: str) -> AffectedResource:
    return AffectedResource(resource_id=name, project_id="p1", planned_action="live")


def notice(**changes: Any) -> Notice:
    base = Notice(
        id="n1",
        type=NoticeType.HOST_MAINTENANCE_UPCOMING,
        vnfm="vnfm-1",
        campaign="c1",
        resources=(resource("vm-1"), resource("vm-2")),
        allowed_actions=("MOVED", "KEEP", "OWN_ACTION", "MIGRATE"),
        created_at=NOW,
        reply_by=REPLY_BY,
        state=NoticeState.DELIVERED,
    )
    return replace(base, **changes)


def verdict(given: Notice, reply: Reply, now: float = NOW + 1) -> Verdict:
    return judge(given, reply, now, max_defer_s=MAX_DEFER_S).verdict


def problems(given: Notice, reply: Reply, now: float = NOW + 1) -> list[str]:
    return [str(p) for p in judge(given, reply, now, max_defer_s=MAX_DEFER_S).problems]


def deferral(seconds: float) -> Reply:
    return Reply(result="DEFER", until=to_rfc3339(NOW + seconds))


ACK = Reply(result="ACK", instances={"vm-1": "MOVED"})
NACK = Reply(result="NACK", reason="busy")


@pytest.mark.parametrize("state", OPEN)
def test_a_reply_in_time_is_accepted_even_before_the_delivery_is_written_down(state: NoticeState):
    assert verdict(notice(state=state), ACK) is Verdict.ACCEPTED


def test_the_same_reply_again_is_a_duplicate_at_any_time():
    answered = notice(state=NoticeState.ANSWERED, reply=ACK)
    assert verdict(answered, ACK.model_copy(), REPLY_BY + 1e6) is Verdict.DUPLICATE


def test_another_reply_after_an_accepted_one_is_superseded():
    assert verdict(notice(state=NoticeState.ANSWERED, reply=ACK), NACK) is Verdict.SUPERSEDED


def test_a_reply_at_the_deadline_is_late_and_just_before_it_is_not():
    assert verdict(notice(), ACK, REPLY_BY - 0.001) is Verdict.ACCEPTED
    assert verdict(notice(), ACK, REPLY_BY) is Verdict.LATE


@pytest.mark.parametrize("state", [NoticeState.SILENT, NoticeState.UNDELIVERABLE, NoticeState.CANCELLED])
def test_a_settled_notice_takes_no_reply_even_before_its_deadline(state: NoticeState):
    assert verdict(notice(state=state), ACK) is Verdict.LATE


def test_every_problem_of_a_reply_is_named():
    reply = Reply(result="DEFER", instances={"vm-1": "LIVE_MIGRATE", "vm-9": "MOVED", "vm-2": "MOVED"})
    assert problems(notice(), reply) == [
        "until: DEFER needs the time until which to wait",
        "instances.vm-1: LIVE_MIGRATE is not possible here; possible: MOVED, KEEP, OWN_ACTION, MIGRATE",
        "instances.vm-9: the notice is not about this instance",
    ]


@pytest.mark.parametrize(
    "until", ["tomorrow", "2027-01-15T08:00:00", "", "2027-01-15T08:00:00Z" * 10, "9999999", "2027-13-01T00:00:00Z"]
)
def test_a_deferral_needs_a_time_with_a_zone(until: str):
    assert problems(notice(), Reply(result="DEFER", until=until))[0].startswith("until: this is no RFC 3339 time")


def test_a_deferral_into_the_past_is_invalid():
    assert verdict(notice(), deferral(0.5)) is Verdict.INVALID


def test_a_deferral_reaches_no_further_than_the_bound_after_the_first_deadline():
    assert verdict(notice(), deferral(300 + MAX_DEFER_S)) is Verdict.ACCEPTED
    assert verdict(notice(), deferral(300 + MAX_DEFER_S + 1)) is Verdict.INVALID


def test_many_deferrals_together_reach_no_further_than_one():
    deferred = notice(reply=deferral(900), reply_by=NOW + 900, details={FIRST_REPLY_BY: str(REPLY_BY)})
    assert verdict(deferred, deferral(300 + MAX_DEFER_S)) is Verdict.ACCEPTED
    assert verdict(deferred, deferral(300 + MAX_DEFER_S + 1)) is Verdict.INVALID


def test_only_a_deferral_has_a_time():
    assert problems(notice(), Reply(result="ACK", until=to_rfc3339(NOW + 60))) == [
        "until: only DEFER has a time; the result is ACK"
    ]


def test_a_deferral_may_be_followed_by_an_answer_before_it_is_accepted_and_after_the_first_deadline():
    deferred = notice(state=NoticeState.ANSWERED, reply=deferral(900))
    assert verdict(deferred, ACK, REPLY_BY + 10) is Verdict.ACCEPTED


def test_a_deferral_that_nobody_takes_up_waits_for_its_answer_however_long_its_campaign_rests():
    deferred = notice(state=NoticeState.ANSWERED, reply=deferral(900))
    assert verdict(deferred, ACK, NOW + 9000) is Verdict.ACCEPTED
    assert verdict(replace(deferred, state=NoticeState.DELIVERED, reply_by=NOW + 905), ACK, NOW + 9000) is Verdict.LATE


def test_a_deferral_repeated_after_its_acceptance_is_no_new_one():
    reopened = notice(reply=deferral(900), reply_by=NOW + 900)
    assert verdict(reopened, deferral(900)) is Verdict.DUPLICATE
    assert verdict(reopened, ACK) is Verdict.ACCEPTED


times = st.floats(min_value=NOW - 1000, max_value=NOW + 10_000)
ids = st.sampled_from(["vm-1", "vm-2", "vm-3", ""])
dispositions = st.sampled_from(["MOVED", "KEEP", "MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"])
replies = st.builds(
    Reply,
    result=st.sampled_from(["ACK", "NACK", "DEFER"]),
    until=st.none() | times.map(to_rfc3339) | st.text(max_size=50),
    instances=st.dictionaries(ids, dispositions, max_size=3),
    reason=st.none() | st.just("because"),
)
valid_deferrals = times.map(lambda t: Reply(result="DEFER", until=to_rfc3339(t)))


@given(reply=replies, now=times, state=st.sampled_from(list(NoticeState)))
def test_what_is_accepted_fits_the_notice_and_came_in_time(reply: Reply, now: float, state: NoticeState):
    given_notice = notice(state=state, reply=ACK if state is NoticeState.ANSWERED else None)
    if verdict(given_notice, reply, now) is not Verdict.ACCEPTED:
        return
    assert state in OPEN
    assert now < REPLY_BY
    assert set(reply.instances) <= {"vm-1", "vm-2"}
    assert set(reply.instances.values()) <= set(given_notice.allowed_actions)
    if reply.result == "DEFER":
        assert reply.until is not None
        assert now < from_rfc3339(reply.until) <= REPLY_BY + MAX_DEFER_S
    else:
        assert reply.until is None


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=200), replies | valid_deferrals), max_size=8), st.data())
def test_at_most_one_final_answer_counts_and_confirming_it_again_never_fails(
    arrivals: list[tuple[float, Reply]], data: st.DataObject
):
    row, now = notice(), NOW
    final: list[Reply] = []
    for pause, reply in arrivals:
        now += pause
        judgement = verdict(row, reply, now)
        if judgement is Verdict.ACCEPTED:
            row = replace(row, state=NoticeState.ANSWERED, reply=reply, answered_at=now)
            final += [reply] if reply.result != "DEFER" else []
            assert verdict(row, reply, now) is Verdict.DUPLICATE
        if row.reply is not None and row.reply.result == "DEFER" and row.reply.until is not None and data.draw(st.booleans()):
            # The Upgrade Manager accepts the deferral.
            until = from_rfc3339(row.reply.until)
            first = row.details.get(FIRST_REPLY_BY, str(row.reply_by))
            row = replace(row, state=NoticeState.DELIVERED, reply_by=until, details={FIRST_REPLY_BY: first})
            assert until <= REPLY_BY + MAX_DEFER_S
    assert len(final) <= 1
    if final:
        assert row.reply == final[0]
        assert verdict(row, final[0], now + 1e6) is Verdict.DUPLICATE
