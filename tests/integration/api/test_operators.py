"""Who asked for it: tokens that have a name are told apart, and the history says the name."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from escalator.api.app import operators_app
from escalator.model.errors import InputError
from escalator.settings import Server, Settings, read_settings
from escalator.simulation.setup import RELEASE, import_release
from integration.api.running import CAMPAIGN, TOKEN, TestServices
from integration.api.test_campaigns import state_of

YAML = {"Content-Type": "application/yaml"}
ANNA, BEN = "anna-has-this-one", "ben-has-that-one"


def digest(token: str) -> str:
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


@pytest.fixture
async def api(services: TestServices) -> AsyncIterator[httpx.AsyncClient]:
    await import_release(services.ctx.store, RELEASE, services.ctx.clock.now())
    settings = Settings(state_dir=services.settings.state_dir, server=Server(tokens={"anna": digest(ANNA), "ben": digest(BEN)}))
    transport = httpx.ASGITransport(operators_app(replace(services, settings=settings)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as client:
        yield client


def of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def said(api: httpx.AsyncClient) -> list[tuple[str, str | None]]:
    lines = (await api.get("/v1/events", params={"limit": 5000}, headers=of(TOKEN))).json()
    return [(line["action"], line["by"]) for line in lines]


async def test_what_each_asked_for_stands_in_the_history_with_the_name(api: httpx.AsyncClient) -> None:
    asked = [
        (ANNA, "/v1/campaigns", {"content": CAMPAIGN, "headers": YAML}, "campaign.create"),
        (BEN, "/v1/campaigns/agent-2/actions/plan", {}, "campaign.plan"),
        (TOKEN, "/v1/nodes/cn-0001/actions/hold", {"json": {"reason": "later"}}, "node.hold"),
        (ANNA, "/v1/nodes/cn-0001/actions/unhold", {}, "node.unhold"),
        (BEN, "/v1/freeze/actions/begin", {"json": {"reason": "storm"}}, "freeze.begin"),
        (ANNA, "/v1/vnfms/vnfm-core/actions/test-notice", {}, "vnfm.test-notice"),
    ]
    for token, path, body, _ in asked:
        reply = await api.post(path, **{**body, "headers": of(token) | body.get("headers", {})})
        assert reply.status_code < 300, reply.text
    names = {ANNA: "anna", BEN: "ben", TOKEN: None}
    found = await said(api)
    assert [line for line in found if line[0] in {action for *_, action in asked}] == [
        (action, names[token]) for token, _, _, action in asked
    ]


async def test_what_the_engine_does_then_is_done_in_nobodys_name(api: httpx.AsyncClient) -> None:
    await api.post("/v1/campaigns", content=CAMPAIGN, headers=of(ANNA) | YAML)
    await api.post("/v1/campaigns/agent-2/actions/plan", headers=of(ANNA))
    for verb, token in (("start", BEN), ("pause", ANNA), ("resume", TOKEN)):
        reply = await api.post(f"/v1/campaigns/agent-2/actions/{verb}", headers=of(token))
        assert reply.status_code == 202
        assert reply.json()["reason"] == ("paused by anna" if verb == "pause" else "")
    api.headers.update(of(TOKEN))
    await state_of(api, "completed")
    (first, *_) = (await api.get("/v1/backups")).json()
    assert (await api.post(f"/v1/backups/{first['id']}/actions/verify", headers=of(BEN))).status_code == 200
    assert (await api.post("/v1/campaigns/agent-2/actions/rollback", headers=of(ANNA))).status_code == 202
    await state_of(api, "rolled_back")
    found = await said(api)
    about = [line for line in found if line[0].startswith("campaign.") and line[0] not in {"campaign.verify", "campaign.replan"}]
    assert about == [
        ("campaign.create", "anna"),
        ("campaign.plan", "anna"),
        ("campaign.start", "ben"),
        ("campaign.paused", "anna"),
        ("campaign.running", None),
        ("campaign.completed", None),
        ("campaign.rolling_back", "anna"),
        ("campaign.plan", None),
        ("campaign.rolled_back", None),
    ]
    assert ("backup.verify", "ben") in found
    assert {by for action, by in found if action.startswith(("node.", "instance.", "notice.", "impact."))} == {None}


@pytest.mark.parametrize("token", [ANNA + "x", ANNA[:-1], "", digest(ANNA), "anna"])
async def test_a_token_that_is_nobodys_opens_nothing(api: httpx.AsyncClient, token: str) -> None:
    assert (await api.get("/v1/campaigns", headers=of(token))).status_code == 401


@pytest.mark.parametrize(
    "tokens",
    [{"anna": ANNA}, {"Anna B": digest(ANNA)}, {"anna": digest(ANNA), "ben": digest(ANNA)}],
    ids=["no-digest", "name", "same"],
)
def test_what_is_no_name_or_no_digest_is_refused_as_is_one_token_for_two(tokens: dict[str, str], tmp_path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("server:\n  tokens:\n" + "".join(f'    "{name}": "{one}"\n' for name, one in tokens.items()))
    with pytest.raises(InputError):
        read_settings(file, {})
