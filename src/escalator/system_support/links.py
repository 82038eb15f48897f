"""SSH connections kept for the calls that follow one another on a node.

A connection is lent to one command at a time and belongs to the event loop that opened it. Nothing here opens one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import asyncssh

IDLE_S = 45.0
"""An unused connection is closed after this time: more than twice the longest pause between two looks at an operation."""
OLDEST_S = 900.0
"""A connection is not kept beyond this age, however busy: whoever a node would refuse now is not let in by it for long."""
KEPT = 256
"""Unused connections that are kept at once, about 0.1 MB each; beyond, the one that has waited longest is closed."""
FAREWELL_S = 2.0
"""How long nodes may take to take leave at shutdown."""


@dataclass(frozen=True, slots=True)
class Link:
    """An open connection. `trust` stands for the key and the host keys that it was made with; since when, by the loop's clock."""

    connection: asyncssh.SSHClientConnection
    trust: object
    since_s: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Until when, and how many, unused connections are kept."""

    idle_s: float = IDLE_S
    oldest_s: float = OLDEST_S
    most: int = KEPT


class Links:
    """The unused connections, at most one per node and event loop. Once closed, it keeps none."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._of: WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiting] = WeakKeyDictionary()
        self._lock = Lock()
        self._closed = False

    def take(self, node: str, trust: object) -> Link | None:
        """The connection to the node that waits, which is the caller's from now on; None when there is none that serves.

        One that was made with another trust than the one that counts now is closed.
        """
        here = self._here()
        link = here.taken(node)
        if link is None:
            return None
        if link.trust == trust and not link.connection.is_closed():
            return link
        here.leave(link)
        return None

    async def give(self, node: str, link: Link) -> None:
        """Keep a connection on which nothing is under way, in the place of the node's one that waits already.

        One that is too old is closed; after `close` every one is, and is gone when this returns.
        """
        here, bounds = self._here(), self._bounds
        if self._closed:
            await self.leave(link)
        elif asyncio.get_running_loop().time() - link.since_s >= bounds.oldest_s:
            here.leave(link)
        else:
            here.keep(node, link, bounds)

    async def leave(self, link: Link) -> None:
        """Close a connection on which nothing is under way; it is gone when this returns."""
        here = self._here()
        here.leave(link)
        await here.left()

    def spoil(self, link: Link) -> None:
        """Cut a connection of which nobody knows what is under way on it."""
        self._here().leave(link, at_once=True)

    async def close(self) -> None:
        """Close all that wait, in whatever loop; those of this loop are gone when this returns."""
        self._closed = True
        running = asyncio.get_running_loop()
        with self._lock:
            sites = list(self._of.items())
        for loop, waiting in sites:
            if loop is not running and not loop.is_closed():
                loop.call_soon_threadsafe(waiting.drop_all)
        here = self._here()
        here.drop_all()
        await here.left()

    def _here(self) -> _Waiting:
        """Of the running loop. Loops that have ended are forgotten: their connections keep them alive."""
        running = asyncio.get_running_loop()
        with self._lock:
            if running not in self._of:
                for loop in [loop for loop in self._of if loop.is_closed()]:
                    del self._of[loop]
                self._of[running] = _Waiting()
            return self._of[running]


class _Waiting:
    """What waits in one loop, longest first, and what is about to be gone."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, tuple[Link, asyncio.TimerHandle]] = OrderedDict()
        self._leaving: dict[asyncio.Task[None], Link] = {}

    def taken(self, node: str) -> Link | None:
        found = self._links.pop(node, None)
        if found is None:
            return None
        found[1].cancel()
        return found[0]

    def keep(self, node: str, link: Link, bounds: Bounds) -> None:
        self.drop(node)
        while len(self._links) >= bounds.most:
            self.drop(next(iter(self._links)))
        self._links[node] = (link, asyncio.get_running_loop().call_later(bounds.idle_s, self.drop, node))

    def drop(self, node: str) -> None:
        link = self.taken(node)
        if link is not None:
            self.leave(link)

    def drop_all(self) -> None:
        for node in list(self._links):
            self.drop(node)

    def leave(self, link: Link, *, at_once: bool = False) -> None:
        """Close it, or cut it. A loop has to turn for that, so what is not gone yet is remembered."""
        if at_once:
            link.connection.abort()
        else:
            link.connection.close()
        ending = asyncio.get_running_loop().create_task(link.connection.wait_closed())
        self._leaving[ending] = link
        ending.add_done_callback(lambda ended: self._leaving.pop(ended, None))

    async def left(self) -> None:
        """Return when all are gone."""
        if not self._leaving:
            return
        _, late = await asyncio.wait(list(self._leaving), timeout=FAREWELL_S)
        for ending in late:
            self._leaving[ending].connection.abort()
