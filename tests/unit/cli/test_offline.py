from __future__ import annotations

import hashlib
import json
from xml.etree import ElementTree as ET

import pytest
import yaml

from unit.cli.terminal import run

CAMPAIGN = """
apiVersion: escalator/v1
kind: Campaign
metadata: {name: site-7}
spec:
  mode: smooth
  scope: {select: {role: compute}}
"""


def inventory(nodes: int = 3, used: int = 8, migration: str = "live"):
    hosts = [{"id": f"n{n}", "numa": [{"pcpu": 16, "mem_mib": 65536}]} for n in range(nodes)]
    vms = [
        {"id": f"vm{n}", "project": "p", "node": f"n{n}", "demand": {"pcpu": used, "mem_mib": 8192}, "migration": migration}
        for n in range(1, nodes)
    ]
    return {"apiVersion": "escalator/v1", "kind": "Inventory", "nodes": hosts, "instances": vms}


@pytest.fixture
def files(tmp_path):
    def write(document, campaign=CAMPAIGN):
        (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(document))
        (tmp_path / "campaign.yaml").write_text(campaign)
        return ["--inventory", str(tmp_path / "inventory.yaml"), "--campaign", str(tmp_path / "campaign.yaml")]

    return write


def test_a_smooth_plan_is_one_json_document_and_exit_0(files):
    seen = run("plan", *files(inventory()), "-f", "json")
    plan = json.loads(seen.out)
    assert (seen.code, seen.err) == (0, "")
    assert (plan["kind"], plan["smooth"], len(plan["upgrades"])) == ("Plan", True, 3)
    assert {move["from"] for move in plan["moves"]} == {"n1", "n2"}
    assert plan["digest"].startswith("sha256:")


def test_a_plan_that_is_not_smooth_ends_with_3_and_says_what_would_help(files):
    words = files(inventory(used=12, migration="none"))
    seen = run("plan", *words, "-f", "json")
    failing = [c for c in json.loads(seen.out)["conditions"] if not c["ok"]]
    assert seen.code == 3
    assert failing
    people = run("plan", *words)
    assert people.code == 3
    assert "NOT SMOOTH" in people.out
    for condition in failing:
        assert condition["code"] in people.out
    assert "FAILS" in people.out
    assert "→" in people.out


def test_people_see_waves_moves_and_conditions_of_a_plan(files):
    out = run("plan", *files(inventory())).out
    assert "SMOOTH  plan offline of campaign site-7" in out
    assert "n1 → n0" in out
    assert "0:00:00 - 0:20:00" in out
    assert "ok  ESC-PLN-001" in out
    assert not any(line.endswith("  ") and not line.strip() for line in out.splitlines()), "blank lines are empty"


def test_a_long_table_is_cut_and_says_so(files):
    words = files(inventory(nodes=50, used=1))
    assert "more: --full shows all" in run("plan", *words).out
    assert "more: --full shows all" not in run("plan", *words, "--full").out


def test_columns_pick_parts_of_the_plan(files):
    seen = run("plan", *files(inventory()), "-f", "value", "-c", "smooth")
    assert (seen.code, seen.out) == (0, "true\n")


def test_bad_input_names_every_problem_on_standard_error_and_ends_with_2(files):
    broken = inventory()
    broken["nodes"][0]["sate"] = "up"
    broken["instances"][0]["migration"] = "teleport"
    seen = run("plan", *files(broken), "-f", "json")
    assert (seen.code, seen.out) == (2, "")
    assert seen.err.startswith("ESC-CFG-002: ")
    assert "nodes[0].sate: unknown key; did you mean 'state'?" in seen.err
    assert "instances[0].migration" in seen.err


def test_a_file_that_is_not_there_is_named(files, tmp_path):
    seen = run("plan", "--inventory", tmp_path / "none", "--campaign", tmp_path / "none")
    assert (seen.code, seen.out) == (2, "")
    assert seen.err == f"ESC-CFG-003: {tmp_path / 'none'} cannot be read: No such file or directory.\n"


def test_validate_accepts_a_good_campaign(files):
    path = files(inventory())[3]
    assert run("campaign", "validate", path).code == 0
    assert json.loads(run("campaign", "validate", path, "-f", "json").out) == {
        "valid": True,
        "name": "site-7",
        "code": None,
        "problems": [],
    }


