"""Constraints: SOL 001's names, TOSCA times, and which row counts."""

from __future__ import annotations

import pytest

from escalator.model.constraint import Constraint, MaintenanceInfo
from escalator.model.document import Source, load
from escalator.model.errors import InputError


def info(**values: object) -> MaintenanceInfo:
    return load(MaintenanceInfo, Source(values))


@pytest.mark.parametrize(
    ("text", "seconds"), [("120 s", 120.0), ("2m", 120.0), ("500 ms", 0.5), ("1.5 h", 5400.0), ("1 d", 86400.0), (7, 7.0)]
)
def test_a_time_is_a_number_of_seconds_or_a_tosca_time(text: object, seconds: float) -> None:
    assert info(impact_notification_lead_time=text).impact_notification_lead_time == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["soon", "10 S", "-1 s", "1e3 s", "", "31 d", -1, True, "9" * 400 + " s"])
def test_anything_else_is_no_time(text: object) -> None:
    with pytest.raises(InputError):
        info(min_recovery_time_between_impacts=text)


def impacted(*rows: tuple[int | None, int]) -> list[dict[str, int]]:
    return [({"group_size": size} if size else {}) | {"max_number_of_impacted_instances": count} for size, count in rows]


def preserved(*rows: tuple[int | None, int]) -> list[dict[str, int]]:
    return [({"group_size": size} if size else {}) | {"min_number_of_preserved_instances": count} for size, count in rows]


@pytest.mark.parametrize(("members", "limit"), [(1, 1), (4, 1), (5, 2), (9, 2), (10, 4), (1000, 4)])
def test_the_row_with_the_largest_size_that_is_reached_counts(members: int, limit: int) -> None:
    found = info(max_number_of_impacted_instances=impacted((5, 2), (None, 1), (10, 4)))
    assert found.max_impacted(members) == limit


def test_both_kinds_of_rows_hold() -> None:
    both = info(
        max_number_of_impacted_instances=impacted((None, 3)), min_number_of_preserved_instances=preserved((None, 4), (8, 6))
    )
    assert [both.max_impacted(n) for n in (3, 4, 5, 7, 8, 10)] == [0, 0, 1, 3, 2, 3]


def test_a_size_that_is_not_reached_says_nothing() -> None:
    assert info(max_number_of_impacted_instances=impacted((5, 1))).max_impacted(4) is None
    assert info().max_impacted(4) is None


@pytest.mark.parametrize(
    "values",
    [
        {"max_number_of_impacted_instances": impacted((5, 1), (5, 2))},
        {"max_number_of_impacted_instances": impacted((None, 0))},
        {"supported_migration_type": []},
        {"supported_migration_type": ["live_migration", "live_migration"]},
        {"supported_migration_type": ["warm_migration"]},
        {"max_impacted": 1},
        {"is_impact_mitigation_requested": "yes"},
    ],
)
def test_what_means_nothing_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        info(**values)


def test_limits_of_sets_are_not_those_of_an_instance() -> None:
    spec = {"min_recovery_time_between_impacts": 60}
    with pytest.raises(InputError) as caught:
        load(Constraint, Source({"kind": "instance", "id": "vm", "spec": spec}))
    assert "not of one instance" in caught.value.problems[0].message
    assert load(Constraint, Source({"kind": "vnf", "id": "vm", "spec": spec})).spec.limits


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 256])
def test_ids_fit_into_an_address(name: str) -> None:
    with pytest.raises(InputError):
        load(Constraint, Source({"kind": "vnf", "id": name, "spec": {}}))
