"""The commands of the pages that tell how things are done, in their order and as they stand there, against a server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from integration.api.running import CAMPAIGN, Served, served, write_release
from unit.cli.terminal import Seen, run

HOWTO = Path(__file__).parents[3] / "docs/howto"
FAULTS = HOWTO.parent / "examples/faults.yaml"
PAGES: Mapping[str, tuple[str, str, Mapping[str, int]]] = {
    "after-a-campaign.md": ("night-7", "over", {}),
    # Instances run on the node, which the page says is refused.
    "backups.md": ("night-7", "over", {"backup restore": 3}),
    "canary-and-gates.md": ("agent-2", "planned", {}),
    # Both ways are shown: to accept it when the campaign waits, and beforehand.
    "compatibility.md": ("agent-2-0", "planned", {"campaign resume": 6}),
    "hooks-and-tests.md": ("agent-2", "over", {}),
    "packages-and-commands.md": ("agent-2-0", "planned", {}),
    "plan-nights.md": ("agent-2-0-site7", "planned", {}),
    "real-openstack.md": ("agent-2", "planned", {}),
    # The way back ends well here, and at once: what is for one that does not, or that waits, is refused.
    "roll-back.md": (
        "night-7",
        "over",
        {
            "campaign rollback night-7 --outside-windows": 6,
            "campaign abort": 6,
            "node retry": 6,
            "node skip": 6,
            "campaign restore": 6,
            "campaign commit": 6,
        },
    ),
    "sign-releases.md": ("", "", {}),
}
"""By page the campaign that it is about and how far that is, and which commands do not end with exit code 0."""
PROGRAMS = ("install",)
"""Other programs that a page is played with; the rest is for another machine, or for root."""
STANDING = {r"cn-00\d\d": "cn-0001", "bk-[0-9a-f]{12}": "backup", r"[0-9a-f]{8}-[-0-9a-f]{27}": "object"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "state") as found:
        yield found


def typed(page: str) -> list[str]:
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", (HOWTO / page).read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines() if line.strip().startswith("$ ")]
    return [
        line for line in lines if line.startswith(("escalator ", *PROGRAMS)) and "-o escalator" not in line and " -d " not in line
    ]


class Desk:
    """Where somebody types what pages say."""

    def __init__(self, server: Served, folder: Path) -> None:
        self._environment = {**server.environment, "BOB_PASSPHRASE": "correct horse"}
        self._folder = folder

    def run(self, *words: str) -> Seen:
        return run(*words, environment=self._environment)

    def type(self, line: str) -> Seen:
        command, _, file = line.partition(" > ")
        words = shlex.split(command, comments=True)
        if words[0] != "escalator":
            done = subprocess.run(words, capture_output=True, text=True, cwd=self._folder, check=False)
            return Seen(done.returncode, done.stdout, done.stderr)
        seen = self.run(*words[1:])
        if file:
            (self._folder / file).write_text(seen.out)
        return seen

    def begin(self, name: str, how_far: str) -> dict[str, str]:
        """Bring the campaign so far; what stands for what in the pages."""
        (self._folder / "campaign.yaml").write_text(CAMPAIGN.replace("name: agent-2", f"name: {name}"))
        words = [["release", "import", "nfvi-agent-2.0.0"], ["campaign", "create", "campaign.yaml"], ["campaign", "plan", name]]
        words += [["campaign", "start", name, "--wait"]] if how_far == "over" else []
        for command in words:
            seen = self.run(*command)
            assert seen.code == 0, seen.err
        found = {"cn-0001": "cn-0001"}
        if how_far == "over":
            found["backup"] = self._first("id", "backup", "list", "--node", "cn-0001")
            found["workload show"] = self._first("name", "workload", "list", name, "--by", "instance")
            found["notice show"] = self._first("id", "notice", "list", "--campaign", name)
        return found

    def _first(self, key: str, *words: str) -> str:
        return str(json.loads(self.run(*words, "-f", "json").out)[0][key])


def put_in(line: str, found: Mapping[str, str]) -> str:
    """The line with what there is in place of what stands for it on the page."""
    for pattern, what in STANDING.items():
        about = next((name for name in found if name in line), "") if what == "object" else what
        line = re.sub(pattern, found.get(about, ""), line) if about in found else line
    return line


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_can_be_typed_in_its_order(
    server: Served, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_release(tmp_path / "nfvi-agent-2.0.0")
    (tmp_path / "faults.yaml").write_text(FAULTS.read_text())
    desk, (name, how_far, refused) = Desk(server, tmp_path), PAGES[page]
    found = desk.begin(name, how_far) if name else {}
    wrong = []
    for line in typed(page):
        if " serve " in line or " config show " in line:
            continue  # for the server's user: a server is there
        seen = desk.type(put_in(line, found))
        expected = next(
            (code for words, code in refused.items() if line.startswith(f"escalator {words}") and "dry" not in line), 0
        )
        if seen.code != expected:
            wrong.append(f"{line}: {seen.code} {seen.err}")
    assert wrong == []
