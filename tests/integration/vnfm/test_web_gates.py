"""Gates over HTTP: a page by its status, and a real Prometheus held against what it told when the campaign began."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from beds.prometheus.fixtures import Figures
from escalator.model.brakes import GateEntry
from escalator.model.progress import CampaignState
from escalator.settings import Settings
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.gates.port import Question, Verdict
from escalator.vim_interface.gates.prometheus import PrometheusGate
from escalator.vim_interface.gates.web import MAX_BYTES, HttpGate
from escalator.wiring import Services, open_services
from integration.api.running import CAMPAIGN, FAST, write_release
from integration.vnfm.test_tacker_campaign import sown

ASKED = Question(gate="kpi", campaign="night", moment="before_node", node="cn-1", wave=2)
QUERY = "sum by (vnf) (answered)"
NAME = "agent-2"


@contextmanager
def page(status: int, text: bytes = b"", **headers: str) -> Iterator[tuple[str, list[Any]]]:
    """A page that answers so; what it was asked is kept."""
    asked: list[Any] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def of_page(url: str, folder: Path, **more: Any) -> HttpGate:
    return HttpGate(GateEntry.model_validate({"kind": "http", "url": url, **more}), Credentials(folder))


@pytest.mark.parametrize(
    ("status", "text", "verdict", "said"),
    [
        (200, b"first\nCHG-4711 is open\n", Verdict.GO, "CHG-4711 is open"),
        (204, b"", Verdict.GO, "it answered 204"),
        (503, b"freeze", Verdict.NOT_YET, "503: freeze"),
        (429, b"", Verdict.NOT_YET, "429: it answered 429"),
        (302, b"", Verdict.NO, "302: it answered 302"),
        (404, b"no such change\x1b[2J", Verdict.NO, "404: no such change [2J"),
        (500, b"", Verdict.NO, "500: it answered 500"),
    ],
)
async def test_a_page_says_by_its_status(status: int, text: bytes, verdict: Verdict, said: str, tmp_path: Path) -> None:
    with page(status, text, Location="/elsewhere") as (url, asked):
        answer = await of_page(url, tmp_path).ask(ASKED)
    assert (answer.verdict, answer.said) == (verdict, said)
    assert len(asked) == 1


async def test_a_page_is_asked_about_words_with_the_credential_of_now(tmp_path: Path) -> None:
    secret = tmp_path / "itsm"
    secret.touch(0o600)
    secret.write_text("s3cret\n")
    gate = {"auth": {"type": "bearer", "credential": "itsm"}}
    with page(200) as (url, asked):
        entry = of_page(url + "/open?campaign={campaign}&node={node}&at={moment}", tmp_path, **gate)
        await entry.ask(Question(gate="kpi", campaign="a&b", moment="between", wave=1))
    ((path, headers),) = asked
    assert path == "/open?campaign=a%26b&node=-&at=between"
    assert headers["Authorization"] == "Bearer s3cret"


async def test_a_page_that_cannot_be_asked_says_no(tmp_path: Path) -> None:
    with page(200, b"x" * (MAX_BYTES + 1)) as (url, _):
        answer = await of_page(url, tmp_path).ask(ASKED)
        assert (answer.verdict, answer.said) == (Verdict.NO, f"its answer is larger than {MAX_BYTES} bytes")
        missing = await of_page(url, tmp_path, auth={"type": "bearer", "credential": "gone"}).ask(ASKED)
    assert missing.verdict is Verdict.NO
    assert "gone" in missing.said
    nobody = await of_page(url, tmp_path).ask(ASKED)
    assert nobody.verdict is Verdict.NO
    assert nobody.said.startswith("it cannot be asked")


def of_figures(url: str, folder: Path, **rules: Any) -> PrometheusGate:
    entry = {"kind": "prometheus", "url": url, "query": QUERY, **rules}
    return PrometheusGate(GateEntry.model_validate(entry), Credentials(folder))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{}", b"7", b"[" * 100_000, b'{"status": "success"}', b'{"status": "success", "data": []}',
        b'{"status": "success", "data": {"resultType": "scalar", "result": [1]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": []}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": [], "value": [1, "2"]}]}}',
    ],
)  # fmt: skip
async def test_what_answers_and_is_no_prometheus_says_no(text: bytes, tmp_path: Path) -> None:
    with page(200, text) as (url, _):
        answer = await of_figures(url, tmp_path, no_new=True).ask(ASKED)
    assert (answer.verdict, "what answered 200 is not Prometheus" in answer.said) == (Verdict.NO, True)


async def baseline(gate: PrometheusGate) -> Question:
    seen = await gate.ask(Question(gate="kpi", campaign="night", moment="baseline"))
    assert seen.verdict is Verdict.GO
    return Question(gate="kpi", campaign="night", moment="between", wave=2, baseline=seen.seen)


async def test_figures_are_held_against_what_they_were(prometheus: Figures, tmp_path: Path) -> None:
    gate = of_figures(prometheus.url, tmp_path, not_below_percent=95, not_above_percent=200)
    prometheus.say(QUERY, amf=100.0, smf=0.0)
    question = await baseline(gate)
    said = {}
    for amf, smf in ((95.0, 0.0), (94.0, 0.0), (201.0, 0.0), (100.0, 1.0)):
        prometheus.say(QUERY, amf=amf, smf=smf)
        answer = await gate.ask(question)
        said[amf, smf] = (answer.verdict, answer.said)
    assert said == {
        (95.0, 0.0): (Verdict.GO, "2 values, as when the campaign began"),
        (94.0, 0.0): (Verdict.NOT_YET, "vnf=amf is 94, below 95 % of 100"),
        (201.0, 0.0): (Verdict.NOT_YET, "vnf=amf is 201, above 200 % of 100"),
        (100.0, 1.0): (Verdict.NOT_YET, "vnf=smf is 1, above 200 % of 0"),
    }


async def test_what_is_gone_and_what_is_new(prometheus: Figures, tmp_path: Path) -> None:
    prometheus.say(QUERY, amf=100.0, smf=50.0)
    steady = of_figures(prometheus.url, tmp_path, not_below_percent=90)
    quiet = of_figures(prometheus.url, tmp_path, no_new=True)
    before, alarms = await baseline(steady), await baseline(quiet)
    prometheus.say(QUERY, amf=100.0, upf=1.0)
    gone = await steady.ask(before)
    new = await quiet.ask(alarms)
    assert (gone.verdict, gone.said) == (Verdict.NOT_YET, "vnf=smf has no value any more")
    assert (new.verdict, new.said) == (Verdict.NOT_YET, "vnf=upf is new")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum by (vnf) (", "Prometheus answered 400: "),
        ("answered[5m]", "the query gives a matrix"),
        ('"text"', "the query gives a string"),
    ],
)
async def test_a_query_that_gives_no_values_says_no(query: str, said: str, prometheus: Figures, tmp_path: Path) -> None:
    answer = await of_figures(prometheus.url, tmp_path, query=query, no_new=True).ask(ASKED)
    assert answer.verdict is Verdict.NO
    assert answer.said.startswith(said)


async def test_something_else_at_its_address_says_no(tmp_path: Path) -> None:
    with page(200, b'{"status": 1}') as (url, _):
        answer = await of_figures(url, tmp_path, no_new=True).ask(ASKED)
    assert answer.verdict is Verdict.NO


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "http"},
        {"kind": "http", "url": "ftp://x"},
        {"kind": "http", "url": "http://x", "argv": ["y"]},
        {"kind": "http", "url": "http://x", "auth": {"type": "oauth2"}},
        {"kind": "http", "url": "http://x", "no_new": True},
        {"kind": "prometheus", "url": "http://x", "query": "up"},
        {"kind": "prometheus", "url": "http://x", "no_new": True},
        {"kind": "manual", "baseline": True},
        {"kind": "command", "argv": ["x"], "url": "http://x"},
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GateEntry.model_validate(entry)


async def test_a_campaign_waits_for_figures_to_recover(prometheus: Figures, tmp_path: Path) -> None:
    """The baseline is taken before the first node; a figure that fell holds the second wave until it is back."""
    prometheus.say(QUERY, amf=100.0)
    kpi = {
        "kind": "prometheus",
        "url": prometheus.url,
        "query": QUERY,
        "not_below_percent": 95,
        "retry_s": 0.1,
        "deadline_s": 600,
    }
    command = tmp_path / "own"
    command.write_text(f"""#!/bin/sh
