"""Whether a node that went back says that it runs what it ran before: a command that ends well may have done nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escalator.model.release import Release
from escalator.system_support.port import Check
from escalator.system_support.told import PACKAGES
from escalator.upgrade_manager.engine.job import Job


async def not_as_before(job: Job, checks: Sequence[Check], known: Mapping[str, Any]) -> str:
    """What the node says that it runs in place of what ran before; empty when it is that.

    `known` is the memo of the turn that knows what ran before. Nothing is asked where the driver has looked at that itself
    (`checks`), the node tells nothing of packages, or versions are not what the campaign keeps.
    """
    before = known.get("facts") or {}
    if (
        any(check.name == PACKAGES for check in checks)
        or not before.get("packages_told")
        or "versions" not in job.spec.backup.scope
    ):
        return ""
    facts = await job.system.inspect(job.node, job.release)
    return differing(job.release, before["packages"], facts.packages) if facts.packages_told else ""


def differing(release: Release, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The release's packages that are not as they were, in words."""
    none = "not installed"
    names = [pin.name for pin in release.spec.packages]
    return "; ".join(
        f"{name} is {now.get(name, none)}, before the upgrade it was {before.get(name, none)}"
        for name in names
        if now.get(name) != before.get(name)
    )
