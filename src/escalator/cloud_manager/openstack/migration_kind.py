"""Whether and how an instance can be moved, and why not: pure rules over what Nova and Neutron tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from escalator.model.campaign import Migration
from escalator.model.inventory import MigrationKind

SRIOV = frozenset({"direct", "macvtap"})
"""Virtual functions: Nova live-migrates them by unplugging and plugging again, which drops traffic unless the guest bonds."""
FIXED = frozenset({"direct-physical", "vdpa", "remote-managed", "accelerator-direct", "accelerator-direct-physical"})
"""Devices that stay behind."""
BOUND_VNIC_TYPES = tuple(sorted(SRIOV | FIXED))
"""What Neutron is asked for: instances without such a port have nothing to say here."""

_ORDER: tuple[MigrationKind, ...] = ("live", "cold", "none")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one instance. States are Nova's `vm_state` and `task_state`."""

    id: str
    vm_state: str
    task_state: str | None = None
    locked: bool = False
    locked_reason: str | None = None
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    image_properties: Mapping[str, str] = field(default_factory=dict)
    vnic_types: frozenset[str] = frozenset()
    affinity_group: str | None = None
    """Id of a hard-affinity group of at least two members that it belongs to."""


@dataclass(frozen=True)
class Verdict:
    """The best way to move, why it is not a better one, and what stands in the way now, with the remedy."""

    kind: MigrationKind
    reason: str | None
    blocked: str | None


def judge(facts: Facts, policy: Migration) -> Verdict:
    """Every reason counts; the worst decides."""
    limits = [*_device_limits(facts, policy), *_flavor_limits(facts), *_state_limits(facts)]
    kind: MigrationKind = max((limit for limit, _ in limits), key=_ORDER.index, default="live")
    reason = "; ".join(why for limit, why in limits if limit == kind) or None
    return Verdict(kind, reason, _blocked(facts))


def _device_limits(facts: Facts, policy: Migration) -> list[tuple[MigrationKind, str]]:
    found: list[tuple[MigrationKind, str]] = []
    virtual, fixed = sorted(facts.vnic_types & SRIOV), sorted(facts.vnic_types & FIXED)
    if virtual and not policy.allow_direct_ports:
        why = f"SR-IOV port ({', '.join(virtual)}): a live migration interrupts its traffic"
        found.append(("none", f"{why}; set migration.allow_direct_ports where guests bond their ports"))
    if fixed:
        found.append(("none", f"port of type {', '.join(fixed)} is bound to its node"))
    if facts.extra_specs.get("pci_passthrough:alias"):
        found.append(("none", f"PCI device of its node ({facts.extra_specs['pci_passthrough:alias']})"))
    if facts.extra_specs.get("accel:device_profile"):
        found.append(("none", f"accelerator of its node ({facts.extra_specs['accel:device_profile']})"))
    if facts.affinity_group:
        why = f"member of hard-affinity group {facts.affinity_group}: Nova moves none of them alone"
        found.append(("none", f"{why}; let its VNF manager move the group, or make the policy soft-affinity"))
    return found


def _flavor_limits(facts: Facts) -> list[tuple[MigrationKind, str]]:
    found: list[tuple[MigrationKind, str]] = []
    version = facts.extra_specs.get("hw:tpm_version") or facts.image_properties.get("hw_tpm_version")
    if version and facts.extra_specs.get("hw:tpm_secret_security") != "host":
        found.append(("cold", f"virtual TPM {version}: its secret does not travel live"))
    if any(_resource(key) == "VGPU" and value != "0" for key, value in facts.extra_specs.items()):
        found.append(("cold", "virtual GPU: its state does not travel live"))
    encryption = facts.extra_specs.get("hw:mem_encryption") or facts.image_properties.get("hw_mem_encryption")
    if str(encryption or "").lower() in ("true", "1", "yes"):
        found.append(("cold", "encrypted memory: it cannot be read to be copied"))
    return found


def _state_limits(facts: Facts) -> list[tuple[MigrationKind, str]]:
    if facts.vm_state == "stopped":
        return [("cold", "it is stopped")]
    if facts.vm_state in _BLOCKING:
        return [("none", f"it is in state {facts.vm_state}")]
    return []


def _resource(key: str) -> str | None:
    """`VGPU` of `resources:VGPU`, `resources1:VGPU` or `resources_GROUP:VGPU`."""
    prefix, colon, name = key.partition(":")
    return name if colon and prefix.startswith("resources") else None


_BLOCKING: Mapping[str, str] = {
    "building": "it is being built; wait for the end",
    "suspended": "it is suspended; resume it: openstack server resume {id}",
    "rescued": "it is in rescue mode; end that: openstack server unrescue {id}",
    "resized": "a resize or cold move of it waits; end it: openstack server resize confirm {id}",
    "error": "it is in state error; see openstack server show {id}, repair it or delete it",
    "soft-delete": "it is deleted softly; restore it or delete it for good: openstack server delete --force {id}",
    "shelved": "it is shelved but still on its node; offload it: openstack server shelve --offload {id}",
}


def _blocked(facts: Facts) -> str | None:
    if facts.task_state is not None:
        return f"it is busy ({facts.task_state}); wait until that has ended"
    if facts.vm_state in _BLOCKING:
        return _BLOCKING[facts.vm_state].format(id=facts.id)
    if facts.vm_state == "paused":
        # It does not run, and yet all that it is stands in the memory of its node: it is not left there as a stopped one is.
        return f"it is paused, and its memory would be lost with its node; openstack server unpause {facts.id}, or stop it"
    if facts.locked:
        why = f" ({facts.locked_reason})" if facts.locked_reason else ""
        return f"it is locked{why}; ask its owner, then: openstack server unlock {facts.id}"
    return None
