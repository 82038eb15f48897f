"""Following a campaign until it ends or needs a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
LOOK_S = 1.0
RESTRAINT = 5.0
"""Pause after a look, in times that it took: watching a large campaign must not slow it down."""
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
    began, took = how.now(), 0.0
    view = fetch()
    with _display(how) as show:
        show(view)
        while view["state"] not in EXIT_OF or view["state"] in how.begin:
            if how.timeout_s is not None and how.now() - began >= how.timeout_s:
                return view, TIMED_OUT
            how.sleep(max(how.look_s, RESTRAINT * took))
            asked = how.now()
            view = _patiently(fetch, how)
            took = how.now() - asked
            show(view)
    return view, EXIT_OF.get(view["state"], 1)


def _patiently(fetch: Callable[[], Mapping[str, Any]], how: Watching) -> Mapping[str, Any]:
    """The campaign outlives the server's restart, and so does whoever watches it."""
    for _ in range(PATIENCE):
        try:
            return fetch()
        except TemporaryError:
            how.sleep(how.look_s)
    return fetch()


@contextmanager
def _display(how: Watching) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    console = Console(file=how.stream)
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, transient=True, auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda view: live.update(screen(view, how.now(), console.height - 1), refresh=True)
        return
    last: Mapping[str, Any] | None = None

    def lines(view: Mapping[str, Any]) -> None:
        nonlocal last
        for line in change_lines(last, view):
            how.stream.write(f"{line}\n")
        how.stream.flush()
        last = view

    yield lines
