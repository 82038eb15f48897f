"""What the documentation says is true: pages are fresh and complete, links lead somewhere, commands and examples work."""

from __future__ import annotations

import argparse
import ast
import json
import queue
import re
import runpy
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from escalator.cli.app import EscalatorApp
from escalator.cli.commands import COMMANDS
from escalator.model.campaign import Campaign, load_campaign
from escalator.model.codes import Code
from escalator.model.document import load, parse
from escalator.model.inventory import Inventory
from escalator.model.notice import FOR_ORCHESTRATORS, NoticeType, Reply, Vnfm
from escalator.model.plan import Plan
from escalator.model.release import Release
from escalator.settings import Settings
from escalator.upgrade_manager.planner.make import make_plan
from escalator.world.rules import Faults

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `tools` is not installed
from tools.docs import documents, generate, links  # noqa: E402 - see above

DOCS = ROOT / "docs"
PAGES = links.pages(ROOT)
REQUIREMENTS = (
    *("T1", "T2", "T3", "T4", "E1", "E2", "E3", "C1", "C2", "C3", "C4", "C5", "C6", "C7"),
    *("X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9", "D1", "D2", "D3", "R1", "R2", "R3", "R4"),
    *("W1", "W2", "W3", "W4", "W5", "L1", "A1", "M1", "UC1", "UC2", "UC3", "UC4", "UC5", "UC6"),
)


