"""Words in braces that stand for something in the operator's commands and addresses, and those that stand for nothing.

A word in single braces that nothing is filled in for would reach the program as it is written, at night, with a node out
of service. So settings that have one are refused. What other tools read is left alone: `${HOME}`, `{{ name }}`, `{ print }`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from escalator.model.brakes import GateEntry, Locks
from escalator.model.errors import Problem
from escalator.model.neighbour_settings import Neighbours
from escalator.model.node_settings import CommandDriver, NamedCommand

Place = tuple[str, Sequence[str], Sequence[str]]
"""Where a command stands, its arguments, and the words that are filled in there."""

NODE = ("node",)
NODE_AND_RELEASE = ("node", "release", "version")
NAMED = ("node", "campaign", "release", "address")
GATE = ("gate", "moment", "campaign", "node", "wave")
LOCK = ("key", "owner", "ttl_s")
NEIGHBOUR = ("node", "campaign")
MANUAL = ("contact", "vnfm", "notice", "campaign", "node")
VNF_COMMAND = ("vnfm", "verb", "notice", "campaign", "node")

_WORD = re.compile(r"(?<![${])\{([A-Za-z_][A-Za-z0-9_-]*)\}(?!\})")
_NO_RELEASE = ("boot_id_argv", "reboot_argv")
"""Commands of the `command` driver that are run without a release in view."""


def unknown_words(places: Iterable[Place]) -> list[Problem]:
    """Return a problem for each word in braces that is not filled in where it stands, with the words that are."""
    return [Problem(path, why) for path, texts, known in places for why in _unknown(texts, known)]


def of_settings(
    driver: CommandDriver,
    commands: Mapping[str, NamedCommand],
    gates: Mapping[str, GateEntry],
    locks: Locks,
    neighbours: Neighbours,
) -> Iterator[Place]:
    """What of these settings has placeholders."""
    for key, argv in driver:
        if key.endswith("argv"):
            yield f"system.command.{key}", argv, NODE if key in _NO_RELEASE else NODE_AND_RELEASE
    yield from ((f"commands.{name}.argv", entry.argv, NAMED) for name, entry in commands.items())
    for name, gate in gates.items():
        yield f"gates.{name}.argv", gate.argv, GATE
        if gate.kind == "http":
            yield f"gates.{name}.url", (gate.url or "",), GATE
    yield from ((f"locks.{verb}", getattr(locks, verb), LOCK) for verb in ("acquire", "renew", "release"))
    for name, hook in neighbours.hooks.items():
        yield f"neighbours.hooks.{name}.enter", hook.enter, NEIGHBOUR
        yield f"neighbours.hooks.{name}.leave", hook.leave, NEIGHBOUR
    yield "neighbours.alertmanager.matchers", tuple(neighbours.alertmanager.matchers.values()), NODE


def _unknown(texts: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    words = dict.fromkeys(word for text in texts for word in _WORD.findall(text))
    for word in words:
        if word not in known:
            near = get_close_matches(word, known, n=1, cutoff=0.5)
            hint = f"did you mean {{{near[0]}}}? These do:" if near else "these do:"
            yield f"{{{word}}} stands for nothing here; {hint} {', '.join(f'{{{one}}}' for one in known)}"
