"""Registered VNF managers. Credentials are names of files on the server; what the files hold is never seen here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from escalator.api.actions import VnfmChange
from escalator.api.documents import body, read
from escalator.api.history import write_down
from escalator.api.problems import documented
from escalator.api.services import Here, Services
from escalator.api.times import stamp
from escalator.api.versions import IfMatch, tagged, versions_named
from escalator.api.views import ReachabilityView, SpokenForView, SubscribedView
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import NotFoundError
from escalator.model.notice import NoticeState, Vnfm
from escalator.upgrade_manager.speakers import require_unneeded, spoken_for

router = APIRouter(tags=["vnfms"])
_RECENT = 200
"""How many notices are looked through for the last one to a VNF manager."""


@router.post("/vnfms", status_code=201, responses=documented(409, 413, 415, 422), openapi_extra=dict(body("Vnfm")))
async def register_vnfm(services: Here, request: Request, response: Response) -> Vnfm:
    """Register a VNF manager: what it owns and how it is reached."""
    vnfm = await read(request, Vnfm)
    await services.vim.registry.add(vnfm)
    await write_down(services, "vnfm.register", vnfm.name)
    response.headers["Location"] = f"/v1/vnfms/{vnfm.name}"
    return tagged(response, vnfm)


@router.get("/vnfms")
async def list_vnfms(services: Here) -> Sequence[Vnfm]:
    """All VNF managers, in order of name."""
    return await services.ctx.store.vnfms.list()


@router.get("/vnfms/{name}", responses=documented(404))
async def get_vnfm(services: Here, name: str, response: Response) -> Vnfm:
    """One VNF manager. Its `ETag` is the version that a change may name in `If-Match`."""
    return tagged(response, await _vnfm(services, name))


@router.get("/vnfms/{name}/subscriptions", responses=documented(404))
async def list_vnfm_subscriptions(services: Here, name: str) -> Sequence[SubscribedView]:
    """Where it says by itself that it is told: one, or none. Secrets that came with it are never shown."""
    await _vnfm(services, name)
    row = await services.ctx.store.subscriptions.get(name)
    if row is None:
        return []
    wanted = row.filter.model_dump(mode="json", by_alias=True, exclude_none=True)
    at = stamp(row.created_at)
    return [SubscribedView(callback_uri=row.callback_uri, filter=wanted, auth=row.auth, created_at=at)]


@router.patch("/vnfms/{name}", responses=documented(404, 412, 413, 415, 422), openapi_extra=dict(body("VnfmChange")))
async def change_vnfm(services: Here, name: str, request: Request, response: Response, if_match: IfMatch = None) -> Vnfm:
    """Change parts of a registration: notices that wait go where it says from now on, and what was answered stays."""
    known = await _vnfm(services, name)
    changes = (await read(request, VnfmChange)).spec
    vnfm = await services.vim.registry.change(name, changes, versions_named(if_match))
    changed = [field for field in type(vnfm.spec).model_fields if getattr(vnfm.spec, field) != getattr(known.spec, field)]
    if changed:
        await write_down(services, "vnfm.change", name, ", ".join(changed))
    return tagged(response, vnfm)


@router.get("/vnfms/{name}/instances", responses=documented(404))
async def count_vnfm_instances(services: Here, name: str) -> SpokenForView:
    """For how many instances of the cloud it speaks now, and what it names that nothing there has."""
    found = await spoken_for(services.ctx, await _vnfm(services, name))
    return SpokenForView(vnfm=name, instances=found.instances, unknown=found.unknown)


@router.delete("/vnfms/{name}", status_code=204, responses=documented(404, 409, 412))
async def remove_vnfm(
    services: Here,
    name: str,
    if_match: IfMatch = None,
    force: Annotated[bool, Query(description="also while a campaign needs it")] = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Forget a VNF manager; its instances have nobody who speaks for them from now on.

    Refused while a campaign waits for its answers or has still to ask it, unless that is forced: what it was asked is withdrawn
    then, and counts as what could not be delivered.
    """
    if not force and await services.ctx.store.vnfms.get(name) is not None:
        await require_unneeded(services.ctx, name)
    withdrawn = await services.vim.unregistered.remove(name, versions_named(if_match))
    await write_down(services, "vnfm.remove", name, f"{counted(withdrawn, 'open notice')} withdrawn" if withdrawn else "")
    return Response(status_code=204)


@router.post("/vnfms/{name}/actions/test", responses=documented(404))
async def test_vnfm(services: Here, name: str) -> ReachabilityView:
    """Ask its address whether it would take notices. The answer is 200 in either case: `ok` says it."""
    found = await services.vim.test(await _vnfm(services, name))
    message = await _not_taken(services, name) if found.ok else found.message
    return ReachabilityView(vnfm=found.vnfm, ok=found.ok, code=found.code, message=message, remedy=found.remedy)


@router.post("/vnfms/{name}/actions/test-notice", responses=documented(404))
async def send_test_notice(services: Here, name: str) -> ReachabilityView:
    """Let the people of a VNF manager with the dialect `manual` get a notice that is a test: it asks for nothing.

    The answer is 200 in either case: `ok` says whether it was handed over. With any other dialect nothing is sent.
    """
    found = await services.vim.test(await _vnfm(services, name), notice=True)
    await write_down(services, "vnfm.test-notice", name, found.message)
    return ReachabilityView(vnfm=found.vnfm, ok=found.ok, code=found.code, message=found.message, remedy=found.remedy)


async def _not_taken(services: Services, name: str) -> str:
    """What became of the last notice to a VNF manager that answers its test, where it was not taken: the test sends none."""
    recent = (n for n in await services.ctx.store.notices.list(limit=_RECENT) if n.vnfm == name)
    last = next((n for n in recent if n.delivered_at is not None or n.state is NoticeState.UNDELIVERABLE), None)
    if last is None or last.delivered_at is not None:
        return ""
    why = f"{last.error_code}: {last.error}"
    return f"The last notice to it ({last.id}) was not taken: {why} The test does not show whether notices are taken now."


async def _vnfm(services: Services, name: str) -> Vnfm:
    vnfm = await services.ctx.store.vnfms.get(name)
    if vnfm is None:
        raise NotFoundError(Code.VIM_NOT_FOUND, f"There is no VNF manager {name!r}.", remedy="escalator vnfm list")
    return vnfm
