"""The way to the cloud: one session, used from a bounded number of threads, every request with a time-out."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import structlog
import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from requests import Response

from escalator.cloud_manager.openstack.credentials import RefusedCredentials
from escalator.cloud_manager.openstack.refusals import FOREIGN, is_own, refusal, said, shorten, translate, unreachable
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.settings import Cloud

T = TypeVar("T")
Json = dict[str, Any]
Query = Mapping[str, str | Sequence[str]]

THREADS = 8
"""Requests at once: more would only queue at Nova's API workers."""
MAX_PAGES = 1000
"""A thousand items a page: a million, far beyond any cloud. A loop in the cloud's links ends here."""

NOVA = (2, 87)
"""From 2.88 a detailed list of hypervisors asks each compute over RPC and fails when one does not answer."""
NOVA_SERVERS = (2, 98)
"""Where the cloud knows it: servers tell their pinned zone (2.96) and their image's properties (2.98)."""
NOVA_SYNC = "2.30"
"""The live migration's checks answer at once with what is wrong; from 2.34 they end in a record without a reason."""
NOVA_LEAST = (2, 79)
"""OpenStack Train: cold moves to a named host, reasons of locks, policies of groups."""
PLACEMENT = "1.14"
"""Providers tell the root of their tree."""

_log = structlog.get_logger()


class Rest:
    """One service's REST interface. Blocking; raises our errors.

    `missing` is the key by which the service itself says that there is no such object. Null where any 404 counts as that.
    """

    def __init__(self, adapter: Adapter, microversion: str | None, prefix: str = "", missing: str | None = None) -> None:
        self._adapter = adapter
        self._microversion = microversion
        self._prefix = prefix
        self._missing = missing

    def at(self, microversion: str) -> Rest:
        """The same service at another microversion."""
        return Rest(self._adapter, microversion, self._prefix, self._missing)

    def get(self, path: str, doing: str, query: Query | None = None) -> Json:
        """One answer."""
        answer = self._send("GET", path, doing, params=dict(query or {}))
        try:
            found: Json = answer.json()
        except ValueError as error:
            # A proxy in front of the API has answered in its place.
            raise TemporaryError(Code.CLD_UNREACHABLE, f"Could not {doing}: the answer is no JSON.") from error
        if not isinstance(found, dict):
            raise TemporaryError(Code.CLD_UNREACHABLE, f"Could not {doing}: the answer is no JSON object.")
        return found

    def find(self, path: str, doing: str) -> Json | None:
        """One answer, or None where there is no such object."""
        try:
            return self.get(path, doing)
        except PermanentError as error:
            if error.code is Code.CLD_NOT_FOUND:
                return None
            raise

    def pages(self, path: str, key: str, doing: str, query: Query | None = None) -> list[Json]:
        """Every item of a list. Only the marker of the next page is taken from the answer, never its address."""
        items: list[Json] = []
        asked = dict(query or {})
        for _ in range(MAX_PAGES):
            body = self.get(path, doing, asked)
            items += body[key]
            marker = _next_marker(body.get(f"{key}_links", ()))
            if marker is None or not body[key]:
                return items
            asked = {**dict(query or {}), "marker": marker}
        raise PermanentError(Code.CLD_REFUSED, f"Cannot {doing}: the list does not end.")

    def post(self, path: str, doing: str, body: Json) -> None:
        """Ask for an action."""
        self._send("POST", path, doing, json=body)

    def put(self, path: str, doing: str, body: Json) -> None:
        """Change an object."""
        self._send("PUT", path, doing, json=body)

    def delete(self, path: str, doing: str) -> None:
        """Remove an object."""
        self._send("DELETE", path, doing)

    def _send(self, method: str, path: str, doing: str, **more: Any) -> Response:  # noqa: ANN401 -- what requests takes
        try:
            answer = self._adapter.request(self._prefix + path, method, raise_exc=False, microversion=self._microversion, **more)
        except FOREIGN as error:
            raise translate(error, doing) from error
        if answer.status_code == 404 and not is_own(answer.text, self._missing):
            # What a proxy does not find while the API behind it is restarted is there all the same.
            raise unreachable(doing, f"HTTP 404, which is not the service's own: {said(answer.text)}")
        if answer.status_code >= 400:
            raise refusal(answer.status_code, answer.text, doing)
        return answer


@dataclass(frozen=True)
class Api:
    """The services that the driver talks to."""

    session: Session
    region: CloudRegion
    compute: Rest
    placement: Rest
    network: Rest
    servers: Rest
    """Nova at the microversion that tells most about servers."""


def understood(work: Callable[[], T]) -> T:
    """What came of it; raises TemporaryError where an answer lacks what the cloud's API says that it has.

    A proxy answers in a service's place while that is restarted, and a step that would be repeated for it must not fail for good.
    """
    try:
        return work()
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        # Where it was looked for tells an odd answer from a mistake of ours, and only the log has room for that.
        _log.warning("openstack.not_understood", exc_info=error)
        why = f"an answer has not the form of its API ({type(error).__name__}: {shorten(str(error))})"
        raise TemporaryError(Code.CLD_UNREACHABLE, f"The cloud cannot be understood: {why}.") from error


