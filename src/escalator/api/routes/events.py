"""The history, and following it as it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from escalator.api import shapes
from escalator.api.problems import documented
from escalator.api.services import Here, Running, Services, running_of
from escalator.api.views import EventView
from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem
from escalator.model.progress import Event
from escalator.storage.history import Only
from escalator.storage.rules import no_campaign

router = APIRouter(tags=["events"])
PAGE = 1000
CODE = r"^ESC-[A-Z]{3}-[0-9]{3}$"
LOOK_S = 0.5
"""How often a stream looks for new lines: another replica may have written them, so no signal inside this process tells."""
HEARTBEAT_S = 15.0
"""A comment keeps proxies from closing a stream on which nothing happens."""
LAST = 2**63 - 1
"""No store numbers further."""
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get("/events", response_model=list[EventView], responses={**documented(404, 422), **_STREAM})
async def read_events(  # noqa: PLR0913 - the query's parameters
    services: Here,
    request: Request,
    *,
    after: Annotated[int, Query(ge=0, le=LAST, description="Only lines with a higher `seq`")] = 0,
    campaign: str | None = None,
    node: str | None = None,
    code: Annotated[str | None, Query(pattern=CODE, description="Only lines with this code, such as `ESC-VIM-003`")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only lines from this time on; RFC 3339 with its zone")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only lines before this time; not with `follow`")] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = PAGE,
    tail: Annotated[int | None, Query(ge=0, le=5000, description="Only the last lines of the whole history")] = None,
    follow: Annotated[bool, Query(description="Stream server-sent events; `Last-Event-ID` continues a stream")] = False,
) -> Sequence[EventView] | Response:
    """The history, oldest first; `follow` streams it as it grows."""
    if follow and until is not None:
        raise InputError(Code.API_BODY, "The request is not valid.", problems=[Problem("until", "what is followed has no end")])
    wanted: Only = {"campaign": campaign, "node": node, "code": code, "since": _seconds(since), "until": _seconds(until)}
    after = _last_event_id(request, after)
    first: Sequence[Event] = ()
    if tail is not None:
        first, after = await _tail(running_of(request), wanted, after, tail)
    if follow:
        lines = _follow(running_of(request), wanted, first, after)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    if tail is None:
        first = await services.ctx.store.events.read(after, limit=limit, **wanted)
    if campaign is not None and not first:
        await _require_known(services, campaign)
    return [shapes.event_view(event) for event in first]


async def _require_known(services: Services, campaign: str) -> None:
    """Raise NotFoundError where nothing ever happened in a campaign of that name and none is there: a name that is misspelt."""
    store = services.ctx.store
    if await store.campaigns.get(campaign) is None and not await store.events.read(0, limit=1, campaign=campaign):
        raise no_campaign(campaign)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _last_event_id(request: Request, after: int) -> int:
    text = request.headers.get("last-event-id", "")
    if not text:
        return after
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        problem = Problem("Last-Event-ID", "a sequence number is expected")
        raise InputError(Code.API_BODY, "The request is not valid.", problems=[problem])
    return int(text)


async def _tail(running: Running, wanted: Only, after: int, count: int) -> tuple[Sequence[Event], int]:
    """The last lines, and the number of the very last one."""
    kept: deque[Event] = deque(maxlen=count)
    while True:
        page = await _read(running, wanted, after)
        kept.extend(page)
        after = page[-1].seq if page else after
        if len(page) < PAGE:
            return tuple(kept), after


async def _follow(running: Running, wanted: Only, first: Sequence[Event], after: int) -> AsyncIterator[str]:
    """Lines as server-sent events until the caller goes or the server ends."""
    clock = running.services.ctx.clock
    yield "retry: 2000\n\n"
    for event in first:
        yield _line(event)
    spoken = clock.now()
    while not running.closing.is_set():
        last = await running.services.ctx.store.events.last()
        page = await _read(running, wanted, after)
        for event in page:
            after, spoken = event.seq, clock.now()
            yield _line(event)
        if len(page) < PAGE:
            # What was there when it was read is not wanted, and is not looked through once more.
            after = max(after, last)
        if clock.now() - spoken >= HEARTBEAT_S:
            spoken = clock.now()
            yield ": alive\n\n"
        if not page:
            await clock.sleep(LOOK_S)


async def _read(running: Running, wanted: Only, after: int) -> Sequence[Event]:
    return await running.services.ctx.store.events.read(after, limit=PAGE, **wanted)


def _line(event: Event) -> str:
    return f"id: {event.seq}\ndata: {shapes.event_view(event).model_dump_json()}\n\n"
