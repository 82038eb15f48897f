"""The cloud as the search sees it: nodes, NUMA entries, instances and groups as numbers in lists.

Everything is an index: a node, a *cell* (one NUMA entry of one node), an instance, a group. Nothing here decides; the
state that a search changes (who is where, what is free) is copied for each run by `Standing`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import itemgetter
from typing import NamedTuple

from escalator.model.campaign import Campaign
from escalator.model.inventory import Instance, Inventory, Node, Requires, memory_gib
from escalator.upgrade_manager.planner.actions import Action, Leaves, Stays
from escalator.upgrade_manager.planner.lead import longest_s
from escalator.upgrade_manager.planner.owners import owner_named
from escalator.upgrade_manager.planner.versions import older
from escalator.upgrade_manager.planner.watching import Watched, Watching

LEAD_TIME = "lead time"
"""How what shares nothing but a lead time is called; no group."""
SLACK = 1e-9
"""What sums of demands may be off by."""


class Kind(NamedTuple):
    """What a node offers to those who require something: nodes of one kind are alike for placement."""

    nova_cell: str | None
    compute: bool
    az: str | None
    aggregates: tuple[str, ...]
    traits: tuple[str, ...]
    physnets: tuple[str, ...]
    hypervisor: str | None
    done: bool


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What an instance needs: per cell (resource, amount), how many cells, and where it may go. One object for all alike."""

    demand: tuple[tuple[int, float], ...]
    span: int
    nova_cell: str | None
    hypervisor: str | None
    needs: Requires

    def takes(self, resource: int) -> float:
        """What it needs of the resource over all its cells."""
        return self.span * dict(self.demand).get(resource, 0.0)


@dataclass(slots=True)
class Guest:
    """One instance on a node that is to be upgraded."""

    instance: Instance
    shape: Shape
    kind: str
    """`live` or `cold` for what leaves, else the kind of its stay."""
    leaves: bool
    lasts_s: float
    """Duration of its move."""
    groups: tuple[int, ...]
    """Groups whose limits or recovery can bind."""
    apart: tuple[int, ...]
    """Groups that allow no more than so many members on one node, such as those of hard anti-affinity."""
    soft: tuple[int, ...]
    """Groups of soft anti-affinity: not to be placed worse than before."""
    tied: tuple[str, ...]
    """Groups of hard affinity."""
    watched: tuple[int, ...] = ()
    """Groups and levels whose spread its move may change."""
    cells: tuple[int, ...] = ()
    """Cells that it uses at the start."""
    id: str = ""
    owner: str = ""
    """Its VNF or project, as it is told."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a group allows: `most` members impacted at once beside those that are down, `recovery_s` between impacts.

    No impact begins before `lead_s`.
    """

    id: str
    most: int
    recovery_s: float
    lead_s: float
    members: int
    per_node: int | None = None
    """Most members on one node; null = any number."""


@dataclass(slots=True)
class Cloud:
    """Nodes of the scope that are upgraded or can be; the order of `nodes` is that of the inventory."""

    nodes: list[Node] = field(default_factory=list)
    resources: tuple[str, ...] = ()
    key: int = 0
    """The scarcest resource of what has to move: placement looks for room by it."""
    takes: Mapping[Shape, float] = field(default_factory=dict)
    """What each shape takes of it, over all its cells."""
    scale: tuple[float, ...] = ()
    """What an amount of each resource, squared, counts beside others; zero for what nobody asks for."""
    cells: list[tuple[int, ...]] = field(default_factory=list)
    host: list[int] = field(default_factory=list)
    """Node of each cell."""
    capacity: list[tuple[float, ...]] = field(default_factory=list)
    used: list[list[float]] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    guests: list[list[Guest]] = field(default_factory=list)
    """Instances on each node."""
    limits: list[Limit] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    """Groups and levels at which their members are not to end closer together than they began."""
    upgrade_s: list[float] = field(default_factory=list)
    lead_s: list[float] = field(default_factory=list)
    """What each node's turn may wait for, because of what is announced."""
    managing: list[bool] = field(default_factory=list)
    """Nodes with something that manages VNFs."""
    done: list[bool] = field(default_factory=list)
    """Nodes that are upgraded already."""
    ready: list[bool] = field(default_factory=list)
    """Nodes to upgrade that nothing blocks for good."""


