"""Registrations that nobody makes by hand: those of a simulated world."""

from __future__ import annotations

import structlog

from escalator.storage.port import Store
from escalator.vim_interface.registry import overlaps
from escalator.world.world import World

_log = structlog.get_logger()


async def register_world(world: World | None, store: Store) -> None:
    """Register the VNF managers of a world, if there is one, that are not registered yet.

    What a person has given to another one since stays with that: the world's is left out, with a line in the log.
    """
    if world is None:
        return
    known = list(await store.vnfms.list())
    for vnfm in world.vnfms.registrations():
        if vnfm.name in {other.name for other in known}:
            continue
        problems = [*overlaps(vnfm.spec, known)]
        if problems:
            _log.warning("vnfm.left-out", object_id=vnfm.name, message="; ".join(map(str, problems[:5])))
            continue
        await store.vnfms.add(vnfm)
        known.append(vnfm)
