"""Facts of a node as an operator's command or playbook tells them: an object of plain values."""

from __future__ import annotations

import json
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.release import Release
from escalator.system_support.port import Check, NodeFacts


def facts_of(node: str, said: str, remedy: str) -> NodeFacts:
    """The facts of a JSON object with `boot_id`, `kernel`, `os`, `arch`, `packages`, `daemon`, `offers`, `units`, `passing`.

    All are optional.

    Raises PermanentError (`SYS_CONFIG`) when it is no such object.
    """
    try:
        found: Any = json.loads(said)
        return NodeFacts(
            node=node,
            **{key: str(found.get(key, "")) for key in ("boot_id", "kernel", "os", "arch")},
            packages_told="packages" in found,
            packages={str(name): str(version) for name, version in found.get("packages", {}).items()},
            daemon=None if found.get("daemon") is None else str(found["daemon"]),
            offers={str(name): float(count) for name, count in found.get("offers", {}).items()},
            units=tuple(str(unit) for unit in found.get("units", ())),
            passing=tuple(str(unit) for unit in found.get("passing", ())),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        message = f"The facts of {node} are no JSON object of the agreed form: {said.strip()[:200]}"
        raise PermanentError(Code.SYS_CONFIG, message, remedy=remedy) from error


PACKAGES = "packages"
"""The check of the versions that are installed."""


def versions(release: Release, facts: NodeFacts) -> tuple[Check, ...]:
    """Whether what was told is the release, one check for packages and one for the daemon; nothing of what was not told."""
    found = []
    pins = {pin.name: pin.version for pin in release.spec.packages}
    if facts.packages_told and pins:
        wrong = [
            f"{name} is {facts.packages.get(name, 'not installed')}, wanted is {version}"
            for name, version in pins.items()
            if facts.packages.get(name) != version
        ]
        found.append(Check(PACKAGES, ok=not wrong, code=Code.SYS_PACKAGES if wrong else None, message="; ".join(wrong)))
    daemon = release.spec.daemon
    wanted = None if daemon is None else daemon.expect or next(iter(pins.values()), None)
    if facts.daemon is not None and wanted is not None:
        message = "" if facts.daemon == wanted else f"The daemon says version {facts.daemon}, wanted is {wanted}."
        found.append(Check("daemon", ok=not message, code=Code.SYS_DAEMON if message else None, message=message))
    return tuple(found)
