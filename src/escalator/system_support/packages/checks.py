"""What a probe's answer means: facts for the port, and the independent checks of an upgrade and of a rollback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.release import Release
from escalator.system_support.port import Check, NodeFacts

T = TypeVar("T")


def understood(node: str, meaning: Callable[[], T]) -> T:
    """What a node's answer means; raises TemporaryError (`SYS_UNREACHABLE`) where it has not the form that was agreed.

    Nodes are other machines: one that answers anything at all must not hinder what is planned for the others.
    """
    try:
        return meaning()
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        message = f"{node} cannot be inspected: what it answers has not the form that was agreed."
        raise TemporaryError(Code.SYS_UNREACHABLE, message, remedy=f"Look at python3 and at who can log in on {node}.") from error


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the checks expect: version per package (None = not installed) and the daemon's version (None = any)."""

    packages: Mapping[str, str | None]
    daemon: str | None
    kernel: str | None = None
    """The one that may run although it is not installed any more, as it did before (None = any)."""


def wanted(release: Release) -> Wanted:
    """What a node on this release has and runs."""
    packages: dict[str, str | None] = {pin.name: pin.version for pin in release.spec.packages}
    daemon = release.spec.daemon
    return Wanted(packages, (daemon.expect or release.spec.packages[0].version) if daemon and packages else None)


def facts(node: str, release: Release, probe: Mapping[str, Any]) -> NodeFacts:
    """The port's view of a probe."""
    return NodeFacts(
        node=node,
        boot_id=str(probe["boot_id"]),
        kernel=str(probe["kernel"]),
        os=str(probe["os"]),
        arch=str(probe["arch"]),
        packages={name: str(found[0]) for name, found in probe["packages"].items()},
        daemon=_running(release, probe),
        offers={str(name): float(count) for name, count in probe["offers"].items()},
        units=tuple(str(unit) for unit in probe["units"]),
        passing=tuple(str(unit) for unit in probe.get("passing", ())),
    )


def checks(release: Release, target: Wanted, probe: Mapping[str, Any]) -> tuple[Check, ...]:
    """Package state, the running daemon's own version, health: each on its own."""
    found = [_packages(target, probe)]
    if release.spec.daemon is not None:
        found.append(_daemon(release, target, probe))
    if release.spec.health:
        found.append(_health(release, probe))
    return tuple(found)


def wants_reboot(probe: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the node itself asks for a reboot, and why."""
    if probe["reboot_required"]:
        return True, f"asked for by {', '.join(probe['reboot_packages']) or 'an installed package'}"
    if probe["newer_kernel"]:
        return True, f"kernel {probe['newer_kernel']} is installed, {probe['kernel']} runs"
    if probe["needs_restarting"]:
        return True, f"needs-restarting asks for it: {probe['needs_restarting']}"
    return False, "no package asks for it and the newest kernel runs"


def _packages(target: Wanted, probe: Mapping[str, Any]) -> Check:
    wrong = []
    for name, version in target.packages.items():
        found, state = probe["packages"].get(name, (None, ""))
        if found != version:
            wrong.append(f"{name} is {found or 'not installed'}, wanted is {version or 'not installed'}")
        elif version is not None and state[1:2] != "i":
            wrong.append(f"{name} {version} is not fully installed (dpkg: {state})")
    if target.kernel is not None and probe.get("kernel_gone") and probe["kernel"] != target.kernel:
        wrong.append(f"kernel {probe['kernel']} runs, which is not installed any more")
    if probe["audit"]:
        wrong.append(f"dpkg --audit: {' '.join(probe['audit'].split())[:300]}")
    return Check("packages", ok=not wrong, code=Code.SYS_PACKAGES if wrong else None, message="; ".join(wrong))


def _daemon(release: Release, target: Wanted, probe: Mapping[str, Any]) -> Check:
    running = _running(release, probe)
    if running is not None and (target.daemon is None or running == target.daemon):
        return Check("daemon", ok=True)
    said = f"says version {running}" if running is not None else "does not say its version"
    message = f"The daemon {said}, wanted is {target.daemon or 'any'}."
    return Check("daemon", ok=False, code=Code.SYS_DAEMON, message=message)


def _health(release: Release, probe: Mapping[str, Any]) -> Check:
    wrong = []
    for check in release.spec.health:
        answer = probe["urls"][check.url]
        if answer["status"] != 200:
            said = f"answers {answer['status']}" if answer["status"] else f"does not answer ({answer.get('error', '')})"
            wrong.append(f"{check.name} {said}")
    return Check("health", ok=not wrong, code=Code.SYS_HEALTH if wrong else None, message="; ".join(wrong))


def _running(release: Release, probe: Mapping[str, Any]) -> str | None:
    """The version that the daemon itself says, whatever dpkg believes; None when it says none."""
    daemon = release.spec.daemon
    if daemon is None or not probe["urls"].get(daemon.url, {}).get("status"):
        return None
    try:
        value = json.loads(probe["urls"][daemon.url]["body"])[daemon.version_key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return str(value)[:100]
