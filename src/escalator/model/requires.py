"""What a release requires of a node, as text: `os`, `arch`, a layer, or another release.

    os: debian >=12 | ubuntu >=22.04      name and range; a range alone says nothing of the name
    arch: amd64 | arm64                   as Debian names them
    hypervisor: ">=7.2, <9"               a layer, by the version that the node runs
    release/nova-compute: ">=30"          the version of another release that the node runs

`|` stands between alternatives. Each key has to hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from escalator.model.version_ranges import Range, version_or_none

NONE = "none"
"""In `upgrades_from`: a node on which no version of the release is installed."""
RELEASE = "release/"
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,40}")
_SYSTEM = re.compile(r"([a-z][a-z0-9._-]{0,40})(?:\s+(.+)|\s*([<>=!].*))?")
_RELEASE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ALIASES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el"}
"""Architectures as kernels name them, and as Debian does."""


def check_requirement(key: str, text: str, layers: Collection[str]) -> None:
    """Raise ValueError, in words for people, unless it can be read."""
    if key.startswith(RELEASE):
        if _RELEASE.fullmatch(key.removeprefix(RELEASE)) is None:
            raise ValueError(f"{key!r}: a release's name is expected after {RELEASE}")
        _all_ranges(text)
    elif key == "arch":
        for part in alternatives(text):
            if _NAME.fullmatch(part) is None:
                raise ValueError(f"{part!r} is no architecture, such as amd64")
    elif key == "os":
        for part in alternatives(text):
            _system(part)
    elif key in layers:
        _all_ranges(text)
    else:
        known = ", ".join(["os", "arch", *sorted(set(layers) - {"os"}), f"{RELEASE}NAME"])
        raise ValueError(f"{key!r} is nothing that can be required; what can is {known}")


def alternatives(text: str) -> list[str]:
    """The parts between `|`."""
    return [part.strip() for part in text.split("|")]


def range_fits(text: str, version: str) -> bool | None:
    """Whether a version is in one of the ranges; None when it cannot be compared."""
    found = version_or_none(version)
    return None if found is None else any(found in Range(part) for part in alternatives(text))


def arch_fits(text: str, arch: str) -> bool:
    """Whether an architecture is one of those required."""
    return ALIASES.get(arch, arch) in {ALIASES.get(part, part) for part in alternatives(text)}


def system_fits(text: str, system: str) -> bool | None:
    """Whether an operating system (`debian 12`) is one of those required; None when its version cannot be compared."""
    name, _, version = system.partition(" ")
    doubt = False
    for part in alternatives(text):
        wanted, bounds = _system(part)
        if wanted and wanted != name:
            continue
        if bounds is None:
            return True
        fits = range_fits(bounds, version)
        doubt = doubt or fits is None
        if fits:
            return True
    return None if doubt else False


def _system(part: str) -> tuple[str, str | None]:
    """Name and range of one alternative; either may be left out."""
    found = _SYSTEM.fullmatch(part)
    if found is None:
        Range(part)
        return "", part
    bounds = found[2] or found[3]
    if bounds:
        Range(bounds)
    return found[1], bounds


def _all_ranges(text: str) -> None:
    for part in alternatives(text):
        Range(part)
