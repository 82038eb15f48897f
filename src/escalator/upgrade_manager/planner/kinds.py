"""Kinds of nodes in a plan: which goes before which, one member of a cluster at a time, the current master last."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Inventory, Node, Role
from escalator.model.plan import Condition, PlanGroup
from escalator.model.roles import (
    STORAGE,
    USUAL,
    Domains,
    OrderError,
    clusters_of,
    kind_of,
    merged,
    orders_of,
    place_of,
    storage_domain,
)
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.impact import Brings
from escalator.upgrade_manager.planner.scope import is_out
from escalator.upgrade_manager.planner.turns import Domain

ONLY = "compute"
SHOWN = 5


def ordered(campaign: Campaign, brings: Brings) -> Campaign:
    """The campaign with the orders that hold for what the release brings: its own, else the release's, else the usual ones."""
    if not brings.layers and not brings.order:
        return campaign
    orders = orders_of(brings.layers, brings.order, campaign.spec.order)
    return campaign.model_copy(update={"spec": campaign.spec.model_copy(update={"order": orders})})


def backwards(campaign: Campaign, brings: Brings) -> Campaign:
    """The campaign with its orders read from their ends: what went last goes back first."""
    orders = orders_of(brings.layers, brings.order, campaign.spec.order)
    turned = {layer: tuple(reversed(roles)) for layer, roles in orders.items()}
    return campaign.model_copy(update={"spec": campaign.spec.model_copy(update={"order": turned})})


def order_of(campaign: Campaign) -> tuple[Role, ...]:
    """All roles in the order of the campaign; the usual one where its layers contradict one another."""
    try:
        return merged([*campaign.spec.order.values()])
    except OrderError:
        return USUAL


def kinds_there(campaign: Campaign, inventory: Inventory) -> Mapping[tuple[int, ...], list[Node]]:
    """Nodes of the scope by their place in the order, the first place first."""
    order = order_of(campaign)
    found: defaultdict[tuple[int, ...], list[Node]] = defaultdict(list)
    for node in inventory.nodes:
        if campaign.spec.scope.includes(node):
            found[place_of(node, order)].append(node)
    return dict(sorted(found.items()))


def kind_groups(campaign: Campaign, inventory: Inventory) -> tuple[PlanGroup, ...]:
    """A group for each kind of node, each after those before it; none for one kind, or where the campaign has groups."""
    kinds = kinds_there(campaign, inventory)
    if campaign.spec.scope.groups or len(kinds) < 2:
        return ()
    found: list[PlanGroup] = []
    for nodes in kinds.values():
        after = tuple(sorted(group.name for group in found))
        name = f"({kind_of(nodes[0])})"
        found.append(PlanGroup(name=name, after=after, nodes=tuple(sorted(node.id for node in nodes))))
    return tuple(found)


def order_conditions(campaign: Campaign, inventory: Inventory, groups: Sequence[PlanGroup]) -> tuple[Condition, ...]:
    """The order can be kept: layers do not contradict one another, nor do groups of the campaign. Nothing is said of one kind."""
    kinds = kinds_there(campaign, inventory)
    if len(kinds) < 2:
        return ()
    code, order = Code.UPG_ORDER.value, order_of(campaign)
    try:
        merged([*campaign.spec.order.values()])
    except OrderError as error:
        layers = "; ".join(f"{layer}: {', '.join(roles)}" for layer, roles in campaign.spec.order.items())
        remedy = "set order in the campaign for one of these layers, or upgrade them in campaigns of their own"
        return (
            Condition(code=code, ok=False, message=f"the orders of the layers contradict for {error} ({layers})", remedy=remedy),
        )
    wrong = _against(kinds, groups)
    if wrong:
        remedy = f"give each kind of node groups of its own, in the order {', '.join(order)}; or change order in the campaign"
        return (Condition(code=code, ok=False, message="; ".join(wrong[:SHOWN]), remedy=remedy),)
    said = ", ".join(f"{kind_of(nodes[0])} {len(nodes)}" for nodes in kinds.values())
    return (Condition(code=code, ok=True, message=f"nodes go kind by kind: {said}"),)


def _against(kinds: Mapping[tuple[int, ...], Sequence[Node]], groups: Sequence[PlanGroup]) -> list[str]:
    """Groups that do not go one after the other as the kinds of their nodes have to."""
    of = {node: group for group in groups for node in group.nodes}
    found: dict[str, None] = {}
    before: dict[str, str] = {}
    for nodes in kinds.values():
        here = {of[node.id].name: node for node in nodes if node.id in of}
        for name, node in here.items():
            after = next(group.after for group in groups if group.name == name)
            for first, kind in before.items():
                if first != name and first not in after:
                    found[
                        f"{kind} nodes of group {first} have to be through before the {kind_of(node)} nodes of group {name}"
                    ] = None
                elif first == name:
                    found[f"group {name} has {kind} and {kind_of(node)} nodes"] = None
        before |= {name: kind_of(node) for name, node in here.items()}
    return [*found]


def cluster_domains(campaign: Campaign, inventory: Inventory, cloud: Cloud) -> tuple[Domain, ...]:
    """One member of each cluster at a time, or one failure domain; those that are down are away for all others."""
    by = campaign.spec.waves.storage_domain
    down = Counter(
        value
        for node in inventory.nodes
        if campaign.spec.scope.includes(node) and is_out(node)
        for value in (*clusters(node), *_parts(node, by).values())
    )
    of = [clusters(node) for node in cloud.nodes]
    parts = [_parts(node, by) for node in cloud.nodes] if by is not None else []
    return (Domain("cluster", 1, of, dict(down), parts),) if any(of) else ()


def _parts(node: Node, by: Domains | None) -> dict[str, str]:
    """The part of its storage cluster that the node may be away together with."""
    domain = storage_domain(node, by)
    if domain is None:
        return {}
    return {
        value: f"{value} {domain}" for (role, _), value in zip(clusters_of(node), clusters(node), strict=True) if role == STORAGE
    }


def clusters(node: Node) -> tuple[str, ...]:
    """The node's clusters, each as one word: `control`, or `storage/fast` where it has a name."""
    return tuple(role if name == role else f"{role}/{name}" for role, name in clusters_of(node))


def masters(cloud: Cloud) -> Mapping[int, frozenset[int]]:
    """For each current master, the other members of its control cluster and of its kind that still have their turns."""
    ready = [number for number, there in enumerate(cloud.ready) if there]
    first: dict[int, frozenset[int]] = {}
    for number in ready:
        master = cloud.nodes[number]
        if master.master:
            first[number] = frozenset(n for n in ready if n != number and _peers(cloud.nodes[n], master))
    return first


def _peers(node: Node, master: Node) -> bool:
    mine = {cluster for cluster in clusters_of(master) if cluster[0] == "control"}
    return kind_of(node) == kind_of(master) and bool(mine.intersection(clusters_of(node)))
