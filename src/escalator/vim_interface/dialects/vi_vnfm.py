"""The native dialect: notices are POSTed to the VNF manager, which PUTs its reply to the address in the notice."""

from __future__ import annotations

import json

from escalator.model.notice import Notice, Vnfm
from escalator.vim_interface.accounts import Account, Accounts
from escalator.vim_interface.dialects.http import Http, failure
from escalator.vim_interface.messages import API_VERSION, notification

_HEADERS = {"Version": API_VERSION, "Accept": "application/problem+json"}


class ViVnfm:
    """Speaks to VNF managers in the native way. `base_url` is where they reach Escalator."""

    def __init__(self, accounts: Accounts, base_url: str, timeout_s: float) -> None:
        self._http = Http(accounts, timeout_s)
        self._base_url = base_url

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """POST the notice; raises TemporaryError or PermanentError with the reason."""
        await self._send("POST", vnfm, json.dumps(notification(notice, self._base_url)).encode())

    async def test(self, vnfm: Vnfm) -> None:
        """GET the VNF manager's address, which is expected to answer 204."""
        await self._send("GET", vnfm, None)

    async def probe(self, account: Account) -> int:
        """GET the address of an account and return the status; raises TemporaryError or PermanentError when none comes."""
        return await self._http.send_to("GET", account, None, _HEADERS)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _send(self, method: str, vnfm: Vnfm, body: bytes | None) -> None:
        failed = failure(vnfm.name, await self._http.send(method, vnfm, body, _HEADERS))
        if failed is not None:
            raise failed
