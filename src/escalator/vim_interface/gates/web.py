"""Gates that are asked over HTTP: a page, by its status. TLS is verified, no redirect followed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

from escalator.model.brakes import GateEntry
from escalator.model.errors import EscalatorError
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.http import authorization
from escalator.vim_interface.gates.command import last_line
from escalator.vim_interface.gates.port import Answer, Question, Verdict
from escalator.vim_interface.single_call import NoAnswerError, TooLargeError, call

MAX_BYTES = 4 * 1024 * 1024
PARTS = ("gate", "moment", "campaign", "node", "wave")
NOT_YET = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.TOO_EARLY})


class UnaskedError(Exception):
    """The other side could not be asked, with why."""


class HttpGate:
    """One entry of the setting `gates` with kind `http`: 2xx goes, 425, 429 and 503 are not yet, anything else is no."""

    manual = False
    baseline = False

    def __init__(self, entry: GateEntry, credentials: Credentials) -> None:
        self.retry_s, self.deadline_s = entry.retry_s, entry.deadline_s
        self._entry = entry
        self._credentials = credentials

    async def ask(self, question: Question) -> Answer:
        """Get the page once. What cannot be reached says no, with why."""
        url = self._entry.url or ""
        for part in PARTS:
            value = getattr(question, part)
            url = url.replace("{" + part + "}", quote("-" if value is None else str(value), safe=""))
        try:
            status, content = await fetched(self._entry, self._credentials, url)
        except UnaskedError as error:
            return Answer(Verdict.NO, str(error))
        said = last_line(content[:2000].decode(errors="replace")) or f"it answered {status}"
        if 200 <= status < 300:
            return Answer(Verdict.GO, said)
        return Answer(Verdict.NOT_YET if status in NOT_YET else Verdict.NO, f"{status}: {said}")


async def fetched(
    entry: GateEntry, credentials: Credentials, url: str, form: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and content of a GET, or of a POST of that form. Raises UnaskedError with why there is none."""
    content = None if form is None else urlencode(form).encode()
    try:
        headers = authorization(entry.auth, credentials)
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        method = "GET" if form is None else "POST"
        return await call(method, url, headers, content, most_bytes=MAX_BYTES, timeout_s=entry.timeout_s)
    except TimeoutError as error:
        raise UnaskedError(f"it did not answer within {entry.timeout_s:g} s") from error
    except EscalatorError as error:
        raise UnaskedError(error.message) from error
    except NoAnswerError as error:
        raise UnaskedError(f"it cannot be asked: {error}") from error
    except TooLargeError as error:
        raise UnaskedError(f"its answer is larger than {MAX_BYTES} bytes") from error
