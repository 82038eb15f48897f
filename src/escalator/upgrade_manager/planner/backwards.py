"""What a plan for a rollback is made from: the cloud as it is, seen from the way back.

Nodes that were changed are those to be worked on, the others are where to go. A guest of a newer hypervisor does not
live-migrate to an older one, so that what runs on such a node comes back in another way, where its VNF manager or policy
allows one; where none does, its node stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Condition, Move, NoReturn, Plan, Totals, Upgrade
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.returning import LAYER, way_back
from escalator.upgrade_manager.planner.versions import older

KINDS = ("cold", "live-if-possible", "stop-start", "in-place", "leave")
"""Default actions by which policy allows a way back other than a live migration."""
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What is to be undone, and what is known of it."""

    nodes: Sequence[str]
    """Nodes that were changed, the latest first."""
    before: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What each ran before its upgrade, layer by layer."""
    held: Collection[str] = ()
    """Nodes that are out of service for our own reason."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Nodes that keep what they run, with the reason."""
    revived: Collection[str] = ()
    """Nodes that are worked on although their compute service is down."""


def backwards(inventory: Inventory, campaign: Campaign, managed: Collection[str], what: Undoing) -> Inventory:
    """The cloud with its nodes marked for the way back, and with what cannot go back live marked so."""
    todo = frozenset(what.nodes)
    newer = {node.id: versions for node in inventory.nodes if node.id in todo and (versions := _newer(node, what))}
    nodes = tuple(_node(node, campaign, todo, what, plain=bool(newer)) for node in inventory.nodes)
    instances = tuple(
        coming_back(instance, newer[instance.node], campaign, managed=instance.id in managed)
        if instance.node in newer
        else instance
        for instance in inventory.instances
    )
    return Inventory.model_construct(nodes=nodes, instances=instances, groups=inventory.groups)


def as_proved(
    inventory: Inventory, proved: Collection[str], before: Mapping[str, Mapping[str, str]], layers: Mapping[str, str]
) -> Inventory:
    """The cloud with the hypervisor that nodes of a `proved` upgrade run, where it still tells the one that they ran `before`.

    A compute service tells its version with its next report: right after an upgrade the cloud believes the old one.
    """
    brought = layers.get(LAYER)
    late = {
        node.id
        for node in inventory.nodes
        if node.id in proved
        and node.versions.get(LAYER) == before.get(node.id, {}).get(LAYER)
        and older(node.versions.get(LAYER), brought)
    }
    if brought is None or not late:
        return inventory
    nodes = tuple(
        node.model_copy(update={"versions": {**node.versions, LAYER: brought}}) if node.id in late else node
        for node in inventory.nodes
    )
    return inventory.with_nodes(nodes)


def _newer(node: Node, what: Undoing) -> str:
    """From which hypervisor to which the node goes back; empty when to none that is older."""
    before, now = what.before.get(node.id, {}).get(LAYER), node.versions.get(LAYER)
    return f"from hypervisor {now} to {before}" if older(before, now) else ""


def newer(node: Node, before: Mapping[str, str]) -> str:
    """The same for one node; `before` is what it ran before its upgrade."""
    return _newer(node, Undoing(nodes=(), before={node.id: before}))


def _node(node: Node, campaign: Campaign, todo: Collection[str], what: Undoing, *, plain: bool) -> Node:
    update: dict[str, object] = {}
    if plain and LAYER in node.versions:
        # Nothing goes back live then, and what does not run while it moves does not care which hypervisor is older.
        update["versions"] = {layer: version for layer, version in node.versions.items() if layer != LAYER}
    if node.id in what.left:
        update["progress"] = "failed"
    elif node.id in todo:
        out = node.id in what.held and (node.state == "up" or node.id in what.revived)
        update["progress"] = "draining" if out else "old"
        if out or node.id in what.revived:
            update |= {"state": "up", "maintenance": False, "maintenance_reason": None}
    elif campaign.spec.scope.includes(node):
        update["progress"] = "done"
    return node.model_copy(update=update)


