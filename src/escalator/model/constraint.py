"""What a VNF declares that it tolerates while its infrastructure is maintained (`NfviMaintenanceInfo`).

Names and meaning are those of ETSI GS NFV-SOL 001, clauses on `tosca.datatypes.nfv.NfviMaintenanceInfo`,
`MaxNumberOfImpactedInstances` and `MinNumberOfPreservedInstances`. What is left out is not constrained.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, Self, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from escalator.model.document import Model

ConstraintKind = Literal["group", "instance", "vnf", "project"]
MigrationType = Literal["no_migration", "offline_migration", "live_migration"]

Identifier = Annotated[str, StringConstraints(pattern=r"^[^\s/]+$", max_length=255)]
"""Ids that fit into an address."""
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SCALAR = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(d|h|m|s|ms|us|ns)", re.ASCII)


def owned(group: str, project: str | None) -> str:
    """Return the id under which a word about a group is kept: the operator's has the group's own, a project's names the project.

    So two projects that give groups one name do not disturb one another.
    """
    return group if project is None else f"{group}@{project}"


def _seconds(value: object) -> object:
    """Read a TOSCA scalar-unit.time (`120 s`); numbers are seconds already."""
    if not isinstance(value, str):
        return value
    found = _SCALAR.fullmatch(value.strip())
    if found is None:
        raise ValueError("a number of seconds or a TOSCA time such as '120 s' is expected")
    return float(found[1]) * _UNITS[found[2]]


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=30 * 86400)]
"""Seconds; a TOSCA scalar-unit.time is read too."""
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class _Row(Protocol):
    @property
    def group_size(self) -> int | None: ...


R = TypeVar("R", bound=_Row)


class MaxImpacted(Model):
    """How many instances of a group may be impacted at once, for groups of at least that size (null = any size)."""

    group_size: Count | None = None
    max_number_of_impacted_instances: Count


class MinPreserved(Model):
    """How many instances of a group have to stay untouched, for groups of at least that size (null = any size)."""

    group_size: Count | None = None
    min_number_of_preserved_instances: Count


class MaintenanceInfo(Model):
    """Constraints on maintenance of the infrastructure under one instance, or under the instances of one set."""

    impact_notification_lead_time: Duration | None = None
    is_impact_mitigation_requested: bool | None = None
    supported_migration_type: Annotated[tuple[MigrationType, ...], Field(min_length=1, max_length=3)] | None = None
    max_undetectable_interruption_time: Duration | None = None
    min_recovery_time_between_impacts: Duration | None = None
    max_number_of_impacted_instances: Annotated[tuple[MaxImpacted, ...], Field(max_length=100)] = ()
    min_number_of_preserved_instances: Annotated[tuple[MinPreserved, ...], Field(max_length=100)] = ()
    runs_management: bool | None = None
    """Whether a VNF manager, an NFVO, an EMS or Escalator itself runs here. Escalator's own key: SOL 001 has none for it."""

    anti_affinity: bool | None = None
    """Whether the members of a group are kept on different nodes, also where the cloud has no server group that says so.

    Escalator's own key."""
    max_per_node: Count | None = None
    """Most members of a group on one node, as OpenStack Fenix's `max_instances_per_host`. Escalator's own key."""
    member_of: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    """Groups that the cloud does not know of, as VNF managers make them for what they constrain. Escalator's own key."""
    declared_by: Identifier | None = None
    """Project with whose token it was declared: it holds for objects of that project alone. Escalator's own key."""

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        for rows in (self.max_number_of_impacted_instances, self.min_number_of_preserved_instances):
            sizes = [row.group_size for row in rows]
            if len(sizes) != len(set(sizes)):
                raise ValueError("two rows for groups of one size")
        kinds = self.supported_migration_type or ()
        if len(kinds) != len(set(kinds)):
            raise ValueError("a migration type stands there twice")
        return self

    @property
    def keeps_apart(self) -> bool:
        """Whether it bounds how many members of a group share a node."""
        return bool(self.anti_affinity) or self.max_per_node is not None

    @property
    def limits(self) -> bool:
        """Whether it bounds how many members of a set are impacted at once, or how soon after one another."""
        recovers = self.min_recovery_time_between_impacts is not None
        return recovers or bool(self.max_number_of_impacted_instances or self.min_number_of_preserved_instances)

    def max_impacted(self, members: int) -> int | None:
        """How many of `members` may be impacted at once: both kinds of rows hold; null where none says anything.

        Of several rows that with the largest `group_size` that the group reaches counts, else that without a size.
        """
        most = _row(self.max_number_of_impacted_instances, members)
        least = _row(self.min_number_of_preserved_instances, members)
        limits = [] if most is None else [most.max_number_of_impacted_instances]
        limits += [] if least is None else [max(0, members - least.min_number_of_preserved_instances)]
        return min(limits, default=None)

    def min_preserved(self, members: int) -> int | None:
        """How many of `members` have to be left alone, where it is this that bounds how many may be impacted at once."""
        least = _row(self.min_number_of_preserved_instances, members)
        if least is None or max(0, members - least.min_number_of_preserved_instances) != self.max_impacted(members):
            return None
        return least.min_number_of_preserved_instances


def _row(rows: Sequence[R], members: int) -> R | None:
    fitting = [row for row in rows if row.group_size is None or row.group_size <= members]
    return max(fitting, key=lambda row: row.group_size or 0, default=None)


class Constraint(Model):
    """What one group, instance or VNF declares, or the operator's default for the instances of a project.

    For one instance the most particular constraint counts, value by value: its own, its group's, its VNF's, its project's;
    for a group its own, then that of the one project that has all members. Limits of a VNF hold over all its instances
    together.
    """

    kind: ConstraintKind
    id: Identifier
    spec: MaintenanceInfo

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "instance" and self.spec.limits:
            raise ValueError("limits and recovery are those of a group, a VNF or a project, not of one instance")
        if self.kind != "group" and self.spec.anti_affinity is not None:
            raise ValueError("anti_affinity is said of a group")
        if self.kind != "group" and self.spec.max_per_node is not None:
            raise ValueError("max_per_node is said of a group")
        return self
