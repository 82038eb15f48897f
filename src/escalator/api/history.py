"""Lines of the history for what is changed through the API and has no use case of its own that writes them."""

from __future__ import annotations

from escalator.api.services import Services
from escalator.model.progress import Event


async def write_down(services: Services, action: str, object_id: str, message: str = "") -> None:
    """Append one line: this was done to that object."""
    event = Event(at=services.ctx.clock.now(), action=action, object_id=object_id, outcome="done", message=message)
    await services.ctx.store.events.append((event,))
