"""Remedies with the names that the command was given, so that what they say can be run as it stands."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence

from escalator.model.codes import Code

OF_OTHERS = frozenset({Code.UPG_NOT_FOUND.value, Code.UPG_ONE_RUNNING.value})
"""Codes whose remedies mean another campaign than the one that was named: none of that name, or one that stands in the way."""
_COMMAND = {
    "campaign": r"(escalator (?:campaign|workload|node) [a-z]+ |--campaign )NAME\b",
    "vnfm": r"(escalator vnfm [a-z]+ )NAME\b",
    "notice": r"(escalator notice [a-z]+ )ID\b",
    "backup": r"(escalator backup [a-z]+ )ID\b",
    "node": r"(escalator node [a-z]+ (?:\S+ )?|--node )NODE\b",
}
"""Where in a command the name of such a thing stands."""


def filled(remedy: str, code: str, noun: str, given: argparse.Namespace | None) -> str:
    """The remedy of a failure of a command about `noun` with those arguments; a name that nobody gave stays open."""
    if given is None or code in OF_OTHERS:
        return remedy
    for what, name in _named(noun, given).items():
        remedy = re.sub(_COMMAND[what], lambda found, name=name: f"{found[1]}{shlex.quote(name)}", remedy)  # type: ignore[misc]
    return remedy


def _named(noun: str, given: argparse.Namespace) -> Mapping[str, str]:
    """What the command was about, by kind."""
    own = {"campaign": "name", "vnfm": "name", "notice": "id", "backup": "id"}
    words = {"campaign": "campaign", "node": "node"}
    if noun in own:
        words[noun] = own[noun]
    found = {what: getattr(given, word, None) for what, word in words.items()}
    nodes: Sequence[str] = getattr(given, "nodes", [])
    found["node"] = nodes[0] if len(nodes) == 1 else found["node"]
    return {what: name for what, name in found.items() if isinstance(name, str) and name}
