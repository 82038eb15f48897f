"""Receiving a release within bounds: a bundle handed on as it comes, or a multipart body written to a folder.

Of a multipart body the first part is the document; each other one is a file whose filename is its path inside the release.
Names are plain paths and nothing is overwritten, so whatever is sent stays inside the folder.
"""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from escalator.api.services import Incoming
from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem, TemporaryError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FILES = 4096
"""As many as a release may have."""
MAX_UPLOAD_BYTES = 32 * 2**30
"""An image and the packages of a whole platform; a disk with less room refuses earlier."""
MAX_DOCUMENT_BYTES = 4 * 2**20
MAX_SILENCE_S = 60.0
"""A sender that is silent for so long has gone."""
SPARE_BYTES = 256 * 2**20
"""What an upload leaves free on the disk: the databases are on it too."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~/-]{0,254}", re.ASCII)


BUNDLE = "application/vnd.escalator.release-bundle"
"""Media type of a release bundle."""
BLOCK_BYTES = 2**20
"""So much of a bundle is worked on at once, while more of it comes."""


def is_bundle(request: Request) -> bool:
    """Whether the body is a bundle."""
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    return kind == BUNDLE.encode()


async def receive_bundle(request: Request, incoming: Incoming, folder: Path) -> None:
    """Hand on the body as it comes, within the room on the folder's disk.

    Raises what `incoming` does, `API_TOO_LARGE` and `API_ROOM`.
    """
    block = bytearray()
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    work.set_result(None)
    try:
        async for chunk in _chunks(request, folder):
            block += chunk
            if len(block) >= BLOCK_BYTES:
                await work
                work, block = asyncio.ensure_future(asyncio.to_thread(incoming.feed, block)), bytearray()
    finally:
        # The thread is not left alone with what is about to be closed.
        await asyncio.wait((work,))
    await work
    await asyncio.to_thread(incoming.feed, block)


async def receive_folder(request: Request, folder: Path) -> None:
    """Write the parts into the folder. Raises InputError (`API_TOO_LARGE`, `API_BODY`), TemporaryError (`API_ROOM`).

    Other types are answered 415.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise HTTPException(415, "Send multipart/form-data with a boundary.")
    receiver = _Receiver(folder)
    try:
        parser = MultipartParser(boundary, receiver.callbacks())
        async for chunk in _chunks(request, folder):
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise InputError(Code.API_BODY, "The body is no valid multipart message.") from error
    finally:
        receiver.close()
    receiver.check()


async def _chunks(request: Request, folder: Path) -> AsyncIterator[bytes]:
    """The body as it comes, bounded in bytes, by the room on the folder's disk, and in silence."""
    free = shutil.disk_usage(folder).free
    announced = request.headers.get("content-length", "")
    if announced.isdecimal():
        _check(int(announced), free)
    received = 0
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(MAX_SILENCE_S):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise HTTPException(408) from error
        except ClientDisconnect as error:
            raise HTTPException(400) from error
        if chunk is None:
            return
        received += len(chunk)
        _check(received, free)
        yield chunk


def _check(size: int, free: int) -> None:
    """Whether a body of that size may come. Raises InputError (`API_TOO_LARGE`), TemporaryError (`API_ROOM`)."""
    if size > MAX_UPLOAD_BYTES:
        raise InputError(Code.API_TOO_LARGE, f"The upload is larger than {MAX_UPLOAD_BYTES // 2**30} GiB.")
    if size > free - SPARE_BYTES:
        needed, spare = _mib(size + SPARE_BYTES), _mib(SPARE_BYTES)
        raise no_room(free, f"; {needed} are needed: {_mib(size)} of the upload, and {spare} that stay free for the databases")


def no_room(free: int, needed: str = "") -> TemporaryError:
    """The refusal of what does not fit on the disk, of which `free` bytes are free, with what is said of what it needs."""
    message = f"The disk of the state directory has only {free // 2**20} MiB free{needed}."
    return TemporaryError(Code.API_ROOM, message, remedy="Make room on it, then send it again: escalator release list")


def _mib(size: int) -> str:
    return f"{-(-size // 2**20)} MiB"


@contextmanager
def within_room(folder: Path) -> Iterator[None]:
    """What is kept there: raises TemporaryError (`API_ROOM`) where the disk is full in the middle of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise no_room(shutil.disk_usage(folder).free, ", which is not enough") from error


class _Receiver:
    """Callbacks of the parser: one part after another, each into its file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._left = 0
        self._names: list[str] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self.close,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def check(self) -> None:
        if not self._names:
            raise _invalid("document", "the first part has to be the release document")

    def _begin(self) -> None:
        self._headers = {}
        if len(self._names) > MAX_FILES:
            raise InputError(Code.API_TOO_LARGE, f"The upload has more than {MAX_FILES} files.")

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name, given = options.get(b"name"), options.get(b"filename", b"").decode("utf-8", "replace")
        if not self._names:
            if name != b"document":
                raise _invalid("document", "the first part has to be the release document")
            given = "release.json" if given.endswith(".json") else "release.yaml"
            self._left = MAX_DOCUMENT_BYTES
        elif name != b"file":
            raise _invalid(given or "part", "a part after the document has to be named `file`")
        else:
            self._left = MAX_UPLOAD_BYTES
        path = self._folder / _plain(given)
        self._names.append(given)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = path.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise _invalid(given, "this file is sent twice, or another one has its folder's name") from error

    def _write(self, data: bytes, start: int, end: int) -> None:
        self._left -= end - start
        if self._left < 0:
            raise InputError(Code.API_TOO_LARGE, f"The part {self._names[-1]} is too large.")
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])


def _plain(name: str) -> str:
    pure = PurePosixPath(name)
    if not _NAME.fullmatch(name) or ".." in pure.parts or pure.is_absolute():
        raise _invalid(name[:80], "names of files are plain paths of letters, digits and ._+~- inside the release")
    return name


def _invalid(path: str, message: str) -> InputError:
    return InputError(Code.API_BODY, "The upload is not valid.", problems=[Problem(path, message)])