def build(
    campaign: Campaign, inventory: Inventory, actions: Mapping[str, Action], ready: Sequence[Node], upgraded: Sequence[Node]
) -> Cloud:
    """Number everything. `ready` are the nodes to upgrade, `upgraded` those that are; every other node is out of the picture."""
    cloud = Cloud()
    wanted = {node.id for node in ready}
    known = {node.id for node in upgraded}
    cloud.nodes = [node for node in inventory.nodes if node.id in wanted or node.id in known]
    names: dict[str, int] = {}
    if all("compute" not in node.roles for node in cloud.nodes):
        names["pcpu"] = 0  # nothing runs on such nodes, and room is looked at by one resource at least
    for node in cloud.nodes:
        for numa in node.numa:
            for name in numa:
                names.setdefault(name, len(names))
    for node in cloud.nodes:
        _add_node(cloud, node, names, campaign, done=node.id in known)
    shapes = _add_guests(cloud, campaign, inventory, actions, names)
    cloud.resources = tuple(names)
    cloud.capacity = [row + (0.0,) * (len(names) - len(row)) for row in cloud.capacity]
    asked = {resource for shape in shapes for resource, _ in shape.demand}
    cloud.key = _scarcest(cloud, asked)
    cloud.takes = {shape: shape.takes(cloud.key) for shape in shapes}
    cloud.scale = _scale(cloud, asked)
    return cloud


def _add_node(cloud: Cloud, node: Node, names: Mapping[str, int], campaign: Campaign, *, done: bool) -> None:
    index = len(cloud.cells)
    first = len(cloud.host)
    for numa in node.numa:
        row = [0.0] * len(names)
        for name, amount in numa.items():
            row[names[name]] = amount
        cloud.capacity.append(tuple(row))
        cloud.used.append([0.0] * len(names))
        cloud.host.append(index)
    cloud.cells.append(tuple(range(first, len(cloud.host))))
    offers = (node.az, node.aggregates, node.traits, node.physnets)
    cloud.kinds.append(Kind(node.nova_cell, "compute" in node.roles, *offers, node.versions.get("hypervisor"), done))
    cloud.upgrade_s.append(campaign.spec.estimates.upgrade_of(node))
    cloud.done.append(done)
    cloud.ready.append(not done)


def _add_guests(
    cloud: Cloud, campaign: Campaign, inventory: Inventory, actions: Mapping[str, Action], names: dict[str, int]
) -> Collection[Shape]:
    """What is on each node; returned are the shapes of all of it. Resources that only instances know get their names here.

    Each instance is looked at once, and all that is needed of it is read at once: it is far away in memory, and there may be
    a hundred thousand.
    """
    limits, sorts = _Limits(inventory, campaign), _Sorts(names, cloud.used, campaign)
    owners: dict[tuple[str | None, str], str] = {}
    for index, node in enumerate(cloud.nodes):
        sorts.go_to(node)
        here = [(cell,) for cell in cloud.cells[index]]
        guests: list[Guest] = []
        leads: list[float] = []
        managing = False
        for instance in inventory.instances_by_node.get(node.id, ()):
            name, demand, span, entry, needs, groups, lead_s, vnf, project, manages = _READ(vars(instance))
            shape, kind, leaves, lasts_s = sorts.of(demand, span, needs, actions.get(name))
            cells = here[entry] if isinstance(entry, int) else tuple([here[cell][0] for cell in instance.cells])
            for cell in cells:
                used = cloud.used[cell]
                for resource, amount in shape.demand:
                    used[resource] += amount
            bound = limits.of(lead_s, groups, leaves=leaves) if groups or lead_s else _UNBOUND
            binding, apart, soft, tied, watched = bound
            owner = owners.get((vnf, project))
            if owner is None:
                owner = owners[vnf, project] = owner_named(vnf, project)
            guests.append(Guest(instance, shape, kind, leaves, lasts_s, binding, apart, soft, tied, watched, cells, name, owner))
            leads.append(lead_s)
            managing |= manages
        cloud.guests.append(guests)
        cloud.lead_s.append(longest_s(campaign.spec, leads))
        cloud.managing.append(managing)
    cloud.limits, cloud.watched = limits.limits, limits.watching.watched
    return sorts.shapes


