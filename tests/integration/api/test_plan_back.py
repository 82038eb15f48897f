"""The plan for the way back speaks of the way back."""

from __future__ import annotations

import json

from integration.api.running import CAMPAIGN, served, write_release
from unit.cli.terminal import run


def test_the_preview_of_a_rollback_counts_what_the_campaign_changed(tmp_path):
    with served(tmp_path / "state") as server:

        def esc(*words):
            return run(*words, environment=server.environment)

        assert esc("release", "import", write_release(tmp_path / "release")).code == 0
        file = tmp_path / "campaign.yaml"
        groups = "groups: [{name: first, sample: {count: 1}}, {name: rest, after: [first], soak_s: 5000}]"
        campaign = CAMPAIGN.replace("select: {role: compute}", "select: {role: compute}, " + groups)
        file.write_text(campaign + "  gates: {between: [by-hand-board]}\n")
        assert esc("campaign", "create", file).code == 0
        assert esc("campaign", "plan", "agent-2").code == 0
        assert esc("campaign", "start", "agent-2", "--wait", "--timeout", "60").code == 4
        nodes = json.loads(esc("node", "list", "--campaign", "agent-2", "-f", "json").out)
        changed = sum(node["task"] == "done" for node in nodes)
        assert 0 < changed < 4
        seen = esc("campaign", "rollback", "agent-2", "--dry-run").out
    assert f"4 nodes in scope, {changed} of them changed by the campaign" in seen
    assert "upgraded already" not in seen
    assert "  Rollback  " in seen
    assert "  Upgrade  " not in seen