def test_validate_tells_all_problems_at_once_to_people_and_programs(files):
    path = files(inventory(), CAMPAIGN.replace("smooth", "rough").replace("scope", "scpe"))[3]
    people, programs = run("campaign", "validate", path), run("campaign", "validate", path, "-f", "json")
    assert (people.code, people.out, programs.code) == (2, "", 2)
    found = json.loads(programs.out)
    assert found["valid"] is False
    assert {(p["path"], p["line"]) for p in found["problems"]} >= {("spec.mode", 6), ("spec.scpe", 7)}
    for problem in found["problems"]:
        assert problem["message"] in people.err


def test_what_is_not_supported_yet_is_refused(files):
    path = files(inventory(), CAMPAIGN + "  migration: {post_copy: true}\n")[3]
    seen = run("campaign", "validate", path)
    assert seen.code == 2
    assert "ESC-CFG-005" in seen.err
    assert "not supported yet" in seen.err


@pytest.mark.parametrize("form", ["table", "json", "yaml", "csv", "value"])
def test_every_format_prints_something(files, form):
    seen = run("plan", *files(inventory()), "-f", form)
    assert seen.code == 0
    assert "n1" in seen.out


def test_a_group_that_ends_closer_together_is_a_note_and_a_row_of_its_own(files):
    document = inventory(nodes=3, used=8)
    document["groups"] = [{"id": "core-ha", "policy": "anti-affinity", "max_impacted": 1}]
    for node, (rack, progress) in zip(document["nodes"], [("r1", "done"), ("r1", "done"), ("r2", "old")], strict=True):
        node |= {"rack": rack, "progress": progress}
    for instance in document["instances"]:
        instance["groups"] = ["core-ha"]
    words = files(document)
    seen = run("plan", *words)
    assert seen.code == 0
    assert "Groups that end closer together" in seen.out
    [row] = [line.split() for line in seen.out.splitlines() if line.startswith("core-ha")]
    assert row == ["core-ha", "racks", "2", "→", "1", "1", "→", "2"]
    assert "note" in seen.out
    assert "ESC-PLN-014" in seen.out
    [told] = json.loads(run("plan", *words, "-f", "json").out)["closer"]
    assert told["group"] == "core-ha"


NIGHTS = CAMPAIGN + "  windows: [{days: [sat], start: '01:00', length_s: 4200}]\n  waves: {max_unavailable: 1}\n"


def test_the_chart_shows_every_node_and_where_a_window_begins(files, tmp_path):
    chart = tmp_path / "plan.svg"
    seen = run("plan", *files(inventory(), NIGHTS), "--chart", str(chart))
    assert seen.code == 0, seen.out
    assert "window 2" in seen.out
    assert "█" in seen.out
    assert "VNFs that are hit" in seen.out
    picture = ET.fromstring(chart.read_text())
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"n0", "n1", "n2", "window 2"} <= set(texts)
    bars = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert sum("upgrade" in bar for bar in bars) == 3
    assert sum("leave" in bar for bar in bars) == 2


def test_plan_and_chart_say_when_each_window_opens_where_the_start_is_known(files, tmp_path):
    chart = tmp_path / "plan.svg"
    dated = NIGHTS.replace("4200}", "4200, time_zone: Europe/Helsinki}") + "  not_before: '2026-12-01T00:00:00+02:00'\n"
    seen = run("plan", *files(inventory(), dated), "--chart", str(chart))
    assert "Sat 2026-12-05 01:00 (+02:00)   02:10 " in seen.out
    assert "Chart, opens Sat 2026-12-05 01:00 (+02:00)" in seen.out
    assert "─ window 2, opens Sat 2026-12-12 01:00 (+02:00) ─" in seen.out
    assert "window 2, opens Sat 2026-12-12 01:00 (+02:00)" in chart.read_text()
    told = json.loads(run("plan", *files(inventory(), dated), "-f", "json").out)
    assert [window["opens"] for window in told["windows"]][:1] == ["2026-12-05T01:00:00+02:00"]
    assert "windows" not in json.loads(run("plan", *files(inventory(), NIGHTS), "-f", "json").out)


def test_a_chart_that_cannot_be_written_is_said(files, tmp_path):
    seen = run("plan", *files(inventory()), "--chart", str(tmp_path))
    assert seen.code == 2
    assert "cannot be written" in seen.err


