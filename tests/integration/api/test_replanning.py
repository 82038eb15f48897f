"""A campaign in its middle, through the API: plan the rest anew, and check what was done so far."""

from __future__ import annotations

import pytest

from escalator.model.progress import Event, TaskState
from integration.api.running import CAMPAIGN, RELEASE
from integration.api.test_campaigns import YAML, state_of

NAME = "agent-2"
ACTIONS = f"/v1/campaigns/{NAME}/actions"


@pytest.fixture
async def paused(api):
    """A campaign that has started and paused at once: the nodes that wait, by name."""
    parts = [("document", ("release.yaml", RELEASE, "application/yaml")), ("file", ("bin/notes.txt", b"new", "text/plain"))]
    assert (await api.post("/v1/releases", files=parts)).status_code == 201
    assert (await api.post("/v1/campaigns", content=CAMPAIGN, headers=YAML)).status_code == 201
    await api.post(f"{ACTIONS}/plan")
    await api.post(f"{ACTIONS}/start")
    await api.post(f"{ACTIONS}/pause")
    tasks = (await api.get(f"/v1/campaigns/{NAME}")).json()["tasks"]
    return sorted(task["node"] for task in tasks if task["state"] == "pending")


async def events(api, action):
    return [e for e in (await api.get("/v1/events", params={"campaign": NAME, "limit": 5000})).json() if e["action"] == action]


async def test_a_plan_that_still_holds_changes_nothing(api, paused):
    before = (await api.get(f"/v1/campaigns/{NAME}/plans")).json()
    reply = await api.post(f"{ACTIONS}/replan")
    assert reply.status_code == 202, reply.text
    made = reply.json()
    assert (made["changes"], made["beyond"], made["followed"], made["smooth"]) == ([], [], False, True)
    assert (await api.get(f"/v1/campaigns/{NAME}/plans")).json() == before


def arrives(services, node, project):
    """Somebody starts an instance of a project that nobody spoke of."""
    state = services.simulation.world.state
    like = next(i for i in state.instances.rows.values() if i.node == node)
    with state.change():
        state.place(
            like.model_copy(update={"id": "vm-new", "project": project, "vnf": None, "groups": (), "demand": {"pcpu": 1.0}})
        )


async def test_a_plan_beyond_what_was_approved_is_followed_only_when_a_person_says_so(api, services, paused):
    arrives(services, paused[-1], "stranger")
    shown = (await api.post(f"{ACTIONS}/replan", json={"dry_run": True})).json()
    assert any("vm-new" in line for line in shown["changes"])
    assert (shown["followed"], shown["left_out"]) == (False, [])
    assert any("stranger would be impacted too" in line for line in shown["beyond"])
    refused = await api.post(f"{ACTIONS}/replan")
    assert (refused.status_code, refused.json()["code"], refused.json()["exit_code"]) == (409, "ESC-UPG-004", 4)
    assert len((await api.get(f"/v1/campaigns/{NAME}/plans")).json()) == 1

    made = (await api.post(f"{ACTIONS}/replan", json={"accept_drift": True})).json()
    assert made["followed"] is True
    await api.post(f"{ACTIONS}/resume")
    await state_of(api, "completed")
    plans = (await api.get(f"/v1/campaigns/{NAME}/plans")).json()
    assert [plan["parent"] for plan in plans[:2]] == [None, plans[0]["id"]]
    adopted = await events(api, "campaign.replan")
    assert adopted[0]["outcome"] == "adopted"
    assert any("vm-new" in line for line in adopted[0]["data"]["changes"])


async def test_a_node_without_a_turn_waits_and_is_left_out_when_a_person_says_so(api, services, paused):
    lost = paused[-1]
    services.simulation.world.hosts.cordon(lost, "a disk is replaced")
    made = (await api.post(f"{ACTIONS}/replan")).json()
    assert any(line.startswith(f"- node {lost}") for line in made["changes"])
    assert (made["followed"], made["beyond"], made["left_out"]) == (True, [], [lost])
    await api.post(f"{ACTIONS}/resume")
    view = await state_of(api, "suspended")
    assert (view["code"], view["progress"]["done"]) == ("ESC-UPG-024", 3)
    assert lost in view["reason"]
    task = next(task for task in view["tasks"] if task["node"] == lost)
    assert (task["state"], task["code"]) == ("pending", "ESC-UPG-024")

    await api.post(f"{ACTIONS}/resume")
    view = await state_of(api, "completed")
    assert {task["node"]: task["state"] for task in view["tasks"]}[lost] == TaskState.SKIPPED.value


async def test_a_node_without_a_turn_goes_when_what_kept_it_is_over(api, services, paused):
    lost = paused[-1]
    services.simulation.world.hosts.cordon(lost, "a disk is replaced")
    await api.post(f"{ACTIONS}/replan")
    await api.post(f"{ACTIONS}/resume")
    await state_of(api, "suspended")
    services.simulation.world.hosts.restore(lost, enabled=True, reason=None)
    await api.post(f"{ACTIONS}/resume")
    view = await state_of(api, "completed")
    assert view["progress"]["done"] == 4


async def test_what_a_campaign_did_is_checked_at_its_end_and_on_request(api, paused):
    assert (await api.get(f"/v1/campaigns/{NAME}/verification")).json()["violations"] == []
    await api.post(f"{ACTIONS}/resume")
    view = await state_of(api, "completed")
    found = (await api.get(f"/v1/campaigns/{NAME}/verification")).json()
    assert (found["turns"], found["upgraded"], found["violations"]) == (4, 4, [])
    assert found["moves"] == view["plan_summary"]["moves"] > 0
    (told,) = await events(api, "campaign.verify")
    assert told["message"].endswith(": 0 violations")


async def test_what_broke_a_rule_is_named(api, services, paused):
    await api.post(f"{ACTIONS}/resume")
    await state_of(api, "completed")
    row = await services.ctx.store.campaigns.get(NAME)
    taken = [Event(at=row.ended_at - 0.1, action="node.cordon", campaign=NAME, node=node, outcome="started") for node in paused]
    await services.ctx.store.events.append(taken)
    violations = (await api.get(f"/v1/campaigns/{NAME}/verification")).json()["violations"]
    assert {violation["code"] for violation in violations} == {"ESC-PLN-110"}
    assert violations[-1]["message"].endswith("nodes were out of service, max_unavailable is 2")


async def test_only_a_campaign_that_runs_can_be_planned_anew(api, paused):
    await api.post(f"{ACTIONS}/abort")
    await state_of(api, "aborted")
    reply = await api.post(f"{ACTIONS}/replan")
    assert (reply.status_code, reply.json()["code"], reply.json()["exit_code"]) == (409, "ESC-UPG-002", 6)
    other = await api.post("/v1/campaigns/none/actions/replan")
    assert other.status_code == 404
    assert (await api.get("/v1/campaigns/none/verification")).status_code == 404


async def test_a_body_with_an_unknown_word_is_refused(api, paused):
    reply = await api.post(f"{ACTIONS}/replan", json={"dryrun": True})
    assert (reply.status_code, reply.json()["problems"][0]["path"]) == (422, "dryrun")
