"""Facts of a node as an operator's command or playbook tells them: an object of plain values."""

from __future__ import annotations

import json
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.system_support.port import NodeFacts


def facts_of(node: str, said: str, remedy: str) -> NodeFacts:
    """The facts of a JSON object with `boot_id`, `kernel`, `os`, `arch`, `packages`, `daemon`, `offers`; all are optional.

    Raises PermanentError (`SYS_CONFIG`) when it is no such object.
    """
    try:
        found: Any = json.loads(said)
        return NodeFacts(
            node=node,
            **{key: str(found.get(key, "")) for key in ("boot_id", "kernel", "os", "arch")},
            packages={str(name): str(version) for name, version in found.get("packages", {}).items()},
            daemon=None if found.get("daemon") is None else str(found["daemon"]),
            offers={str(name): float(count) for name, count in found.get("offers", {}).items()},
        )
    except (ValueError, TypeError, AttributeError) as error:
        message = f"The facts of {node} are no JSON object of the agreed form: {said.strip()[:200]}"
        raise PermanentError(Code.SYS_CONFIG, message, remedy=remedy) from error
