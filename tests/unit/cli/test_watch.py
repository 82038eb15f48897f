from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from escalator.cli.watch import PATIENCE, Watching, waiting_for, watch
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError


class Clock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


def campaign(state):
    return {"name": "c1", "state": state, "tasks": [], "progress": None}


def following(*found, timeout_s=None, takes_s=0.0, clock=None):
    """Watch a campaign that is found in these states, one look after another, the last for ever; each look takes that long."""
    looks: Iterator = iter(found)
    last = found[-1]
    clock, out = clock or Clock(), io.StringIO()

    def fetch():
        clock.time += takes_s
        one = next(looks, last)
        if isinstance(one, Exception):
            raise one
        return campaign(one)

    view, code = watch(fetch, Watching(out, timeout_s, now=clock.now, sleep=clock.sleep))
    return view["state"], code, out.getvalue()


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("aborted", 1), ("suspended", 4), ("paused", 4)])
def test_watching_ends_with_the_campaign_and_its_exit_code(state, code):
    assert following("running", "running", state) == (state, code, f"c1 running\nc1 {state}\n")


def test_watching_goes_on_before_the_start_and_while_an_abort_is_under_way():
    assert following("planned", "running", "aborting", "aborted")[1] == 1


def test_watching_ends_after_its_time():
    assert following("running", timeout_s=10.0)[:2] == ("running", 5)


def test_a_restart_of_the_server_does_not_end_the_watching():
    gone = TemporaryError(Code.API_UNREACHABLE, "No server answers.")
    seen = following("running", gone, gone, "completed")
    assert seen == ("completed", 0, "c1 running\nNo server answers. Asking again.\nc1 completed\n")


def test_the_first_look_after_an_outage_comes_at_once_and_so_does_the_next():
    gone = TemporaryError(Code.API_UNREACHABLE, "No server answers.")
    clock = Clock()
    following("running", *[gone] * 25, "running", "running", "completed", clock=clock)
    assert clock.time <= 25 + 5


def test_a_look_that_takes_long_makes_the_pauses_longer_and_never_so_long_that_the_end_is_missed():
    clock = Clock()
    following("running", "running", "completed", takes_s=2.0, clock=clock)
    assert clock.time == 2 + 1 + 2 + 10 + 2
    clock = Clock()
    following("running", "running", "completed", takes_s=60.0, clock=clock)
    assert clock.time == 60 + 1 + 60 + 15 + 60


def test_an_outage_does_not_make_the_time_longer():
    gone = TemporaryError(Code.API_UNREACHABLE, "No server answers.")
    clock = Clock()
    assert following("running", "running", *[gone] * 40, timeout_s=10.0, clock=clock)[:2] == ("running", 5)
    assert 9.0 <= clock.time <= 10.0
    clock = Clock()
    assert following("running", takes_s=0.9, timeout_s=10.0, clock=clock)[1] == 5
    assert clock.time <= 12.0


def test_a_server_that_stays_away_does():
    gone = TemporaryError(Code.API_UNREACHABLE, "No server answers.")
    with pytest.raises(TemporaryError):
        following("running", *[gone] * (PATIENCE + 1))


def test_what_a_campaign_waits_for_is_said_with_the_next_command():
    verb = "escalator campaign approve c1 cab"
    reason = f"gate cab (before wave 2) waits for a person's approval: {verb}"
    at_gate = {**campaign("suspended"), "code": "ESC-UPG-044", "reason": reason, "next": [verb, "escalator campaign abort c1"]}
    assert waiting_for(at_gate).splitlines() == [
        f"ESC-UPG-044: c1 is suspended and waits for a person: {reason}",
        f"What to do: {verb}, then escalator campaign show c1 --watch",
    ]
    assert waiting_for(campaign("paused")) == "c1 is paused and waits for a person"
