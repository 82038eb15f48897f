"""Lines of the history for what is changed through the API and has no use case of its own that writes them."""

from __future__ import annotations

from dataclasses import replace

from escalator.api.services import Services
from escalator.model.progress import Event
from escalator.storage.holder import holder

CONCERNING = ("vnfm.", "constraint.")
"""Actions that decide who is asked and what is allowed from then on, in a campaign that runs as well."""


async def write_down(services: Services, action: str, object_id: str, message: str = "") -> None:
    """Append one line: this was done to that object. What is done to VNF managers concerns the campaign that is under way."""
    store = services.ctx.store
    campaign = await holder(store.campaigns) if action.startswith(CONCERNING) else None
    now = services.ctx.clock.now()
    event = Event(at=now, action=action, campaign=campaign, object_id=object_id, outcome="done", message=message)
    event = replace(event, by=services.ctx.by)
    await store.events.append((event,))
