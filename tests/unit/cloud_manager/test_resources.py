"""Room and demand by the same names."""

from __future__ import annotations

import pytest

from escalator.cloud_manager.openstack.resources import capacity, demand, required_traits, version_text

FLAVOR = {"vcpus": 4, "ram": 8192, "disk": 20, "ephemeral": 5, "swap": 1500, "extra_specs": {}}


def test_capacity_counts_as_placement_does() -> None:
    root = {
        "VCPU": {"total": 64, "reserved": 4, "allocation_ratio": 2.0},
        "MEMORY_MB": {"total": 1024, "reserved": 512, "allocation_ratio": 1.0},
    }
    child = {"PCPU": {"total": 8, "reserved": 0, "allocation_ratio": 1.0}, "VGPU": {"total": 2}}
    assert capacity([root, child]) == {"pcpu": 128.0, "mem_mib": 512.0, "vgpu": 2.0}


def test_what_is_reserved_beyond_the_total_leaves_nothing() -> None:
    assert capacity([{"VCPU": {"total": 2, "reserved": 4, "allocation_ratio": 4.0}}]) == {"pcpu": 0.0}


def test_demand_counts_all_local_disks() -> None:
    assert demand(FLAVOR, from_volume=False) == {"pcpu": 4, "mem_mib": 8192, "disk_gb": 27}


def test_a_root_disk_on_a_volume_takes_no_room_on_the_node() -> None:
    assert demand(FLAVOR | {"ephemeral": 0, "swap": 0}, from_volume=True) == {"pcpu": 4, "mem_mib": 8192}


def test_resources_that_the_flavor_names_replace_and_add() -> None:
    specs = {"resources:VCPU": "0", "resources:PCPU": "4", "resources1:CUSTOM_FPGA": "1", "resources2:CUSTOM_FPGA": "1"}
    found = demand(FLAVOR | {"extra_specs": specs}, from_volume=True)
    assert (found["pcpu"], found["custom_fpga"]) == (4, 2)


def test_only_required_traits_bind() -> None:
    flavor = {"trait:CUSTOM_A": "required", "trait:CUSTOM_B": "forbidden", "trait1:CUSTOM_C": "required", "hw:x": "required"}
    assert required_traits(flavor, {"trait:CUSTOM_D": "required"}) == ("CUSTOM_A", "CUSTOM_C", "CUSTOM_D")


@pytest.mark.parametrize(("number", "text"), [(7002018, "7.2.18"), (10_000_000, "10.0.0"), (1000, "0.1.0")])
def test_a_hypervisors_number_is_its_version(number: int, text: str) -> None:
    assert version_text(number) == text
