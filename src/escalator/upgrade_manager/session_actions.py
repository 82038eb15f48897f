"""Actions of a maintenance session: the operator's commands that run in the place of Fenix's action plug-ins.

| Type | Runs |
|---|---|
| `pre` | once, before the first host (`spec.hooks.before`) |
| `host`, `compute`, `controller` | on each host, once its software is new (`spec.node.hooks.maintenance`) |
| `post` | once, after the last host (`spec.hooks.after`) |

Of one type they run in the order of the plug-ins' names, those of hosts at large before those of a type of host. What a session
says to a plug-in, its `metadata`, its command finds in `ESCALATOR_METADATA`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem

DUMMY = "dummy"
"""The one plug-in that came with Fenix; it does nothing."""
MAX_METADATA = 4096
"""Characters of one plug-in's metadata as JSON: it goes into the environment of a command."""
_ROLES: Mapping[str, str | None] = {"host": None, "compute": "compute", "controller": "control"}
"""Types of actions on hosts, with the one role that a template has to select so that each host is of that type."""
_AROUND = {"pre": "before", "post": "after"}
"""Types of actions around the whole session, with the hooks of the campaign in whose place they run."""
_TYPES = (*_AROUND, *_ROLES)


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its plug-in, its type, and what is said to it, as JSON; empty for nothing."""

    plugin: str
    kind: str
    metadata: str = ""


def read_actions(given: Sequence[Mapping[str, Any]], plugins: Mapping[str, str]) -> tuple[list[Action], list[Problem]]:
    """Return the actions that do something, in Fenix's order, and what stands against them."""
    actions, problems = [], []
    for number, one in enumerate(given):
        found = list(_problems(one, f"actions[{number}]", plugins))
        problems += found
        if not found and _plugin(one) != DUMMY:
            actions.append(Action(_plugin(one), _kind(one), _text(one.get("metadata"))))
    return sorted(actions, key=lambda action: (action.kind != "host", action.plugin)), problems


def add_hooks(spec: dict[str, Any], actions: Sequence[Action], plugins: Mapping[str, str]) -> dict[str, str]:
    """Let the actions run as hooks of the campaign, after the template's own; what is said to each, by `phase/position`.

    Raises InputError when one is for a type of host that the template does not select alone.
    """
    role = spec["scope"]["select"].get("role")
    strangers = [a.kind for a in actions if a.kind in _ROLES and _ROLES[a.kind] not in (None, role)]
    if strangers:
        message = f"the template does not select hosts of type {strangers[0]!r} alone"
        raise InputError(Code.API_BODY, "The session is not valid.", problems=[Problem("actions", message)])
    said_to: dict[str, str] = {}
    for action in actions:
        phase = _AROUND.get(action.kind, "maintenance")
        holder = spec if action.kind in _AROUND else spec.setdefault("node", {})
        hooks = holder.setdefault("hooks", {})
        names = hooks[phase] = [*hooks.get(phase, ()), plugins[action.plugin]]
        if action.metadata:
            said_to[f"{phase}/{len(names) - 1}"] = action.metadata
    return said_to


def _problems(action: Mapping[str, Any], path: str, plugins: Mapping[str, str]) -> Iterator[Problem]:
    """No command for it, a type that there is not, or something said to it that a command cannot be told."""
    plugin, kind = _plugin(action), _kind(action)
    if plugin == DUMMY:
        return
    if plugin not in plugins:
        yield Problem(path, f"there is no plug-in {plugin!r} here; the template says what else is done on a host")
    if kind not in _TYPES:
        yield Problem(path, f"there are no actions of type {kind!r}; there are {', '.join(_TYPES)}")
    said = action.get("metadata")
    if said is not None and not isinstance(said, Mapping):
        yield Problem(f"{path}.metadata", "a JSON object is expected")
    elif len(_text(said)) > MAX_METADATA:
        yield Problem(f"{path}.metadata", f"a plug-in is told {MAX_METADATA} characters of JSON at most")


def _plugin(action: Mapping[str, Any]) -> str:
    return str(action.get("plugin", DUMMY))


def _kind(action: Mapping[str, Any]) -> str:
    return str(action.get("type", "host"))


def _text(metadata: object) -> str:
    """As JSON in ASCII, without line breaks: it is one value of an environment."""
    return json.dumps(metadata, default=str, separators=(",", ":")) if metadata else ""
