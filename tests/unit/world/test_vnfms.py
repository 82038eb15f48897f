from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.errors import NotFoundError, PermanentError, TemporaryError
from escalator.model.notice import NoticeType
from escalator.world.records import VnfmRow
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TurnedClock, a_notice, a_release


def told(world: World, behaviour: str, planned: str = "in-place") -> None:
    world.vnfms.put(VnfmRow(name="v", behaviour=behaviour, delay_s=20, defer_s=100, projects=("p",)))
    world.vnfms.deliver("v", a_notice(planned=planned))


@pytest.mark.parametrize(
    ("behaviour", "planned", "said"),
    [
        ("moves", "live", "MOVED"),
        ("keep", "live", "KEEP"),
        ("own", "live", "OWN_ACTION"),
        ("migrate", "in-place", "MIGRATE"),
        ("live-migrate", "in-place", "LIVE_MIGRATE"),
        ("follows", "live", "MIGRATE"),
        ("follows", "cold", "MIGRATE"),
        ("follows", "in-place", "MOVED"),
        ("follows", "stop-start", "MOVED"),
    ],
)
def test_an_agreement_names_every_instance_and_comes_after_its_delay(
    world: World, clock: TurnedClock, behaviour: str, planned: str, said: str
) -> None:
    told(world, behaviour, planned)
    clock.time += 19
    assert world.vnfms.due_replies() == ()
    assert world.vnfms.next_reply_at() == clock.time + 1
    clock.time += 1
    (pending,) = world.vnfms.due_replies()
    assert (pending.notice, pending.token, pending.reply.result) == ("notice-1", "token", "ACK")
    assert pending.reply.instances == {"vm-1": said}


def test_what_is_not_possible_is_not_asked_for(world: World, clock: TurnedClock) -> None:
    world.vnfms.put(VnfmRow(name="v", behaviour="migrate"))
    world.vnfms.deliver("v", replace(a_notice(), allowed_actions=("MOVED", "KEEP", "OWN_ACTION")))
    clock.time += 20
    assert world.vnfms.due_replies()[0].reply.instances == {"vm-1": "MOVED"}


def test_a_reply_is_offered_until_it_is_taken(world: World, clock: TurnedClock) -> None:
    told(world, "moves")
    clock.time += 20
    assert world.vnfms.due_replies() == world.vnfms.due_replies() != ()
    world.vnfms.replied("notice-1", 0)
    world.vnfms.replied("notice-1", 0)
    assert world.vnfms.due_replies() == ()
    assert world.vnfms.next_reply_at() is None


def test_refusal_and_silence(world: World, clock: TurnedClock) -> None:
    told(world, "refuse")
    world.vnfms.behave("v", "silent")
    world.vnfms.deliver("v", a_notice(2))
    clock.time += 1e6
    assert [(r.notice, r.reply.result) for r in world.vnfms.due_replies()] == [("notice-1", "NACK")]
    assert [h.notice for h in world.vnfms.heard("v")] == ["notice-1", "notice-2"]


def test_a_deferral_names_its_time_and_is_followed_by_an_answer_before_it(world: World, clock: TurnedClock) -> None:
    told(world, "defer")
    clock.time += 20
    (deferral,) = world.vnfms.due_replies()
    assert (deferral.reply.result, deferral.reply.until) == ("DEFER", "1970-01-12T13:48:40+00:00")
    world.vnfms.replied("notice-1", deferral.number)
    clock.time += 79
    assert world.vnfms.due_replies() == ()
    clock.time += 1
    assert [r.reply.result for r in world.vnfms.due_replies()] == ["ACK"]


def test_a_late_answer_comes_after_the_deadline(world: World, clock: TurnedClock) -> None:
    told(world, "late")
    clock.time = 1_000_300.0
    assert world.vnfms.due_replies() == ()
    clock.time += 20
    assert len(world.vnfms.due_replies()) == 1


def test_a_second_thought_differs_from_the_first_answer(world: World, clock: TurnedClock) -> None:
    told(world, "twice")
    clock.time += 20
    assert [r.reply.result for r in world.vnfms.due_replies()] == ["ACK"]
    clock.time += 20
    assert [(r.number, r.reply.result) for r in world.vnfms.due_replies()] == [(0, "ACK"), (1, "NACK")]


def test_one_that_is_unreachable_hears_nothing_until_it_is_back(world: World) -> None:
    with pytest.raises(TemporaryError) as caught:
        told(world, "unreachable")
    assert caught.value.code is Code.VIM_UNREACHABLE
    with pytest.raises(TemporaryError):
        world.vnfms.probe("v")
    assert world.vnfms.heard() == ()
    world.vnfms.behave("v", "moves", delay_s=1)
    world.vnfms.probe("v")
    world.vnfms.deliver("v", a_notice())
    assert len(world.vnfms.heard("v")) == 1


