"""What the owners of instances do by themselves while a campaign runs: scale out and scale in."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance
from escalator.world.audit import Audit
from escalator.world.moves import Moves, cell_of
from escalator.world.state import State


class Tenants:
    """Boot and delete instances behind the manager's back."""

    def __init__(self, state: State, audit: Audit, moves: Moves) -> None:
        self._state = state
        self._audit = audit
        self._moves = moves

    def boot(self, instance: Instance) -> Instance:
        """Put a new instance on its node, into the first NUMA entries that hold it.

        Raises PermanentError (`CLD_NO_VALID_HOST`) when the node is down, disabled or full.
        """
        with self._state.change() as now:
            node = self._state.node(instance.node)
            cells = self._state.usage.fit(node, instance)
            if instance.id in self._state.instances.rows or node.state != "up" or node.maintenance or cells is None:
                raise PermanentError(Code.CLD_NO_VALID_HOST, f"Node {node.id} cannot take a new instance {instance.id}.")
            placed = instance.model_copy(update={"numa_cell": cell_of(cells)})
            self._state.place(placed)
            self._audit.note(now, "boot", node=node.id, instance=instance.id)
            return placed

    def delete(self, instance_id: str) -> None:
        """Take an instance away, whatever is under way with it; nothing happens when there is none."""
        with self._state.change() as now:
            instance = self._state.instances.rows.get(instance_id)
            if instance is None:
                return
            self._moves.forget(now, instance_id)
            power = self._state.power.rows.get(instance_id)
            if power is not None:
                self._state.cancel(power.event)
                self._state.power.drop(instance_id)
            self._state.released.drop(instance_id)
            self._state.remove(instance_id)
            self._audit.note(now, "delete", node=instance.node, instance=instance_id)
