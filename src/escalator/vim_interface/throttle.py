"""Who shows wrong credentials again and again is not heard for a while.

Counted per source and per name that it shows itself under, so that one VNF manager with an old password does not keep
another out that calls from the same address; and per source over all names, so that names cannot be tried one by one.
"""

from __future__ import annotations

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

    def wait_s(self, source: str, name: str) -> int:
        """Seconds until the caller is heard again; 0 = it is heard now. Right credentials make no difference meanwhile."""
        left = [self._left_s((source, name), self._most), self._left_s((source, ""), self._most * NAMES)]
        return ceil(max(left))

    def wrong(self, source: str, name: str) -> None:
        """A wrong credential was shown."""
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

    def _left_s(self, key: Key, most: int) -> float:
        found = self._counts.get(key)
        if found is None or found.wrong < most:
            return 0.0
        return max(0.0, found.since + WINDOW_S - self._clock.now())