def test_a_plan_is_verified_and_one_that_was_changed_is_not(files, tmp_path):
    words = files(inventory())
    plan = json.loads(run("plan", *words, "-f", "json").out)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    sound = run("verify", *words, "--plan", str(file), "-f", "json")
    assert sound.code == 0
    assert json.loads(sound.out)["violations"] == []
    assert json.loads(sound.out)["totals"]["nodes"] == 3
    plan["moves"][0]["to"] = plan["moves"][1]["from"]
    file.write_text(json.dumps(plan))
    broken = run("verify", *words, "--plan", str(file), "-f", "json")
    assert broken.code == 1
    found = json.loads(broken.out)["violations"]
    assert {"code", "time_s", "node", "instance", "group", "message"} == found[0].keys()
    assert "ESC-PLN-107" in {item["code"] for item in found}
    people = run("verify", *words, "--plan", str(file))
    assert people.code == 1
    assert "ESC-PLN-107" in people.out


@pytest.mark.parametrize("text", ["", "[]", "{", "kind: Plan", '{"kind": "Inventory"}'])
def test_what_is_no_plan_is_said(files, tmp_path, text):
    file = tmp_path / "plan.json"
    file.write_text(text)
    seen = run("verify", *files(inventory()), "--plan", str(file))
    assert seen.code == 2
    assert "ESC-CFG" in seen.err


def test_a_rehearsal_is_one_json_document_and_exit_0(files):
    seen = run("rehearse", *files(inventory()), "--runs", "2", "-f", "json")
    found = json.loads(seen.out)
    assert (seen.code, found["runs"], found["completed"], found["violations"]) == (0, 2, 2, [])
    assert found["nodes"]["upgraded"] == {"p50": 3, "p90": 3, "max": 3}
    people = run("rehearse", *files(inventory()), "--runs", "1")
    assert "1 of 1 runs completed" in people.out


def test_a_start_that_is_given_dates_plan_and_rehearsal(files):
    dated = CAMPAIGN + "  windows: [{days: [sat], start: '01:00', length_s: 14400, time_zone: Europe/Helsinki}]\n"
    words = [*files(inventory(), dated), "--start", "2026-12-01T12:00:00+02:00"]
    plan = json.loads(run("plan", *words, "-f", "json").out)
    assert [row["opens"] for row in plan["windows"]] == ["2026-12-05T01:00:00+02:00"]
    assert "from Sat 2026-12-05 01:00 (+02:00) on" in run("rehearse", *words, "--runs", "1").out
    assert run("plan", *words[:-1], "2026-12-01T12:00:00").code == 2  # in which zone?


def test_a_start_after_the_campaigns_dates_is_refused_as_a_server_does(files):
    words = files(inventory(), CAMPAIGN + "  not_after: 2026-11-01T00:00:00+02:00\n")
    seen = run("plan", *words, "--start", "2026-12-01T12:00:00+02:00", "-f", "json")
    assert (seen.code, seen.out) == (3, "")
    assert seen.err.startswith("ESC-PLN-009: not_after (2026-11-01T00:00:00+02:00) has passed.")


@pytest.mark.parametrize("standing", [{"state": "error"}, {"task_state": "migrating"}, {"state": "resized"}])
def test_an_instance_whose_state_lets_nothing_be_done_is_told_and_not_moved(files, standing):
    document = inventory()
    document["instances"][0] |= standing
    seen = run("plan", *files(document), "-f", "json")
    plan = json.loads(seen.out)
    assert seen.code == 3
    assert [c["code"] for c in plan["conditions"] if not c["ok"]] == ["ESC-PLN-005"]
    assert "vm1" not in {move["instance"] for move in plan["moves"]}


def test_a_rehearsal_that_fails_ends_with_1(files, tmp_path):
    file = tmp_path / "faults.yaml"
    file.write_text("apiVersion: escalator/v1\nkind: Faults\nspec: {faults: [{kind: upgrade, node: n1}]}\n")
    seen = run("rehearse", *files(inventory()), "--runs", "1", "--faults", str(file), "-f", "json")
    assert seen.code == 1
    assert json.loads(seen.out)["states"] == {"suspended": 1}
    file.write_text("apiVersion: escalator/v1\nkind: Faults\nspec: {faults: [{kind: upgrad}]}\n")
    wrong = run("rehearse", *files(inventory()), "--faults", str(file))
    assert wrong.code == 2
    assert "spec.faults[0].kind" in wrong.err
    assert wrong.err.startswith(f"ESC-CFG-002: {file}: This is not a valid Faults.")


