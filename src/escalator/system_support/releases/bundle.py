"""Reading a release bundle as it comes: one pass, bounded memory, and nothing believed that was not compared."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import InputError, Problem
from escalator.model.release import File, Release
from escalator.system_support.releases.container import (
    BLOCK,
    END,
    MAX_MEMBER_BYTES,
    broken,
    envelope_size,
    header,
    member,
    padding,
    stranger,
)
from escalator.system_support.releases.envelope import MAX_ENVELOPE_BYTES, Envelope, read_envelope
from escalator.system_support.releases.folder import MAX_DOCUMENT_BYTES, MAX_FILES, invalid

MAX_BUNDLE_BYTES = 32 * 2**30
"""As much as the server takes in one upload."""
APART_BYTES = 128 * 1024
"""From this much on, hashing in another thread costs less than it saves."""
AHEAD = 2
"""Pieces that may wait for being hashed while others are read and written: enough for neither to wait for the other."""


class Sink(Protocol):
    """Where the content of one file goes."""

    def write(self, data: memoryview, /) -> object:
        """Take the next bytes."""
        ...

    def close(self) -> None:
        """There are no more."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """The front of a bundle: the envelope, and the document in it. Who signed is for the caller to judge."""

    envelope: Envelope
    release: Release
    size: int = 0
    """What the envelope has in the bundle, the spaces behind it included, bytes."""

    @property
    def contents(self) -> tuple[File, ...]:
        """The files that follow, each content once, in order."""
        once: dict[str, File] = {}
        for file in self.release.spec.files:
            once.setdefault(file.sha256, file)
        return tuple(once.values())


class BundleReader:
    """Takes a bundle in pieces of any size.

    `on_front` is called once the document is known, before any file: it raises what it will to refuse the bundle.
    `open_sink` is called for each file and says where its content goes; None = nowhere. `feed` and `finish` raise
    InputError: `SYS_BUNDLE` for the form, `SYS_RELEASE` for the document, `SYS_DIGEST` for a file. After an error, or at the
    end, `close` has to be called; the reader is a context manager for that.
    """

    def __init__(
        self, on_front: Callable[[Opened], None] | None = None, open_sink: Callable[[File], Sink | None] | None = None
    ) -> None:
        self._on_front = on_front or (lambda _: None)
        self._open_sink = open_sink or (lambda _: None)
        self._hashing = ThreadPoolExecutor(1, "bundle-hash")
        self._sink: Sink | None = None
        self._course = self._read()
        self._wanted = next(self._course)
        self._received = 0
        self._ended = False
        self.opened: Opened | None = None
        """The front, once it was read."""

    def __enter__(self) -> Self:
        """Nothing is opened before there is a file."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread that hashes; close what is open."""
        self.close()

    def close(self) -> None:
        """End the thread that hashes; close what is open."""
        self._hashing.shutdown()
        self._close_sink()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. They may be looked at until `AHEAD` more calls are over; they are not kept beyond that."""
        view = memoryview(data)
        self._received += len(view)
        if self._received > MAX_BUNDLE_BYTES:
            raise broken(f"it is larger than {MAX_BUNDLE_BYTES // 2**30} GiB")
        while view:
            if self._ended:
                raise broken("something comes after its end")
            view = self._wanted.take(view)
            if self._wanted.left == 0:
                self._next()

    def finish(self) -> Opened:
        """There are no more bytes: the bundle has to be complete."""
        if not self._ended or self.opened is None:
            if self._received < BLOCK:
                raise broken(f"it has {counted(self._received, 'byte')}, and no bundle is that small; it is another file")
            raise broken(f"it is cut short after {counted(self._received, 'byte')}")
        return self.opened

    # -- inside

    def _next(self) -> None:
        try:
            self._wanted = next(self._course)
        except StopIteration:
            self._ended = True

    def _read(self) -> Iterator[_Small | Content]:
        """The form of a bundle, as the pieces that are awaited one after the other."""
        first = _Small(BLOCK)
        yield first
        size = envelope_size(bytes(first.data), MAX_ENVELOPE_BYTES)
        front = _Small(size)
        yield front
        yield from self._zeros(padding(size), "the envelope")
        self.opened = open_front(read_envelope(bytes(front.data)), size)
        self._on_front(self.opened)
        seen: list[str] = []
        names = [member(file.sha256) for file in self.opened.contents]
        for name, file in zip(names, self.opened.contents, strict=True):
            yield from self._header(name, header(name, file.length), seen, names)
            seen.append(name)
            yield from self._file(file)
            yield from self._zeros(padding(file.length), name)
        yield from self._header(None, END[:BLOCK], seen, names)
        yield from self._zeros(len(END) - BLOCK, "its last file")

    def _header(self, name: str | None, expected: bytes, seen: list[str], names: list[str]) -> Iterator[_Small]:
        block = _Small(BLOCK)
        yield block
        if bytes(block.data) != expected:
            raise stranger(bytes(block.data), name, frozenset(seen), frozenset(names))

    def _zeros(self, size: int, where: str) -> Iterator[_Small]:
        if size:
            block = _Small(size)
            yield block
            if any(block.data):
                raise broken(f"bytes after {where} have to be zero and are not: it was changed, or damaged on its way")

    def _file(self, file: File) -> Iterator[Content]:
        self._sink = self._open_sink(file)
        content = Content(file.length, self._sink, self._hashing)
        if file.length:
            yield content
        self._close_sink()
        if content.sha256 != file.sha256:
            problem = Problem(file.path, "this file's SHA-256 is not the one that the document says")
            raise InputError(Code.SYS_DIGEST, "The bundle's files are not those that were signed.", problems=[problem])

    def _close_sink(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()


class _Small:
    """A piece that is kept until it is complete."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.data = bytearray()

    def take(self, view: memoryview) -> memoryview:
        now = view[: self.left]
        self.data += now
        self.left -= len(now)
        return view[len(now) :]


