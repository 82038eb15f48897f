"""What a node that went back is compared with."""

from __future__ import annotations

from typing import Any

from escalator.upgrade_manager.engine.rollback.compared import FOUND, PROVED, expected


def _like(units: list[str], memory: float, traits: list[str], **agents: tuple[bool, bool]) -> dict[str, Any]:
    told = [{"name": name, "up": up, "enabled": enabled, "reason": None} for name, (up, enabled) in agents.items()]
    offered = {"numa": [{"memory": memory}], "traits": traits, "physnets": [], "aggregates": ["fast"]}
    return {"facts": {"offers": {"memory": memory}, "units": units}, "offered": offered, "agents": told}


BEFORE = _like(["a.service", "b.service"], 64.0, ["T1", "T2"], one=(True, True), two=(True, True), three=(False, True))
SINCE = _like(["b.service", "new.service"], 32.0, ["T2", "T3"], one=(True, False), two=(False, True), three=(True, True))


def test_after_an_upgrade_that_was_not_proved_everything_of_before_is_asked_for() -> None:
    assert expected({**BEFORE, FOUND: SINCE}) == {**BEFORE, FOUND: SINCE}


def test_without_a_look_at_the_beginning_everything_of_before_is_asked_for() -> None:
    assert expected({**BEFORE, PROVED: True}) == {**BEFORE, PROVED: True}


def test_what_somebody_took_away_after_a_proved_upgrade_is_not_asked_for() -> None:
    wanted = expected({**BEFORE, PROVED: True, FOUND: SINCE})
    assert wanted["facts"] == {"offers": {"memory": 32.0}, "units": ["b.service"]}
    assert wanted["offered"] == {"numa": [{"memory": 32.0}], "traits": ["T2"], "physnets": [], "aggregates": ["fast"]}
    assert wanted["agents"] == [{"name": "one", "up": True, "enabled": False, "reason": None}]


def test_nothing_that_came_later_is_asked_for() -> None:
    later = _like(["a.service", "b.service", "c.service"], 128.0, ["T1", "T2", "T9"], one=(True, True), two=(True, True))
    assert expected({**BEFORE, PROVED: True, FOUND: later})["facts"] == BEFORE["facts"]