def coming_back(instance: Instance, newer: str, campaign: Campaign, *, managed: bool) -> Instance:
    """The instance as what it may do on its way to an older hypervisor."""
    if not newer or not instance.running or instance.migration != "live" or instance.vacate == "in-place":
        return instance
    why = f"no live migration {newer}"
    if not managed and campaign.spec.workloads.default.action not in KINDS:
        return instance.model_copy(update={"blocked": f"{why}, and workloads.default.action allows no other way back"})
    kind = "cold" if instance.may("cold") else "none"
    return instance.model_copy(update={"migration": kind, "migration_reason": why})


def order_back(parent: Plan, what: Undoing, inventory: Inventory) -> Progress:
    """The way back as the way there read backwards: the latest node first, each instance to where it came from.

    The planner keeps of it what holds.
    """
    place = {node: float(number) for number, node in enumerate(what.nodes)}
    upgrades = tuple(Upgrade(node=node, start_s=at, end_s=at + 1.0, wave=1) for node, at in place.items())
    here = {instance.id: instance.node for instance in inventory.instances}
    moves = tuple(
        Move(
            instance=move.instance,
            origin=move.target,
            target=move.origin,
            numa_cell=None,
            kind=move.kind,
            start_s=place[move.target],
            end_s=place[move.target],
        )
        for move in parent.moves
        if not move.extra and here.get(move.instance) == move.target and move.target in place
    )
    seen = Plan(smooth=True, upgrades=upgrades, moves=moves, totals=Totals(makespan_s=parent.totals.makespan_s))
    return Progress(parent=seen, reasons=dict(what.left))


def reported(plan: Plan, campaign: Campaign, inventory: Inventory, managed: Collection[str], what: Undoing) -> Plan:
    """The plan with the instances that do not come back live, and the condition that says how they do instead.

    `inventory` is the cloud before it was marked.
    """
    leaving = {move.instance: move.origin for move in plan.moves if not move.extra}
    leaving |= {impact.instance: impact.node for impact in plan.impacts if impact.kind == "stop-start"}
    windows = {upgrade.node: upgrade.window for upgrade in plan.upgrades}
    rows, stuck = [], set()
    for instance in inventory.instances:
        node = inventory.node_by_id.get(instance.node)
        why = _newer(node, what) if node is not None and instance.node in what.nodes else ""
        if why and instance.running and instance.migration == "live" and instance.vacate == "move":
            way = way_back(campaign, managed=instance.id in managed)
            owner = instance.vnf or f"project {instance.project}"
            window = windows.get(leaving.get(instance.id, instance.node), 0)
            rows.append(NoReturn(instance=instance.id, vnf=owner, window=window, reason=f"no live migration {why}", way_back=way))
            if way.startswith("none") and instance.node not in windows:
                stuck.add(instance.project)
    remedy = _ask(sorted(stuck)) if stuck else ""
    found = tuple(_mended(one, remedy) for one in plan.conditions)
    said = Condition(code=Code.PLN_RETURN.value, ok=not stuck, message=_message(rows), remedy=remedy)
    return plan.model_copy(update={"no_return": tuple(rows), "conditions": (*found, said), "smooth": plan.smooth and not stuck})


def _ask(projects: Sequence[str]) -> str:
    """What lets instances come back for which nobody may be asked so far."""
    project = projects[0] if len(projects) == 1 else "PROJECT"
    each = "" if len(projects) == 1 else f", for each of {', '.join(projects[:SHOWN])}{', …' if len(projects) > SHOWN else ''}"
    command = f"escalator vnfm register NAME --dialect manual --project {project}"
    return f"let a person be asked for them, who may agree to a cold migration or a stop: {command}{each}; then look again"


def _mended(found: Condition, remedy: str) -> Condition:
    """What keeps an instance where it is may be the older hypervisor, and nothing about its own state."""
    if found.code != Code.PLN_INSTANCE_STATE.value or found.ok or not remedy:
        return found
    return found.model_copy(update={"remedy": remedy})


def _message(rows: Sequence[NoReturn]) -> str:
    if not rows:
        return "every instance that moves comes back the way it went"
    ways: dict[str, int] = {}
    for row in rows:
        ways[row.way_back] = ways.get(row.way_back, 0) + 1
    named = "; ".join(f"{count}: {way}" for way, count in sorted(ways.items())[:SHOWN])
    many = counted(len(rows), "instance does", "instances do")
    return f"{many} not come back by live migration: {named}"
