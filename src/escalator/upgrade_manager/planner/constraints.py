"""What VNFs declare, put upon the inventory: from here on planner, verifier and engine see it as their own limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from escalator.model.constraint import Constraint, ConstraintKind, MaintenanceInfo, owned
from escalator.model.inventory import Group, Instance, Inventory, MigrationKind

Key = tuple[ConstraintKind, str]
Declared = Mapping[Key, MaintenanceInfo]
NOTHING = MaintenanceInfo()
MANAGEMENT = "management"
"""Group of the instances in which what manages VNFs runs: one at a time, or nobody is there to answer."""
_VNF = "vnf:"
_DECLARED = "declared/"
_ABLE: Mapping[MigrationKind, tuple[str, ...]] = {
    "live": ("no_migration", "offline_migration", "live_migration"),
    "cold": ("no_migration", "offline_migration"),
    "none": ("no_migration",),
}
_BECOMES: Mapping[str, MigrationKind] = {"no_migration": "none", "offline_migration": "cold", "live_migration": "live"}


def declared(constraints: Iterable[Constraint]) -> Declared:
    """The constraints by whom they are about."""
    return {(constraint.kind, constraint.id): constraint.spec for constraint in constraints}


def keys_of(instances: Iterable[Instance]) -> set[Key]:
    """Whatever may constrain these instances, but for the groups of which they are members by a constraint's word."""
    return {key for instance in instances for key in _particular(instance)}


def keys_of_made(by_key: Declared) -> set[Key]:
    """What may constrain the groups that these constraints make up."""
    return {("group", owned(name, spec.declared_by)) for spec in by_key.values() for name in spec.member_of}


def keys_of_group(group: Group, members: Iterable[Instance]) -> set[Key]:
    """Whatever may constrain the group: a word about it, the operator's or a project's, and the projects' own defaults."""
    projects = {instance.project for instance in members}
    theirs: set[Key] = {("group", owned(group.id, project)) for project in projects}
    return {key_of_group(group.id)} | theirs | {("project", project) for project in projects}


def words_about(group: str, project: str) -> set[Key]:
    """Whose word may be about the group itself, for an instance of that project: the operator's, and the project's."""
    return {key_of_group(group), ("group", owned(group, project))}


def made_group(name: str) -> Group:
    """A group that constraints make up."""
    return Group(id=name, max_impacted=1 if name == MANAGEMENT else None)


def vnf_group(vnf: str) -> str:
    """Id of the group that all instances of a VNF with limits of its own make up."""
    return f"{_VNF}{vnf}"


def vnf_of(group: str) -> str | None:
    """The VNF whose instances such a group is made of; None for any other group."""
    vnf = group.removeprefix(_VNF)
    return None if vnf == group else vnf


def declared_group(name: str, owner: str | None) -> str:
    """Id of the group of that name that a project makes up, or the operator.

    No constraint can name it, as ids have no slash: nobody joins another's group, the cloud's, or one of ours.
    """
    return f"{_DECLARED}{owner or ''}/{name}"


def is_declared(group: str) -> bool:
    """Whether constraints made the group up: the cloud knows nothing of it."""
    return group.startswith(_DECLARED)


def key_of_group(group: str) -> Key:
    """Whose word counts first for the group."""
    if group.startswith(_DECLARED):
        owner, _, name = group.removeprefix(_DECLARED).partition("/")
        return ("group", owned(name, owner or None))
    vnf = vnf_of(group)
    return ("group", group) if vnf is None else ("vnf", vnf)


def concerned(inventory: Inventory, constraint: Constraint) -> int:
    """How many instances the constraint is about."""
    match constraint.kind:
        case "group":
            return sum(constraint.id in _words_about_groups(instance) for instance in inventory.instances)
        case "instance":
            return int(constraint.id in inventory.instance_by_id)
        case "vnf":
            return sum(instance.vnf == constraint.id for instance in inventory.instances)
        case _:
            return sum(instance.project == constraint.id for instance in inventory.instances)


def constrained(inventory: Inventory, by_key: Declared) -> Inventory:
    """The inventory with what is declared; itself when nothing is."""
    if not by_key:
        return inventory
    instances = tuple(on_instance(instance, by_key) for instance in inventory.instances)
    members: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        for group in instance.groups:
            members[group].append(instance)
    known = {group.id for group in inventory.groups}
    made = map(made_group, sorted(members.keys() - known))
    groups = tuple(on_group(group, members[group.id], by_key) for group in [*inventory.groups, *made])
    return Inventory.model_construct(nodes=inventory.nodes, instances=instances, groups=groups)


def on_instance(instance: Instance, by_key: Declared) -> Instance:
    """The instance with what is declared for it; itself when nothing is."""
    named = [spec for spec in _specs(by_key, _particular(instance)) if spec.declared_by in (None, instance.project)]
    made = [declared_group(name, spec.declared_by) for spec in named for name in spec.member_of if name not in instance.groups]
    specs = _all_specs(instance, made, by_key)
    if not specs:
        return instance
    update: dict[str, Any] = {}
    lead_s = _first(specs, "impact_notification_lead_time")
    mitigation = _first(specs, "is_impact_mitigation_requested")
    longest_s = _first(specs, "max_undetectable_interruption_time")
    update |= {"lead_s": lead_s} if lead_s is not None else {}
    update |= {"mitigation": mitigation} if mitigation is not None else {}
    update |= {"max_interruption_s": longest_s} if longest_s is not None else {}
    update |= _migration(instance, _first(specs, "supported_migration_type"))
    groups = [*instance.groups, *made]
    if instance.vnf is not None and by_key.get(("vnf", instance.vnf), NOTHING).limits:
        groups.append(vnf_group(instance.vnf))
    if _first(specs, "runs_management"):
        groups.append(MANAGEMENT)
        update["management"] = True
    if len(groups) > len(instance.groups):
        update["groups"] = tuple(dict.fromkeys(groups))
    return instance.model_copy(update=update)


