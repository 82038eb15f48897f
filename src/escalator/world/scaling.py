"""How simulated VNF managers scale their VNFs in when they are asked for room, and out again when they may."""

from __future__ import annotations

from escalator.model.inventory import Instance, Node
from escalator.world.audit import Audit
from escalator.world.placement import unfit
from escalator.world.records import GivenUp, VnfmRow
from escalator.world.state import State
from escalator.world.tenants import Tenants

KEPT = 2
"""Members that a group keeps: an active one and its standby."""


class Scaling:
    """Instances that VNF managers gave up, and where they are made anew."""

    def __init__(self, state: State, audit: Audit, tenants: Tenants) -> None:
        self._state = state
        self._audit = audit
        self._tenants = tenants

    def scale_in(self, now: float, row: VnfmRow, offered: tuple[str, ...]) -> None:
        """Delete up to `spare` of the instances offered, the first ones; each group keeps `KEPT` of its members."""
        left = row.spare
        for instance_id in offered:
            instance = self._state.instances.rows.get(instance_id)
            if left and instance is not None and self._expendable(instance):
                self._tenants.delete(instance_id)
                self._state.given_up.put(instance_id, GivenUp(vnfm=row.name, instance=instance))
                self._audit.note(now, "scale-in", node=instance.node, instance=instance_id, detail=row.name)
                left -= 1

    def scale_out(self, now: float, row: VnfmRow) -> None:
        """Make anew what was given up, wherever there is room; the rest waits for the next time that it may."""
        for given in [one for one in self._state.given_up.rows.values() if one.vnfm == row.name]:
            node = next((node for node in self._state.nodes.rows.values() if self._takes(node, given.instance)), None)
            if node is not None:
                made = given.instance.model_copy(update={"node": node.id, "id": _anew(given.instance.id)})
                self._tenants.boot(made)
                self._state.given_up.drop(given.instance.id)
                self._audit.note(now, "scale-out", node=node.id, instance=made.id, detail=row.name)

    def _expendable(self, instance: Instance) -> bool:
        return all(len(self._state.members[group]) > KEPT for group in instance.groups)

    def _takes(self, node: Node, instance: Instance) -> bool:
        nowhere = node.model_copy(update={"id": ""})
        fits = self._state.usage.fit(node, instance) is not None
        return fits and unfit(node, instance, nowhere, live=False) is None and not self._clash(node, instance)

    def _clash(self, node: Node, instance: Instance) -> bool:
        rows = [self._state.groups.rows[group] for group in instance.groups if group in self._state.groups.rows]
        return any(row.per_node is not None and self._there(row.id, node) >= row.per_node for row in rows)

    def _there(self, group: str, node: Node) -> int:
        return sum(self._state.instances.rows[one].node == node.id for one in self._state.members[group])


def _anew(instance_id: str) -> str:
    """What is made anew is another instance, with an id of its own."""
    first, _, again = instance_id.partition(".")
    return f"{first}.{int(again or 1) + 1}"
