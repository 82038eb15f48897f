"""Refused credentials are not shown to the cloud at every look: Keystone may lock the account (`lockout_failure_attempts`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from keystoneauth1.access import AccessInfo
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session

from escalator.cloud_manager.openstack.refusals import translate
from escalator.model.codes import Code
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
        self._asking = threading.Lock()

    def note(self, entry: Mapping[str, object], error: TemporaryError) -> None:
        """The entry of clouds.yaml that was refused, and how."""
        self._entry, self._error, self._until = entry, error, self._now() + AGAIN_S

    def heeded_by(self, session: Session, entry: Mapping[str, object]) -> None:
        """From now on let the session ask Keystone for a token only where that was not refused a moment ago.

        It asks by itself when a service does not believe its token any more, in whichever thread finds that out. What a service
        refuses although Keystone does not is the trouble of that service alone, and keeps nobody from the others.
        """
        auth = session.auth
        if not isinstance(auth, BaseIdentityPlugin):
            return  # it asks nobody
        ask = auth.get_auth_ref

        def asked(session: Session, **more: Any) -> AccessInfo:  # noqa: ANN401 - what the plugin takes
            with self._asking:
                self.check(entry)
                try:
                    return ask(session, **more)
                except ClientException as error:
                    told = translate(error, "authenticate")
                    if isinstance(told, TemporaryError) and told.code is Code.CLD_CREDENTIALS:
                        self.note(entry, told)
                    raise

        auth.get_auth_ref = asked  # type: ignore[method-assign]

    def check(self, entry: Mapping[str, object]) -> None:
        """Raise the same error again while the entry is the same and was refused within `AGAIN_S`."""
        if self._error is None or entry != self._entry or self._now() >= self._until:
            return
        left = f"They are tried again when clouds.yaml has changed, or after {self._until - self._now():.0f} s."
        raise TemporaryError(self._error.code, self._error.message, remedy=f"{self._error.remedy} {left}")
