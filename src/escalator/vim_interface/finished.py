"""Who hears of each instance when its move is over: VNF managers made for Fenix, and those that subscribed to it by name.

All others, and of instances that did not move these too, are told when the node is available again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from escalator.model.clock import Clock
from escalator.model.notice import AffectedResource, Notice, NoticeType
from escalator.storage.port import Store
from escalator.vim_interface.notices import Telling, telling
from escalator.vim_interface.registry import Registry

KNOWN_S = 5.0
"""How long it is remembered who they are, so that a cloud without any does not pay for each move."""
Add = Callable[[Sequence[Notice]], Awaitable[None]]
Resources = Mapping[str, Sequence[AffectedResource]]
"""Instances by the VNF manager that is told of them."""


class Finished:
    """Tells of single instances. `add` puts notices into the outbox."""

    def __init__(self, registry: Registry, store: Store, clock: Clock, add: Add) -> None:
        self._registry = registry
        self._notices = store.notices
        self._clock = clock
        self._add = add
        self._names: frozenset[str] = frozenset()
        self._known: tuple[int, float] | None = None

    async def tell(self, task: str, instance: str) -> None:
        """Tell that the instance has moved for that task; nobody who was not asked about it. Safe to repeat."""
        names = await self._listeners()
        if not names:
            return
        now = self._clock.now()
        asked = (notice for notice in await self._notices.for_task(task) if notice.vnfm in names)
        found = ((notice, one) for notice in asked for one in notice.resources if one.resource_id == instance)
        await self._add([_done(notice.vnfm, notice.campaign, notice.node, task, one, now) for notice, one in found])

    async def rest(self, campaign: str, node: str | None, task: str, about: Resources) -> Resources:
        """Leave out those instances of which a VNF manager made for Fenix has heard already: it knows no other way to be told."""
        left: dict[str, Sequence[AffectedResource]] = dict(about)
        for vnfm in about.keys() & await self._registry.of_dialect("fenix"):
            notices = {one: _done(vnfm, campaign, node, task, one, 0.0).id for one in about[vnfm]}
            left[vnfm] = tuple([one for one, id_ in notices.items() if await self._notices.get(id_) is None])
        return left

    async def _listeners(self) -> frozenset[str]:
        now, revision = self._clock.now(), self._registry.revision
        if self._known is None or self._known[0] != revision or not 0.0 <= now - self._known[1] < KNOWN_S:
            self._names = await self._registry.of_dialect("fenix") | await self._registry.naming(NoticeType.RESOURCE_ACTION_DONE)
            self._known = (revision, now)
        return self._names


def _done(vnfm: str, campaign: str, node: str | None, task: str, resource: AffectedResource, now: float) -> Notice:
    key = f"{task}/{resource.resource_id}"
    kind, about = NoticeType.RESOURCE_ACTION_DONE, {vnfm: (resource,)}
    return telling(Telling(kind=kind, campaign=campaign, node=node, key=key, resources=about), vnfm, now)
