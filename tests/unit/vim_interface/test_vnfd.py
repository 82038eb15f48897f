"""What is read out of a VNF descriptor, and what is refused."""

from __future__ import annotations

import pytest

from escalator.model.constraint import MaintenanceInfo
from escalator.model.errors import InputError
from escalator.vim_interface.vnfd import constraints_of

VNFD = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
    VNF: {type: acme.Mme}
    control:
      type: tosca.nodes.nfv.Vdu.Compute
      properties:
        name: control
        vdu_profile:
          min_number_of_instances: 2
          nfvi_maintenance_info:
            impact_notification_lead_time: 120 s
            is_impact_mitigation_requested: false
            supported_migration_type: [live_migration, offline_migration]
            max_undetectable_interruption_time: 500 ms
    workers:
      type: tosca.nodes.nfv.Vdu.Compute
      properties:
        vdu_profile:
          nfvi_maintenance_info:
            impact_notification_lead_time: 2 m
            is_impact_mitigation_requested: true
            supported_migration_type: [offline_migration]
            max_undetectable_interruption_time: 3 s
  policies:
    - spread:
        type: tosca.policies.nfv.AntiAffinityRule
        targets: [control]
        properties:
          scope: nfvi_node
          nfvi_maintenance_group_info:
            impact_notification_lead_time: 60 s
            is_impact_mitigation_requested: false
            min_recovery_time_between_impacts: 1 m
            max_number_of_impacted_instances: [{group_size: 4, max_number_of_impacted_instances: 2}]
            min_number_of_preserved_instances: [{min_number_of_preserved_instances: 1}]
"""
SPREAD = {"spread": ("group:5e2c",)}


def problems(text: str, mapped: dict[str, tuple[str, ...]]) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        constraints_of(text, "mme-1", mapped)
    return {p.path: p.message for p in caught.value.problems}


def test_units_speak_for_the_vnf_the_strictest_of_them() -> None:
    group, vnf = constraints_of(VNFD, "mme-1", SPREAD)
    assert (group.kind, group.id, group.spec.max_impacted(4), group.spec.max_impacted(3)) == ("group", "5e2c", 2, 2)
    assert group.spec.min_recovery_time_between_impacts == 60.0
    assert (vnf.kind, vnf.id) == ("vnf", "mme-1")
    assert vnf.spec == MaintenanceInfo(
        impact_notification_lead_time=120.0,
        is_impact_mitigation_requested=True,
        supported_migration_type=("offline_migration",),
        max_undetectable_interruption_time=0.5,
    )


def test_a_unit_that_is_mapped_speaks_for_what_it_is_mapped_to() -> None:
    mapped = {**SPREAD, "workers": ("instance:w1", "instance:w2")}
    found = {(c.kind, c.id): c.spec for c in constraints_of(VNFD, "mme-1", mapped)}
    assert found.keys() == {("group", "5e2c"), ("instance", "w1"), ("instance", "w2"), ("vnf", "mme-1")}
    assert found["instance", "w2"].supported_migration_type == ("offline_migration",)
    assert found["vnf", "mme-1"].supported_migration_type == ("live_migration", "offline_migration")


def test_a_policy_has_to_be_mapped_and_nothing_else_can_be() -> None:
    found = problems(VNFD, {"sprad": ("group:1",), "workers": ("host:1",)})
    assert found.keys() == {"map.spread", "map.sprad", "map.workers"}
    assert "NAME=group:ID" in found["map.spread"]


def test_an_object_that_two_speak_for_is_a_problem() -> None:
    twice = problems(VNFD, {"spread": ("group:5e2c",), "workers": ("group:5e2c",)})
    assert "group:5e2c" in twice["map.workers"]
    both = problems(VNFD, {**SPREAD, "workers": ("vnf:mme-1",)})
    assert "vnf:mme-1" in both["map.workers"]


def test_limits_of_one_of_several_units_have_to_be_mapped() -> None:
    bounded = VNFD.replace("max_undetectable_interruption_time: 3 s", "min_recovery_time_between_impacts: 3 s")
    assert problems(bounded, SPREAD).keys() == {"map.workers"}
    (group, vnf) = constraints_of(bounded, "mme-1", {**SPREAD, "control": ("group:c",)})[1:]
    assert (group.id, vnf.id, vnf.spec.min_recovery_time_between_impacts) == ("c", "mme-1", 3.0)


def test_units_that_cannot_migrate_alike_have_to_be_mapped() -> None:
    apart = VNFD.replace("[live_migration, offline_migration]", "[live_migration]")
    assert "in common" in problems(apart, SPREAD)["map"]


def test_a_value_that_does_not_fit_is_named_with_its_path() -> None:
    path = "topology_template.node_templates.control.properties.vdu_profile.nfvi_maintenance_info.impact_notification_lead_time"
    assert problems(VNFD.replace("120 s", "a while"), SPREAD).keys() == {path}


@pytest.mark.parametrize("topology", ["", "{}", "[1]", "{policies: [x]}", "{node_templates: 1}"])
def test_a_document_that_declares_nothing_is_told_so(topology: str) -> None:
    assert "declares no" in problems(f"topology_template: {topology}", {})[""]
