"""Who shows wrong credentials again and again is not heard for a while.

Counted per source and per name that it shows itself under, so that one VNF manager with an old password does not keep
another out that calls from the same address; and per source over all names, so that names cannot be tried one by one.

Behind a proxy all callers are one source. Who has shown a right credential is therefore told apart by it from then on: it is
heard with that credential whatever others of its source do, and what its source does under other names no longer counts for its
name. That helps nobody to guess: only a credential that was right before is let by, and it is checked as ever.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

import structlog

from escalator.model.clock import Clock
from escalator.model.codes import Code

WINDOW_S = 60.0
"""Wrong credentials are counted so long from the first of them; then nothing is held against anybody."""
NAMES = 10
"""A source may show so many times as many wrong credentials under all names together as under one."""
MAX_KEPT = 10_000
"""Sources and names that are counted. Beyond, the oldest is forgotten: whoever has so many addresses is not stopped by this."""
KNOWN_S = 86400.0
"""How long after its last right credential a caller is known."""

_log = structlog.get_logger()
Key = tuple[str, str]


@dataclass(slots=True)
class _Count:
    since: float
    wrong: int = 0


class Throttle:
    """Counts in memory: after a restart everybody is heard again. `most` wrong credentials are heard in a minute."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._counts: OrderedDict[Key, _Count] = OrderedDict()
        self._known: OrderedDict[Key, float] = OrderedDict()
        self._secret = secrets.token_bytes(32)

    def wait_s(self, source: str, name: str, credential: bytes = b"") -> int:
        """Seconds until the caller is heard again; 0 = it is heard now. A credential not seen before makes no difference."""
        if credential and self._is_known((name, self._digest(credential))):
            return 0
        left = [self._left_s((source, name), self._most)]
        if not self._is_known((source, name)):
            left.append(self._left_s((source, ""), self._most * NAMES))
        return ceil(max(left))

    def right(self, source: str, name: str, credential: bytes) -> None:
        """A right credential was shown."""
        for key in ((name, self._digest(credential)), (source, name)):
            self._known[key] = self._clock.now()
            self._known.move_to_end(key)
        while len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)

    def wrong(self, source: str, name: str, credential: bytes = b"") -> None:
        """A wrong credential was shown; it may have been right before."""
        self._known.pop((name, self._digest(credential)), None)
        now = self._clock.now()
        for key in {(source, name), (source, "")}:
            found = self._counts.get(key)
            if found is None or now - found.since >= WINDOW_S:
                found = self._counts[key] = _Count(now)
            self._counts.move_to_end(key)
            found.wrong += 1
            if found.wrong == self._most * (1 if key[1] else NAMES):
                _log.warning("vnfm.throttled", code=Code.VIM_THROTTLED.value, source=source, object_id=key[1])
        while len(self._counts) > MAX_KEPT:
            self._counts.popitem(last=False)

    def _digest(self, credential: bytes) -> str:
        """What is kept of a credential: of no use to anybody who reads it."""
        return hashlib.blake2b(credential, key=self._secret, digest_size=16).hexdigest()

    def _is_known(self, key: Key) -> bool:
        return self._clock.now() - self._known.get(key, float("-inf")) < KNOWN_S

    def _left_s(self, key: Key, most: int) -> float:
        found = self._counts.get(key)
        if found is None or found.wrong < most:
            return 0.0
        return max(0.0, found.since + WINDOW_S - self._clock.now())
