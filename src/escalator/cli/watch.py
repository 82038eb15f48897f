"""Following a campaign until it ends or needs a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live

from escalator.cli.live import change_lines, screen
from escalator.model.errors import TemporaryError

EXIT_OF: Mapping[str, int] = {
    "completed": 0,
    "committed": 0,
    "rolled_back": 0,
    "restored": 0,
    "aborted": 1,
    "suspended": 4,
    "paused": 4,
    "rollback_failed": 4,
    "rollback_paused": 4,
}
"""States in which nothing goes on by itself, and what a command that waited for them ends with."""
TIMED_OUT = 5
WAITS = 4
LOOK_S = 1.0
RESTRAINT = 5.0
"""Pause after a look, in times that it took: watching a large campaign must not slow it down."""
MOST_PAUSE_S = 15.0
"""A server that is busy for a moment does not make a watcher miss the end."""
PATIENCE = 30
"""Looks in a row that may fail, as when the server is restarted, before the watching ends."""


@dataclass(frozen=True, slots=True)
class Watching:
    """How to watch: where to draw, which clock, and how long at most (None for ever)."""

    stream: TextIO
    timeout_s: float | None = None
    look_s: float = LOOK_S
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    begin: frozenset[str] = field(default_factory=frozenset)
    """States that do not end the watching, although nothing goes on in them."""


def watch(fetch: Callable[[], Mapping[str, Any]], how: Watching) -> tuple[Mapping[str, Any], int]:
    """Show the campaign as it changes; its last state and the exit code."""
    until = inf if how.timeout_s is None else how.now() + how.timeout_s
    view, took_s = fetch(), 0.0
    with _display(how) as screen_of:
        screen_of.show(view)
        while view["state"] not in EXIT_OF or view["state"] in how.begin:
            left_s = until - how.now()
            if left_s <= 0:
                return view, TIMED_OUT
            how.sleep(min(left_s, MOST_PAUSE_S, max(how.look_s, RESTRAINT * took_s)))
            seen = _patiently(fetch, how, until, screen_of.tell)
            if seen is None:
                return view, TIMED_OUT
            view, took_s = seen
            screen_of.show(view)
    return view, EXIT_OF.get(view["state"], 1)


def waiting_for(view: Mapping[str, Any]) -> str:
    """What a campaign waits for in which nothing goes on by itself, and what a person does about it."""
    code = f"{view['code']}: " if view.get("code") else ""
    reason = f": {view['reason']}" if view.get("reason") else ""
    then = f"\nWhat to do: {view['next'][0]}, then escalator campaign show {view['name']} --watch" if view.get("next") else ""
    return f"{code}{view['name']} is {view['state']} and waits for a person{reason}{then}"


def _patiently(
    fetch: Callable[[], Mapping[str, Any]], how: Watching, until: float, tell: Callable[[str], None]
) -> tuple[Mapping[str, Any], float] | None:
    """The campaign outlives the server's restart, and so does whoever watches it: a look, and how long it alone took.

    None when the time is over before the server is back.
    """
    for tries in range(PATIENCE + 1):
        asked = how.now()
        try:
            return fetch(), how.now() - asked
        except TemporaryError as error:
            if tries == PATIENCE:
                raise
            if how.now() + how.look_s > until:
                return None
            if tries == 0:
                tell(f"{error.message} Asking again.")
            how.sleep(how.look_s)
    return None


@dataclass(frozen=True, slots=True)
class _Screen:
    """Where a look is shown, and a line beside it."""

    show: Callable[[Mapping[str, Any]], object]
    tell: Callable[[str], None]


@contextmanager
def _display(how: Watching) -> Iterator[_Screen]:
    console = Console(file=how.stream)
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, transient=True, auto_refresh=False, vertical_overflow="crop") as live:
            yield _Screen(
                lambda view: live.update(screen(view, how.now(), console.height - 1), refresh=True),
                lambda text: console.print(text, style="yellow", markup=False, highlight=False),
            )
        return
    last: Mapping[str, Any] | None = None

    def lines(view: Mapping[str, Any]) -> None:
        nonlocal last
        for line in change_lines(last, view):
            how.stream.write(f"{line}\n")
        how.stream.flush()
        last = view

    def line(text: str) -> None:
        how.stream.write(f"{text}\n")
        how.stream.flush()

    yield _Screen(lines, line)