def test_the_rest_of_a_campaign_is_planned_from_its_middle(files, tmp_path):
    wide = CAMPAIGN + "  waves: {max_unavailable: 2}\n"
    words = files(inventory(), wide)
    parent = json.loads(run("plan", *words, "-f", "json").out)
    first, second = sorted(parent["upgrades"], key=lambda u: u["start_s"])[:2]
    (tmp_path / "parent.json").write_text(json.dumps(parent))
    now = inventory()
    for host in now["nodes"]:
        host["progress"] = "done" if host["id"] == first["node"] else "old"
    lost = next(host for host in now["nodes"] if host["id"] not in (first["node"], second["node"]))
    lost["state"] = "down"
    seen = run(
        "plan", *files(now, wide), "--parent", str(tmp_path / "parent.json"), "--at", str(first["end_s"] + 1), "-f", "json"
    )
    child = json.loads(seen.out)
    assert child["at_s"] == first["end_s"] + 1
    assert child["parent"] == parent["id"]
    assert min(upgrade["start_s"] for upgrade in child["upgrades"]) >= child["at_s"]
    people = run("plan", *files(now, wide), "--parent", str(tmp_path / "parent.json"), "--at", str(first["end_s"] + 1))
    assert f"- node {lost['id']}: its compute service is down" in people.out
    same = run("plan", *files(inventory(), wide), "--parent", str(tmp_path / "parent.json"))
    assert "Nothing is done otherwise than by the parent." in same.out


def test_the_rest_of_a_plan_that_holds_is_repaired_and_not_searched_for(files, tmp_path):
    parent = json.loads(run("plan", *files(inventory()), "-f", "json").out)
    first, second, third = sorted(parent["upgrades"], key=lambda u: u["start_s"])
    (tmp_path / "parent.json").write_text(json.dumps(parent))
    now = inventory()
    for host in now["nodes"]:
        host["progress"] = "done" if host["id"] == first["node"] else "old"
    late_s = 60
    at_s = min(move["start_s"] for move in parent["moves"]) + late_s
    seen = run("plan", *files(now), "--parent", str(tmp_path / "parent.json"), "--at", str(at_s), "-f", "json")
    child = json.loads(seen.out)
    said = {condition["code"]: condition["message"] for condition in child["conditions"]}
    assert said["ESC-PLN-017"] == "the plan so far goes on: what has not begun is 60 s later"
    rows = [(upgrade["node"], upgrade["start_s"] - late_s) for upgrade in child["upgrades"]]
    assert rows == [(upgrade["node"], upgrade["start_s"]) for upgrade in (second, third)]


def test_a_moment_without_the_plan_that_it_counts_by_is_refused(files):
    seen = run("plan", *files(inventory()), "--at", "60")
    assert (seen.code, seen.out) == (2, "")
    assert seen.err.startswith("ESC-CFG-006")


RELEASE = """
apiVersion: escalator/v1
kind: Release
metadata: {name: hv}
spec: {version: 8.2.0, type: command, layers: {hypervisor: 8.2.0}, packages: [{name: qemu-kvm, version: 8.2.0}]}
"""


def test_a_release_tells_what_a_rollback_cannot_bring_back(files, tmp_path):
    there = inventory()
    for host in there["nodes"]:
        host["versions"] = {"hypervisor": "7.2.18"}
    (tmp_path / "release.yaml").write_text(RELEASE)
    words = [*files(there), "--release", str(tmp_path / "release.yaml")]
    plan = json.loads(run("plan", *words, "-f", "json").out)
    assert {row["instance"] for row in plan["no_return"]} == {"vm1", "vm2"}
    assert "What cannot come back by live migration" in run("plan", *words).out


DEMANDING = RELEASE.replace(
    "version: 8.2.0, type", 'version: 8.2.0, upgrades_from: [">=8"], requires: {os: "debian >=12", hypervisor: ">=7"}, type'
)


def test_a_release_is_held_against_what_the_inventory_says_of_the_nodes(files, tmp_path):
    there = inventory()
    for host in there["nodes"]:
        host["versions"] = {"hypervisor": "7.2.18"}
    (tmp_path / "release.yaml").write_text(DEMANDING)
    seen = run("plan", *files(there), "--release", str(tmp_path / "release.yaml"), "-f", "json")
    assert seen.code == 3
    plan = json.loads(seen.out)
    found = {one["code"]: one for one in plan["conditions"]}
    assert not plan["smooth"]
    assert "run 7.2.18" in found["ESC-PLN-023"]["message"]
    assert not found["ESC-PLN-023"]["ok"]
    assert {row["runs"] for row in plan["versions"]} == {"7.2.18"}
    required = [one["message"] for one in plan["conditions"] if one["code"] == "ESC-PLN-024"]
    assert required == [
        "every node fits: hypervisor >=7",
        "not looked at, as only a server can: whether nodes have what is required: os debian >=12",
    ]


