"""Rules of a fault file that can never strike: a rehearsal in which nothing went wrong would look like one that survived it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from escalator.model.inventory import Inventory
from escalator.world.rules import FaultsSpec


def about_nothing(faults: FaultsSpec, inventory: Inventory) -> Iterator[str]:
    """One line for each rule whose node, instance or project nothing of the inventory has."""
    nodes, instances = [node.id for node in inventory.nodes], [instance.id for instance in inventory.instances]
    projects = {instance.project for instance in inventory.instances}
    for number, fault in enumerate(faults.faults):
        for key, pattern, names in (
            ("node", fault.node, nodes),
            ("instance", fault.instance, instances),
            ("project", fault.project, projects),
        ):
            if not _any(names, pattern):
                yield f"spec.faults[{number}].{key}: the inventory has no {key} {pattern!r}; {fault.kind} never goes wrong by it"
    for number, character in enumerate(faults.vnfms):
        if not _any(projects, character.project):
            yield f"spec.vnfms[{number}].project: the inventory has no instance of project {character.project!r}"


def _any(names: Iterable[str], pattern: str) -> bool:
    return pattern == "*" or any(fnmatchcase(name, pattern) for name in names)
