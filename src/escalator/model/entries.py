"""Which NUMA entries of a node a cloud gives to an instance that arrives: nobody can ask it for others.

The rule is that of OpenStack Nova since its release 26, as its settings stand by default
(`[compute] packing_host_numa_cells_allocation_strategy = false`): of the entries that hold the instance the one with most
devices free comes first, then the one with most CPUs free, then the one with most memory free, then the first. An instance
that asks for no device goes where fewest are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

CPUS, MEMORY = "pcpu", "mem_mib"
NO_DEVICES = frozenset({CPUS, MEMORY, "disk_gb"})
"""Resources that are on no bus; all others are counted as devices."""

Criterion = tuple[float, tuple[str, ...]]
"""Resources whose free amounts count together, and with which sign: the least sum comes first."""


def criteria(demand: Collection[str], known: Collection[str]) -> Sequence[Criterion]:
    """By what entries are compared for an instance that asks for these resources, the most important first.

    `known` are the resources of the entries. Entries that are alike by all of it come in their order.
    """
    devices = tuple(sorted(set(demand) - NO_DEVICES))
    by_devices = (-1.0, devices) if devices else (1.0, tuple(sorted(set(known) - NO_DEVICES)))
    return by_devices, (-1.0, (CPUS,)), (-1.0, (MEMORY,))
