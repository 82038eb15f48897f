"""Which lines of the history are asked for."""

from __future__ import annotations

import pytest

from escalator.cli.event import ListEvents
from escalator.cli.live import _try
from unit.cli.terminal import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--code", "ESC-XYZ-001"), "a code such as ESC-VIM-003 is expected"),
        (("--since", "yesterday"), "a time with its zone is expected"),
        (("--until", "2026-12-01T01:00:00"), "a time with its zone is expected"),
        (("--follow", "--until", "2026-12-01T01:00:00+02:00"), "what is followed has no end"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(words: tuple[str, ...], said: str) -> None:
    seen = run("event", "list", *words)
    assert seen.code == 2
    assert said in seen.err


def test_a_code_may_be_in_small_letters_and_a_time_goes_as_it_was_written() -> None:
    parser = ListEvents(None, None, cmd_name="event list").get_parser("x")
    given = parser.parse_args(["--code", "esc-vim-003", "--since", "2026-12-01T01:00:00+02:00"])
    assert (given.code, given.since, given.until) == ("ESC-VIM-003", "2026-12-01T01:00:00+02:00", None)


def test_only_a_second_try_has_a_number() -> None:
    assert [_try({"tries": 1}), _try({"tries": 2}), _try({})] == ["", " #2", ""]
