"""Roles of nodes beyond compute: the clusters that nodes are members of, and which kind of node goes before which.

The order is one per layer, not one per role: what serves the computes is upgraded before them where it is the API, and after
them where it is the SDN's databases. A release that brings several layers follows all of their orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from escalator.model.inventory import Node, Role

Layer = Literal["os", "kernel", "hypervisor", "agent", "sdn", "storage", "control"]
CLUSTERED: tuple[Role, ...] = ("control", "network", "storage")
"""Roles whose nodes carry something together: one of a cluster at a time."""
USUAL: tuple[Role, ...] = ("control", "network", "storage", "compute")
"""The order of a layer that names none."""
ORDERS: Mapping[Layer, tuple[Role, ...]] = {
    "control": ("control", "network", "compute"),
    "agent": ("control", "network", "compute"),
    "hypervisor": ("control", "compute"),
    "sdn": ("compute", "network", "control"),
    "storage": ("control", "storage", "compute"),
}
"""The usual order of each layer: an API before its agents, OVN's controllers before its databases, monitors before OSDs."""


def _once(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    if len(set(roles)) < len(roles):
        raise ValueError("a role stands twice in the order")
    return roles


Roles = Annotated[tuple[Role, ...], Field(min_length=1, max_length=4), AfterValidator(_once)]
Order = Mapping[Layer, Roles]
"""Which kind of node goes before which, layer by layer; roles that a layer leaves out are free to it."""


class OrderError(ValueError):
    """Orders of layers that contradict one another."""


def orders_of(layers: Mapping[str, str], released: Order, wished: Order) -> dict[Layer, tuple[Role, ...]]:
    """The orders that hold for what a release brings: the operator's, else the release's, else the usual ones."""
    return {layer: wished.get(layer) or released.get(layer) or usual for layer, usual in _usual(layers).items()}


def _usual(layers: Mapping[str, str]) -> dict[Layer, tuple[Role, ...]]:
    found: dict[Layer, tuple[Role, ...]] = {}
    for layer in get_args(Layer):
        if layer in layers:
            found[layer] = ORDERS.get(layer, USUAL)
    return found or {"os": USUAL}


def merged(orders: Sequence[Sequence[Role]]) -> tuple[Role, ...]:
    """All roles in one order that follows each of these; what they leave open goes as usual. Raises OrderError."""
    before: dict[Role, set[Role]] = {role: set() for role in USUAL}
    for order in orders:
        for place, role in enumerate(order):
            before[role] |= set(order[:place])
    found: list[Role] = []
    while len(found) < len(USUAL):
        free = next((role for role in USUAL if role not in found and before[role] <= set(found)), None)
        if free is None:
            raise OrderError(" and ".join(role for role in USUAL if role not in found))
        found.append(free)
    return tuple(found)


def place_of(node: Node, order: Sequence[Role]) -> tuple[int, ...]:
    """Where the node stands in the order, for comparing: by its first role, then by its other ones."""
    return tuple(sorted(order.index(role) for role in set(node.roles)))


def kind_of(node: Node) -> str:
    """What kind of node it is, in words: its roles, such as `control` or `control+compute`."""
    return "+".join(role for role in USUAL if role in node.roles)


def clusters_of(node: Node) -> tuple[tuple[Role, str], ...]:
    """The clusters that the node is a member of, by role. The label `ROLE-cluster` names one; without it there is one in all."""
    return tuple((role, node.labels.get(f"{role}-cluster", role)) for role in CLUSTERED if role in node.roles)


Domains = Literal["rack", "az", "label"]
"""What tells the failure domain of a storage node; `label` is the label `storage-domain`."""
STORAGE: Role = "storage"


def storage_domain(node: Node, by: Domains | None) -> str | None:
    """The failure domain of a storage node; None where it has none, and goes by itself."""
    if by is None or STORAGE not in node.roles:
        return None
    return {"rack": node.rack, "az": node.az, "label": node.labels.get("storage-domain")}[by]


def sharing(nodes: Iterable[Node], by: Domains | None) -> dict[str, frozenset[str]]:
    """For each storage node the others of its cluster and its failure domain; nodes without any are left out."""
    found: dict[tuple[tuple[Role, str], ...], set[str]] = {}
    key = {}
    for node in nodes:
        domain = storage_domain(node, by)
        if domain is not None:
            key[node.id] = tuple([cluster for cluster in clusters_of(node) if cluster[0] == STORAGE] + [(STORAGE, domain)])
            found.setdefault(key[node.id], set()).add(node.id)
    return {node: frozenset(found[where] - {node}) for node, where in key.items() if len(found[where]) > 1}
