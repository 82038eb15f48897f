"""Refused credentials are not shown to the cloud at every look: Keystone may lock the account (`lockout_failure_attempts`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from escalator.model.errors import TemporaryError

AGAIN_S = 300.0
"""Time after which credentials that did not change are tried again: the other side may have been mended."""


class RefusedCredentials:
    """The last ones that were refused. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entry: Mapping[str, object] | None = None
        self._error: TemporaryError | None = None
        self._until = 0.0

    def note(self, entry: Mapping[str, object], error: TemporaryError) -> None:
        """The entry of clouds.yaml that was refused, and how."""
        self._entry, self._error, self._until = entry, error, self._now() + AGAIN_S

    def check(self, entry: Mapping[str, object]) -> None:
        """Raise the same error again while the entry is the same and was refused within `AGAIN_S`."""
        if self._error is None or entry != self._entry or self._now() >= self._until:
            return
        left = f"They are tried again when clouds.yaml has changed, or after {self._until - self._now():.0f} s."
        raise TemporaryError(self._error.code, self._error.message, remedy=f"{self._error.remedy} {left}")
