from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from escalator.cli.watch import PATIENCE, Watching, watch
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


def following(*found, timeout_s=None):
    """Watch a campaign that is found in these states, one look after another, the last for ever."""
    looks: Iterator = iter(found)
    last = found[-1]

    def fetch():
        one = next(looks, last)
        if isinstance(one, Exception):
            raise one
        return campaign(one)

    clock, out = Clock(), io.StringIO()
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
    assert following("running", gone, gone, "completed")[:2] == ("completed", 0)


def test_a_server_that_stays_away_does():
    gone = TemporaryError(Code.API_UNREACHABLE, "No server answers.")
    with pytest.raises(TemporaryError):
        following("running", *[gone] * (PATIENCE + 1))
