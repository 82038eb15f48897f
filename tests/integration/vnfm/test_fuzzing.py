"""Everything that VNF managers can call, called with whatever its OpenAPI document allows and forbids: no 5xx, no hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from beds.vnfm.bed import TASK, Bed, opened_bed
from escalator.model.notice import SubscriptionRight, Vnfm, VnfmSpec
from escalator.model.subscription import Subscription
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.sessions import Sessions
from escalator.vim_interface.fenix.events import session_id
from integration.api.running import CAMPAIGN, TestServices, running, write_release

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "openapi-vnfm.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = openapi.from_path(DOCUMENT)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
TIMEOUT_S = 10
BUSY = 509
KEY = "0123456789abcdef-KEY"
CREDENTIAL = "a-credential-for-fuzzing"


@dataclass(frozen=True)
class Listener:
    """A listener with one notice that waits for its answer."""

    url: str
    known: dict[str, str]
    """Values of parameters that lead somewhere."""


async def subscribed(bed: Bed) -> None:
    """A VNF manager that has subscribed, and may do so again when it has ended that."""
    (bed.folder / "credential").write_text(CREDENTIAL)
    (bed.folder / "credential").chmod(0o600)
    right = SubscriptionRight(type="bearer", credential="credential")
    await bed.store.vnfms.add(Vnfm(name="vnfm-2", spec=VnfmSpec(subscription=right, projects=("p9",))))
    await bed.store.subscriptions.add(Subscription(vnfm="vnfm-2", callback_uri="http://127.0.0.1:9/notices"))


def made_of(cloud: TestServices, folder: Path) -> Sessions:
    return Sessions(cloud.ctx, cloud.campaigns, {"default": str(folder / "template.yaml")})


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    folder = tmp_path_factory.mktemp("bed")
    ready, closing, found = threading.Event(), asyncio.Event(), []

    async def run() -> None:
        (folder / "template.yaml").write_text(CAMPAIGN)
        async with running(folder / "cloud") as cloud, opened_bed("fenix", folder, sessions=made_of(cloud, folder)) as bed:
            await cloud.importer.import_folder(write_release(folder / "release"))
            bed.roles["token-of-p1"] = {"admin"}
            await bed.vnfm("vnfm-1", "silent", "p1")
            await bed.store.campaigns.add(CampaignRow(name="c1", document={}))
            bed.tokens |= {"token-of-p1": "p1", "token-of-p2": "p2"}
            (folder / "key").touch(0o600)
            (folder / "key").write_text(KEY)
            await subscribed(bed)
            await bed.ask()
            await bed.until_state("vnfm-1", "delivered")
            tacker = VnfmSpec(dialect="tacker", callback_uri="http://127.0.0.1:9", projects=("p2",), key="key")
            await bed.vim.registry.add(Vnfm(name="tacker", spec=tacker))
            (notice,) = await bed.store.notices.for_task(TASK)
            known = {"token": notice.reply_token or "", "address": notice.reply_token or "", "session": session_id("c1")}
            known |= {"tenant": "p2", "server": "vm-2", "key": KEY, "alarm": "none"}
            known |= {"project": "p1", "instance": "vm-1", "group": "g1"}
            known |= {"subscription": "vnfm-2", "Authorization": f"Bearer {CREDENTIAL}"}
            found.append((Listener(bed.base_url, known), asyncio.get_running_loop()))
            ready.set()
            await closing.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(30)
    made, loop = found[0]
    yield made
    loop.call_soon_threadsafe(closing.set)
    thread.join(30)


# What has no body has nothing that could be forbidden: every text is an id that is not known.
CALLS = [(operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
CALLS += [(operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation.method in ("put", "post")]


@pytest.mark.parametrize(("operation", "mode"), CALLS, ids=lambda part: getattr(part, "label", None) or part.value)
def test_whatever_is_sent_is_answered_as_documented(listener: Listener, operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), led=st.booleans())
    def call(case: Case, led: bool) -> None:
        if led:
            # Half of the calls get past the door: a token that is known, a session that is there, an address that is allowed.
            if mode is GenerationMode.POSITIVE and isinstance(case.body, dict) and "fault_action" in case.body:
                case.body["fault_action"] = "http://127.0.0.1:9/notify"
            for name in case.path_parameters or {}:
                case.path_parameters[name] = listener.known.get(name, case.path_parameters[name])
            case.headers["X-Auth-Token"] = "token-of-p2" if operation.path.startswith("/tacker") else "token-of-p1"
            case.headers["Authorization"] = listener.known["Authorization"]
        response = case.call(base_url=listener.url, timeout=TIMEOUT_S)
        # Fenix says by 509 that another session runs: no error of the server's.
        busy = response.status_code == BUSY and operation.path == "/fenix/v1/maintenance"
        case.validate_response(response, checks=[check for check in CHECKS if not busy or check is not not_a_server_error])

    call()