def _particular(instance: Instance) -> tuple[Key, ...]:
    """Whose word counts for the instance, the most particular first."""
    own: tuple[Key, ...] = (("instance", instance.id),)
    words = ((group, owned(group, instance.project)) for group in instance.groups)
    groups: tuple[Key, ...] = tuple(("group", word) for pair in words for word in pair)
    vnf: tuple[Key, ...] = (("vnf", instance.vnf),) if instance.vnf is not None else ()
    return (*own, *groups, *vnf, ("project", instance.project))


def _words_about_groups(instance: Instance) -> set[str]:
    """Ids of the constraints that may be about one of its groups."""
    general = {key_of_group(group) for group in instance.groups}
    return {name for kind, name in general if kind == "group"} | {owned(group, instance.project) for group in instance.groups}


def _specs(by_key: Declared, keys: Iterable[Key]) -> list[MaintenanceInfo]:
    return [by_key[key] for key in keys if key in by_key]


def _all_specs(instance: Instance, made: Sequence[str], by_key: Declared) -> list[MaintenanceInfo]:
    """What counts for the instance, its made-up groups behind the cloud's."""
    own, *rest = _particular(instance)
    count = 2 * len(instance.groups)
    theirs = [spec for group in made for spec in _own_word(group, by_key)]
    found = [*_specs(by_key, (own, *rest[:count])), *theirs, *_specs(by_key, rest[count:])]
    return [spec for spec in found if spec.declared_by in (None, instance.project)]


def _own_word(group: str, by_key: Declared) -> list[MaintenanceInfo]:
    """What is declared for a made-up group by whoever made it up."""
    owner = group.removeprefix(_DECLARED).partition("/")[0] or None
    return [spec for spec in _specs(by_key, (key_of_group(group),)) if spec.declared_by == owner]


def _first(specs: Sequence[MaintenanceInfo], name: str) -> Any:  # noqa: ANN401 - the field's value
    return next((value for spec in specs if (value := getattr(spec, name)) is not None), None)


def _migration(instance: Instance, supported: Sequence[str] | None) -> dict[str, Any]:
    """The first kind that is supported and possible; none is possible where they have nothing in common."""
    if supported is None:
        return {}
    allowed = tuple(_BECOMES[word] for word in supported)
    kind = next((_BECOMES[word] for word in supported if word in _ABLE[instance.migration]), "none")
    if kind == instance.migration:
        return {"allowed": allowed}
    reason = f"its VNF declares {', '.join(supported)}"
    if "no_migration" not in supported and kind == "none":
        able = instance.migration_reason or f"it can migrate {instance.migration} only"
        reason = f"{reason}, and {able}"
    return {"allowed": allowed, "migration": kind, "migration_reason": reason}


def on_group(group: Group, members: Sequence[Instance], by_key: Declared) -> Group:
    """The group with what is declared for it; itself when nothing is."""
    specs = _specs_of(group.id, {instance.project for instance in members}, by_key)
    update: dict[str, Any] = {}
    count = len(members)
    limits = next((spec for spec in specs if spec.max_impacted(count) is not None), NOTHING)
    recovery_s = _first(specs, "min_recovery_time_between_impacts")
    update |= {"max_impacted": limits.max_impacted(count)} if limits is not NOTHING else {}
    # The limit stands in the other one already; this is for those who ask where it comes from.
    least = limits.min_preserved(count)
    update |= {"min_preserved": least} if least is not None else {}
    update |= {"recovery_s": recovery_s} if recovery_s is not None else {}
    # What the cloud keeps together it would not move apart; what it keeps apart stays so whatever is declared.
    if _first(specs, "anti_affinity") and group.policy in ("none", "soft-anti-affinity"):
        update["policy"] = "anti-affinity"
    most = _first(specs, "max_per_node")
    if most is not None and group.policy != "affinity":
        update["max_per_node"] = min(most, group.max_per_node or most)
    return group.model_copy(update=update) if update else group


def _specs_of(group: str, projects: set[str], by_key: Declared) -> list[MaintenanceInfo]:
    """Whose word counts for the group: a project's on the cloud's own group as long as nobody else is in that."""
    default: tuple[Key, ...] = tuple(("project", project) for project in projects) if len(projects) == 1 else ()
    if group.startswith(_DECLARED):
        return [*_own_word(group, by_key), *_specs(by_key, default)]
    theirs: tuple[Key, ...] = tuple(("group", owned(group, project)) for project in projects) if len(projects) == 1 else ()
    found = _specs(by_key, (key_of_group(group), *theirs, *default))
    return [spec for spec in found if spec.declared_by is None or projects <= {spec.declared_by}]
