"""The table of what binds an instance to its node and what blocks it."""

from __future__ import annotations

import pytest

from escalator.cloud_manager.openstack.migration_kind import Facts, judge
from escalator.model.campaign import Migration

STRICT, LAX = Migration(), Migration(allow_direct_ports=True)


def _facts(**more: object) -> Facts:
    return Facts(**({"id": "vm-1", "vm_state": "active"} | more))  # type: ignore[arg-type]


def _specs(**specs: str) -> dict[str, object]:
    return {"extra_specs": {key.replace("__", ":"): value for key, value in specs.items()}}


CASES = [
    ({}, STRICT, "live"),
    ({"vnic_types": frozenset({"normal", "virtio-forwarder"})}, STRICT, "live"),
    ({"vnic_types": frozenset({"direct"})}, STRICT, "none"),
    ({"vnic_types": frozenset({"direct"})}, LAX, "live"),
    ({"vnic_types": frozenset({"macvtap"})}, STRICT, "none"),
    ({"vnic_types": frozenset({"macvtap"})}, LAX, "live"),
    ({"vnic_types": frozenset({"direct-physical"})}, LAX, "none"),
    ({"vnic_types": frozenset({"vdpa"})}, LAX, "none"),
    ({"vnic_types": frozenset({"accelerator-direct"})}, LAX, "none"),
    (_specs(pci_passthrough__alias="gpu:1"), LAX, "none"),
    (_specs(accel__device_profile="fpga"), STRICT, "none"),
    (_specs(hw__tpm_version="2.0"), STRICT, "cold"),
    (_specs(hw__tpm_version="2.0", hw__tpm_secret_security="host"), STRICT, "live"),
    ({"image_properties": {"hw_tpm_version": "1.2"}}, STRICT, "cold"),
    (_specs(resources__VGPU="1"), STRICT, "cold"),
    (_specs(resources1__VGPU="1"), STRICT, "cold"),
    (_specs(resources__VGPU="0"), STRICT, "live"),
    (_specs(hw__mem_encryption="True"), STRICT, "cold"),
    (_specs(hw__mem_encryption="false"), STRICT, "live"),
    ({"image_properties": {"hw_mem_encryption": "true"}}, STRICT, "cold"),
    ({"affinity_group": "g"}, STRICT, "none"),
    ({"vm_state": "paused"}, STRICT, "live"),
    ({"vm_state": "stopped"}, STRICT, "cold"),
    ({"vm_state": "stopped", "vnic_types": frozenset({"direct"})}, STRICT, "none"),
    *(({"vm_state": state}, STRICT, "none") for state in ("suspended", "rescued", "resized", "error", "shelved", "building")),
]


@pytest.mark.parametrize(("facts", "policy", "kind"), CASES)
def test_the_worst_reason_decides_and_is_told(facts: dict[str, object], policy: Migration, kind: str) -> None:
    verdict = judge(_facts(**facts), policy)
    assert verdict.kind == kind
    assert (verdict.reason is None) == (kind == "live")


def test_every_reason_of_the_worst_kind_is_told() -> None:
    facts = _facts(vnic_types=frozenset({"direct"}), affinity_group="g", **_specs(hw__tpm_version="2.0"))
    reason = judge(facts, STRICT).reason
    assert reason is not None
    assert "direct" in reason
    assert "affinity group g" in reason
    assert "TPM" not in reason


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"vm_state": "suspended"}, "server resume vm-1"),
        ({"vm_state": "rescued"}, "server unrescue vm-1"),
        ({"vm_state": "resized"}, "resize confirm vm-1"),
        ({"vm_state": "error"}, "server show vm-1"),
        ({"vm_state": "building"}, "wait"),
        ({"vm_state": "paused"}, "server unpause vm-1"),
        ({"vm_state": "soft-delete"}, "--force vm-1"),
        ({"vm_state": "shelved"}, "--offload vm-1"),
        ({"task_state": "rebuilding"}, "rebuilding"),
        ({"locked": True, "locked_reason": "billing"}, "billing"),
    ],
)
def test_what_blocks_is_told_with_the_remedy(facts: dict[str, object], word: str) -> None:
    blocked = judge(_facts(**facts), STRICT).blocked
    assert blocked is not None
    assert word in blocked


@pytest.mark.parametrize("state", ["active", "stopped"])
def test_an_instance_at_rest_is_not_blocked(state: str) -> None:
    assert judge(_facts(vm_state=state), STRICT).blocked is None
