"""What the raw answers of a cloud mean, in the cases that a small bed does not have."""

from __future__ import annotations

from escalator.cloud_manager.openstack.inventory import Offer, Seen, inventory
from escalator.model.campaign import Migration


def _service(host: str, **more: object) -> dict[str, object]:
    base = {"host": host, "status": "enabled", "state": "up", "zone": "az1", "disabled_reason": None, "forced_down": False}
    return base | more


def _hypervisor(host: str, **more: object) -> dict[str, object]:
    base = {"id": f"rp-{host}", "service": {"host": host}, "hypervisor_type": "QEMU", "hypervisor_version": 7_002_018}
    return base | more


def _server(name: str, host: str | None, **more: object) -> dict[str, object]:
    base = {
        "id": name,
        "name": name,
        "tenant_id": "p",
        "metadata": {},
        "image": {"id": "i"},
        "flavor": {"vcpus": 1, "ram": 512, "disk": 1},
        "OS-EXT-SRV-ATTR:host": host,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:task_state": None,
    }
    return base | more


def _group(name: str, policy: str, *members: str, **rules: object) -> dict[str, object]:
    return {"id": name, "policy": policy, "members": list(members), "rules": rules}


def _seen(**more: object) -> Seen:
    empty = dict.fromkeys(("services", "hypervisors", "aggregates", "providers", "servers", "groups", "ports"), ()) | {
        "offers": {}
    }
    return Seen(**(empty | more))  # type: ignore[arg-type]


def test_a_nodes_room_is_that_of_its_whole_provider_tree() -> None:
    seen = _seen(
        services=[_service("a")],
        hypervisors=[_hypervisor("a")],
        providers=[
            {"uuid": "rp-a", "root_provider_uuid": "rp-a"},
            {"uuid": "gpu", "root_provider_uuid": "rp-a"},
            {"uuid": "rp-b", "root_provider_uuid": "rp-b"},
        ],
        offers={
            "rp-a": Offer(inventories={"VCPU": {"total": 8}}, traits=("T1",)),
            "gpu": Offer(inventories={"VGPU": {"total": 4}}, traits=("T2", "T1")),
            "rp-b": Offer(inventories={"VCPU": {"total": 99}}),
        },
    )
    node = inventory(seen, Migration()).nodes[0]
    assert node.numa == ({"pcpu": 8, "vgpu": 4},)
    assert node.traits == ("T1", "T2")
    assert node.versions == {"hypervisor": "7.2.18"}


def test_a_service_without_a_hypervisor_is_a_node_without_room() -> None:
    node = inventory(_seen(services=[_service("a", state="down")]), Migration()).nodes[0]
    assert (node.state, node.numa, node.versions) == ("down", ({},), {})


def test_a_host_with_instances_but_no_service_is_a_node_that_is_down() -> None:
    found = inventory(_seen(servers=[_server("vm", "ghost")]), Migration())
    assert (found.nodes[0].id, found.nodes[0].state, found.nodes[0].maintenance) == ("ghost", "down", True)


def test_servers_on_no_node_are_left_out_together_with_their_groups() -> None:
    seen = _seen(services=[_service("a")], servers=[_server("vm", None)], groups=[_group("g", "affinity", "vm")])
    found = inventory(seen, Migration())
    assert (found.instances, found.groups) == ((), ())


def test_anti_affinity_that_allows_several_on_a_node_is_a_preference_up_to_that_number() -> None:
    members = ("v1", "v2")
    seen = _seen(
        services=[_service("a")],
        servers=[_server(name, "a") for name in members],
        groups=[
            _group("loose", "anti-affinity", *members, max_server_per_host=2),
            _group("strict", "anti-affinity", "v1", max_server_per_host=1),
            _group("plain", "soft-affinity", "v1"),
        ],
    )
    found = inventory(seen, Migration())
    assert {g.id: (g.policy, g.per_node) for g in found.groups} == {
        "loose": ("soft-anti-affinity", 2),
        "strict": ("anti-affinity", 1),
        "plain": ("soft-affinity", None),
    }
    assert found.instance_by_id["v1"].groups == ("loose", "plain", "strict")


def test_values_of_one_label_from_several_aggregates_stand_side_by_side() -> None:
    aggregates = [
        {"name": "x", "hosts": ["a"], "metadata": {"speed": "slow", "availability_zone": "az1"}},
        {"name": "y", "hosts": ["a", "b"], "metadata": {"speed": "fast"}},
    ]
    nodes = inventory(_seen(services=[_service("a"), _service("b")], aggregates=aggregates), Migration()).node_by_id
    assert nodes["a"].labels == {"speed": "fast,slow"}
    assert nodes["b"].labels == {"speed": "fast"}
    assert nodes["a"].az == "az1"


def test_an_image_on_a_volume_and_its_properties_are_understood() -> None:
    from_volume = _server("v1", "a", image="")
    with_tpm = _server("v2", "a", image={"id": "i", "properties": {"hw_tpm_version": "2.0"}})
    found = inventory(_seen(services=[_service("a")], servers=[from_volume, with_tpm]), Migration()).instance_by_id
    assert "disk_gb" not in found["v1"].demand
    assert found["v2"].migration == "cold"
