"""What a VNF manager of OpenStack Fenix declares, in the words of SOL 001.

| Fenix | SOL 001 |
|---|---|
| `lead_time` | `impact_notification_lead_time` |
| `migration_type` `MIGRATE`, or `MIGRATION` | `supported_migration_type` `live_migration`, `offline_migration` |
| `LIVE_MIGRATE` | `live_migration` |
| `OWN_ACTION` | `no_migration` |
| `resource_mitigation` | `is_impact_mitigation_requested` |
| `max_interruption_time` | `max_undetectable_interruption_time` |
| `recovery_time` | `min_recovery_time_between_impacts` |
| `max_impacted_members` | `max_number_of_impacted_instances`, of any size |
| `anti_affinity_group`, `max_instances_per_host` 1 | `anti_affinity`, which is ours |
| `max_instances_per_host` above 1 | `max_per_node`, which is ours |

`MIGRATE` allows a cold migration; one that can be live is the smaller impact of what is allowed. A group without a limit for
each host (0) is the cloud's to place: a server group of the same id keeps apart what it keeps apart. One of anti-affinity with
more than 1 for each host is what Nova's is with `max_server_per_host`: so many members share a host, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from escalator.model.codes import Code
from escalator.model.constraint import Constraint, Identifier, owned
from escalator.model.document import Model, Source, load, parse_json

Seconds = Annotated[int, Field(ge=0, le=30 * 86400)]
_TYPES = {
    "MIGRATE": ["live_migration", "offline_migration"],
    "MIGRATION": ["live_migration", "offline_migration"],  # the word of OPNFV Doctor's VNF manager
    "LIVE_MIGRATE": ["live_migration"],
    "OWN_ACTION": ["no_migration"],
}


class _Body(Model):
    """Keys that other clients add are taken and mean nothing."""

    model_config = ConfigDict(extra="ignore")


class InstanceBody(_Body):
    """Body of `PUT /instance/{instance_id}`."""

    project_id: Identifier
    group_id: Identifier | None = None
    migration_type: Literal["MIGRATE", "MIGRATION", "LIVE_MIGRATE", "OWN_ACTION"] | None = None
    lead_time: Seconds | None = None
    max_interruption_time: Seconds | None = None
    resource_mitigation: bool | None = None


class GroupBody(_Body):
    """Body of `PUT /instance_group/{group_id}`."""

    project_id: Identifier
    max_impacted_members: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    recovery_time: Seconds | None = None
    resource_mitigation: bool | None = None
    anti_affinity_group: bool = False
    max_instances_per_host: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """0 = no limit."""

    @property
    def apart(self) -> bool:
        """Whether its members are kept on different hosts."""
        return self.max_instances_per_host == 1 or (self.anti_affinity_group and not self.max_instances_per_host)


def instance_constraint(instance: str, body: bytes) -> Constraint:
    """Return what is declared for an instance; raises InputError with all problems."""
    given = load(InstanceBody, parse_json(body), code=Code.API_BODY)
    spec = {
        "impact_notification_lead_time": given.lead_time,
        "is_impact_mitigation_requested": given.resource_mitigation,
        "supported_migration_type": _TYPES[given.migration_type] if given.migration_type else None,
        "max_undetectable_interruption_time": given.max_interruption_time,
        "member_of": [given.group_id] if given.group_id else [],
        "declared_by": given.project_id,
    }
    return _constraint("instance", instance, spec)


def group_constraint(group: str, body: bytes) -> Constraint:
    """Return what is declared for a group; raises InputError with all problems. No member that may go (0) means no limit."""
    given = load(GroupBody, parse_json(body), code=Code.API_BODY)
    most = given.max_impacted_members
    spec = {
        "is_impact_mitigation_requested": given.resource_mitigation,
        "min_recovery_time_between_impacts": given.recovery_time,
        "max_number_of_impacted_instances": [{"max_number_of_impacted_instances": most}] if most else [],
        "anti_affinity": True if given.apart else None,
        "max_per_node": given.max_instances_per_host if given.max_instances_per_host > 1 else None,
        "declared_by": given.project_id,
    }
    return _constraint("group", owned(group, given.project_id), spec)


def _constraint(kind: str, object_id: str, spec: Mapping[str, Any]) -> Constraint:
    return load(Constraint, Source({"kind": kind, "id": object_id, "spec": dict(spec)}), code=Code.API_BODY)
