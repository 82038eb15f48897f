"""The command line against a server on loopback, as operators use it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading

import pytest
import yaml

from escalator.model.codes import Code
from escalator.model.document import load, parse
from escalator.model.inventory import Inventory, Node
from escalator.model.notice import SubscriptionRight, Vnfm, VnfmSpec
from escalator.model.progress import Event
from escalator.model.subscription import Subscription
from escalator.world.rules import Fault
from integration.api.running import CAMPAIGN, served, write_release
from integration.api.test_replanning import arrives
from unit.cli.terminal import Seen, run


@pytest.fixture
def server(tmp_path):
    with served(tmp_path / "state") as found:
        yield found


@pytest.fixture
def esc(server):
    def command(*words) -> Seen:
        return run(*words, environment=server.environment)

    return command


@pytest.fixture
def campaign(esc, tmp_path):
    """A campaign that is ready to be planned."""
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    assert esc("campaign", "create", file).code == 0
    return file


def data(seen: Seen):
    """The one JSON document on standard output."""
    return json.loads(seen.out)


def test_a_campaign_is_run_from_the_command_line(esc, campaign):
    plan = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    assert plan["smooth"] is True
    started = esc("campaign", "start", "agent-2", "--plan", plan["id"], "--wait", "--timeout", "60", "-f", "json")
    assert started.code == 0
    assert data(started)["state"] == "completed"
    assert "agent-2 completed, 4 of 4 nodes" in started.err
    shown = esc("campaign", "show", "agent-2")
    assert "COMPLETED" in shown.out
    assert shown.out.count("S C N V B U R v A") == 5, "the heading and four nodes"
    assert esc("campaign", "show", "agent-2", "--watch").code == 0
    assert esc("campaign", "list", "-f", "value", "-c", "name", "-c", "state").out == "agent-2 completed\n"
    assert {node["task"] for node in data(esc("node", "list", "--campaign", "agent-2", "-f", "json"))} == {"done"}
    notices = data(esc("notice", "list", "-f", "json"))
    asked = next(n for n in notices if n["type"] == "HostMaintenanceUpcoming")
    notice = esc("notice", "show", asked["id"])
    assert "accepted" in notice.out
    lines = esc("event", "list", "--campaign", "agent-2", "--limit", "5000", "-f", "value", "-c", "action").out.split()
    assert lines[0] == "campaign.create"
    assert "campaign.completed" in lines
    assert esc("restoration", "list").err == "Nothing: all is as it was found.\n"


def test_a_campaign_is_paused_resumed_and_aborted(esc, campaign):
    esc("campaign", "plan", "agent-2")
    started = esc("campaign", "start", "agent-2", "-f", "json")
    assert (started.code, data(started)["state"]) == (0, "running")
    assert data(esc("campaign", "pause", "agent-2", "--reason", "lunch", "-f", "json"))["reason"] == "lunch"
    watched = esc("campaign", "show", "agent-2", "--watch")
    assert watched.code == 4
    assert "next: escalator campaign resume agent-2" in watched.out
    pending = [n["id"] for n in data(esc("node", "list", "--campaign", "agent-2", "-f", "json")) if n["task"] == "pending"]
    assert len(pending) > 1
    skipped = data(esc("node", "skip", "agent-2", *pending, "-f", "json"))
    assert [(turn["node"], turn["state"]) for turn in skipped] == [(node, "skipped") for node in pending]
    refused = esc("node", "hold", pending[0], "no-such-node", pending[1])
    assert refused.code == 2
    assert f"Done: {pending[0]}. Not done: no-such-node, {pending[1]}." in refused.err
    assert esc("node", "unhold", pending[0]).code == 0
    assert {turn["attempt"] for turn in data(esc("node", "retry", "agent-2", *pending, "-f", "json"))} == {2}
    assert esc("node", "show", pending[0]).code == 0
    assert data(esc("campaign", "resume", "agent-2", "-f", "json"))["state"] == "running"
    assert data(esc("campaign", "abort", "agent-2", "-f", "json"))["state"] == "aborting"
    ended = esc("campaign", "show", "agent-2", "--watch", "--timeout", "60", "-f", "json")
    assert (ended.code, data(ended)["state"]) == (1, "aborted")


def test_nodes_are_held_and_gates_approved_from_the_command_line(esc, server, tmp_path):
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN + "  gates: {before: [by-hand-board]}\n")
    assert esc("campaign", "create", file).code == 0
    held = esc("node", "hold", "cn-0002", "cn-0003", "--reason", "ticket 4711", "-f", "json")
    assert [(hold["node"], hold["reason"]) for hold in data(held)] == [("cn-0002", "ticket 4711"), ("cn-0003", "ticket 4711")]
    shown = {node["id"]: node["hold"] for node in data(esc("node", "list", "-f", "json"))}
    assert shown["cn-0002"] == "held by a person: ticket 4711"
    assert shown["cn-0001"] is None
    assert esc("node", "unhold", "cn-0003").code == 0
    assert esc("node", "unhold", "cn-0003").code == 6
    plan = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    assert plan["totals"]["not_upgraded"] == [{"node": "cn-0002", "reason": "held by a person: ticket 4711"}]
    waits = esc("campaign", "start", "agent-2", "--wait", "--timeout", "60", "-f", "json")
    assert (waits.code, data(waits)["code"]) == (4, "ESC-UPG-044")
    verb = "escalator campaign approve agent-2 by-hand-board"
    assert waits.err.splitlines()[-2].startswith("ESC-UPG-044: agent-2 is suspended and waits for a person: gate by-hand-board")
    assert waits.err.splitlines()[-1] == f"What to do: {verb}, then escalator campaign show agent-2 --watch"
    assert esc("campaign", "approve", "agent-2", "another").code == 6
    assert data(esc("campaign", "approve", "agent-2", "by-hand-board", "--reason", "CHG-1", "-f", "json"))["state"] == "running"
    assert esc("campaign", "show", "agent-2", "--watch", "--timeout", "60").code == 0
    said = data(esc("event", "list", "--campaign", "agent-2", "--limit", "5000", "-f", "json"))
    assert [e["message"] for e in said if e["action"] == "campaign.approve"] == ["CHG-1"]
    assert {(e["data"]["kind"], e["data"]["from"] != e["data"]["to"]) for e in said if e["action"] == "instance.move"} <= {
        ("live", True),
        ("cold", True),
    }
    assert {type(e["duration_s"]) for e in said if e["action"] == "node.upgrade" and e["outcome"] == "done"} == {float}
    shown = esc("event", "list", "--campaign", "agent-2", "-c", "seq", "-c", "data", "-f", "value").out.splitlines()
    assert all(line.partition(" ")[2].startswith("{") for line in shown)


def test_waiting_that_takes_too_long_ends_with_5_and_the_campaign_goes_on(esc, campaign):
    esc("campaign", "plan", "agent-2")
    seen = esc("campaign", "start", "agent-2", "--wait", "--timeout", "0", "-f", "json")
    assert seen.code == 5
    assert "ESC-API-007" in seen.err
    assert data(seen)["state"] == "running"


def test_the_nights_of_the_plan_that_a_campaign_has_are_listed_and_nothing_is_planned_for_it(esc, campaign):
    none = esc("campaign", "nights", "agent-2")
    assert (none.code, "escalator campaign plan agent-2" in none.err) == (6, True)
    plan = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    nights = data(esc("campaign", "nights", "agent-2", "-f", "json"))
    assert {row["node"] for row in nights} == {upgrade["node"] for upgrade in plan["upgrades"]}
    hit = data(esc("campaign", "nights", "agent-2", "--by", "vnf", "-f", "json"))
    assert [row["vnf"] for row in hit] == sorted(row["vnf"] for row in plan["hits"])
    assert data(esc("campaign", "show", "agent-2", "-f", "json"))["plan"] == plan["id"]


def test_a_plan_that_is_not_smooth_ends_with_3_and_cannot_be_started(esc, server, campaign):
    world = server.services.simulation.world
    for node in ("cn-0002", "cn-0003"):
        server.loop.call_soon_threadsafe(world.hosts.cordon, node, "a disk is replaced")
    seen = esc("campaign", "plan", "agent-2")
    assert seen.code == 3
    assert "NOT SMOOTH" in seen.out
    assert "cn-0002" in seen.out
    start = esc("campaign", "start", "agent-2")
    assert (start.code, start.out) == (3, "")
    assert start.err.startswith("ESC-PLN-")
    assert "What to do: " in start.err


def test_drift_ends_with_4_until_it_is_accepted(esc, server, campaign):
    esc("campaign", "plan", "agent-2")
    server.loop.call_soon_threadsafe(server.services.simulation.world.hosts.cordon, "cn-0002", "a disk is replaced")
    refused = esc("campaign", "start", "agent-2")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("ESC-UPG-004")
    assert "cn-0002" in refused.err
    assert esc("campaign", "start", "agent-2", "--accept-drift").code == 0


def test_the_rest_of_a_campaign_is_planned_anew_from_the_command_line(esc, server, campaign):
    esc("campaign", "plan", "agent-2")
    esc("campaign", "start", "agent-2")
    esc("campaign", "pause", "agent-2")
    held = esc("campaign", "replan", "agent-2")
    assert (held.code, held.out.strip()) == (0, "The plan holds  nothing would change")
    nodes = data(esc("node", "list", "--campaign", "agent-2", "-f", "json"))
    lost = next(n["id"] for n in nodes if n["task"] == "pending")
    server.loop.call_soon_threadsafe(server.services.simulation.world.hosts.cordon, lost, "a disk is replaced")
    shown = esc("campaign", "replan", "agent-2", "--dry-run")
    assert shown.code == 0
    assert "Nothing is changed yet" in shown.out
    assert f"- node {lost}" in shown.out
    assert f"Without a turn: {lost}" in " ".join(shown.out.split())
    made = data(esc("campaign", "replan", "agent-2", "-f", "json"))
    assert (made["followed"], made["nodes"], made["left_out"]) == (True, 3, [lost])


def test_a_plan_beyond_the_approval_ends_with_4_until_it_is_accepted(esc, server, campaign):
    esc("campaign", "plan", "agent-2")
    esc("campaign", "start", "agent-2")
    esc("campaign", "pause", "agent-2")
    nodes = data(esc("node", "list", "--campaign", "agent-2", "-f", "json"))
    waits = next(n["id"] for n in nodes if n["task"] == "pending")
    done = threading.Event()
    server.loop.call_soon_threadsafe(lambda: (arrives(server.services, waits, "stranger"), done.set()))
    assert done.wait(10)
    refused = esc("campaign", "replan", "agent-2")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("ESC-UPG-004")
    shown = esc("campaign", "replan", "agent-2", "--dry-run")
    assert "Beyond what was approved: project stranger would be impacted too" in " ".join(shown.out.split())
    made = data(esc("campaign", "replan", "agent-2", "--accept-drift", "-f", "json"))
    assert made["followed"] is True


def test_nodes_are_staged_before_their_turns_and_say_so(esc, server, campaign):
    assert esc("campaign", "stage", "agent-2").code == 6  # there is no plan yet
    plan = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    first, second = plan["upgrades"][0]["node"], plan["upgrades"][1]["node"]
    server.services.simulation.world.faults.add(Fault(kind="stage", node=first))
    seen = esc("campaign", "stage", "agent-2", "--wait", "-f", "json")
    assert seen.code == 1
    staged = {row["node"]: row for row in data(seen)}
    assert (len(staged), staged[first]["staged"], staged[first]["code"]) == (len(plan["upgrades"]), False, "ESC-SYS-004")
    assert "was refused" in data(esc("node", "show", first, "-f", "json"))["staged"]["message"]
    assert data(esc("node", "show", second, "-f", "json"))["staged"]["staged"] is True
    server.services.simulation.world.faults.clear()
    again = esc("campaign", "stage", "agent-2", "--wait", "-f", "json")
    assert again.code == 0
    assert all(row["staged"] for row in data(again))
    assert data(esc("campaign", "show", "agent-2", "-f", "json"))["state"] == "planned"


def test_what_a_campaign_did_is_verified_from_the_command_line(esc, server, campaign):
    assert esc("campaign", "verify", "agent-2").code == 2  # it has not started
    esc("campaign", "plan", "agent-2")
    esc("campaign", "start", "agent-2", "--wait", "--timeout", "60")
    seen = esc("campaign", "verify", "agent-2")
    assert seen.code == 0
    assert "No rule was broken  4 turns, 4 nodes upgraded" in seen.out
    events, at = server.services.ctx.store.events, server.services.ctx.clock.now() - 0.5
    taken = [Event(at=at, action="node.upgrade", campaign="agent-2", node="cn-0002", outcome="started")]
    taken += [Event(at=at, action="node.verify", campaign="agent-2", node="cn-0002", outcome="done")]
    asyncio.run_coroutine_threadsafe(events.append(taken), server.loop).result(10)
    wrong = esc("campaign", "verify", "agent-2")
    assert wrong.code == 1
    assert "rules broken" in wrong.out
    assert data(esc("campaign", "verify", "agent-2", "-f", "json"))["violations"][0]["code"] == "ESC-PLN-113"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["campaign", "show", "none"], 2, Code.UPG_NOT_FOUND),
        (["campaign", "show", "../config"], 2, Code.API_NOT_FOUND),
        (["campaign", "start", "agent-2"], 6, Code.UPG_STATE),
        (["campaign", "pause", "agent-2"], 6, Code.UPG_STATE),
        (["node", "show", "none"], 2, Code.CLD_NOT_FOUND),
        (["node", "retry", "agent-2", "cn-0001"], 2, Code.UPG_NOT_FOUND),
        (["release", "show", "none/1.0.0"], 2, Code.SYS_RELEASE_NOT_FOUND),
        (["vnfm", "remove", "none"], 2, Code.VIM_NOT_FOUND),
        (["notice", "show", "none"], 2, Code.VIM_NOT_FOUND),
        (["vnfm", "register", "acme"], 2, Code.VIM_REGISTRATION),
        (["vnfm", "register", "acme", "--dialect", "klingon"], 2, Code.API_BODY),
        (["event", "list", "--limit", "0"], 2, None),
        (["notice", "list", "--limit", "0"], 2, Code.API_BODY),
    ],
)
def test_a_refusal_keeps_its_code_and_prints_no_result(esc, campaign, words, code, error):
    seen = esc(*words, "-f", "json") if words[:2] != ["vnfm", "remove"] else esc(*words)
    if error is None:
        assert (seen.code, data(seen)) == (0, [])
        return
    assert (seen.code, seen.out) == (code, "")
    assert seen.err.startswith(f"{error.value}: ")


def test_creating_a_campaign_twice_is_a_conflict_and_a_bad_one_is_told_with_its_lines(esc, campaign):
    assert esc("campaign", "create", campaign).code == 6
    campaign.write_text(CAMPAIGN.replace("mode: smooth", "mode: rough"))
    seen = esc("campaign", "create", campaign)
    assert seen.code == 2
    assert "line 7: spec.mode" in seen.err


def test_a_wrong_token_ends_with_7(server, tmp_path):
    (tmp_path / "other").write_text("wrong")
    seen = run("campaign", "list", environment={**server.environment, "ESCALATOR_TOKEN_FILE": str(tmp_path / "other")})
    assert (seen.code, seen.out) == (7, "")
    assert seen.err.startswith("ESC-API-002")
    assert "wrong" not in seen.err.replace(str(tmp_path), "")


def test_a_vnfm_is_registered_shown_tested_and_removed(esc):
    registered = esc(
        "vnfm", "register", "acme", "--callback-uri", "http://127.0.0.1:1/n", "--project", "p1", "--project", "p2", "--vnf", "v1",
        "--auth", "none", "-f", "json",
    )  # fmt: skip
    assert registered.code == 0, registered.err
    assert data(registered)["projects"] == ["p1", "p2"]
    assert "It speaks for 0 instances now." in registered.err
    assert "Nothing in the cloud has: project p1, project p2, vnf v1. Is it spelt right?" in registered.err
    assert data(esc("vnfm", "show", "vnfm-core", "-f", "json"))["speaks_for"] > 0
    assert data(esc("vnfm", "show", "acme", "-f", "json"))["vnfs"] == ["v1"]
    tested = esc("vnfm", "test", "acme", "-f", "json")
    assert (tested.code, data(tested)["ok"]) == (1, False)
    assert esc("vnfm", "test", "vnfm-core").code == 0
    assert "p1, p2" in esc("vnfm", "list").out
    assert esc("vnfm", "remove", "acme", "--force").code == 0
    assert esc("vnfm", "show", "acme").code == 2


def test_a_registration_is_changed_without_being_forgotten(esc):
    esc("vnfm", "register", "acme", "--callback-uri", "http://127.0.0.1:1/n", "--project", "p1", "--vnf", "v1")
    changed = data(
        esc("vnfm", "set", "acme", "--callback-uri", "http://127.0.0.1:2/n", "--project", "p7", "--vnf", "", "-f", "json")
    )
    assert (changed["callback_uri"], changed["projects"], changed["vnfs"]) == ("http://127.0.0.1:2/n", ["p7"], [])
    assert data(esc("vnfm", "show", "acme", "-f", "json"))["projects"] == ["p7"]
    assert "callback_uri, projects, vnfs" in esc("event", "list").out
    assert esc("vnfm", "set", "acme").code == 2
    refused = esc("vnfm", "set", "acme", "--auth", "basic")
    assert (refused.code, "ESC-VIM-009" in refused.err) == (2, True)
    assert esc("vnfm", "set", "nobody", "--project", "p9").code == 2
    version = data(esc("vnfm", "show", "acme", "-f", "json"))["version"]
    assert esc("vnfm", "set", "acme", "--if-version", version, "--project", "p8").code == 0
    late = esc("vnfm", "set", "acme", "--if-version", version, "--project", "p9")
    assert (late.code, "ESC-VIM-025" in late.err, "escalator vnfm show acme" in late.err) == (6, True, True)
    shown = data(esc("vnfm", "show", "acme", "-f", "json"))
    assert shown["projects"] == ["p8"]
    kept = esc("vnfm", "remove", "acme", "--if-version", version)
    assert (kept.code, "ESC-VIM-025" in kept.err) == (6, True)
    assert esc("vnfm", "remove", "acme", "--if-version", shown["version"]).code == 0
    assert esc("vnfm", "show", "acme").code == 2


def test_a_vnfm_that_subscribes_is_registered_and_shown_with_its_subscription(esc, server, tmp_path):
    words = ("vnfm", "register", "acme", "--subscribes", "bearer", "--subscription-credential", "acme", "--host", "10.0.0.0/8")
    refused = esc(*words, "--project", "p1")
    assert (refused.code, "ESC-VIM-009" in refused.err) == (2, True)
    assert "spec.subscription.credential" in refused.err
    assert esc(*words[:-1], "no host!", "--project", "p1").code == 2

    right = SubscriptionRight(type="bearer", credential="acme", hosts=("10.0.0.0/8",))
    row = Subscription(vnfm="acme", callback_uri="http://10.0.0.1/cb", auth="BASIC", sealed="sealed-secret", created_at=1.8e9)

    async def subscribed() -> None:
        store = server.services.ctx.store
        await store.vnfms.add(Vnfm(name="acme", spec=VnfmSpec(subscription=right, projects=("p1",))))
        assert data(await asyncio.to_thread(esc, "vnfm", "show", "acme", "-f", "json"))["subscribed"] is None
        await store.subscriptions.add(row)

    asyncio.run_coroutine_threadsafe(subscribed(), server.loop).result(30)
    shown = esc("vnfm", "show", "acme", "-f", "json")
    assert data(shown)["subscription"] == {
        "type": "bearer",
        "credential": "acme",
        "hosts": ["10.0.0.0/8"],
        "replies": None,
    }
    seen = data(shown)["subscribed"]
    assert (seen["callback_uri"], seen["auth"], seen["created_at"]) == ("http://10.0.0.1/cb", "BASIC", "2027-01-15T08:00:00.000Z")
    assert "sealed-secret" not in shown.out
    assert "subscribed" not in data(esc("vnfm", "show", "vnfm-core", "-f", "json"))


def test_the_inventory_is_exported_as_plan_reads_it(esc, tmp_path):
    file = tmp_path / "cloud.yaml"
    assert esc("inventory", "export", "--output", file).code == 0
    exported = load(Inventory, parse(file.read_bytes()))
    assert exported == load(Inventory, parse(esc("inventory", "export", "-f", "json").out))
    campaign = tmp_path / "c.yaml"
    campaign.write_text(CAMPAIGN)
    assert esc("plan", "--inventory", file, "--campaign", campaign).code == 0
    assert esc("inventory", "export", "--output", tmp_path / "none" / "x").code == 2


def test_a_folder_that_is_no_release_is_refused_before_anything_is_sent(esc, tmp_path):
    assert esc("release", "import", tmp_path).code == 2
    folder = write_release(tmp_path / "release")
    (folder / "link").symlink_to("/etc/passwd")
    seen = esc("release", "import", folder)
    assert seen.code == 2
    assert "symbolic link" in seen.err


@pytest.mark.parametrize("words", [["vnfm", "list"], ["node", "list"], ["config", "show"], ["vnfm", "show", "vnfm-core"]])
def test_every_format_is_one_document_of_that_format(esc, words):
    formats = {"json": json.loads, "yaml": yaml.safe_load, "csv": lambda text: list(csv.reader(io.StringIO(text)))}
    for form, read in formats.items():
        seen = esc(*words, "-f", form)
        assert seen.code == 0
        assert read(seen.out)
        assert seen.err == ""
    assert esc(*words, "-f", "value").code == esc(*words).code == 0


def test_an_empty_list_is_said_on_standard_error_and_is_an_empty_document(esc):
    assert esc("campaign", "list").out == ""
    assert "escalator campaign create FILE" in esc("campaign", "list").err
    assert (esc("campaign", "list", "-f", "json").out, esc("campaign", "list", "-f", "json").err) == ("[]\n", "")


def test_nodes_are_shown_with_their_roles_and_chosen_by_them(server, esc):
    world = server.services.simulation.world
    with world.state.change():
        world.state.put_node(world.state.node("cn-0002").model_copy(update={"roles": ("compute", "storage")}))
        world.state.put_node(Node(id="control-01", roles=("control",)))
    roles = {node["id"]: node["roles"] for node in data(esc("node", "list", "-f", "json"))}
    assert (roles["cn-0001"], roles["cn-0002"], roles["control-01"]) == (["compute"], ["compute", "storage"], ["control"])
    assert [node["id"] for node in data(esc("node", "list", "--role", "storage", "-f", "json"))] == ["cn-0002"]
    several = data(esc("node", "list", "--role", "storage", "--role", "control", "-f", "json"))
    assert [node["id"] for node in several] == ["cn-0002", "control-01"]
    assert data(esc("node", "list", "--role", "network", "-f", "json")) == []
    assert "compute, storage" in esc("node", "list").out
    assert esc("node", "list", "--role", "database").code == 2


def test_a_campaign_that_has_not_started_is_edited_and_removed(esc, campaign):
    old = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    campaign.write_text(CAMPAIGN.replace("mode: smooth", "mode: rough"))
    assert esc("campaign", "edit", campaign).code == 2
    assert data(esc("campaign", "show", "agent-2", "-f", "json"))["state"] == "planned"
    campaign.write_text(CAMPAIGN.replace("name: agent-2", "name: agent-3"))
    assert esc("campaign", "edit", campaign).code == 2  # there is no agent-3

    campaign.write_text(CAMPAIGN.replace("max_unavailable: 2", "max_unavailable: 1"))
    assert campaign.read_text() != CAMPAIGN
    edited = esc("campaign", "edit", campaign, "-f", "json")
    assert (edited.code, data(edited)["state"], edited.err) == (0, "draft", "Next: escalator campaign plan agent-2\n")
    refused = esc("campaign", "start", "agent-2", "--plan", old["id"])
    assert refused.code == 6
    new = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    assert new["digest"] != old["digest"]
    assert esc("campaign", "start", "agent-2", "--plan", old["id"]).code == 2  # that plan is gone

    assert esc("campaign", "remove", "agent-2").err == "agent-2 is removed.\n"
    assert esc("campaign", "show", "agent-2").code == 2
    assert esc("campaign", "create", campaign).code == 0
    assert esc("campaign", "plan", "agent-2").code == 0
    assert esc("campaign", "start", "agent-2", "--wait").code == 0
    kept = esc("campaign", "remove", "agent-2")
    assert (kept.code, "what has started stays as it is" in kept.err) == (6, True)
    assert esc("campaign", "edit", campaign).code == 6
    actions = esc("event", "list", "--campaign", "agent-2", "--limit", "5000", "-f", "value", "-c", "action").out.split()
    assert actions[:5] == ["campaign.create", "campaign.plan", "campaign.edit", "campaign.plan", "campaign.remove"]


def test_why_a_node_is_left_out_stands_with_it_to_the_end(esc, campaign):
    node = data(esc("campaign", "plan", "agent-2", "-f", "json"))["upgrades"][-1]["node"]
    assert esc("campaign", "start", "agent-2").code == 0
    skipped = esc("node", "skip", "agent-2", node, "--reason", "its disk is being replaced", "-f", "json")
    assert (skipped.code, data(skipped)[0]["message"]) == (0, "left out by a person: its disk is being replaced"), skipped.err
    assert esc("campaign", "show", "agent-2", "--watch").code == 0
    assert f"{node} skipped: left out by a person: its disk is being replaced" in esc("campaign", "list", "-f", "csv").out
