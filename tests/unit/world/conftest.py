"""Worlds for the tests of the world."""

from __future__ import annotations

import pytest

from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, small_cloud


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def world(clock: TurnedClock) -> World:
    made = World.in_memory(clock, TIMINGS)
    made.load(small_cloud())
    return made
