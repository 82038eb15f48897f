"""The server is killed in the middle of its work and started again: nothing is lost and nothing is done twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest

from acceptance.small import LAYOUT, OPERATIONS, SmallSite

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(600)]
KILLS = 3
GAP_EVENTS = (4, 22)
"""So many lines of history later comes the next kill: with three of them, from the first node's turn into the last one's."""


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 6))])
def test_a_server_that_is_killed_again_and_again_ends_its_campaign_by_itself(small: SmallSite, seed: int) -> None:
    chance = random.Random(seed)
    name = f"killed-{seed}"
    small.begin(name, tuple(LAYOUT))
    for _ in range(KILLS):
        past = len(small.events(name)) + chance.randint(*GAP_EVENTS)
        small.until(name, lambda events, past=past: len(events) >= past)
        time.sleep(chance.random())  # anywhere inside a step, not only where a line was just written
        small.server.kill()
        small.server.start()
    view = small.follow(name, 0, 200)
    assert {task["state"] for task in view["tasks"]} == {"done"}, view["tasks"]
    assert {small.bed.versions()[node] for node in LAYOUT} == {"2.0.0"}
    small.check_restored()
    check_once(small, view)


def test_a_campaign_that_was_paused_in_the_middle_of_a_node_is_still_paused_after_a_kill(small: SmallSite) -> None:
    small.begin("paused", ("cn-01",))
    small.until("paused", lambda events: has(events, "node.vacate", "started"))
    small.server.ok("campaign", "pause", "paused", "--reason", "storm warning")
    small.server.kill()
    small.server.start()
    small.until("paused", lambda events: has(events, "node.held", "held"))
    view = small.view("paused")
    assert (view["state"], view["reason"]) == ("paused", "storm warning")
    steps = [e["step"] for e in small.events("paused") if e["outcome"] == "started" and e["step"]]
    time.sleep(2)  # time in which something could begin
    assert [e["step"] for e in small.events("paused") if e["outcome"] == "started" and e["step"]] == steps
    assert small.view("paused")["state"] == "paused"
    small.server.ok("campaign", "resume", "paused")
    view = small.follow("paused", 0)
    assert {task["state"] for task in view["tasks"]} == {"done"}
    assert all(small.asked(server) == ["stop", "start"] for server in small.on("cn-01"))
    small.check_restored()
    check_once(small, view)


def test_a_campaign_that_is_aborted_in_the_middle_puts_its_nodes_back_also_after_a_kill(small: SmallSite) -> None:
    small.begin("aborted", ("cn-01", "cn-02", "cn-04"), waves={"max_unavailable": 2})
    small.until("aborted", lambda events: has(events, "node.cordon", "done"))
    small.server.ok("campaign", "abort", "aborted", "--reason", "not today")
    small.server.kill()
    small.server.start()
    view = small.follow("aborted", 1)
    states = {task["node"]: task["state"] for task in view["tasks"]}
    assert set(states.values()) <= {"skipped", "done"}
    assert "skipped" in states.values()
    versions = small.bed.versions()
    assert all(versions[node] == ("2.0.0" if state == "done" else "1.0.0") for node, state in states.items())
    small.check_restored()
    for node in states:
        small.check_told("aborted", node)


def has(events: list[dict[str, Any]], action: str, outcome: str) -> bool:
    """Whether this stands in the history."""
    return any((e["action"], e["outcome"]) == (action, outcome) for e in events)


def check_once(site: SmallSite, view: dict[str, Any]) -> None:
    """Each instance was moved as the plan says, or stopped and started; each node was upgraded once; each was told once."""
    plan = site.server.api(f"/v1/plans/{view['plan']}")
    moves = Counter(move["instance"] for move in plan["moves"])
    stays = {impact["instance"] for impact in plan["impacts"]}
    for server in site.before:
        expected = ["stop", "start"] if server in stays else ["live-migration"] * moves[server]
        assert site.asked(server) == expected, server
    for task in view["tasks"]:
        done = site.bed.nodes.exec(task["node"], "ls", OPERATIONS).split()
        ours = [name for name in done if name.startswith(f"{view['name']}_{task['node']}_") and "_upgrade" in name]
        assert len(ours) == 1, done
        site.check_told(view["name"], task["node"])
    for vnfm in site.vnfms:
        told = Counter((body["notificationType"], body.get("hostId")) for body in site.heard(vnfm, view["name"]))
        assert set(told.values()) <= {1}, (vnfm, told)
        ids = {body["id"] for body in site.heard(vnfm, view["name"])}
        accepted = Counter(r["notice"] for r in site.vnfms[vnfm].lines("replied") if r["notice"] in ids and r["status"] < 300)
        assert all(count == 1 for count in accepted.values())
