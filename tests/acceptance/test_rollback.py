"""The way back of a campaign on real Nova and real nodes: guests of a newer hypervisor do not live-migrate to an older one."""

from __future__ import annotations

from typing import Any

import pytest

from acceptance.small import SmallSite
from acceptance.test_rolling_upgrade import check_cordons

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(900)]
NODES = ("cn-02", "cn-03", "cn-04")
BACK_S = 400.0


def back(site: SmallSite, name: str, code: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Roll the campaign back and follow it; the campaign as shown, and the history of the way back alone."""
    past = len(site.events(name))
    ran = site.server.cli("campaign", "rollback", name, "--wait", "--timeout", f"{BACK_S:g}", "-f", "json")
    assert ran.code == code, f"exit code {ran.code}: {ran.err[-2000:]}"
    return site.view(name), site.events(name)[past:]


def kinds(events: list[dict[str, Any]]) -> dict[str, str]:
    """How each instance moved."""
    return {e["object_id"]: e["data"]["kind"] for e in events if (e["action"], e["outcome"]) == ("instance.move", "done")}


def test_a_completed_campaign_goes_back_as_announced_and_loses_nobody(small: SmallSite) -> None:
    small.vnfms["vnfm-silent"].control(behaviour="migrate")
    small.begin("there", NODES)
    assert {task["state"] for task in small.follow("there", 0, BACK_S)["tasks"]} == {"done"}
    assert {small.bed.versions()[node] for node in NODES} == {"2.0.0"}
    small.until_known(NODES, 2_000_000)
    announced = small.server.ok("campaign", "rollback", "there", "--dry-run")
    view, events = back(small, "there")
    assert view["state"] == "rolled_back", view
    assert set(small.bed.versions().values()) == {"1.0.0"}
    small.check_restored()
    check_cordons(events, most=1)
    assert kinds(events) == {move["instance"]: move["kind"] for move in announced["moves"]}
    assert set(kinds(events).values()) == {"cold"}
    for node in NODES:
        small.check_told("there", node)


@pytest.mark.long  # a minute and a half, and the way back above tells most of it
def test_the_way_back_of_a_failed_campaign_leaves_the_node_whose_vnf_manager_is_silent(small: SmallSite) -> None:
    small.begin("failed", ("cn-02", "cn-04"))
    small.until("failed", lambda events: any((e["action"], e["node"]) == ("node.upgrade", "cn-02") for e in events))
    small.bed.set_facts("cn-02", vcpus=32)
    try:
        view = small.follow("failed", 4, BACK_S)
    finally:
        small.bed.set_facts("cn-02")
        small.bed.openstack.restart_compute("cn-02")
    assert {task["node"]: task["state"] for task in view["tasks"]} == {"cn-02": "rolled-back", "cn-04": "done"}
    small.until_known(("cn-04",), 2_000_000)
    announced = small.server.ok("campaign", "rollback", "failed", "--dry-run")
    assert {move["kind"] for move in announced["moves"]} == {"cold"}
    assert {item["reason"] for item in announced["no_return"]} == {"no live migration from hypervisor 2.0.0 to 1.0.0"}
    view, events = back(small, "failed", 4)
    assert (view["state"], kinds(events)) == ("rollback_failed", {})
    assert "cn-04: not rolled back; the silence of vnfm-silent does not allow cold" in view["reason"]
    assert "escalator node retry failed cn-04" in view["next"]
    assert {node: small.bed.versions()[node] for node in ("cn-02", "cn-04")} == {"cn-02": "1.0.0", "cn-04": "2.0.0"}
    small.check_restored()
