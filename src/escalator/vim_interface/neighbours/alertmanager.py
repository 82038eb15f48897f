"""Prometheus' Alertmanager: alerts of a host in its turn are silenced, and those of all others are not (API v2)."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import Any

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.neighbour_settings import Alertmanager as Settings
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.http import authorization
from escalator.vim_interface.neighbours.port import Host
from escalator.vim_interface.single_call import NoAnswerError, TooLargeError, call

TIMEOUT_S = 15.0
MAX_SILENCES_BYTES = 64 * 1024 * 1024


class Alertmanager:
    """Makes one silence per host. It ends by itself after `length_s`, should nobody be there to end it."""

    name = "alertmanager"

    def __init__(self, settings: Settings, credentials: Credentials, clock: Clock) -> None:
        self.required = settings.required
        self._settings = settings
        self._url = (settings.url or "").rstrip("/")
        self._credentials = credentials
        self._clock = clock

    async def in_maintenance(self, host: Host) -> bool:  # noqa: ARG002 - the port's
        """Return False. A silence of somebody else's ends when they want it to; ours is made beside it."""
        return False

    async def enter(self, host: Host) -> None:
        """Silence the host's alerts, unless that is done already."""
        if await self._ours(host):
            return
        now = self._clock.now()
        matchers = [
            {"name": name, "value": value.replace("{node}", host.node), "isRegex": False, "isEqual": True}
            for name, value in self._settings.matchers.items()
        ]
        silence = {
            "matchers": matchers,
            "startsAt": _time(now),
            "endsAt": _time(now + self._settings.length_s),
            "createdBy": _author(host),
            "comment": f"in maintenance by Escalator, campaign {host.campaign}",
        }
        await self._call("POST", "/api/v2/silences", silence)

    async def leave(self, host: Host) -> None:
        """End the silence."""
        for silence in await self._ours(host):
            await self._call("DELETE", f"/api/v2/silence/{silence}")

    def by_hand(self, host: Host) -> tuple[str, ...]:
        """Return a command that ends the silence."""
        chosen = f'.[] | select(.createdBy == "{_author(host)}" and .status.state != "expired") | .id'
        listed = f"curl -sf {shlex.quote(self._url + '/api/v2/silences')} | jq -r {shlex.quote(chosen)}"
        return (f"{listed} | xargs -r -I ID curl -sf -X DELETE {shlex.quote(self._url + '/api/v2/silence/')}ID",)

    async def _ours(self, host: Host) -> list[str]:
        """Ids of the host's silences that are not over."""
        found = await self._call("GET", "/api/v2/silences")
        silences = found if isinstance(found, list) else []
        ours = [s for s in silences if isinstance(s, dict) and s.get("createdBy") == _author(host)]
        return [str(s["id"]) for s in ours if s.get("status", {}).get("state") != "expired"]

    async def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        headers = authorization(self._settings.auth, self._credentials)
        content = None
        if body is not None:
            content, headers = json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}
        try:
            status, answer = await call(
                method, self._url + path, headers, content, most_bytes=MAX_SILENCES_BYTES, timeout_s=TIMEOUT_S
            )
        except (NoAnswerError, TimeoutError) as error:
            message = f"Alertmanager cannot be reached ({type(error.__cause__ or error).__name__})."
            raise TemporaryError(Code.VIM_NEIGHBOUR, message) from error
        except TooLargeError as error:
            message = f"Alertmanager's answer is larger than {MAX_SILENCES_BYTES} bytes."
            raise PermanentError(Code.VIM_NEIGHBOUR, message) from error
        if status >= 500:
            raise TemporaryError(Code.VIM_NEIGHBOUR, f"Alertmanager answered {status}.")
        if status >= 300:
            said = answer[:300].decode(errors="replace")
            raise PermanentError(Code.VIM_NEIGHBOUR, f"Alertmanager answered {status}: {said}")
        try:
            return json.loads(answer) if answer else None
        except (ValueError, RecursionError) as error:
            raise PermanentError(Code.VIM_NEIGHBOUR, "What answers at the address of Alertmanager is something else.") from error


def _author(host: Host) -> str:
    """By this a silence of ours is known again."""
    return f"escalator/{host.campaign}/{host.node}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
