"""What `node retry` shows is the try that the campaign's own page tells of."""

from __future__ import annotations

import pytest

from escalator.cli.client import Client
from unit.cli.terminal import run

TASK = {"campaign": "c", "node": "n1", "attempt": 3, "tries": 2, "state": "pending", "code": None, "message": ""}


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "post", lambda *_args, **_more: TASK)


def test_people_see_the_try_of_its_way_and_programs_the_attempt() -> None:
    shown, told = run("node", "retry", "c", "n1", "-f", "table"), run("node", "retry", "c", "n1", "-f", "json")
    assert " 2 " in shown.out
    assert " 3 " not in shown.out
    assert '"attempt": 3' in told.out
