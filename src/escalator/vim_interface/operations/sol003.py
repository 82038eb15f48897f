"""Operations as a VNF manager shows them by ETSI GS NFV-SOL 003: the VNF lifecycle operation occurrences.

`GET {uri}/vnf_lcm_op_occs` (clause 5.4.12), with the attribute filter of SOL 013 clause 5.2 for those that have not ended;
a server that does not know the filter is asked without it. Which instances a VNF has is read from
`GET {uri}/vnf_instances/{id}` (clause 5.4.3).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.notice import Vnfm
from escalator.vim_interface.dialects.http import Http, Page, failure
from escalator.vim_interface.operations.port import Operation

RUNNING = ("STARTING", "PROCESSING", "FAILED_TEMP", "ROLLING_BACK")
"""States of an occurrence that has not ended. FAILED_TEMP waits for a person: to retry, to roll back or to give up."""
_FILTER = f"(in,operationState,{','.join(RUNNING)})"
NEW = "INSTANTIATE"
"""The operation of a VNF that has no VMs yet."""
MAX_PAGES = 50
MAX_RUNNING = 200
"""Running operations whose VNFs are looked up; more at once are none of one operator's VNF manager."""


class Sol003:
    """Reads the operation occurrences of VNF managers that registered `lifecycle.uri`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def watches(self, vnfm: Vnfm) -> bool:
        """Whether it has such an interface."""
        return vnfm.spec.lifecycle.uri is not None

    async def running(self, vnfm: Vnfm) -> Sequence[Operation]:
        """Every occurrence that has not ended, with the instances of its VNF. Raises EscalatorError when it cannot be told."""
        occurrences = [found for found in await self._occurrences(vnfm) if found.get("operationState") in RUNNING]
        if len(occurrences) > MAX_RUNNING:
            return [Operation(vnfm=vnfm.name, what=f"{len(occurrences)} lifecycle operations")]
        return await asyncio.gather(*(self._operation(vnfm, occurrence) for occurrence in occurrences))

    async def _occurrences(self, vnfm: Vnfm) -> list[Mapping[str, Any]]:
        start = f"{_base(vnfm)}/vnf_lcm_op_occs"
        page = await self._page(vnfm, f"{start}?filter={quote(_FILTER, safe='(),')}")
        if page.status == 400:
            page = await self._page(vnfm, start)
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            found += _objects(vnfm, page)
            following = _next(vnfm, page)
            if following is None:
                return found
            page = await self._page(vnfm, following)
        raise PermanentError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} has more than {MAX_PAGES} pages of operations.")

    async def _operation(self, vnfm: Vnfm, occurrence: Mapping[str, Any]) -> Operation:
        vnf, kind = str(occurrence.get("vnfInstanceId") or "")[:255], occurrence.get("operation", "an operation")
        what = f"{kind} of VNF {vnf} ({occurrence.get('operationState')})"[:300]
        page = await self._page(vnfm, f"{_base(vnfm)}/vnf_instances/{quote(vnf, safe='')}") if vnf else None
        there = page is not None and page.status != 404
        servers = frozenset(_servers(_object(vnfm, page))) if page is not None and there else frozenset()
        if not servers and kind != NEW:
            # Which VMs it is at work on cannot be told: all that this manager has may be.
            return Operation(vnfm=vnfm.name, what=what)
        return Operation(vnfm=vnfm.name, what=what, vnf=vnf, instances=servers)

    async def _page(self, vnfm: Vnfm, uri: str) -> Page:
        headers = {"Accept": "application/json", "Version": "2.0.0" if _base(vnfm).endswith("/v2") else "1.3.0"}
        return await self._http.read(vnfm, vnfm.spec.lifecycle.auth, uri, headers)


def _base(vnfm: Vnfm) -> str:
    return (vnfm.spec.lifecycle.uri or "").rstrip("/")


def _read(vnfm: Vnfm, page: Page) -> Any:  # noqa: ANN401 - JSON
    error = failure(vnfm.name, page.status)
    if error is not None:
        raise error
    try:
        return json.loads(page.body)
    except (ValueError, RecursionError) as error:
        raise PermanentError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} answers no JSON about its operations.") from error


def _objects(vnfm: Vnfm, page: Page) -> list[Mapping[str, Any]]:
    data = _read(vnfm, page)
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise PermanentError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} answers no list of operations.")
    return data


def _object(vnfm: Vnfm, page: Page) -> Mapping[str, Any]:
    data = _read(vnfm, page)
    if not isinstance(data, dict):
        raise PermanentError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} answers no VNF instance.")
    return data


def _servers(instance: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the VMs of a VNF instance: `instantiatedVnfInfo.vnfcResourceInfo[].computeResource.resourceId`."""
    info = instance.get("instantiatedVnfInfo")
    components = info.get("vnfcResourceInfo") if isinstance(info, dict) else None
    for component in components if isinstance(components, list) else ():
        resource = component.get("computeResource") if isinstance(component, dict) else None
        if isinstance(resource, dict) and isinstance(resource.get("resourceId"), str):
            yield resource["resourceId"]


def _next(vnfm: Vnfm, page: Page) -> str | None:
    """The address of the next page (SOL 013 clause 5.4.2); only at the registered host, where our credential may go."""
    if page.next is None:
        return None
    try:
        uri = urljoin(page.uri, page.next)
        ours, theirs = urlsplit(page.uri), urlsplit(uri)
    except ValueError as error:
        raise PermanentError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} goes on with its list at no valid address.") from error
    if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
        raise PermanentError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} goes on with its list at another host.")
    return uri
