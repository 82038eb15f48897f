"""What VNFs declare, through the API and the command line."""

from __future__ import annotations

import json

import pytest

from integration.api.running import served
from unit.cli.terminal import run
from unit.vim_interface.test_vnfd import VNFD

SPEC = {"impact_notification_lead_time": "2 m", "max_number_of_impacted_instances": [{"max_number_of_impacted_instances": 1}]}


async def test_a_constraint_is_declared_read_and_forgotten(api):
    inventory = (await api.get("/v1/inventory")).json()
    vnf = next(i["vnf"] for i in inventory["instances"] if i["vnf"])
    put = await api.put(f"/v1/constraints/vnf/{vnf}", json=SPEC)
    assert (put.status_code, put.json()["spec"]["impact_notification_lead_time"]) == (200, 120.0)
    mine = [i for i in inventory["instances"] if i["vnf"] == vnf]
    assert (await api.get(f"/v1/constraints/vnf/{vnf}")).json()["instances"] == len(mine)
    assert [c["id"] for c in (await api.get("/v1/constraints")).json()] == [vnf]
    now = (await api.get("/v1/inventory")).json()
    assert {i["lead_s"] for i in now["instances"] if i["vnf"] == vnf} == {120.0}
    assert next(g for g in now["groups"] if g["id"] == f"vnf:{vnf}")["max_impacted"] == 1
    assert (await api.delete(f"/v1/constraints/vnf/{vnf}")).status_code == 204
    assert (await api.get("/v1/inventory")).json() == inventory
    assert (await api.get(f"/v1/constraints/vnf/{vnf}")).json()["code"] == "ESC-VIM-001"
    assert (await api.delete(f"/v1/constraints/vnf/{vnf}")).status_code == 404
    assert [e["action"] for e in (await api.get("/v1/events")).json()] == ["constraint.set", "constraint.remove"]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("vnf/a", {"impact_notification_lead": 5}, "impact_notification_lead"),
        ("vnf/a", {"supported_migration_type": ["cold"]}, "supported_migration_type[0]"),
        ("instance/a", {"min_recovery_time_between_impacts": 5}, ""),
        ("vnf/a%20b", SPEC, "id"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_path(api, path, body, named):
    reply = await api.put(f"/v1/constraints/{path}", json=body)
    assert (reply.status_code, reply.json()["problems"][0]["path"]) == (422, named)
    assert (await api.get("/v1/constraints")).json() == []


async def test_a_kind_that_is_none_is_refused(api):
    assert (await api.put("/v1/constraints/host/a", json=SPEC)).status_code == 422
    assert (await api.get("/v1/constraints/host/a")).status_code == 422


async def test_a_descriptor_is_imported_whole_or_not_at_all(api):
    action = {"vnfd": VNFD, "vnf": "mme-1"}
    refused = await api.post("/v1/constraints/actions/import", json=action)
    assert (refused.status_code, refused.json()["problems"][0]["path"]) == (422, "map.spread")
    action["map"] = {"spread": ["group:5e2c"]}
    tried = await api.post("/v1/constraints/actions/import", json={**action, "dry_run": True})
    assert (tried.status_code, (await api.get("/v1/constraints")).json()) == (200, [])
    assert (await api.post("/v1/constraints/actions/import", json=action)).json() == tried.json()
    assert [(c["kind"], c["id"], c["instances"]) for c in (await api.get("/v1/constraints")).json()] == [
        ("group", "5e2c", 0),
        ("vnf", "mme-1", 0),
    ]


@pytest.fixture
def esc(tmp_path):
    with served(tmp_path / "state") as server:
        yield lambda *words: run(*words, environment=server.environment)


def test_constraints_are_kept_from_the_command_line(esc, tmp_path):
    assert "escalator constraint set" in esc("constraint", "list").err
    words = (
        "--lead-time",
        "2 m",
        "--max-impacted",
        "1",
        "--max-impacted",
        "10:2",
        "--migration",
        "live_migration",
        "--mitigation",
    )
    seen = esc("constraint", "set", "group", "5e2c", *words, "-f", "json")
    assert (seen.code, "No instance is in group 5e2c" in seen.err) == (0, True)
    assert json.loads(seen.out)["spec"] == {
        "impact_notification_lead_time": 120.0,
        "is_impact_mitigation_requested": True,
        "supported_migration_type": ["live_migration"],
        "max_number_of_impacted_instances": [
            {"group_size": None, "max_number_of_impacted_instances": 1},
            {"group_size": 10, "max_number_of_impacted_instances": 2},
        ],
    }
    listed = esc("constraint", "list").out
    assert all(text in listed for text in ("lead 120 s", "mitigation yes", "impacted 1, 2 from 10 on"))
    of = next(i for i in json.loads(esc("inventory", "export", "-f", "json").out)["instances"] if i["groups"])["groups"][0]
    seen = esc("constraint", "set", "group", of, "--min-preserved", "60", "-f", "json")
    assert (seen.code, "by this none of them may be impacted" in seen.err) == (0, True)
    told = esc("constraint", "set", "group", of, "--max-impacted", "1").err
    assert "impacted" not in told
    assert "Not declared any more, as this takes the place of all that was: preserved 60." in told
    assert esc("constraint", "set", "group", of, "--max-impacted", "2", "--recovery", "5").err == ""
    assert esc("constraint", "remove", "group", of).code == 0
    (tmp_path / "vnfd.yaml").write_text(VNFD)
    command = ("constraint", "import", tmp_path / "vnfd.yaml", "--vnf", "mme-1", "--map", "spread=group:5e2c")
    assert esc(*command).code == 0
    assert "recovery 60 s" in esc("constraint", "show", "group", "5e2c").out
    (tmp_path / "spec.yaml").write_text("is_impact_mitigation_requested: true\n")
    assert esc("constraint", "set", "vnf", "mme-1", "--file", tmp_path / "spec.yaml").code == 0
    assert esc("constraint", "remove", "group", "5e2c").code == 0
    assert [c["id"] for c in json.loads(esc("constraint", "list", "-f", "json").out)] == ["mme-1"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "vnf", "a"), 2),
        (("set", "vnf", "a", "--file", "x", "--lead-time", "1"), 2),
        (("set", "vnf", "a", "--max-impacted", "few"), 2),
        (("set", "host", "a", "--lead-time", "1"), 2),
        (("set", "vnf", "a", "--lead-time", "a while"), 2),
        (("import", "nowhere.yaml", "--vnf", "a"), 2),
        (("import", "nowhere.yaml", "--vnf", "a", "--map", "x"), 2),
        (("remove", "vnf", "a"), 2),
        (("show", "vnf", "a"), 2),
    ],
)
def test_a_command_that_cannot_be_ends_with_its_exit_code(esc, words, code):
    assert esc("constraint", *words).code == code
