"""The dialect of orchestrators: they are told by POST, as `reports` puts it, and say no more than that they have it."""

from __future__ import annotations

import json

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.notice import Notice, Vnfm
from escalator.vim_interface.accounts import Accounts
from escalator.vim_interface.dialects.http import Http
from escalator.vim_interface.reports import API_VERSION, message

_HEADERS = {"Version": API_VERSION, "Accept": "application/problem+json"}
_OF_THE_MESSAGE = frozenset({400, 409, 413, 415, 422})
"""Statuses that judge what was sent. All others but 2xx judge the way to it, which people mend: it is sent again."""
_OURS = (Code.VIM_CREDENTIALS, Code.VIM_CREDENTIAL_FILE)


class OrVi:
    """Speaks to orchestrators. `base_url` is where they reach Escalator; `vim_id` is by which name they know the cloud."""

    def __init__(self, accounts: Accounts, base_url: str, timeout_s: float, vim_id: str) -> None:
        self._http = Http(accounts, timeout_s, "Orchestrator")
        self._base_url = base_url
        self._vim_id = vim_id

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """POST the notice; raises PermanentError when the orchestrator refuses what it says, TemporaryError otherwise."""
        await self._send("POST", vnfm, json.dumps(message(notice, self._vim_id, self._base_url)).encode())

    async def test(self, vnfm: Vnfm) -> None:
        """GET the orchestrator's address, which is expected to answer 204."""
        await self._send("GET", vnfm, None)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _send(self, method: str, vnfm: Vnfm, body: bytes | None) -> None:
        try:
            status = await self._http.send(method, vnfm, body, _HEADERS)
        except PermanentError as error:
            if error.code not in _OURS:
                raise
            # A credential file that is put right counts at once, and until then nothing is lost.
            raise TemporaryError(error.code, error.message) from error
        failed = _failure(vnfm.name, status)
        if failed is not None:
            raise failed


def _failure(name: str, status: int) -> EscalatorError | None:
    if 200 <= status < 300:
        return None
    message = f"Orchestrator {name} answered {status}."
    if status in _OF_THE_MESSAGE:
        return PermanentError(Code.VIM_REFUSED, message)
    if status in (401, 403):
        return TemporaryError(Code.VIM_CREDENTIALS, f"Orchestrator {name} refused our credentials ({status}).")
    if 300 <= status < 400:
        message = f"Orchestrator {name} answered {status}; redirects are not followed, so register the address it leads to."
    return TemporaryError(Code.VIM_REFUSED, message)