class Content:
    """The content of a file: it goes to its sink while another thread hashes the same bytes.

    What is taken may be looked at until `AHEAD` more pieces were taken, or the hash was asked for.
    """

    def __init__(self, size: int, sink: Sink | None, hashing: ThreadPoolExecutor) -> None:
        self.left = size
        self._sink = sink
        self._hashing = hashing
        self._state = hashlib.sha256()
        self._under_way: deque[Future[None]] = deque()

    @property
    def sha256(self) -> str:
        """Of what came so far."""
        self._settle(0)
        return self._state.hexdigest()

    def take(self, view: memoryview) -> memoryview:
        """Take what belongs to the file; return the rest."""
        now = view[: self.left]
        self.left -= len(now)
        if len(now) < APART_BYTES:
            self._settle(0)
            self._state.update(now)
        else:
            self._settle(AHEAD - 1)
            self._under_way.append(self._hashing.submit(self._state.update, now))
        if self._sink is not None:
            self._sink.write(now)
        return view[len(now) :]

    def _settle(self, most: int) -> None:
        """Wait until no more than so many pieces are to be hashed."""
        while len(self._under_way) > most:
            self._under_way.popleft().result()


def open_front(envelope: Envelope, size: int) -> Opened:
    """The document of an envelope that has so many bytes. Raises InputError (`SYS_RELEASE`) with every problem."""
    release = envelope.release()
    check_front(envelope, release)
    return Opened(envelope, release, size)


def check_front(envelope: Envelope, release: Release) -> None:
    """A bundle's document lists its files, each path once and each content with one length, within the bounds."""
    problems = []
    if len(release.spec.files) > MAX_FILES:
        problems.append(Problem("spec.files", f"there are more than {MAX_FILES} files"))
    if len(envelope.payload) > MAX_DOCUMENT_BYTES:
        problems.append(Problem("", f"the document is larger than {MAX_DOCUMENT_BYTES // 2**20} MiB"))
    lengths: dict[str, int] = {}
    paths: set[str] = set()
    for file in release.spec.files:
        if file.path in paths:
            problems.append(Problem(file.path, "this file is listed twice"))
        if file.length > MAX_MEMBER_BYTES:
            problems.append(Problem(file.path, "a file of a bundle has less than 8 GiB"))
        if lengths.setdefault(file.sha256, file.length) != file.length:
            problems.append(Problem(file.path, "another file has this SHA-256 with another length"))
        paths.add(file.path)
    if problems:
        raise invalid(release.id, problems)
