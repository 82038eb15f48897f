"""Orchestrators as people see them: registered, tested, and what they were told."""

from __future__ import annotations

import asyncio
import json

from escalator.world.records import VnfmRow
from integration.api.running import CAMPAIGN, served, write_release
from unit.cli.terminal import run

URI = "http://127.0.0.1:9/notices"


def test_an_operator_registers_one_and_sees_what_it_was_told(tmp_path):
    release = write_release(tmp_path / "release")
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    with served(tmp_path / "state", nodes=3) as server:

        def call(*arguments: str):
            return run(*arguments, environment=server.environment)

        async def appear() -> None:
            row = VnfmRow(name="nfvo", behaviour="silent", orchestrator=True)
            server.services.simulation.world.vnfms.put(row)

        asyncio.run_coroutine_threadsafe(appear(), server.loop).result(10)
        refused = call("vnfm", "register", "nfvo", "--dialect", "or-vi", "--callback-uri", URI, "--project", "core")
        assert refused.code != 0
        assert "VNF managers speak for instances" in refused.err
        assert call("vnfm", "register", "nfvo", "--dialect", "or-vi", "--callback-uri", URI).code == 0
        assert call("vnfm", "test", "nfvo").code == 0
        assert call("release", "import", str(release)).code == 0
        assert call("campaign", "create", str(tmp_path / "campaign.yaml")).code == 0
        assert "1 orchestrator answers" in call("campaign", "plan", "agent-2", "-f", "json").out
        assert call("campaign", "start", "agent-2", "--wait", "--timeout", "60").code == 0
        notices = json.loads(call("notice", "list", "--campaign", "agent-2", "--limit", "5000", "-f", "json").out)
        mine = [notice for notice in reversed(notices) if notice["vnfm"] == "nfvo"]
        assert mine[0]["type"] == "MaintenanceWindowsNotification"
        kinds = [notice["type"] for notice in mine]
        assert kinds.count("CapacityTakenNotification") == kinds.count("CapacityReturnedNotification") == 3
        shown = json.loads(call("notice", "show", mine[1]["id"], "-f", "json").out)
        assert shown["report"]["hostId"] == mine[1]["node"]
        assert '"hostId"' in call("notice", "show", mine[1]["id"]).out
