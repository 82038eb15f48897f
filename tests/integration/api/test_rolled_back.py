"""A way back at the command line: its verdict, calling it off, asking for it again."""

from __future__ import annotations

import json
import time

from integration.api.running import CAMPAIGN, RELEASE, served
from unit.cli.terminal import run

HYPERVISOR = RELEASE.replace("layers: {agent: 2.0.0}", "layers: {agent: 2.0.0, hypervisor: 9.0.0}")


def _completed(esc, folder, release):
    (folder / "release").mkdir()
    (folder / "release" / "release.yaml").write_text(release)
    assert esc("release", "import", folder / "release").code == 0
    (folder / "campaign.yaml").write_text(CAMPAIGN)
    assert esc("campaign", "create", folder / "campaign.yaml").code == 0
    assert esc("campaign", "plan", "agent-2").code == 0
    assert esc("campaign", "start", "agent-2", "--wait", "--timeout", "120").code == 0


def _until(esc, *states):
    for _ in range(600):
        found = json.loads(esc("campaign", "show", "agent-2", "-f", "json").out)
        if found["state"] in states:
            return found
        time.sleep(0.1)
    raise AssertionError(found["state"])


def test_a_preview_that_is_not_smooth_says_so_by_its_exit_code_and_names_what_helps(tmp_path):
    with served(tmp_path / "state") as server:

        def esc(*words):
            return run(*words, environment=server.environment)

        _completed(esc, tmp_path, HYPERVISOR)
        assert esc("vnfm", "remove", "vnfm-core").code == 0
        seen = esc("campaign", "rollback", "agent-2", "--dry-run", "-f", "json")
    found = {condition["code"]: condition for condition in json.loads(seen.out)["conditions"]}
    assert seen.code == 3
    assert not found["ESC-PLN-011"]["ok"]
    for code in ("ESC-PLN-005", "ESC-PLN-011"):
        assert (
            "escalator vnfm register NAME --dialect manual --project PROJECT, for each of core, tenants; then look again"
            in found[code]["remedy"]
        )


def test_a_way_back_that_took_no_node_back_is_called_off_and_asked_for_again(tmp_path):
    with served(tmp_path / "state") as server:

        def esc(*words):
            return run(*words, environment=server.environment)

        _completed(esc, tmp_path, RELEASE)
        nodes = [node["id"] for node in json.loads(esc("node", "list", "-f", "json").out)]
        for node in nodes:
            assert esc("node", "hold", node, "--reason", "not tonight").code == 0
        assert esc("campaign", "rollback", "agent-2", "--wait", "--timeout", "60").code == 4
        called_off = esc("campaign", "abort", "agent-2", "--reason", "it was the VNF")
        assert called_off.code == 0, called_off.err
        assert "called off" in called_off.err
        over = _until(esc, "completed")
        assert over["reason"] == "the way back was called off by a person: it was the VNF"
        for node in nodes:
            assert esc("node", "unhold", node).code == 0
        assert esc("campaign", "rollback", "agent-2", "--outside-windows", "--wait", "--timeout", "120").code == 0
        assert esc("campaign", "abort", "agent-2").code == 6
