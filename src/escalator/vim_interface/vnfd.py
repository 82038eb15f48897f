"""Constraints out of a VNF descriptor: TOSCA as in ETSI GS NFV-SOL 001.

Read are `vdu_profile.nfvi_maintenance_info` of node templates (deployment units) and `nfvi_maintenance_group_info` of
policies. Nothing else of a descriptor matters here, so nothing else is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from escalator.model.codes import Code
from escalator.model.constraint import Constraint, ConstraintKind, MaintenanceInfo
from escalator.model.document import Source, load, parse
from escalator.model.errors import InputError, Problem

Named = tuple[str, MaintenanceInfo]
_KINDS = ("group", "instance", "vnf")


def constraints_of(text: str | bytes, vnf: str, mapped: Mapping[str, Sequence[str]]) -> tuple[Constraint, ...]:
    """Return what the descriptor declares, for the VNF instance `vnf`.

    `mapped` says, by name of deployment unit or policy, which objects it is about: `KIND:ID` each. What a unit declares that
    is not mapped holds for the whole VNF, the strictest of all units. Raises InputError with all problems: a value that does
    not fit, a name that is not there, a policy or a second unit with limits that is not mapped.
    """
    template = _mapping(_mapping(parse(text).data).get("topology_template"))
    units = [*_units(template)]
    policies = [*_policies(template)]
    named = dict([*units, *policies])
    unknown = mapped.keys() - named.keys()
    problems = [Problem(f"map.{name}", "no such deployment unit or policy declares anything") for name in unknown]
    problems += [
        Problem(f"map.{name}", "it stands for no object known here: map it with NAME=group:ID")
        for name, _ in policies
        if name not in mapped
    ]
    rest = [(name, info) for name, info in units if name not in mapped]
    problems += _unclear(rest)
    objects = [(name, *_object(name, text, problems)) for name, texts in mapped.items() if name in named for text in texts]
    problems += _twice(objects, vnf, rest)
    if not named:
        problems.append(Problem("", "the descriptor declares no nfvi_maintenance_info and no nfvi_maintenance_group_info"))
    if problems:
        raise InputError(Code.CFG_DOCUMENT, "The descriptor cannot be imported.", problems=sorted(problems, key=lambda p: p.path))
    found = [_constraint(kind, object_id, named[name]) for name, kind, object_id in objects]
    return (*found, _constraint("vnf", vnf, strictest([info for _, info in rest]))) if rest else tuple(found)


def _twice(objects: Sequence[tuple[str, ConstraintKind, str]], vnf: str, rest: Sequence[Named]) -> list[Problem]:
    """One object has one word: the second would take the place of the first."""
    speaks: dict[tuple[str, str], str] = {("vnf", vnf): "those that are not mapped"} if rest else {}
    found = []
    for name, kind, object_id in objects:
        other = speaks.setdefault((kind, object_id), name)
        if other != name:
            found.append(Problem(f"map.{name}", f"for {kind}:{object_id} speak {other} already"))
    return found


def _constraint(kind: ConstraintKind, object_id: str, info: MaintenanceInfo) -> Constraint:
    spec = info.model_dump(mode="json", exclude_defaults=True)
    return load(Constraint, Source({"kind": kind, "id": object_id, "spec": spec}))


def _object(name: str, text: str, problems: list[Problem]) -> tuple[ConstraintKind, str]:
    kind, colon, object_id = text.partition(":")
    if kind not in _KINDS or not colon or not object_id:
        problems.append(Problem(f"map.{name}", f"KIND:ID is expected, with one of {', '.join(_KINDS)}; this is {text!r}"))
    return cast("ConstraintKind", kind), object_id


def _units(template: Mapping[str, Any]) -> Iterator[Named]:
    for name, node in _mapping(template.get("node_templates")).items():
        profile = _mapping(_mapping(_mapping(node).get("properties")).get("vdu_profile"))
        if "nfvi_maintenance_info" in profile:
            path = f"topology_template.node_templates.{name}.properties.vdu_profile.nfvi_maintenance_info"
            yield str(name), _info(profile["nfvi_maintenance_info"], path)


def _policies(template: Mapping[str, Any]) -> Iterator[Named]:
    """TOSCA lists policies as mappings with one key each."""
    policies = template.get("policies")
    for entry in policies if isinstance(policies, list) else [policies]:
        for name, policy in _mapping(entry).items():
            properties = _mapping(_mapping(policy).get("properties"))
            if "nfvi_maintenance_group_info" in properties:
                path = f"topology_template.policies.{name}.properties.nfvi_maintenance_group_info"
                yield str(name), _info(properties["nfvi_maintenance_group_info"], path)


def _info(data: object, path: str) -> MaintenanceInfo:
    try:
        return load(MaintenanceInfo, Source(data))
    except InputError as error:
        problems = [Problem(f"{path}.{p.path}".rstrip("."), p.message) for p in error.problems]
        raise InputError(Code.CFG_DOCUMENT, "The descriptor cannot be imported.", problems=problems) from error


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _unclear(units: Sequence[Named]) -> list[Problem]:
    """Limits of several units are about different instances: for the VNF as a whole they say nothing."""
    bounding = [name for name, info in units if info.limits]
    if len(units) > 1 and bounding:
        message = "its limits are about its own instances: map it with NAME=group:ID, or leave no other unit unmapped"
        return [Problem(f"map.{name}", message) for name in bounding]
    kinds = [info.supported_migration_type for _, info in units if info.supported_migration_type]
    if kinds and not set(kinds[0]).intersection(*kinds):
        message = "the units have no supported migration type in common: map each with NAME=instance:ID"
        return [Problem("map", message)]
    return []


def strictest(infos: Sequence[MaintenanceInfo]) -> MaintenanceInfo:
    """Return what satisfies all of them; of one, itself. Migration types in common keep the order of the first."""
    if len(infos) == 1:
        return infos[0]
    leads = [i.impact_notification_lead_time for i in infos if i.impact_notification_lead_time is not None]
    noticed = [i.max_undetectable_interruption_time for i in infos if i.max_undetectable_interruption_time is not None]
    wishes = [i.is_impact_mitigation_requested for i in infos if i.is_impact_mitigation_requested is not None]
    kinds = [i.supported_migration_type for i in infos if i.supported_migration_type]
    common = tuple(kind for kind in kinds[0] if all(kind in other for other in kinds)) if kinds else None
    return MaintenanceInfo(
        impact_notification_lead_time=max(leads, default=None),
        is_impact_mitigation_requested=any(wishes) if wishes else None,
        supported_migration_type=common,
        max_undetectable_interruption_time=min(noticed, default=None),
    )
