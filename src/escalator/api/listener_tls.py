"""TLS of a listener: its certificate is read again when its files have changed, so that renewing it needs no restart."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.settings import ListenerTls

_Seen = tuple[tuple[int, int, int] | None, ...]

_log = structlog.get_logger()


def listener_context(name: str, files: ListenerTls) -> ssl.SSLContext:
    """The context with which the listener of that name takes connections.

    At each handshake the certificate is that of the files as they are then; while those cannot be used, for they may be
    half written, it is the last that could. Raises InputError (`API_TLS`) when they cannot be used to begin with.
    """
    context = _read(name, files)
    context.sni_callback = _Renewing(name, files, context)
    return context


class _Renewing:
    """What OpenSSL calls at the beginning of each handshake, also for a client that names no server."""

    def __init__(self, name: str, files: ListenerTls, context: ssl.SSLContext) -> None:
        self._name, self._files = name, files
        self._seen = _look(files)
        self._current = context

    def __call__(self, connection: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext) -> None:
        seen = _look(self._files)
        if seen != self._seen:
            self._seen = seen
            try:
                self._current = _read(self._name, self._files)
            except InputError as error:
                _log.error("server.certificate_kept", listener=self._name, code=error.code.value, why=error.message)
            else:
                _log.info("server.certificate_renewed", listener=self._name)
        connection.context = self._current


def _look(files: ListenerTls) -> _Seen:
    """What tells whether the files have changed."""
    return tuple(_stat(file) for file in (files.certificate, files.key) if file is not None)


def _stat(file: str) -> tuple[int, int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(name: str, files: ListenerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # The empty password: an encrypted key must not make OpenSSL ask at a terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except OSError as error:
        # OpenSSL says KEY_VALUES_MISMATCH and the like, and nothing where it finds no PEM; the system, that a file is missing.
        spoiled = "it is no PEM that a server can read" if isinstance(error, ssl.SSLError) else error.strerror
        why = getattr(error, "reason", None) or spoiled or type(error).__name__
        message = f"The certificate of the {name} listener cannot be used: {why}."
        raise InputError(Code.API_TLS, message, remedy=f"Name a certificate and its key, both in PEM, in {name}.tls.") from error
    return context