def test_what_no_inventory_tells_of_a_release_is_no_ok(files, tmp_path):
    (tmp_path / "release.yaml").write_text(DEMANDING)
    words = [*files(inventory()), "--release", str(tmp_path / "release.yaml")]
    plan = json.loads(run("plan", *words, "-f", "json").out)
    found = {one["code"]: one for one in plan["conditions"]}
    assert plan["smooth"]
    for code in ("ESC-PLN-011", "ESC-PLN-023", "ESC-PLN-024"):
        assert found[code]["remedy"], code
    assert "is not known" in found["ESC-PLN-011"]["message"]
    assert "which version of hv" in found["ESC-PLN-023"]["message"]
    assert "DOWNGRADE" not in run("plan", *words).out


def test_a_release_that_the_campaign_does_not_bring_is_refused(files, tmp_path):
    (tmp_path / "release.yaml").write_text(RELEASE)
    words = files(inventory(), CAMPAIGN.replace("spec:", "spec:\n  release: hw/8.2.0", 1))
    seen = run("plan", *words, "--release", str(tmp_path / "release.yaml"))
    assert seen.code == 2
    assert "The campaign brings hw/8.2.0" in seen.err


def test_a_chart_that_could_not_be_written_is_refused_before_anything_is_planned(files, tmp_path):
    seen = run("plan", *files({"nodes": [{"id": "no inventory"}]}), "--chart", str(tmp_path / "none" / "c.svg"))
    assert seen.code == 2
    assert "there is no folder" in seen.err
    assert run("plan", *files(inventory()), "--chart", str(tmp_path)).code == 2


def test_a_plan_that_was_changed_by_hand_is_told_by_its_digest(files, tmp_path):
    words, file = files(inventory()), tmp_path / "plan.json"
    plan = json.loads(run("plan", *words, "-f", "json").out)
    file.write_text(json.dumps(plan, indent=3))
    assert run("verify", *words, "--plan", str(file)).code == 0
    file.write_text(json.dumps(plan | {"conditions": []}))
    seen = run("verify", *words, "--plan", str(file), "--full")
    assert seen.code == 1
    assert "its digest says" in " ".join(seen.out.split())
    fewer = {key: value for key, value in plan.items() if key != "interruptions"} | {"digest": ""}
    body = json.dumps(fewer, separators=(",", ":"), ensure_ascii=False).encode()
    file.write_text(json.dumps(fewer | {"digest": "sha256:" + hashlib.sha256(body).hexdigest()}))
    assert run("verify", *words, "--plan", str(file)).code == 0, "made by a version that wrote fewer keys"


def test_what_is_wrong_with_several_files_is_told_at_once(files, tmp_path):
    broken = inventory()
    broken["nodes"][0]["sate"] = "up"
    words = files(broken, CAMPAIGN.replace("smooth", "rough"))
    seen = run("plan", *words, "--release", tmp_path / "none", "--parent", tmp_path / "other")
    assert seen.code == 2
    for part in (
        f"{words[3]}: This is not a valid Campaign. {words[1]}: This is not a valid Inventory.",
        f"{tmp_path / 'none'} cannot be read",
        f"{tmp_path / 'other'} cannot be read",
        f"{words[3]}, line ",
        "spec.mode: 'rough'",
        f"{words[1]}, line 23: nodes[0].sate",
    ):
        assert part in seen.err, (part, seen.err)


@pytest.mark.parametrize("says", [{"max_interruption_s": 0.001}, {"vacate": "in-place"}])
def test_a_plan_that_presumes_vnf_managers_is_verified_with_the_same_ones(files, tmp_path, says):
    document = inventory()
    for instance in document["instances"]:
        instance.update({"vnf": "amf", **says})
    words = files(document)
    file = tmp_path / "plan.json"
    file.write_text(run("plan", *words, "-f", "json").out)
    seen = run("verify", *words, "--plan", str(file), "-f", "json")
    assert (seen.code, json.loads(seen.out)["violations"]) == (0, [])
