"""What of the history goes into the log as well: what happens to campaigns, and whatever carries a code.

People watch logs with the means that they have for all servers, and are called by what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from escalator.model.clock import Clock
from escalator.model.errors import EscalatorError
from escalator.model.progress import Event
from escalator.storage.history import Events

LOOK_S = 1.0
PAGE = 1000
LOGGED_ALREADY = ("notice.", "vnfm.")
"""The VIM Interface logs what it does itself, as it does it."""
ABOUT_CAMPAIGNS = "campaign."

_log = structlog.get_logger()


async def log_history(events: Events, clock: Clock, look_s: float = LOOK_S) -> None:
    """Write what comes from now on into the log, until it is cancelled. What came while the server was away stays out of it."""
    after: int | None = None
    unread = False
    while True:
        try:
            after = await events.last() if after is None else after
            while page := await events.read(after, limit=PAGE):
                log_events(page)
                after = page[-1].seq
            unread = False
        except EscalatorError as error:
            # Storage does not answer: what comes meanwhile is logged when it does. Once for each time that it is away.
            if not unread:
                _log.warning("history.unread", code=error.code.value, message=error.message)
            unread = True
        await clock.sleep(look_s)


def log_events(page: Sequence[Event]) -> None:
    """Log what is worth it: a warning where there is a code, else only what a campaign as a whole does."""
    for event in page:
        if event.action.startswith(LOGGED_ALREADY) or not (event.code or event.action.startswith(ABOUT_CAMPAIGNS)):
            continue
        level = _log.warning if event.code else _log.info
        said = {
            "campaign": event.campaign,
            "node": event.node,
            "object_id": event.object_id,
            "step": event.step,
            "code": event.code,
            "duration_s": event.duration_s,
            "outcome": event.outcome,
            "message": event.message or None,
            "by": event.by,
            "seq": event.seq,
        }
        level(event.action, **{key: value for key, value in said.items() if value is not None})
