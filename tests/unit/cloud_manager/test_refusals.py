"""The border for errors, and lists in pages."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keystoneauth1.exceptions as ks
import pytest
import requests
import yaml
from openstack.exceptions import ConfigException

from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.cloud_manager.openstack.client import Rest
from escalator.cloud_manager.openstack.refusals import refusal, translate
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.settings import Cloud


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, PermanentError, Code.CLD_REFUSED),
        (401, TemporaryError, Code.CLD_CREDENTIALS),
        (403, PermanentError, Code.CLD_FORBIDDEN),
        (404, PermanentError, Code.CLD_NOT_FOUND),
        (409, TemporaryError, Code.CLD_BUSY),
        (413, TemporaryError, Code.CLD_UNREACHABLE),
        (429, TemporaryError, Code.CLD_UNREACHABLE),
        (500, TemporaryError, Code.CLD_UNREACHABLE),
        (503, TemporaryError, Code.CLD_UNREACHABLE),
    ],
)
def test_each_http_status_has_its_kind_and_code(status: int, kind: type[EscalatorError], code: Code) -> None:
    error = refusal(status, json.dumps({"x": {"message": "the reason"}}), "look")
    assert (type(error), error.code) == (kind, code)
    assert "the reason" in error.message


def test_no_valid_host_has_a_code_of_its_own() -> None:
    body = json.dumps({"badRequest": {"code": 400, "message": "No valid host was found. "}})
    assert refusal(400, body, "move vm-1").code is Code.CLD_NO_VALID_HOST


def test_a_full_quota_is_waited_for_and_no_role_is_missing() -> None:
    message = "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"
    error = refusal(403, json.dumps({"forbidden": {"code": 403, "message": message}}), "boot a probe VM on cn-1")
    assert (type(error), error.code) == (TemporaryError, Code.CLD_BUSY)
    assert message in error.message
    assert "role" not in f"{error.message} {error.remedy}"


@pytest.mark.parametrize(
    "body",
    [
        '{"badRequest": {"message": "why"}}',
        '{"errors": [{"status": 400, "detail": "why"}]}',
        '{"NeutronError": {"type": "X", "message": "why"}}',
        "why",
    ],
)
def test_the_sentence_is_found_in_each_services_answer(body: str) -> None:
    assert refusal(400, body, "look").message == "Cannot look: HTTP 400: why"


@pytest.mark.parametrize("body", ["<html>" + "x" * 10_000, '{"a": [1, 2]}', "[]", ""])
def test_an_answer_of_any_form_makes_a_bounded_message(body: str) -> None:
    assert len(refusal(500, body, "look").message) < 500


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ks.Unauthorized("no"), TemporaryError, Code.CLD_CREDENTIALS),
        (ks.Forbidden("no"), PermanentError, Code.CLD_FORBIDDEN),
        (ks.EndpointNotFound("no"), PermanentError, Code.CLD_CONFIG),
        (ks.EmptyCatalog("no"), PermanentError, Code.CLD_CONFIG),
        (ks.ConnectFailure("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (ks.ConnectTimeout("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (ks.SSLError("no"), PermanentError, Code.CLD_CONFIG),
        (ks.DiscoveryFailure("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (ks.InternalServerError("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (ks.ServiceUnavailable("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (ks.NotFound("no"), PermanentError, Code.CLD_NOT_FOUND),
        (ks.MissingRequiredOptions([]), PermanentError, Code.CLD_CONFIG),
        (ks.NoMatchingPlugin("no"), PermanentError, Code.CLD_CONFIG),
        (ConfigException("no"), PermanentError, Code.CLD_CONFIG),
        (requests.ConnectionError("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (TimeoutError("no"), TemporaryError, Code.CLD_UNREACHABLE),
        (ks.ClientException("no"), PermanentError, Code.CLD_REFUSED),
    ],
)
def test_each_error_of_the_libraries_has_its_kind_and_code(error: Exception, kind: type[EscalatorError], code: Code) -> None:
    found = translate(error, "look")
    assert (type(found), found.code) == (kind, code)


async def test_a_cloud_that_takes_the_connection_and_never_answers_is_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v3"
        auth = {"auth_url": url, "username": "u", "password": "p-9f1c", "project_name": "p"}
        entry = {"auth": auth | {"user_domain_id": "d", "project_domain_id": "d"}, "region_name": "R"}
        file = tmp_path / "clouds.yaml"
        file.write_text(yaml.safe_dump({"clouds": {"c": entry}}), encoding="utf-8")
        cloud = OpenStackCloud(Cloud(os_cloud="c", config_file=str(file), request_timeout_s=0.2))
        with pytest.raises(TemporaryError) as caught:
            await cloud.identity()
        cloud.close()
    assert caught.value.code is Code.CLD_UNREACHABLE
    assert "p-9f1c" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["clouds:\n  c: {auth: {password: hunter-2}\n", "[hunter-2]", "clouds: hunter-2", "clouds: {c: [hunter-2]}", ""]
)
async def test_a_broken_clouds_yaml_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text(text, encoding="utf-8")
    cloud = OpenStackCloud(Cloud(os_cloud="c", config_file=str(file)))
    with pytest.raises(PermanentError) as caught:
        await cloud.identity()
    cloud.close()
    assert caught.value.code is Code.CLD_CONFIG
    assert "hunter-2" not in "".join(traceback.format_exception(caught.value))


@dataclass
class _Answer:
    body: Mapping[str, object]
    status_code: int = 200

    @property
    def text(self) -> str:
        return json.dumps(self.body)

    def json(self) -> Mapping[str, object]:
        return self.body


@dataclass
class _Pages:
    """A service with so many pages; it links to the next at an address that we could not reach."""

    pages: int
    asked: list[object] = field(default_factory=list)

    def request(self, path: str, method: str, **more: object) -> _Answer:
        params = more["params"]
        assert isinstance(params, dict)
        self.asked.append(params)
        number = int(params.get("marker", 0))
        links = [{"rel": "next", "href": f"http://inner.example/things?limit=1&marker={number + 1}"}]
        return _Answer({"things": [{"n": number}], "things_links": links if number + 1 < self.pages else []})


def test_every_page_of_a_list_is_read_and_keeps_the_question() -> None:
    service = _Pages(3)
    found = Rest(service, "2.87").pages("/things", "things", "list", {"all_tenants": "1"})  # type: ignore[arg-type]
    assert [row["n"] for row in found] == [0, 1, 2]
    assert service.asked == [{"all_tenants": "1", **({"marker": str(n)} if n else {})} for n in range(3)]


def test_a_list_without_an_end_is_refused() -> None:
    with pytest.raises(PermanentError, match="does not end"):
        Rest(_Pages(10**9), None).pages("/things", "things", "list")  # type: ignore[arg-type]


@dataclass
class _NotFound:
    """Who answers 404 in the place of a service, or the service itself."""

    text: str
    status_code: int = 404

    def request(self, path: str, method: str, **more: object) -> _NotFound:
        return self


NOVA_404 = '{"itemNotFound": {"code": 404, "message": "Instance vm-1 could not be found."}}'
PLACEMENT_404 = '{"errors": [{"status": 404, "title": "Not Found", "detail": "No resource provider"}]}'


@pytest.mark.parametrize(("key", "body"), [("itemNotFound", NOVA_404), ("errors", PLACEMENT_404), (None, "<html>404</html>")])
def test_what_the_service_itself_does_not_know_is_not_there(key: str | None, body: str) -> None:
    rest = Rest(_NotFound(body), "2.87", missing=key)  # type: ignore[arg-type]
    assert rest.find("/things/1", "read thing 1") is None
    assert rest.at("2.30").find("/things/1", "read thing 1") is None


@pytest.mark.parametrize(
    "body", ["default backend - 404", "", "[]", '{"message": "no Route matched with those values"}', NOVA_404]
)
def test_what_a_proxy_does_not_find_is_not_taken_for_gone(body: str) -> None:
    key = "errors" if body == NOVA_404 else "itemNotFound"
    with pytest.raises(TemporaryError) as caught:
        Rest(_NotFound(body), "2.87", missing=key).at("2.30").find("/things/1", "read thing 1")  # type: ignore[arg-type]
    assert (caught.value.code, "HTTP 404" in caught.value.message) == (Code.CLD_UNREACHABLE, True)
