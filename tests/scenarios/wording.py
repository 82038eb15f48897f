"""How a scenario's script is read and its transcript worded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from escalator.model.counting import counted
from escalator.model.plan import Plan
from escalator.model.progress import Event
from escalator.upgrade_manager.engine.runtimes.virtual_time import EPOCH_S
from escalator.world.records import Heard


def heard_line(heard: Heard) -> str:
    """What an orchestrator or a VNF manager was told, in one line."""
    report = json.dumps(json.loads(heard.details["report"])) if "report" in heard.details else ""
    again = f"x{heard.times}" if heard.times > 1 else ""
    words = [_clock(heard.at), heard.type, heard.node or "", again, report]
    return "  " + " ".join(word for word in words if word)


def event_line(event: Event) -> str:
    """An event of the history, in one line."""
    clock = _clock(event.at)
    about = event.object_id if event.object_id not in (None, event.node) else ""
    words = [clock, event.action, event.node or "", about or "", event.outcome or "", event.code or "", event.message]
    if event.action == "instance.move":
        words.append(f"{event.data['kind']} to {event.data['to']}")
    return "  " + " ".join(word for word in words if word)


def plan_words(plan: Plan) -> str:
    """What a plan comes to."""
    stays = counted(len(plan.impacts), "stays", "stay") if plan.impacts else "none stays"
    return f"{counted(plan.totals.nodes, 'node')}, {counted(plan.totals.moves, 'move')}, {stays}"


def _clock(at: float) -> str:
    seconds = round(at - EPOCH_S)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def nested(settings: Sequence[str]) -> dict[str, Any]:
    """`a.b=1 c=x` as `{"a": {"b": 1}, "c": "x"}`."""
    found: dict[str, Any] = {}
    for setting in settings:
        path, _, text = setting.partition("=")
        *parents, last = path.split(".")
        place = found
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = yaml.safe_load(text)
    return found
