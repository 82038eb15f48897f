"""Backups by API and command line: seen, verified, restored, pruned; a point of no return accepted by name."""

from __future__ import annotations

import json

import pytest

from integration.api.running import CAMPAIGN, served, write_release
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
def done(esc, tmp_path):
    """A campaign that is over, and its backups."""
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    assert esc("campaign", "create", file).code == 0
    assert esc("campaign", "plan", "agent-2").code == 0
    assert esc("campaign", "start", "agent-2", "--wait", "--timeout", "60").code == 0
    return data(esc("backup", "list", "-f", "json"))


def data(seen: Seen):
    """The one JSON document on standard output."""
    assert seen.out, seen.err
    return json.loads(seen.out)


def test_without_backups_the_list_says_where_they_come_from(esc):
    seen = esc("backup", "list")
    assert (seen.code, seen.out) == (0, "")
    assert "There are no backups yet" in seen.err


def test_every_node_has_a_backup_that_can_be_looked_at(esc, done):
    assert len(done) == 4
    one = done[0]
    assert len(data(esc("backup", "list", "--node", one["node"], "-f", "json"))) == 1
    assert len(data(esc("backup", "list", "--campaign", "agent-2", "-f", "json"))) == 4
    assert data(esc("backup", "list", "--campaign", "other", "-f", "json")) == []
    shown = data(esc("backup", "show", one["id"], "-f", "json"))
    assert (shown["node"], shown["release"], shown["state"], shown["restore"]) == (one["node"], "nfvi-agent/2.0.0", "kept", "")
    assert shown["scope"] == ["versions", "config", "state"]
    assert shown["not_kept"] == []
    assert shown["digest"].startswith("sha256:")


def test_an_unknown_backup_is_not_found(esc):
    for words in (("show",), ("verify",), ("restore",)):
        seen = esc("backup", *words, "bk-nothing")
        assert (seen.code, "ESC-SYS-050" in seen.err) == (2, True)


def test_a_tampered_backup_is_found_and_not_restored(esc, done, server):
    one = done[0]
    sound = esc("backup", "verify", one["id"], "-f", "json")
    assert (sound.code, data(sound)["ok"]) == (0, True)
    shown = data(esc("backup", "show", one["id"], "-f", "json"))
    server.services.simulation.world.software.damage(shown["operation"])
    seen = esc("backup", "verify", one["id"], "-f", "json")
    assert (seen.code, data(seen)["code"]) == (1, "ESC-SYS-051")
    restored = esc("backup", "restore", one["id"], "--accept-impact", "--wait", "--timeout", "60", "-f", "json")
    assert (restored.code, data(restored)["restore"], data(restored)["code"]) == (1, "failed", "ESC-SYS-051")


def test_a_node_is_put_back_and_the_history_says_so(esc, done, server):
    world = server.services.simulation.world
    busy = next(one for one in done if world.state.on_node[one["node"]])
    refused = esc("backup", "restore", busy["id"])
    assert (refused.code, "ESC-SYS-053" in refused.err) == (3, True)
    seen = esc("backup", "restore", busy["id"], "--accept-impact", "--wait", "--timeout", "60", "-f", "json")
    assert (seen.code, data(seen)["restore"]) == (0, "done")
    node = data(esc("node", "show", busy["node"], "-f", "json"))
    assert (node["versions"]["agent"], node["maintenance"]) == ("1.0.0", False)
    events = data(esc("event", "list", "--node", busy["node"], "--limit", "500", "-f", "json"))
    assert [e["outcome"] for e in events if e["action"] == "backup.restore"] == ["started", "done"]
    assert data(esc("restoration", "list", "-f", "json")) == []


def test_nothing_is_restored_while_a_campaign_is_active(esc, done, tmp_path):
    folder = write_release(tmp_path / "release-3")
    document = folder / "release.yaml"
    document.write_text(document.read_text().replace("2.0.0", "3.0.0"))
    assert esc("release", "import", folder).code == 0
    file = tmp_path / "next.yaml"
    file.write_text(CAMPAIGN.replace("agent-2", "next").replace("2.0.0", "3.0.0"))
    esc("campaign", "create", file)
    esc("campaign", "plan", "next")
    assert esc("campaign", "start", "next").code == 0
    esc("campaign", "pause", "next")
    seen = esc("backup", "restore", done[0]["id"], "--accept-impact")
    assert (seen.code, "ESC-SYS-052" in seen.err) == (6, True)


