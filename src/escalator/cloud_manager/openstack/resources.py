"""Countable resources, by the same names for what a node has and what an instance takes.

`pcpu` counts shared and dedicated CPUs together (Placement's VCPU and PCPU), `mem_mib` memory, `disk_gb` local disk; any
other resource class counts under its own name in lower case (`vgpu`, `custom_fpga`, …).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

_NAMES = {"VCPU": "pcpu", "PCPU": "pcpu", "MEMORY_MB": "mem_mib", "DISK_GB": "disk_gb"}
_REQUESTED = re.compile(r"^resources[^:]*:([A-Z0-9_]+)$")
_TRAIT = re.compile(r"^trait[^:]*:([A-Z0-9_]+)$")


def name_of(resource_class: str) -> str:
    """Our name of a resource class."""
    return _NAMES.get(resource_class, resource_class.lower())


def capacity(inventories: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, float]:
    """What the providers of one node offer: (total - reserved) x allocation ratio, as Placement counts."""
    found: defaultdict[str, float] = defaultdict(float)
    for inventory in inventories:
        for resource_class, row in inventory.items():
            usable = max(0, row["total"] - row.get("reserved", 0)) * row.get("allocation_ratio", 1.0)
            found[name_of(resource_class)] += usable
    return dict(found)


def demand(flavor: Mapping[str, Any], *, from_volume: bool) -> dict[str, float]:
    """What an instance of the flavor takes; `from_volume` when its root disk is not on the node."""
    local_gb = flavor.get("ephemeral", 0) + -(-int(flavor.get("swap") or 0) // 1024)
    found = {
        "pcpu": float(flavor["vcpus"]),
        "mem_mib": float(flavor["ram"]),
        "disk_gb": float(local_gb + (0 if from_volume else flavor.get("disk", 0))),
    }
    asked: defaultdict[str, float] = defaultdict(float)
    for key, value in flavor.get("extra_specs", {}).items():
        match = _REQUESTED.match(key)
        if match and str(value).isdecimal():
            asked[name_of(match.group(1))] += float(value)
    return {name: amount for name, amount in (found | asked).items() if amount}


def required_traits(*properties: Mapping[str, str]) -> tuple[str, ...]:
    """Traits that flavor and image ask of a node, sorted."""
    return tuple(
        sorted(
            {
                match.group(1)
                for mapping in properties
                for key, value in mapping.items()
                if value == "required" and (match := _TRAIT.match(key))
            }
        )
    )


def version_text(number: int) -> str:
    """`7.2.18` of a hypervisor's 7002018."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"