class Client:
    """Runs blocking jobs against the cloud in its threads. The connection is made by the first one."""

    def __init__(self, settings: Cloud, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._refused = RefusedCredentials(now)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="openstack")
        self._lock = threading.Lock()
        self._api: Api | None = None

    async def run(self, job: Callable[[Api], T]) -> T:
        """The job's result; raises TemporaryError or PermanentError, never with a password in it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._guarded, job)

    def close(self) -> None:
        """End the threads and the connection; a request under way ends with its time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._forget()

    def _guarded(self, job: Callable[[Api], T]) -> T:
        api = understood(self._connected)
        try:
            return understood(lambda: job(api))
        except TemporaryError as error:
            if error.code is Code.CLD_CREDENTIALS:
                self._forget()  # clouds.yaml may have a new password by the next time
            raise

    def _forget(self) -> None:
        with self._lock:
            if self._api is not None:
                self._api.session.session.close()
                self._api = None

    def _connected(self) -> Api:
        with self._lock:
            if self._api is None:
                self._api = connect(self._entry(), self._refused)
            return self._api

    def _entry(self) -> CloudRegion:
        try:
            return _region(self._settings)
        except FOREIGN as error:
            raise translate(error, "authenticate") from error


def connect(region: CloudRegion, refused: RefusedCredentials) -> Api:
    """Authenticate and find the services. Raises PermanentError or TemporaryError."""
    doing = "authenticate"
    try:
        session = region.get_session()
        refused.heeded_by(session, region.config)
        session.get_token()
        doing = "find the services"
        compute = _adapter(region, session, "compute", least="2.1")
        endpoint = compute.get_endpoint_data()
        network = _adapter(region, session, "network")
        address = network.get_endpoint()
    except FOREIGN as error:
        raise translate(error, doing) from error
    newest = endpoint.max_microversion if endpoint is not None else None
    if newest is None or newest < NOVA_LEAST or address is None:
        raise PermanentError(
            Code.CLD_CONFIG,
            "The cloud has no compute service of OpenStack Train or newer, or no network service, in this region.",
            remedy="Check region_name and interface of this cloud in clouds.yaml.",
        )
    base = Rest(compute, _text(min(newest, NOVA)), missing="itemNotFound")
    return Api(
        session=session,
        region=region,
        compute=base,
        placement=Rest(_adapter(region, session, "placement"), PLACEMENT, missing="errors"),
        network=Rest(network, None, "" if address.rstrip("/").endswith("/v2.0") else "/v2.0"),
        servers=base.at(_text(min(newest, NOVA_SERVERS))),
    )


def image_service(api: Api) -> Rest:
    """Glance, for the few who ask for images. Raises PermanentError (`CLD_CONFIG`) when the region has none."""
    adapter, address = _other(api, "image", "the image service")
    return Rest(adapter, None, "" if address.rstrip("/").endswith("/v2") else "/v2")


def instance_ha_service(api: Api) -> Rest:
    """Masakari. Raises PermanentError (`CLD_CONFIG`) when the region has none."""
    adapter, address = _other(api, "instance-ha", "Masakari, the instance HA service")
    # Older installations have the project's id behind the version.
    return Rest(adapter, None, "" if "/v1" in urlsplit(address).path else "/v1")


def _other(api: Api, kind: str, name: str) -> tuple[Adapter, str]:
    doing = f"find {name}"
    try:
        adapter = _adapter(api.region, api.session, kind)
        address = adapter.get_endpoint()
    except FOREIGN as error:
        raise translate(error, doing) from error
    if address is None:
        raise PermanentError(Code.CLD_CONFIG, f"Cannot {doing}: the region has none.", remedy="Check region_name in clouds.yaml.")
    return adapter, address


def _region(settings: Cloud) -> CloudRegion:
    """The entry of clouds.yaml. What is wrong with that file is never quoted: passwords stand in it."""
    files = [settings.config_file] if settings.config_file else None
    try:
        return _entry(files, settings)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" at line {mark.line + 1}"
        raise PermanentError(Code.CLD_CONFIG, f"clouds.yaml is not valid YAML{where}.") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"clouds.yaml does not have the expected form ({type(error).__name__})."
        raise PermanentError(Code.CLD_CONFIG, why) from None


def _entry(files: list[str] | None, settings: Cloud) -> CloudRegion:
    with warnings.catch_warnings():
        # The SDK warns of its own default of a metrics option that nobody set.
        warnings.filterwarnings("ignore", "Support for InfluxDB")
        config = OpenStackConfig(config_files=files, app_name="escalator")
        return config.get_one(cloud=settings.os_cloud, api_timeout=settings.request_timeout_s)


def _adapter(region: CloudRegion, session: Session, service: str, least: str | None = None) -> Adapter:
    return Adapter(
        session=session,
        service_type=region.get_service_type(service),
        service_name=region.get_service_name(service),
        interface=region.get_interface(service),
        region_name=region.get_region_name(service),
        endpoint_override=region.get_endpoint(service),
        min_version=least,
        max_version=None if least is None else "2.latest",
    )


def _text(version: Sequence[float]) -> str:
    return f"{version[0]:.0f}.{version[1]:.0f}"


def _next_marker(links: Sequence[Mapping[str, str]]) -> str | None:
    for link in links:
        if link.get("rel") == "next":
            return parse_qs(urlsplit(link["href"]).query).get("marker", [None])[0]
    return None
