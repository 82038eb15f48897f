"""What VNF managers are told of a campaign as it begins: which of their instances, how, and when first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from escalator.model.clock import Clock
from escalator.model.inventory import Instance
from escalator.model.notice import Notice, NoticeType
from escalator.vim_interface.notices import Telling, affected, telling
from escalator.vim_interface.port import Announcement
from escalator.vim_interface.registry import Registry
from escalator.vim_interface.times import to_rfc3339

MAX_NAMED = 1000
"""Instances that one such notice names; `details.instances` tells how many there are. Each node's notice names all of its own."""


class Announced:
    """Makes the notices; `add` puts them into the outbox."""

    def __init__(self, registry: Registry, clock: Clock, add: Callable[[Sequence[Notice]], Awaitable[None]]) -> None:
        self._registry = registry
        self._clock = clock
        self._add = add

    async def tell(self, what: Announcement) -> None:
        """Tell each VNF manager with one of the instances. Safe to repeat: each is told once."""
        by_vnfm: dict[str, list[Instance]] = {}
        owners = await self._registry.owners(what.instances)
        for instance in what.instances:
            if instance.id in owners:
                by_vnfm.setdefault(owners[instance.id], []).append(instance)
        now = self._clock.now()
        made = [_announcing(what, vnfm, by_vnfm[vnfm], now) for vnfm in sorted(by_vnfm)]
        await self._add(await self._registry.wanted(made))


def _announcing(what: Announcement, vnfm: str, instances: Sequence[Instance], now: float) -> Notice:
    touched = sorted((i for i in instances if i.id in what.planned), key=lambda i: (what.first_at.get(i.id, 0.0), i.id))
    resources = tuple(affected(instance, what.planned[instance.id]) for instance in touched[:MAX_NAMED])
    kind = NoticeType.MAINTENANCE_PLANNED
    what_else = {**_times(what, touched), "instances": str(len(touched))}
    details = {"release": what.release, **what_else} if what.release else what_else
    said = Telling(
        kind=kind, campaign=what.campaign, node=None, key=what.key, resources={vnfm: resources}, details={vnfm: details}
    )
    return telling(said, vnfm, now)


def _times(what: Announcement, touched: Sequence[Instance]) -> Mapping[str, str]:
    """The first window, and when by the plan the first of these instances has its turn."""
    found: dict[str, float] = {}
    if what.windows:
        first = what.windows[0]
        found |= {"windowStart": first.start} | ({} if first.end is None else {"windowEnd": first.end})
    turns = [what.first_at[instance.id] for instance in touched if instance.id in what.first_at]
    if turns:
        found["firstAt"] = min(turns)
    return {name: to_rfc3339(seconds) for name, seconds in found.items()}
