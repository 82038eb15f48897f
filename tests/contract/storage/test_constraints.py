"""What VNFs declare, over every kind of storage."""

from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.constraint import Constraint, MaintenanceInfo, MaxImpacted, MinPreserved
from escalator.model.errors import NotFoundError
from escalator.storage.port import Store

FULL = MaintenanceInfo(
    impact_notification_lead_time=120.0,
    is_impact_mitigation_requested=False,
    supported_migration_type=("live_migration", "no_migration"),
    max_undetectable_interruption_time=0.5,
    min_recovery_time_between_impacts=60.0,
    max_number_of_impacted_instances=(MaxImpacted(max_number_of_impacted_instances=1),),
    min_number_of_preserved_instances=(MinPreserved(group_size=4, min_number_of_preserved_instances=2),),
)


async def test_a_constraint_comes_back_as_it_was_given(store: Store) -> None:
    constraint = Constraint(kind="group", id="gå", spec=FULL)
    await store.constraints.put(constraint)
    assert await store.constraints.get("group", "gå") == constraint
    assert await store.constraints.get("vnf", "gå") is None


async def test_what_is_declared_anew_takes_the_place_of_the_old(store: Store) -> None:
    await store.constraints.put(Constraint(kind="vnf", id="v", spec=FULL))
    newer = Constraint(kind="vnf", id="v", spec=MaintenanceInfo(impact_notification_lead_time=1.0))
    await store.constraints.put(newer)
    assert await store.constraints.list() == [newer]


async def test_constraints_are_found_by_kind_and_id(store: Store) -> None:
    kinds = ("vnf", "group", "instance", "project")
    rows = [Constraint(kind=kind, id=name, spec=MaintenanceInfo()) for kind in kinds for name in ("b", "a", "Z")]
    for row in rows:
        await store.constraints.put(row)
    found = await store.constraints.find({("vnf", "a"), ("group", "Z"), ("instance", "none")})
    assert [(row.kind, row.id) for row in found] == [("group", "Z"), ("vnf", "a")]
    assert await store.constraints.find(()) == []
    assert await store.constraints.list() == sorted(rows, key=lambda row: (row.kind, row.id))


async def test_many_are_found_at_once(store: Store) -> None:
    await store.constraints.put(Constraint(kind="instance", id="vm-7777", spec=MaintenanceInfo()))
    found = await store.constraints.find({("instance", f"vm-{number}") for number in range(40_000)})
    assert [row.id for row in found] == ["vm-7777"]


async def test_what_is_removed_is_gone_and_what_is_not_there_cannot_be(store: Store) -> None:
    await store.constraints.put(Constraint(kind="vnf", id="v", spec=FULL))
    await store.constraints.remove("vnf", "v")
    assert await store.constraints.list() == []
    with pytest.raises(NotFoundError) as caught:
        await store.constraints.remove("vnf", "v")
    assert caught.value.code is Code.VIM_NOT_FOUND