_READ = itemgetter(
    "id", "demand", "numa_span", "numa_cell", "requires", "groups", "lead_s", "vnf", "project", "management"
)  # fmt: skip


_OFFERS = itemgetter("az", "aggregates", "traits", "physnets")


class _Sort(NamedTuple):
    """What instances have in common that need the same and that the same happens to: one object for all of them."""

    shape: Shape
    kind: str
    leaves: bool
    lasts_s: float


class _Sorts:
    """Sorts and shapes of instances: one object for all alike. `used` grows by the resources that are found here."""

    def __init__(self, names: dict[str, int], used: Sequence[list[float]], campaign: Campaign) -> None:
        self._names, self._used, self._campaign = names, used, campaign
        self._shapes: dict[tuple[object, ...], Shape] = {}
        self._home: tuple[str | None, str | None] = (None, None)
        """Nova cell and hypervisor of the node whose instances are looked at."""
        self._by_home: dict[tuple[str | None, str | None], dict[tuple[int, ...], _Sort]] = {}
        self._here: dict[tuple[int, ...], _Sort] = {}
        self._known: dict[tuple[object, ...], _Sort] = {}

    @property
    def shapes(self) -> Collection[Shape]:
        return self._shapes.values()

    def go_to(self, node: Node) -> None:
        """The instances that follow are on this node."""
        self._home = (node.nova_cell, node.versions.get("hypervisor"))
        self._here = self._by_home.setdefault(self._home, {})

    def of(self, demand: Mapping[str, float], span: int, needs: Requires, action: Action | None) -> _Sort:
        # They all live as long as this does, and what is equal is mostly one object: they can be told by where they are.
        key = (id(demand), span, id(needs), id(action))
        sort = self._here.get(key)
        if sort is None:
            sort = self._here[key] = self._alike(demand, span, needs, action)
        return sort

    def _alike(self, demand: Mapping[str, float], span: int, needs: Requires, action: Action | None) -> _Sort:
        key = (self._home, *demand, *demand.values(), span, _OFFERS(vars(needs)), id(action))
        sort = self._known.get(key)
        if sort is None:
            sort = self._known[key] = self._new(demand, span, needs, action)
        return sort

    def _new(self, demand: Mapping[str, float], span: int, needs: Requires, action: Action | None) -> _Sort:
        for name in demand:
            if name not in self._names:
                self._names[name] = len(self._names)
                for row in self._used:
                    row.append(0.0)
        needed = tuple([(self._names[name], amount) for name, amount in demand.items() if amount > 0])
        alike = (needed, span, *self._home, needs.az, needs.aggregates, needs.traits, needs.physnets)
        shape = self._shapes.get(alike)
        if shape is None:
            shape = self._shapes[alike] = Shape(needed, span, *self._home, needs)
        kind, leaves = _kind(action)
        lasts_s = self._campaign.spec.estimates.move_s(memory_gib(demand, span), kind) if leaves else 0.0
        return _Sort(shape, kind, leaves, lasts_s)


def _kind(action: Action | None) -> tuple[str, bool]:
    """The kind of a move or of a stay, and whether it is a move."""
    if isinstance(action, Leaves):
        return action.kind, True
    return (action.kind if isinstance(action, Stays) else "offline"), False


_Groups = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[str, ...], tuple[int, ...]]
_UNBOUND: _Groups = ((), (), (), (), ())
"""Of an instance that is in no group and wants no lead time."""