asked=$(cat)
printf '%s\\n' "$asked" >> {tmp_path}/asked
echo 17
case $asked in *'"moment": "baseline"'*) exit 0;; esac
test -e {tmp_path}/go || exit 75
""")
    command.chmod(0o700)
    own = {"argv": (str(command),), "baseline": True, "retry_s": 0.1}
    sown(tmp_path / "world.sqlite", pinned=False)
    cloud = {"driver": "simulated", "simulated": {"speed": FAST.speed}}
    settings = Settings.model_validate({"state_dir": str(tmp_path), "cloud": cloud, "gates": {"kpi": kpi, "own": own}})
    async with open_services(settings) as services:
        await services.importer.import_folder(write_release(tmp_path / "release"))
        text = CAMPAIGN.replace("{max_unavailable: 2}", "{max_unavailable: 1}")
        await services.campaigns.create(text + "  gates: {between: [kpi], before_node: [own]}\n")
        await services.campaigns.plan(NAME)
        await services.campaigns.start(NAME)
        await until(services, "before cn-", "held")
        await asyncio.to_thread(prometheus.say, QUERY, amf=80.0)
        (tmp_path / "go").touch()
        await until(services, "wave", "held")
        row = (await services.campaigns.show(NAME)).row
        assert "vnf=amf is 80, below 95 % of 100" in row.reason
        await asyncio.to_thread(prometheus.say, QUERY, amf=97.0)
        await services.ctx.launcher.engine.result(f"campaign/{NAME}")  # type: ignore[attr-defined]
        assert (await services.campaigns.show(NAME)).row.state is CampaignState.COMPLETED
    questions = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    assert [(q["moment"], q["baseline"]) for q in questions[:2]] == [("baseline", None), ("before_node", "17\n")]
    assert {q["baseline"] for q in questions[1:]} == {"17\n"}


async def until(services: Services, about: str, outcome: str) -> None:
    """Wait for a gate's line in the history."""
    for _ in range(1200):
        found = await services.ctx.store.events.read(campaign=NAME)
        if any(e.action == "campaign.gate" and about in e.message and e.outcome == outcome for e in found):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no gate is {outcome} {about}")