def test_what_a_campaign_may_need_is_not_pruned(esc, done):
    dry = data(esc("backup", "prune", "--dry-run", "-f", "json"))
    assert (dry["pruned"], dry["dry_run"]) == ([], True)
    assert data(esc("backup", "prune", "-f", "json"))["pruned"] == []
    assert {one["state"] for one in data(esc("backup", "list", "-f", "json"))} == {"kept"}


def test_what_keeps_a_backup_and_a_release_is_told_with_the_command_that_lets_it_go(esc, done):
    assert {one["kept_by"] for one in done} == {"campaign agent-2, which is completed and may still need it"}
    assert "campaign agent-2, which is completed" in esc("backup", "show", done[0]["id"]).out
    refused = esc("release", "remove", "nfvi-agent/2.0.0")
    assert (refused.code, "escalator campaign commit agent-2" in refused.err) == (6, True)

    assert esc("campaign", "rollback", "agent-2", "--wait", "--timeout", "60").code == 0
    shown = data(esc("backup", "show", done[0]["id"], "-f", "json"))
    assert shown["kept_by"] == "retention: among the last 3 of its node (backups.keep_last)"
    assert shown["kept_until"] > shown["taken_at"]
    refused = esc("release", "remove", "nfvi-agent/2.0.0")
    assert (refused.code, shown["let_go"] in refused.err) == (6, True)
    assert data(esc("backup", "prune", "-f", "json"))["pruned"] == []
    assert len(data(esc(*shown["let_go"].split()[1:], "-f", "json"))["pruned"]) == 4
    gone = data(esc("backup", "list", "--all", "-f", "json"))
    assert {(one["state"], one["kept_by"]) for one in gone} == {("pruned", "")}
    left = esc("backup", "list", "--node", gone[0]["node"])
    assert (left.code, left.out) == (0, "")
    assert left.err == "No backup is left: 1 is pruned, which --all shows.\n"
    assert esc("release", "remove", "nfvi-agent/2.0.0").code == 0


def test_a_point_of_no_return_is_accepted_by_name_only(esc, tmp_path):
    folder = write_release(tmp_path / "release")
    document = folder / "release.yaml"
    document.write_text(document.read_text() + "  point_of_no_return: upgrade\n")
    assert esc("release", "import", folder).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    esc("campaign", "create", file)
    plan = data(esc("campaign", "plan", "agent-2", "-f", "json"))
    assert "ESC-PLN-026" in {c["code"] for c in plan["conditions"]}
    assert {v["jump"] for v in plan["versions"]} == {"major"}
    waits = esc("campaign", "start", "agent-2", "--wait", "--timeout", "60", "-f", "json")
    assert (waits.code, data(waits)["state"], data(waits)["code"]) == (4, "suspended", "ESC-PLN-026")
    plain = esc("campaign", "resume", "agent-2")
    assert (plain.code, "--accept-point-of-no-return" in plain.err) == (4, True)
    assert esc("campaign", "resume", "agent-2", "--accept-point-of-no-return").code == 0
    over = esc("campaign", "show", "agent-2", "--watch", "--timeout", "60", "-f", "json")
    assert (over.code, data(over)["state"]) == (0, "completed")
    accepted = [e for e in data(esc("event", "list", "--limit", "500", "-f", "json")) if e["action"] == "campaign.no-return"]
    assert len(accepted) == 1
    assert accepted[0]["message"].startswith("accepted by ")
    refused = esc("backup", "restore", data(esc("backup", "list", "-f", "json"))[0]["id"], "--accept-impact")
    assert (refused.code, "ESC-SYS-054" in refused.err) == (3, True)


def test_a_release_that_is_not_there_is_to_be_imported(esc, tmp_path):
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    seen = esc("campaign", "create", file)
    assert "ESC-SYS-014" in seen.err
    assert "escalator release import" in seen.err
