"""What VNFs declare, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.constraint import Constraint, ConstraintKind
from escalator.storage import rules


class MemoryConstraints:
    """Constraints by kind and id."""

    def __init__(self) -> None:
        self._rows: dict[tuple[ConstraintKind, str], Constraint] = {}

    async def put(self, constraint: Constraint) -> None:
        """Store, in place of what was declared before."""
        self._rows[constraint.kind, constraint.id] = constraint

    async def remove(self, kind: ConstraintKind, object_id: str) -> None:
        """Forget; raises NotFoundError when nothing is declared."""
        if self._rows.pop((kind, object_id), None) is None:
            raise rules.no_constraint(kind, object_id)

    async def get(self, kind: ConstraintKind, object_id: str) -> Constraint | None:
        """Return what is declared for that one, or None."""
        return self._rows.get((kind, object_id))

    async def find(self, keys: Collection[tuple[ConstraintKind, str]]) -> Sequence[Constraint]:
        """Return what is declared for any of these, in order of kind and id."""
        return [self._rows[key] for key in sorted(set(keys) & self._rows.keys())]

    async def list(self) -> Sequence[Constraint]:
        """Return all, in order of kind and id."""
        return [self._rows[key] for key in sorted(self._rows)]
