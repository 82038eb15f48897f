"""Live migrations that a VNF would notice: impacts, which its groups or its manager have to bear; nobody else can say yes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Group, Instance, Inventory
from escalator.model.plan import Interruption, Move
from escalator.upgrade_manager.planner.actions import LIVE, Action


def expected_s(instance: Instance, spec: CampaignSpec, kind: str) -> float:
    """For how long a migration is expected to interrupt it, seconds: as was seen before, else as the document estimates."""
    estimate_s = spec.estimates.interruption_s(instance.memory_gib, kind)
    seen = instance.seen_instead(kind, estimate_s)
    return estimate_s if seen is None else seen.longest_s


def noticed(instance: Instance, spec: CampaignSpec) -> bool:
    """Whether a live migration is expected to interrupt it for longer than its VNF does not notice."""
    return instance.notices(expected_s(instance, spec, "live"))


def expected(spec: CampaignSpec, inventory: Inventory, moves: Iterable[Move]) -> tuple[Interruption, ...]:
    """What the moves are expected to take of instances whose VNFs say what they do not notice, and where that is known from."""
    rows: dict[tuple[str, str], Interruption] = {}
    minding = {instance.id: instance for instance in inventory.instances if instance.max_interruption_s is not None}
    for move in moves if minding else ():
        instance = minding.get(move.instance)
        if instance is not None and instance.max_interruption_s is not None:
            seconds = expected_s(instance, spec, move.kind)
            seen = instance.seen_instead(move.kind, spec.estimates.interruption_s(instance.memory_gib, move.kind))
            rows[instance.id, move.kind] = Interruption(
                instance=instance.id,
                kind=move.kind,
                expected_s=seconds,
                source="estimate" if seen is None else "seen",
                campaign=None if seen is None else seen.campaign,
                tolerates_s=instance.max_interruption_s,
                noticed=instance.notices(seconds),
            )
    return tuple(rows[key] for key in sorted(rows))


def borne(groups: Iterable[tuple[Group, int]]) -> bool:
    """Whether a group, given with the number of its members, says that some of them may be impacted."""
    return any(group.limits and group.limit(members) > 0 for group, members in groups)


def unborne(
    spec: CampaignSpec, inventory: Inventory, actions: Mapping[str, Action], managed: Collection[str]
) -> tuple[list[Instance], list[Instance]]:
    """Instances that would notice their live migration, and those of them for which nobody can say that they bear it."""
    minding = {i.id: i for i in inventory.instances if i.max_interruption_s is not None}
    leaving = [minding[i] for i, action in actions.items() if i in minding and action == LIVE] if minding else []
    found = [instance for instance in leaving if noticed(instance, spec)]
    return found, [i for i in found if i.id not in managed and not borne(_groups(inventory, i))]


def _groups(inventory: Inventory, instance: Instance) -> list[tuple[Group, int]]:
    return [(inventory.group_by_id[name], len(inventory.members[name])) for name in instance.groups]