def page(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(file: Path, language: str) -> Iterator[str]:
    """The fenced blocks of one language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL)


def of_pages(language: str) -> list[tuple[Path, str]]:
    return [(file, block) for file in PAGES for block in blocks(file, language)]


# Generated pages


def test_generated_pages_say_what_the_code_says_now():
    assert generate.stale() == [], "write them again with: make docs"


def test_a_page_that_was_changed_by_hand_is_noticed(tmp_path: Path):
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []
    (tmp_path / "cli.md").write_text("something else")
    (tmp_path / "states.md").unlink()
    assert generate.stale(tmp_path) == ["cli.md", "states.md"]


@pytest.mark.parametrize("code", [code.value for code in Code])
def test_every_error_code_is_explained(code: str):
    assert re.search(rf"^\| `{code}` \| .{{10,}} \|$", page("reference/error-codes.md"), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str):
    assert f"\n## {command}\n" in page("reference/cli.md")


@pytest.mark.parametrize("kind", [Campaign, Release, Inventory, Plan, Faults, Vnfm, Settings], ids=lambda kind: kind.__name__)
def test_every_key_of_a_document_has_a_meaning(kind: type):
    top = ("metadata", "spec")
    assert [path for path, owner, name, _ in documents.keys(kind) if path not in top and not documents.meaning(owner, name)] == []


def test_every_meaning_belongs_to_a_key():
    kinds = (Campaign, Release, Inventory, Plan, Faults, Vnfm, Settings)
    known = {f"{base.__name__}.{name}" for k in kinds for _, owner, name, _ in documents.keys(k) for base in owner.__mro__}
    assert [key for key in documents.MEANINGS if key not in known] == []


# Pages written by hand


def actions() -> set[str]:
    """Names of events that the code writes as they are."""
    found = set()
    for file in (ROOT / "src/escalator").rglob("*.py"):
        for call in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name == "Event":
                found |= {str(k.value.value) for k in call.keywords if k.arg == "action" and isinstance(k.value, ast.Constant)}
            if name in ("_event", "write_down", "_tell", "tell", "_put"):
                found |= {
                    str(a.value)
                    for a in call.args
                    if isinstance(a, ast.Constant) and re.fullmatch(r"[a-z]+\.[a-z-]+", str(a.value))
                }
    return found


def test_every_event_is_explained():
    text = page("reference/events.md")
    assert len(actions()) > 10
    assert [action for action in sorted(actions()) if f"`{action}`" not in text] == []


@pytest.mark.parametrize("kind", NoticeType)
def test_every_notice_is_explained(kind: NoticeType):
    name = "reference/or-vi" if kind in FOR_ORCHESTRATORS else "reference/vi-vnfm"
    name = "howto/fenix-clients" if kind is NoticeType.PROJECT_EVENT else name
    assert f"| `{kind.value}` |" in page(f"{name}.md")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_requirement_is_listed_once_with_its_state(requirement: str):
    rows = re.findall(rf"^\| {requirement} \| .+? \| (.+?) \|", page("explanation/requirements.md"), re.MULTILINE)
    assert len(rows) == 1
    assert re.match(r"(met|partly: .|not yet)", rows[0])


def test_every_requirement_that_is_met_names_a_test():
    rows = [line for line in page("explanation/requirements.md").splitlines() if re.match(r"\| [A-Z]+\d \|", line)]
    assert [row for row in rows if not re.search(r"\| not yet", row) and "`tests/" not in row] == []


def test_the_tests_that_pages_name_are_there():
    named = [(file, name) for file in PAGES for name in re.findall(r"`(tests/[^`\s]+?\.py(?:::\w+)?)`", file.read_text())]
    missing = []
    for file, name in named:
        path, _, test = name.partition("::")
        if not (ROOT / path).is_file() or (test and f"def {test}(" not in (ROOT / path).read_text()):
            missing.append(f"{file.name}: {name}")
    assert named
    assert missing == []


def test_every_decision_has_its_parts_and_is_in_the_list():
    listed = page("decisions/README.md")
    decisions = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(file.name[:4]) for file in decisions] == list(range(1, len(decisions) + 1))
    for file in decisions:
        text = file.read_text()
        assert all(
            part in text for part in ("- Status: ", "- Date: 20", "## Context", "## Decision", "## Refused", "## Consequences")
        )
        assert f"({file.name})" in listed


def test_every_dependency_has_its_line():
    project = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'^  "([a-z-]+)[\[<>="]', project, re.MULTILINE)
    text = page("decisions/0017-dependencies.md")
    assert len(names) > 30
    assert [name for name in names if not re.search(rf"^\|.*\b{name}\b", text, re.MULTILINE)] == []


# Links, commands, examples


def test_links_between_pages_lead_somewhere():
    assert [problem for file in PAGES for problem in links.broken(file)] == []


def test_a_broken_link_is_noticed(tmp_path: Path):
    (tmp_path / "there.md").write_text("# A heading\n")
    file = tmp_path / "page.md"
    file.write_text("[a](there.md#a-heading) [b](there.md#none) [c](gone.md) [d](https://example.org) [e](../outside.md)\n")
    found = list(links.broken(file, tmp_path))
    assert [problem.split(": ")[1] for problem in found] == [
        "there.md#none",
        "gone.md is not there",
        "../outside.md is not there",
    ]


def commands() -> list[tuple[str, str]]:
    found = []
    for file, block in of_pages("console"):
        lines = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ escalator")]
        found += [(file.name, line) for line in lines if "[" not in line]
    return found


@pytest.mark.parametrize(("file", "line"), commands())
def test_commands_in_pages_can_be_typed(file: str, line: str):
    # A word that stands for one of a few is shown by its name.
    words = [{"KIND": "group"}.get(word, word) for word in shlex.split(line.partition(" > ")[0], comments=True)[1:]]
    if words in ([], ["--help"]):
        return
    app = EscalatorApp({}, lambda _: None)
    factory, name, arguments = app.command_manager.find_command(words)
    parser = factory(app, None, cmd_name=name).get_parser(f"escalator {name}")
    try:
        parser.parse_args(arguments)
    except (SystemExit, argparse.ArgumentError):
        pytest.fail(f"{file}: {line} cannot be parsed")


def yamls() -> list[tuple[str, str]]:
    return [(f"{file.name}-{n}", block) for n, (file, block) in enumerate(of_pages("yaml"))]


@pytest.mark.parametrize(("where", "text"), yamls())
def test_yaml_in_pages_is_valid(where: str, text: str):
    check(text, where)


@pytest.mark.parametrize("file", sorted((DOCS / "examples").rglob("*.yaml")), ids=lambda file: file.stem)
def test_examples_are_valid(file: Path):
    check(file.read_text(), file.name)


def check(text: str, where: str) -> None:
    source = parse(text)
    kind = source.data.get("kind")
    if kind == "Campaign":
        load_campaign(source)
    elif kind is not None:
        load({"Release": Release, "Inventory": Inventory, "Faults": Faults}[kind], source)
    elif "clouds" not in source.data:
        load(Settings, source)
    assert where


def test_json_in_pages_is_valid():
    found = [json.loads(block) for _, block in of_pages("json")]
    replies = [value for value in found if "result" in value]
    assert replies
    for value in replies:
        Reply.model_validate_json(json.dumps(value))


def test_the_example_campaign_is_smooth_on_the_example_inventory():
    campaign = load_campaign(parse(page("examples/campaign.yaml")))
    plan = make_plan(campaign, load(Inventory, parse(page("examples/inventory.yaml"))))
    assert plan.smooth
    assert len(plan.upgrades) == 3


def test_the_example_vnf_manager_confirms_once_and_replies_to_the_address_it_was_given():
    with example_vnfm() as (_, url, tell, came):
        for _ in range(2):
            assert tell() == 204
        assert httpx.get(url).status_code == 204
        path, reply = came.get(timeout=10)
        assert path == "/vi-vnfm/v1/replies/unguessable"
        assert (reply.result, dict(reply.instances)) == ("ACK", {"vm-000048": "LIVE_MIGRATE"})
    assert came.empty()


def test_the_example_vnf_manager_replies_anew_where_the_same_notice_has_another_address_to_reply_to():
    with example_vnfm() as (_, _, tell, came):
        for address in ("unguessable", "another"):
            assert tell(address) == 204
            assert came.get(timeout=10)[0] == f"/vi-vnfm/v1/replies/{address}"
    assert came.empty()


def test_the_example_vnf_manager_sends_heartbeats_as_long_as_it_works():
    ready = threading.Event()
    with example_vnfm() as (program, _, tell, came):
        # What `runpy` gives is a copy of the program's names; its functions look in the program itself.
        names = program["answer"].__globals__
        names["HEARTBEAT_S"] = 0.01
        names["switch_over"] = lambda _: "MOVED" if ready.wait(10) else "never"
        assert tell() == 204
        beats = [came.get(timeout=10)[1] for _ in range(2)]
        ready.set()
        while (reply := came.get(timeout=10)[1]).result == "DEFER":
            beats.append(reply)
    assert (reply.result, dict(reply.instances)) == ("ACK", {"vm-000048": "MOVED"})
    assert came.empty()
    assert [beat.until for beat in beats] == sorted({beat.until for beat in beats})


@contextmanager
def example_vnfm() -> Iterator[tuple[dict[str, Any], str, Callable[..., int], queue.Queue[tuple[str, Reply]]]]:
    """The program with its address, what gives it a notice with an address to reply to and returns the status, the replies."""
    program = runpy.run_path(str(DOCS / "examples/vnfm.py"))
    notice = next(value for value in map(json.loads, blocks(DOCS / "tutorial/answer-notices.md", "json")) if "replyUri" in value)
    came: queue.Queue[tuple[str, Reply]] = queue.Queue()

    class Replies(BaseHTTPRequestHandler):
        def do_PUT(self):
            came.put((self.path, Reply.model_validate_json(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object):
            pass

    with serving(Replies) as replies, serving(program["Notices"]) as vnfm:

        def tell(address: str = "unguessable") -> int:
            body = json.dumps(notice | {"replyUri": f"{replies}/vi-vnfm/v1/replies/{address}"}).encode()
            return httpx.post(f"{vnfm}/notices", content=body).status_code

        yield program, f"{vnfm}/notices", tell, came


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve in threads that are joined at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_layers_are_those_that_the_linter_enforces():
    section = (ROOT / ".importlinter").read_text().partition("layers =\n")[2].partition("\n\n")[0]
    named = [re.findall(r"escalator\.([a-z_]+)", line) for line in section.splitlines()]
    enforced = [sorted(name for name in line if any((ROOT / "src/escalator").glob(f"{name}*"))) for line in named]
    section = (ROOT / "ARCHITECTURE.md").read_text().partition("## Layers")[2].partition("Three more")[0]
    told = re.findall(r"^\d+\. ([^\n:]+)", section, re.MULTILINE)
    assert [sorted(re.findall(r"`([a-z_]+)`", line)) for line in told] == enforced


def test_the_makefile_names_its_targets():
    text = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "test-long", "check", "docs", "lock"):
        assert re.search(rf"^{target}:.*## .+", text, re.MULTILINE)


def test_the_usage_of_a_command_that_takes_several_says_so() -> None:
    page = (DOCS / "reference/cli.md").read_text()
    assert "$ escalator node hold NODE ... [--reason REASON]\n" in page
    assert "$ escalator node retry CAMPAIGN NODE ...\n" in page
