"""Tools of the operator's that end well and have not done it, or would lose what they have kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from beds.trial.site import TrialSite

IT, NODE = "nfvi-agent/2.0.0", "cn-1"
RELEASE = {
    "apiVersion": "escalator/v1",
    "kind": "Release",
    "metadata": {"name": "nfvi-agent"},
    "spec": {
        "version": "2.0.0",
        "type": "command",
        "packages": [{"name": "nfvi-agent", "version": "2.0.0"}],
        "reboot": "never",
    },
}
TOOL = """#!/bin/sh
# keeps one backup, and does what `orders` says in place of its work
set -e
cd {folder}
case "$1" in
  facts) echo "{{\\"packages\\": {{\\"nfvi-agent\\": \\"$(cat version)\\"}}}}" ;;
  backup) cp version kept ;;
  up) case "$(cat orders)" in *broken-up*) echo broken > version; exit 9 ;; *) echo 2.0.0 > version ;; esac ;;
  down) case "$(cat orders)" in *idle-down*) ;; *broken-down*) exit 9 ;; *) cp kept version ;; esac ;;
esac
"""


class Tool:
    """The tool, and the one node that it looks after."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.program = folder / "tool"
        self.program.write_text(TOOL.format(folder=folder))
        self.program.chmod(0o755)
        self.say("version", "1.0.0")
        self.say("orders", "")

    def say(self, file: str, text: str) -> None:
        (self._folder / file).write_text(f"{text}\n")

    def read(self, file: str) -> str:
        return (self._folder / file).read_text().strip()


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    return Tool(tmp_path / "tool")


@pytest.fixture
def site(tool: Tool, tmp_path: Path) -> Iterator[TrialSite]:
    verbs = {"argv": "up", "facts_argv": "facts", "backup_argv": "backup", "rollback_argv": "down"}
    command = {key: [str(tool.program), verb, "{node}"] for key, verb in verbs.items()}
    made = TrialSite(tmp_path, [NODE, "cn-2"], {"system": {"command": command}}, empty=True)
    made.server.start()
    try:
        (tmp_path / "release").mkdir()
        (tmp_path / "release/release.yaml").write_text(yaml.safe_dump(RELEASE))
        made.server.ok("release", "import", str(tmp_path / "release"))
        yield made
    finally:
        made.server.stop()


def test_a_way_back_that_did_nothing_is_none(site: TrialSite, tool: Tool) -> None:
    site.campaign("agent", IT, "command", [NODE])
    assert site.follow("agent", 0)["state"] == "completed"
    tool.say("orders", "idle-down")
    site.server.ok("campaign", "rollback", "agent", "--reason", "calls drop")
    (task,) = site.follow("agent", 4)["tasks"]
    assert (task["state"], task["code"]) == ("failed", "ESC-SYS-012"), task
    assert "nfvi-agent is 2.0.0, before the upgrade it was 1.0.0" in task["message"]


def test_what_ran_before_stays_kept_while_a_try_is_not_undone(site: TrialSite, tool: Tool) -> None:
    tool.say("orders", "broken-up broken-down")
    site.campaign("agent", IT, "command", [NODE])
    assert site.follow("agent", 4)["tasks"][0]["state"] == "failed"
    assert (tool.read("version"), tool.read("kept")) == ("broken", "1.0.0")
    tool.say("orders", "")
    site.server.ok("node", "retry", "agent", NODE)
    assert site.follow("agent", 0)["state"] == "completed"
    assert tool.read("kept") == "1.0.0"
    site.server.ok("campaign", "rollback", "agent", "--reason", "calls drop")
    assert site.follow("agent", 0)["state"] == "rolled_back"
    assert tool.read("version") == "1.0.0"
