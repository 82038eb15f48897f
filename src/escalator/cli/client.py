"""The client of the REST API: finds server and token, and turns every failure into what people can act on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from escalator.cli.base import LONG_S
from escalator.cli.failures import ServerError
from escalator.cli.interrupts import interrupted_afterwards
from escalator.model.codes import Code
from escalator.model.errors import InputError, NotAllowedError, TemporaryError
from escalator.model.printable import printable
from escalator.model.progress import NOTHING_OPEN, SHEET_FILE
from escalator.settings import read_settings

QUICK_S = 60.0
"""Longest wait for an answer that needs only storage, or one look at the cloud."""
_EXIT_OF = {401: 7, 403: 7, 404: 2, 405: 2, 408: 5, 409: 6, 412: 6, 413: 2, 415: 2, 422: 2, 504: 5}
"""Exit code by status, where the problem does not say it."""
_TIMED_OUT = 5


class TimedOutError(TemporaryError):
    """The server did not answer in time."""

    exit_code = _TIMED_OUT


class Client:
    """Calls to one server."""

    def __init__(self, http: httpx.Client, token_file: Path | None = None) -> None:
        self._http = http
        self._token_file = token_file

    def get(self, path: str, *, timeout_s: float = QUICK_S, **query: str | int | bool | Sequence[str] | None) -> Any:  # noqa: ANN401 - JSON
        """GET a resource as plain data."""
        asked = {key: value for key, value in query.items() if value is not None}
        found = self._data("GET", path, timeout_s, params=asked)
        if found is None:  # a resource of ours is never nothing
            raise self._stranger()
        return found

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = QUICK_S) -> Any:  # noqa: ANN401 - JSON
        """POST plain data."""
        return self._data("POST", path, timeout_s, json=body) if body is not None else self._data("POST", path, timeout_s)

    def get_with_version(self, path: str) -> tuple[Any, str]:
        """GET a resource as plain data, and its version, as its `ETag` says."""
        response = self._answer("GET", path, QUICK_S)
        return self._plain(response), str(printable(response.headers.get("ETag", "").strip('"')))

    def patch(self, path: str, body: Mapping[str, Any], version: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """PATCH with plain data; where a version is named, only while the resource has it."""
        return self._data("PATCH", path, QUICK_S, json=body, headers=_while(version))

    def put_document(self, path: str, text: bytes) -> Any:  # noqa: ANN401 - JSON
        """PUT a YAML or JSON document."""
        return self._data("PUT", path, QUICK_S, content=text, headers={"Content-Type": "application/yaml"})

    def post_document(self, path: str, text: bytes) -> Any:  # noqa: ANN401 - JSON
        """POST a YAML or JSON document."""
        return self._data("POST", path, QUICK_S, content=text, headers={"Content-Type": "application/yaml"})

    def post_files(self, path: str, parts: list[tuple[str, Any]]) -> Any:  # noqa: ANN401 - JSON
        """POST files as they are read from disk."""
        return self._data("POST", path, LONG_S, files=parts)

    def post_stream(self, path: str, pieces: Iterable[bytes], size: int, kind: str) -> Any:  # noqa: ANN401 - JSON
        """POST a body of that size and media type as it is read."""
        headers = {"Content-Type": kind, "Content-Length": str(size)}
        return self._data("POST", path, LONG_S, content=pieces, headers=headers)

    def delete(self, path: str, version: str | None = None) -> None:
        """DELETE a resource; where a version is named, only while the resource has it."""
        self._data("DELETE", path, QUICK_S, headers=_while(version))

    def follow(self, path: str, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """Server-sent events, until the server ends the stream."""
        asked = {key: value for key, value in query.items() if value is not None}
        with self._reached(), self._http.stream("GET", path, params=asked, timeout=httpx.Timeout(QUICK_S)) as response:
            if response.is_error:
                response.read()
                raise self._failure(response)
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield printable(json.loads(line[5:]))

    def _data(self, method: str, path: str, timeout_s: float, **content: Any) -> Any:  # noqa: ANN401 - JSON
        return self._plain(self._answer(method, path, timeout_s, **content))

    def _answer(self, method: str, path: str, timeout_s: float, **content: Any) -> httpx.Response:  # noqa: ANN401 - JSON
        with self._reached():
            response = self._http.request(method, path, timeout=timeout_s, **content)
        if response.is_error:
            raise self._failure(response)
        return response

    def _plain(self, response: httpx.Response) -> Any:  # noqa: ANN401 - JSON
        try:
            return printable(response.json()) if response.content else None
        except ValueError as error:
            raise self._stranger() from error

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            message = f"The server at {self._http.base_url} did not answer in time."
            raise TimedOutError(Code.API_TIMEOUT, message, remedy="Its log tells what it is doing.") from error
        except httpx.ConnectError as error:
            if "SSL" in str(error):
                message = f"What answers at {self._http.base_url} does not speak TLS, or shows a certificate that is not trusted."
                remedy = "Set ESCALATOR_URL to http:// for a server on this machine; the server's own listener has no TLS."
                raise TemporaryError(Code.API_UNREACHABLE, message, remedy=remedy) from error
            message = f"No server answers at {self._http.base_url}."
            remedy = f"Start it with `escalator serve`, or set ESCALATOR_URL to where it is.{_by_hand(self._token_file)}"
            raise TemporaryError(Code.API_UNREACHABLE, message, remedy=remedy) from error
        except httpx.TransportError as error:
            message = f"The connection to {self._http.base_url} broke."
            remedy = "See whether the server still runs, and whether this is its operators' listener (server.host, server.port)."
            raise TemporaryError(Code.API_UNREACHABLE, message, remedy=remedy) from error

    def _failure(self, response: httpx.Response) -> ServerError | NotAllowedError | TemporaryError:
        try:
            problem = printable(response.json())
            code, detail = str(problem["code"]), str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            return self._stranger()
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return self._wrong_token()
        return ServerError(
            code,
            detail,
            remedy=str(problem.get("remedy", "")),
            problems=[_problem(item) for item in problem.get("problems", ())],
            exit_code=int(problem.get("exit_code", _EXIT_OF.get(response.status_code, 1))),
        )

    def _wrong_token(self) -> NotAllowedError:
        message = f"The server at {self._http.base_url} wants a token"
        if "Authorization" in self._http.headers:
            message = f"The server at {self._http.base_url} does not take this token"
            message += f". It was read from {self._token_file}" if self._token_file else ""
        elif self._token_file is not None:
            message += f", and {self._token_file} " + ("holds none" if self._token_file.exists() else "is not there")
        remedy = "Set ESCALATOR_TOKEN_FILE to the file `token` in that server's state directory."
        return NotAllowedError(Code.API_TOKEN, f"{message}.", remedy=remedy)

    def _stranger(self) -> TemporaryError:
        message = f"What answers at {self._http.base_url} is not Escalator."
        return TemporaryError(Code.API_UNREACHABLE, message, remedy="Set ESCALATOR_URL to where the server is.")


@contextmanager
def connect(environment: Mapping[str, str]) -> Iterator[Client]:
    """The client of the server that the environment names, else of the default one.

    Raises InputError for an address that cannot be, NotAllowedError when the token's file may not be read.
    """
    url, token_file = _where(environment)
    # No proxy of the environment stands between this machine and itself.
    headers = {"Accept": "application/json", **_authorization(token_file)}
    with interrupted_afterwards():  # half of httpx is imported by its first client
        http = httpx.Client(base_url=url, headers=headers, trust_env=False)
    with http:
        yield Client(http, token_file)


def _by_hand(token_file: Path | None) -> str:
    """Where it stands what is to be put back without a server; nothing where that is not on this machine, or all is put back.

    The sheet lies beside the token. It is only pointed at: whoever runs it while a server works does the same work twice.
    """
    if token_file is None:
        return ""
    sheet = token_file.parent / SHEET_FILE
    try:
        if NOTHING_OPEN in sheet.read_text().splitlines():
            return ""
    except (OSError, UnicodeDecodeError):
        return ""
    return f" If it cannot be started again: {sheet} has what Escalator changed, and the commands that put it back."


def _where(environment: Mapping[str, str]) -> tuple[str, Path]:
    url, file = environment.get("ESCALATOR_URL"), environment.get("ESCALATOR_TOKEN_FILE")
    if url is None or file is None:
        settings = read_settings(None, environment)
        host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
        url = url or f"http://{host}:{settings.server.port}"
        file = file or str(settings.state / "token")
    try:
        parts = urlsplit(url)
        possible = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        possible = False
    if not possible:
        raise InputError(Code.CFG_SETTINGS, f"ESCALATOR_URL is {url!r}; an http or https address is expected.")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        message = f"The token would travel to {parts.hostname} in clear text."
        raise InputError(Code.CFG_SETTINGS, message, remedy="Use https, or a tunnel to the server's loopback address.")
    return url, Path(file)


def _authorization(token_file: Path) -> dict[str, str]:
    """Without a token file the call is tried all the same: that no server runs is the likelier reason."""
    try:
        token = token_file.read_text().strip()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise NotAllowedError(
            Code.API_TOKEN,
            f"{token_file} cannot be read: {why}.",
            remedy="Run as the server's user, or set ESCALATOR_TOKEN_FILE.",
        ) from error
    return {"Authorization": f"Bearer {token}"} if token and token.isascii() and token.isprintable() else {}


def _problem(item: Mapping[str, Any]) -> str:
    where = f"line {item['line']}: " if item.get("line") else ""
    return f"{where}{item.get('path') or 'document'}: {item.get('message', '')}"


def _while(version: str | None) -> dict[str, str]:
    """The header by which a resource is changed only while it has that version."""
    return {} if version is None else {"If-Match": f'"{version}"'}
