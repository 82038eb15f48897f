from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from beds.vnfm.clocks import SteppedClock
from escalator.api.vnfm_throttle import claimed
from escalator.vim_interface.throttle import KNOWN_S, MAX_KEPT, NAMES, WINDOW_S, Throttle

HERE = "192.0.2.1"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(1000.0)


def wrong(throttle: Throttle, name: str, times: int, source: str = HERE) -> None:
    for _ in range(times):
        throttle.wrong(source, name)


async def test_who_is_wrong_too_often_is_heard_again_after_a_minute(clock):
    throttle = Throttle(clock, 3)
    wrong(throttle, "a", 2)
    assert throttle.wait_s(HERE, "a") == 0
    await clock.advance(10.0)
    wrong(throttle, "a", 1)
    assert throttle.wait_s(HERE, "a") == WINDOW_S - 10
    await clock.advance(WINDOW_S - 10.5)
    assert throttle.wait_s(HERE, "a") == 1
    await clock.advance(0.5)
    assert throttle.wait_s(HERE, "a") == 0
    wrong(throttle, "a", 2)
    assert throttle.wait_s(HERE, "a") == 0


def test_another_name_and_another_source_are_heard(clock):
    throttle = Throttle(clock, 3)
    wrong(throttle, "a", 3)
    assert throttle.wait_s(HERE, "b") == 0
    assert throttle.wait_s("192.0.2.2", "a") == 0


async def test_who_is_known_is_so_for_a_day(clock):
    throttle = Throttle(clock, 3)
    throttle.right(HERE, "a", b"right")
    for number in range(3 * NAMES):
        wrong(throttle, f"name-{number}", 1)
    assert (throttle.wait_s(HERE, "a", b"right"), throttle.wait_s(HERE, "a", b"other")) == (0, 0)
    # It is known under its name alone, wherever it calls from with that credential.
    assert throttle.wait_s(HERE, "b", b"right") > 0
    wrong(throttle, "a", 3)
    assert throttle.wait_s(HERE, "a", b"right") == 0
    assert throttle.wait_s(HERE, "a", b"other") > 0
    await clock.advance(KNOWN_S)
    wrong(throttle, "a", 3)
    assert throttle.wait_s(HERE, "a", b"right") > 0


def test_who_is_known_is_bounded(clock):
    throttle = Throttle(clock, 3)
    for number in range(MAX_KEPT):
        throttle.right(HERE, f"name-{number}", b"right")
    wrong(throttle, "name-0", 3)
    assert throttle.wait_s(HERE, "name-0", b"right") > 0


def test_names_cannot_be_tried_one_by_one(clock):
    throttle = Throttle(clock, 3)
    for number in range(3 * NAMES):
        assert throttle.wait_s(HERE, "next") == 0
        wrong(throttle, f"name-{number}", 1)
    assert throttle.wait_s(HERE, "next") > 0
    assert throttle.wait_s("192.0.2.2", "next") == 0


def test_no_more_than_a_bound_is_kept(clock):
    throttle = Throttle(clock, 1)
    for number in range(MAX_KEPT):
        throttle.wrong(f"source-{number}", "a")
    assert throttle.wait_s("source-0", "a") == 0
    assert throttle.wait_s(f"source-{MAX_KEPT - 1}", "a") > 0
    assert len(throttle._counts) == MAX_KEPT


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/vi-vnfm/v1/replies/x", {}, None),
        ("/vi-vnfm/v1/orchestrators/x", {}, None),
        ("/vi-vnfm/v1/subscriptions", {}, "/vi-vnfm/v1/subscriptions "),
        ("/vi-vnfm/v1/subscriptions/x", {"authorization": "Basic dXNlcjpwYXNz"}, "/vi-vnfm/v1/subscriptions user"),
        ("/vi-vnfm/v1/subscriptions", {"authorization": "Basic !"}, "/vi-vnfm/v1/subscriptions "),
        ("/fenix/v1/maintenance/s1/p1", {}, "/fenix/v1 p1"),
        ("/fenix/v1/maintenance/s1", {}, "/fenix/v1 "),
        ("/fenix/v1/instance/i1", {}, "/fenix/v1 "),
        ("/tacker/v2/p1/servers/s1/alarms", {}, "/tacker p1"),
        ("/tacker/a-key/v2/p1/servers/s1/alarms", {}, "/tacker "),
    ],
)
def test_callers_are_told_apart_by_what_they_say_of_themselves(path, headers, name):
    assert claimed(path, Headers(headers)) == name
