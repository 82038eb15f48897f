"""The cloud as observed, or as described in a file to plan without one (`kind: Inventory`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from escalator.model.document import Model, SeveralError
from escalator.model.references import Told, broken_references

_SEEN: dict[tuple[tuple[str, object], ...], Mapping[str, object]] = {}
_MOST_SEEN = 10_000
"""Mappings that are kept: a cloud has some dozens of shapes, and who sends us one after the other does not fill our memory."""

M = TypeVar("M", bound=Mapping[str, object])


def shared(values: M) -> M:
    """One mapping for all that are equal: hosts and flavors come in few shapes, and a mapping of its own takes 300 bytes each."""
    key = tuple(values.items())
    if len(_SEEN) < _MOST_SEEN:
        _SEEN.setdefault(key, values)
    return _SEEN.get(key, values)  # type: ignore[return-value]  # equal items in the same order: of the same kind


Amount = Annotated[float, Field(ge=0, le=1e12)]
Resources = Annotated[Mapping[str, Amount], AfterValidator(shared)]
"""Countable resources by name: `pcpu`, `mem_mib`, `vf`, or any other."""
Duration = Annotated[float, Field(ge=0, le=30 * 86400)]
"""Seconds; as long at most as what a VNF may declare."""
Role = Literal["compute", "control", "network", "storage"]
MigrationKind = Literal["live", "cold", "none"]


class Node(Model):
    """One host of the infrastructure."""

    id: str = Field(min_length=1, max_length=255)
    roles: tuple[Role, ...] = ("compute",)
    az: str | None = None
    rack: str | None = None
    aggregates: tuple[str, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    master: bool = False
    """Whether it is the current master of its control cluster: it goes last."""
    nova_cell: str | None = None
    traits: tuple[str, ...] = ()
    physnets: tuple[str, ...] = ()
    state: Literal["up", "down"] = "up"
    maintenance: bool = False
    maintenance_reason: str | None = None
    hold: str | None = None
    """Why nobody may begin the node: a person holds it; null when nobody does."""
    progress: Literal["old", "upgrading", "draining", "done", "failed"] = "old"
    versions: Annotated[Mapping[str, str], AfterValidator(shared)] = Field(default_factory=dict)
    numa: tuple[Resources, ...] = ({},)


class Requires(Model):
    """What a target has to offer to an instance."""

    az: str | None = None
    aggregates: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    physnets: tuple[str, ...] = ()


class Seen(Model):
    """For how long a migration interrupted an instance, or a member of its groups, in an earlier campaign."""

    kind: Literal["live", "cold"]
    longest_s: Annotated[float, Field(ge=0, le=1e9)]
    """The longest that was seen, seconds."""
    at_least: bool = False
    """Whether it may have been more: another instance of its VNF may have taken over."""
    campaign: str
    """The campaign that saw it."""


class Instance(Model):
    """One VM. `demand` counts per NUMA entry that it uses."""

    id: str = Field(min_length=1, max_length=255)
    name: str | None = None
    project: str
    vnf: str | None = None
    state: str = "active"
    task_state: str | None = None
    blocked: str | None = None
    """Why nothing may be done with the instance now, with the remedy; null when nothing stands in the way."""
    node: str
    numa_cell: int | tuple[int, ...] | None = None
    numa_span: Annotated[int, Field(ge=1, le=64)] = 1
    demand: Resources = Field(default_factory=dict)
    groups: tuple[str, ...] = ()
    migration: MigrationKind = "live"
    migration_reason: str | None = None
    vacate: Literal["move", "in-place"] = "move"
    requires: Requires = Requires()
    lead_s: Duration = 0.0
    """Time that it wants between the notice and what impacts it, seconds."""
    mitigation: bool = False
    """Whether it has to have a replacement before it is impacted."""
    management: bool = False
    """Whether a VNF manager, an NFVO, an EMS or Escalator itself runs in it."""
    allowed: tuple[MigrationKind, ...] | None = None
    """What its VNF declares to be allowed: `none` for staying where it is; null when it declares nothing."""
    max_interruption_s: Duration | None = None
    """Longest interruption that its VNF does not notice, seconds; null = not known."""
    seen: tuple[Seen, ...] = ()
    """What its migrations took before, or those of its groups' other members; of those that say what they do not notice."""

    def may(self, kind: MigrationKind) -> bool:
        """Whether its VNF allows it to migrate that way, or with `none` to stay on a node that is upgraded."""
        return self.allowed is None or kind in self.allowed

    def notices(self, interruption_s: float) -> bool:
        """Whether its VNF says that it notices an interruption as long as that; nothing is known of one that says nothing."""
        return self.max_interruption_s is not None and interruption_s > self.max_interruption_s

    def seen_instead(self, kind: str, estimate_s: float) -> Seen | None:
        """Return what was seen, where it counts instead of an estimate: the least that it can have been makes none shorter."""
        found = next((one for one in self.seen if one.kind == kind), None)
        return None if found is None or (found.at_least and found.longest_s <= estimate_s) else found

    @property
    def cells(self) -> tuple[int, ...]:
        """Indexes of the NUMA entries of its node that it uses."""
        if self.numa_cell is None:
            return tuple(range(self.numa_span))
        return (self.numa_cell,) if isinstance(self.numa_cell, int) else self.numa_cell

    @property
    def running(self) -> bool:
        """Whether it carries business as far as the cloud can tell."""
        return self.state == "active"

    @property
    def memory_gib(self) -> float:
        """Memory over all its NUMA entries, GiB."""
        return memory_gib(self.demand, self.numa_span)


def memory_gib(demand: Mapping[str, float], span: int) -> float:
    """Memory of an instance over all its NUMA entries, GiB."""
    return demand.get("mem_mib", 0.0) * span / 1024.0


