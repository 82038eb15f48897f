"""The dialect of OpenStack Fenix: events as AODH posts them, to VNF managers that know nothing of Escalator."""

from __future__ import annotations

import json

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.notice import Notice, NoticeType, Vnfm
from escalator.vim_interface.accounts import Accounts
from escalator.vim_interface.dialects.http import AtWorkError, Http, failure
from escalator.vim_interface.fenix.events import bodies
from escalator.vim_interface.fenix.hints import Hints

_SCALES = frozenset(
    {
        NoticeType.SCALE_IN_REQUESTED,
        NoticeType.SCALE_OUT_POSSIBLE,
        NoticeType.CAMPAIGN_COMPLETED,
        NoticeType.CAMPAIGN_ABORTED,
    }
)
"""Clients scale their VNF before they answer the POST, and once for each that they get."""


class Fenix:
    """Speaks to VNF managers made for Fenix. `base_url` is where they reach Escalator."""

    def __init__(self, accounts: Accounts, hints: Hints, base_url: str, timeout_s: float) -> None:
        self._http = Http(accounts, timeout_s)
        self._base_url = base_url
        self._hints = hints

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """POST each event of the notice; raises TemporaryError or PermanentError with the reason.

        A client that scales meanwhile has got the event: it is not told a second time.
        """
        hint = await self._hints.of(notice.campaign)
        for body in bodies(notice, vnfm, self._base_url, hint):
            try:
                failed = failure(vnfm.name, await self._http.send("POST", vnfm, json.dumps(body).encode(), {}))
            except AtWorkError:
                if notice.type not in _SCALES:
                    raise
                continue
            if failed is not None:
                raise failed

    async def resume(self, vnfm: Vnfm, notice: Notice) -> None:
        """POST the events again: a client whose reply found no server gives up after a while, or at once."""
        await self.deliver(vnfm, notice)

    async def test(self, vnfm: Vnfm) -> None:
        """Look whether the address answers: it takes alarms only, so that any answer but a server's error will do."""
        status = await self._http.send("GET", vnfm, None, {})
        if status >= 500:
            raise TemporaryError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} answered {status}.")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
