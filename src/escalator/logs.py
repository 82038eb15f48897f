"""Logs: one JSON object a line on standard error, our own lines and those of the libraries alike.

A line has `timestamp` (ISO 8601, UTC), `level`, `event` (a short stable name) and bound fields; those that people search
for come first: campaign, node, object_id, action, step, code, duration_s. Values of keys that name a secret, passwords
in addresses and bearer tokens are never written. Everyone logs with `structlog.get_logger()`; the console script calls
`configure_logs` before anything else, as an unconfigured structlog prints to standard output.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from escalator.model.printable import printable

FIRST_FIELDS = ("timestamp", "level", "event", "campaign", "node", "object_id", "action", "step", "code", "duration_s")
REDACTED = "[redacted]"
MAX_DEPTH = 8
"""What is nested deeper is not written: no line of ours nests more than three levels."""

QUIET = ("sqlalchemy", "uvicorn.access", "httpx", "httpcore", "keystoneauth", "urllib3")
"""Libraries whose lines below a warning carry statements, values and addresses (reply addresses are secrets): they stay
quiet even when debugging."""
_OWN_HANDLERS = ("dbos", "uvicorn", "uvicorn.error", "uvicorn.access", "alembic")
"""Libraries that bring handlers of their own."""
_ADVERTISEMENT = "console.dbos.dev"
"""DBOS names the address of its commercial console at each launch; operators would take it for ours."""

_SECRET_KEY = re.compile(r"token|password|passwd|secret|authorization|cookie|private_key|api_key", re.IGNORECASE)
_ADDRESS = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")
_SCHEME = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)


class LogSettings(Protocol):
    """What the settings say about logs."""

    @property
    def level(self) -> str:
        """`debug`, `info`, `warning` or `error`."""
        ...

    @property
    def format(self) -> str:
        """`json` or `console`."""
        ...


def configure_logs(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error). May be called again with other settings."""
    target = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    renderer = _renderer(settings.format, target)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    _route_libraries(level, formatter, target)


def _renderer(log_format: str, stream: TextIO) -> list[Processor]:
    # A traceback is one text that is searched for secrets like any other, without local variables.
    shared: list[Processor] = [structlog.processors.format_exc_info, redact]
    if log_format == "console":
        return [
            *shared,
            plain,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ]
    return [*shared, in_order, structlog.processors.JSONRenderer()]


def _route_libraries(level: int, formatter: logging.Formatter, stream: TextIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    # Decided at the handler: DBOS sets the level of its logger again at launch.
    handler.addFilter(_Foreign(logging.INFO if level <= logging.DEBUG else logging.WARNING))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if level <= logging.DEBUG else logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _OWN_HANDLERS:
        # A logger that has a handler gets no other one from its library.
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False
    logging.captureWarnings(capture=True)


class _Foreign(logging.Filter):
    """What is taken over from libraries."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self._threshold = threshold

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what is below the threshold, and the advertisement."""
        return record.levelno >= self._threshold and _ADVERTISEMENT not in record.getMessage()


def redact(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Replace secrets in all values, nested ones too; a processor of structlog."""
    return {key: _clean(key, value, MAX_DEPTH) for key, value in event_dict.items()}


def plain(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Let nothing that others said steer a terminal, or look like a line of its own; a processor of structlog."""
    found = printable(dict(event_dict))
    return {key: " ".join(v.split("\n")) if isinstance(v, str) and key != "exception" else v for key, v in found.items()}


def in_order(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Put the fields that people look for first; a processor of structlog."""
    ordered: MutableMapping[str, Any] = {key: event_dict[key] for key in FIRST_FIELDS if key in event_dict}
    return {**ordered, **{key: value for key, value in event_dict.items() if key not in ordered}}


def _clean(key: str, value: Any, depth: int) -> Any:  # noqa: ANN401 - fields are of any type
    secret = key != "event" and _SECRET_KEY.search(key) is not None
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and not secret):
        return value
    match value:
        case _ if secret:
            return REDACTED
        case Mapping() | list() | tuple() | set() | frozenset() if depth == 0:
            return "[nested too deeply]"
        case Mapping():
            return {str(name): _clean(str(name), inner, depth - 1) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(key, inner, depth - 1) for inner in value]
        case _:
            return _clean_text(str(value))


def _clean_text(text: str) -> str:
    if "://" in text:
        text = _ADDRESS.sub(rf"\1:{REDACTED}@", text)
    return _SCHEME.sub(rf"\1 {REDACTED}", text)
