"""Which nodes: by role, place, labels and patterns of names."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from pydantic import Field

from escalator.model.document import Model
from escalator.model.inventory import Node, Role


class Select(Model):
    """Which nodes; every key that is given has to hold."""

    role: Role | None = None
    az: tuple[str, ...] = ()
    rack: tuple[str, ...] = ()
    aggregate: tuple[str, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    names: tuple[str, ...] = ()

    def matches(self, node: Node) -> bool:
        """Whether the node fits every key given."""
        return (
            (self.role is None or self.role in node.roles)
            and (not self.az or node.az in self.az)
            and (not self.rack or node.rack in self.rack)
            and (not self.aggregate or bool(set(self.aggregate) & set(node.aggregates)))
            and all(node.labels.get(key) == value for key, value in self.labels.items())
            and (not self.names or any(fnmatchcase(node.id, pattern) for pattern in self.names))
        )