class Group(Model):
    """Instances with a placement policy or a limit on how many may be impacted at once."""

    id: str
    policy: Literal["anti-affinity", "soft-anti-affinity", "affinity", "soft-affinity", "none"] = "none"
    max_per_node: Annotated[int, Field(ge=1)] | None = None
    """Most members on one node, at every instant; those that are there already are left. Null: as many as the policy says."""
    max_impacted: Annotated[int, Field(ge=0)] | None = None
    min_preserved: Annotated[int, Field(ge=0)] | None = None
    recovery_s: Duration = 0.0
    lead_s: Duration = 0.0

    @property
    def limits(self) -> bool:
        """Whether it says how many of its members may be impacted at once."""
        apart = self.policy in ("anti-affinity", "soft-anti-affinity")
        return apart or self.max_impacted is not None or self.min_preserved is not None

    @property
    def per_node(self) -> int | None:
        """How many of its members one node may have when another one arrives; null = any number."""
        return 1 if self.policy == "anti-affinity" else self.max_per_node

    def limit(self, members: int) -> int:
        """How many of `members` may be impacted at once, by the stricter of its limits; without any it goes by its policy.

        Both of SOL001's conditions have to hold: MaxNumberOfImpactedInstances and MinNumberOfPreservedInstances.
        """
        allowed = [] if self.max_impacted is None else [self.max_impacted]
        if self.min_preserved is not None:
            allowed.append(max(0, members - self.min_preserved))
        if allowed:
            return min(allowed)
        return 1 if self.policy in ("anti-affinity", "soft-anti-affinity") else members


_OFFERS = itemgetter(*Requires.model_fields)
_OF_INSTANCES = ("instance_by_id", "group_by_id", "instances_by_node", "members")
"""What is looked up once, and is the same as long as instances and groups are."""


class Inventory(Model):
    """Nodes, instances and groups at one moment."""

    api_version: Literal["escalator/v1"] = Field(default="escalator/v1", alias="apiVersion")
    kind: Literal["Inventory"] = "Inventory"
    nodes: tuple[Node, ...] = ()
    instances: tuple[Instance, ...] = ()
    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not (self._named_once() and all(map(self._placed, self.instances))):
            raise SeveralError(self.contradictions(self.model_dump(mode="json")))
        self._share()
        return self

    def _named_once(self) -> bool:
        by_id = (self.node_by_id, self.nodes), (self.instance_by_id, self.instances), (self.group_by_id, self.groups)
        return all(len(named) == len(rows) for named, rows in by_id)

    def _share(self) -> None:
        """Let instances have in common what is equal: the id of a node, groups, what they require.

        A parser makes each of them anew, and whoever goes over a hundred thousand instances waits for memory most of the time.
        Who is on which node, and in which group, is noted on the way: everybody asks for it.
        """
        names = {node.id: node.id for node in self.nodes}
        groups: dict[tuple[str, ...], tuple[str, ...]] = {(name,): (name,) for name in self.group_by_id}
        needs: dict[tuple[object, ...], Requires] = {}
        for instance in self.instances:
            row = vars(instance)
            row["node"] = names[row["node"]]
            row["groups"] = groups.setdefault(row["groups"], row["groups"])
            requires = row["requires"]
            row["requires"] = needs.setdefault(_OFFERS(vars(requires)), requires)
        for name in _OF_INSTANCES:
            getattr(self, name)

    def _placed(self, instance: Instance) -> bool:
        node = self.node_by_id.get(instance.node)
        fits = node is not None and all(0 <= cell < len(node.numa) for cell in instance.cells)
        return fits and all(group in self.group_by_id for group in instance.groups)

    @staticmethod
    def contradictions(data: Mapping[str, Any]) -> Iterable[Told]:
        """Say of each thing that stands there twice or names what is not there, where and what it is; from plain data."""
        return broken_references(data)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy without what was looked up in this one: of other nodes or instances it would be wrong."""
        made = super().model_copy(update=update, deep=deep)
        for name in made.__dict__.keys() - type(self).model_fields.keys():
            del made.__dict__[name]
        return made

    def with_instances(self, instances: Sequence[Instance]) -> Inventory:
        """The same nodes and groups with other instances, all of which are known to fit together: nothing is checked again."""
        return Inventory.model_construct(nodes=self.nodes, instances=tuple(instances), groups=self.groups)

    def with_nodes(self, nodes: Sequence[Node]) -> Inventory:
        """The same instances and groups with the same nodes in another state: nothing is checked again."""
        made = Inventory.model_construct(nodes=tuple(nodes), instances=self.instances, groups=self.groups)
        known = vars(self)
        vars(made).update({name: known[name] for name in _OF_INSTANCES if name in known})
        return made

    @cached_property
    def node_by_id(self) -> dict[str, Node]:
        """Nodes by id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def instance_by_id(self) -> dict[str, Instance]:
        """Instances by id."""
        return {instance.id: instance for instance in self.instances}

    @cached_property
    def group_by_id(self) -> dict[str, Group]:
        """Groups by id."""
        return {group.id: group for group in self.groups}

    @cached_property
    def instances_by_node(self) -> dict[str, tuple[Instance, ...]]:
        """Instances on each node that has any."""
        found: defaultdict[str, list[Instance]] = defaultdict(list)
        for instance in self.instances:
            found[instance.node].append(instance)
        return {node: tuple(instances) for node, instances in found.items()}

    @cached_property
    def members(self) -> dict[str, tuple[Instance, ...]]:
        """Instances of each group."""
        found: defaultdict[str, list[Instance]] = defaultdict(list)
        for instance in self.instances:
            for group in instance.groups:
                found[group].append(instance)
        return {group: tuple(instances) for group, instances in found.items()}