def test_the_same_notice_twice_is_answered_once(world: World, clock: TurnedClock) -> None:
    told(world, "moves")
    world.vnfms.deliver("v", a_notice())
    clock.time += 20
    assert len(world.vnfms.due_replies()) == 1
    assert [(h.notice, h.times) for h in world.vnfms.heard()] == [("notice-1", 2)]


def test_the_same_notice_with_another_address_to_reply_to_is_answered_anew(world: World, clock: TurnedClock) -> None:
    told(world, "moves")
    clock.time += 20
    world.vnfms.replied("notice-1", 0)
    world.vnfms.deliver("v", a_notice())
    assert world.vnfms.next_reply_at() is None
    world.vnfms.deliver("v", replace(a_notice(), reply_token="another"))
    clock.time += 20
    (pending,) = world.vnfms.due_replies()
    assert (pending.token, pending.reply.result) == ("another", "ACK")


def test_a_delivery_whose_answer_is_lost_was_heard(world: World) -> None:
    world.vnfms.put(VnfmRow(name="v"))
    world.faults.add(
        Fault(kind="delivery", vnfm="v", effect="lost", first=1), Fault(kind="delivery", vnfm="v", effect="fail", first=2)
    )
    with pytest.raises(TemporaryError):
        world.vnfms.deliver("v", a_notice())
    assert len(world.vnfms.heard()) == 1
    with pytest.raises(PermanentError):
        world.vnfms.deliver("v", a_notice())


def test_an_unknown_one_is_not_found(world: World) -> None:
    for call in (
        lambda: world.vnfms.get("x"),
        lambda: world.vnfms.deliver("x", a_notice()),
        lambda: world.vnfms.behave("x", "moves"),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_a_notice_that_asks_nothing_gets_no_answer(world: World, clock: TurnedClock) -> None:
    world.vnfms.put(VnfmRow(name="v"))
    world.vnfms.deliver("v", a_notice(kind=NoticeType.MAINTENANCE_PLANNED))
    clock.time += 1e6
    assert world.vnfms.due_replies() == ()
    assert [h.type for h in world.vnfms.heard()] == ["MaintenancePlanned"]


def incidents_after(world: World) -> list[str | None]:
    world.hosts.cordon("a", "campaign c")
    world.operations.upgrade("a", a_release(), "u")
    return [i.instance for i in world.audit.incidents]


@pytest.mark.parametrize("behaviour", ["moves", "keep", "own"])
def test_what_was_released_in_time_may_be_impacted_in_place(world: World, clock: TurnedClock, behaviour: str) -> None:
    told(world, behaviour)
    clock.time += 20
    assert incidents_after(world) == ["vm-3"]


def test_what_is_not_released_yet_may_not_be_impacted(world: World, clock: TurnedClock) -> None:
    told(world, "moves")
    clock.time += 19
    assert incidents_after(world) == ["vm-1", "vm-3"]


@pytest.mark.parametrize("behaviour", ["refuse", "silent", "migrate"])
def test_without_a_release_an_impact_in_place_is_an_incident(world: World, clock: TurnedClock, behaviour: str) -> None:
    told(world, behaviour)
    clock.time += 1000
    assert incidents_after(world) == ["vm-1", "vm-3"]


@pytest.mark.parametrize("kind", [NoticeType.HOST_AVAILABLE, NoticeType.NOTICE_CANCELLED])
def test_the_business_comes_back_when_the_host_does(world: World, clock: TurnedClock, kind: NoticeType) -> None:
    told(world, "moves")
    clock.time += 20
    world.vnfms.deliver("v", a_notice(2, kind=kind))
    assert incidents_after(world) == ["vm-1", "vm-3"]


def test_an_instance_that_moved_and_came_back_is_released_no_more(world: World, clock: TurnedClock) -> None:
    told(world, "moves")
    for origin, target in (("a", "c"), ("c", "a")):
        clock.time += 20
        world.moves.start("vm-1", origin, target, "live")
    clock.time += 20
    assert incidents_after(world) == ["vm-1", "vm-3"]


def test_registrations_name_what_each_owns(world: World) -> None:
    world.vnfms.put(VnfmRow(name="v", projects=("p",), vnfs=("amf",), instances=("vm-9",)))
    (registration,) = world.vnfms.registrations()
    assert (registration.name, registration.spec.dialect) == ("v", "simulated")
    assert (registration.spec.projects, registration.spec.vnfs, registration.spec.instances) == (("p",), ("amf",), ("vm-9",))