class _Limits:
    """Groups by number, made when an instance names them; those that cannot bind have none."""

    def __init__(self, inventory: Inventory, campaign: Campaign) -> None:
        self._inventory = inventory
        self.watching = Watching(inventory)
        self._lead_s = campaign.spec.workloads.notify.lead_time_s
        self._numbers: dict[str, int | None] = {}
        self._leads: dict[float, int] = {}
        self._times: dict[float, float] = {}
        """Times of recovery, one number for all alike: doors are asked for theirs all the time."""
        self._found: dict[tuple[float, tuple[str, ...], bool], _Groups] = {}
        self._down: defaultdict[str, int] = defaultdict(int)
        self.limits: list[Limit] = []
        for node in inventory.nodes:
            if node.state == "down":
                for instance in inventory.instances_by_node.get(node.id, ()):
                    for group in instance.groups:
                        self._down[group] += 1

    def of(self, lead_s: float, names: tuple[str, ...], *, leaves: bool) -> _Groups:
        """Numbers of its groups that can bind, of hard and soft anti-affinity, names of those of hard affinity; watched."""
        key = (lead_s, names, leaves)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._groups(*key)
        return found

    def _groups(self, lead_s: float, names: tuple[str, ...], leaves: bool) -> _Groups:  # noqa: FBT001 - a part of the key
        groups, apart, soft, tied = [], [], [], []
        if lead_s > self._lead_s:
            groups.append(self._waiting(lead_s))
        for name in names:
            number = self._number(name)
            policy = self._inventory.group_by_id[name].policy
            if self._binds(number):
                groups.append(number)
            if self.limits[number].per_node is not None:
                apart.append(number)
            if policy == "soft-anti-affinity":
                soft.append(number)
            elif policy == "affinity":
                tied.append(name)
        watched = self.watching.of(names) if leaves else ()
        bind = tuple(groups)
        # Mostly they are the same, and what is the same is to be one thing in memory.
        return bind, bind if apart == groups else tuple(apart), tuple(soft), tuple(tied), watched

    def _binds(self, number: int) -> bool:
        limit = self.limits[number]
        return limit.most < limit.members or limit.recovery_s > 0 or limit.lead_s > 0

    def _waiting(self, lead_s: float) -> int:
        """Number of what all instances with that lead time share: nothing but that they wait."""
        number = self._leads.get(lead_s)
        if number is None:
            number = self._leads[lead_s] = len(self.limits)
            members = len(self._inventory.instances)
            self.limits.append(Limit(f"{LEAD_TIME} of {lead_s:g} s", members, 0.0, lead_s, members))
        return number

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            group = self._inventory.group_by_id[name]
            members = len(self._inventory.members[name])
            most = group.limit(members) - self._down[name]
            number = self._numbers[name] = len(self.limits)
            recovery_s = self._times.setdefault(group.recovery_s, group.recovery_s)
            self.limits.append(Limit(name, most, recovery_s, max(self._lead_s, group.lead_s), members, group.per_node))
        return number


def _scale(cloud: Cloud, asked: Collection[int]) -> tuple[float, ...]:
    """Resources are compared by their shares of what the whole cloud has, for one NUMA entry of average size."""
    there = [sum(row[resource] for row in cloud.capacity) / max(1, len(cloud.host)) for resource in range(len(cloud.resources))]
    return tuple(amount**-2 if amount and resource in asked else 0.0 for resource, amount in enumerate(there))


def _scarcest(cloud: Cloud, asked: Collection[int]) -> int:
    """The resource of which what is used is the largest share of what there is, among those that instances ask for."""
    best, most = 0, -1.0
    for resource in sorted(asked):
        there = sum(row[resource] for row in cloud.capacity)
        taken = sum(row[resource] for row in cloud.used)
        share = taken / there if there else inf
        if share > most:
            best, most = resource, share
    return best


def may_go(shape: Shape, kind: Kind, *, renewed: bool) -> bool:
    """Whether an instance of that shape may be on a node of that kind; `renewed`: the node is upgraded before it arrives."""
    needs = shape.needs
    if not kind.compute or kind.nova_cell != shape.nova_cell or needs.az not in (None, kind.az):
        return False
    if not renewed and older(kind.hypervisor, shape.hypervisor):
        return False
    return (
        set(needs.aggregates) <= set(kind.aggregates)
        and set(needs.traits) <= set(kind.traits)
        and set(needs.physnets) <= set(kind.physnets)
    )
