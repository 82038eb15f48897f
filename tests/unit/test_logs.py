"""What stands in the log and what never does."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from escalator.logs import FIRST_FIELDS, REDACTED, configure_logs
from escalator.settings import Log

SECRET = "swordfish-1234567890"
LIBRARIES = ["uvicorn", "uvicorn.error", "dbos", "asyncssh", "openstack", "sqlalchemy.engine", "alembic.runtime", "anything"]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the logs go. Loggers are as in a new process, whatever ran in this one before; afterwards they are as they were."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in ("dbos", "uvicorn", "uvicorn.error", "alembic"))]
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers[1:]:
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_fields_people_look_for_first(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    fields = {"duration_s": 1.5, "code": "ESC-SYS-006", "step": "upgrade", "action": "do", "object_id": "vm-1", "node": "n1"}
    structlog.get_logger().warning("node.step", zebra=1, **fields, campaign="c1")
    [line] = lines(stream)
    assert [*line] == [*FIRST_FIELDS, "zebra"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "warning", "event": "node.step", "campaign": "c1", "zebra": 1, **fields}


def test_bound_fields_stand_in_every_line(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    log = structlog.get_logger().bind(step="cordon")
    with structlog.contextvars.bound_contextvars(campaign="c1", node="n1"):
        log.info("inside")
    log.info("outside")
    assert [(line.get("campaign"), line.get("node"), line["step"]) for line in lines(stream)] == [
        ("c1", "n1", "cordon"),
        (None, None, "cordon"),
    ]


def test_a_value_of_any_kind_and_any_text_stays_on_one_line(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    structlog.get_logger().info("line\nbreak", text="a\r\nb\u2028", thing=object, several={"å"})
    [line] = lines(stream)
    assert line["event"] == "line\nbreak"
    assert line["text"] == "a\r\nb\u2028"
    assert line["several"] == ["å"]


@pytest.mark.parametrize(("level", "written"), [("debug", "diwe"), ("info", "iwe"), ("warning", "we"), ("error", "e")])
def test_lines_below_the_level_are_not_written(stream: io.StringIO, level: str, written: str) -> None:
    configure_logs(Log.model_validate({"level": level}), stream)
    log = structlog.get_logger()
    for say in (log.debug, log.info, log.warning, log.error):
        say("event")
    assert "".join(line["level"][0] for line in lines(stream)) == written


def test_the_level_can_be_changed_for_loggers_that_are_there(stream: io.StringIO) -> None:
    log = structlog.get_logger()
    configure_logs(Log(level="error"), stream)
    log.info("first")
    configure_logs(Log(level="info"), stream)
    log.info("second")
    assert [line["event"] for line in lines(stream)] == ["second"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_speak_in_the_same_form_from_a_warning_on(stream: io.StringIO, name: str) -> None:
    configure_logs(Log(), stream)
    logging.getLogger(name).info("not interesting")
    logging.getLogger(name).warning("%s failed", "it")
    [line] = lines(stream)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "it failed", name)


def test_debugging_shows_more_of_libraries_but_not_what_carries_secrets(stream: io.StringIO) -> None:
    configure_logs(Log(level="debug"), stream)
    for name in ("asyncssh", "sqlalchemy.engine", "uvicorn.access", "httpx"):
        logging.getLogger(name).info("said by %s", name)
        logging.getLogger(name).debug("detail")
    assert [line["logger"] for line in lines(stream)] == ["asyncssh"]


def test_a_library_that_sets_its_own_level_stays_below_ours(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    logging.getLogger("dbos").setLevel(logging.INFO)
    try:
        logging.getLogger("dbos").info("DBOS launched!")
    finally:
        logging.getLogger("dbos").setLevel(logging.NOTSET)
    assert lines(stream) == []


def test_nobodys_console_is_advertised(stream: io.StringIO) -> None:
    configure_logs(Log(level="debug"), stream)
    logging.getLogger("dbos").info("connect to DBOS Conductor at: https://console.dbos.dev/self-host?appname=escalator")
    logging.getLogger("dbos").info("DBOS launched!")
    assert [line["event"] for line in lines(stream)] == ["DBOS launched!"]


def test_the_engines_library_adds_no_handler_of_its_own(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    from dbos._logger import init_logger  # noqa: PLC0415 - what it does when DBOS is made

    init_logger()
    logging.getLogger("dbos").warning("once")
    assert [line["event"] for line in lines(stream)] == ["once"]


def test_warnings_are_lines_too(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    [line] = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "old" in line["event"]


@pytest.mark.parametrize(
    "fields",
    [
        {"token": SECRET},
        {"reply_token": SECRET},
        {"Password": SECRET},
        {"client_secret": [SECRET]},
        {"headers": {"Authorization": f"Bearer {SECRET}", "Cookie": SECRET}},
        {"headers": [{"X-Auth-Token": SECRET}]},
        {"deep": {"a": {"b": ({"api_key": SECRET},)}}},
        {"url": f"postgresql://escalator:{SECRET}@db.example/escalator"},
        {"message": f"refused: Authorization: bearer {SECRET}"},
        {"error": ValueError(f"http://user:{SECRET}@host/ said no")},
        {"nested": [[[[[[[[[[SECRET]]]]]]]]]]},
    ],
    ids=str,
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_are_never_written(stream: io.StringIO, fields: dict[str, Any], log_format: str) -> None:
    configure_logs(Log.model_validate({"format": log_format}), stream)
    structlog.get_logger().info("event", **fields)
    assert "event" in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_in_events_libraries_and_tracebacks_are_not_written(stream: io.StringIO, log_format: str) -> None:
    configure_logs(Log.model_validate({"format": log_format}), stream)
    address = f"postgresql://escalator:{SECRET}@db.example/escalator"
    structlog.get_logger().info(f"connecting to {address}")
    logging.getLogger("psycopg").warning("connecting to %s", address)
    try:
        int(address)
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("psycopg").exception("failed")
    written = stream.getvalue()
    assert SECRET not in written
    assert written.count(f"escalator:{REDACTED}@db.example") == 4
    assert "invalid literal for int()" in written
    assert written.count("Traceback") == 2


def test_what_is_no_secret_is_left_alone(stream: io.StringIO) -> None:
    configure_logs(Log(), stream)
    fields = {"url": "http://127.0.0.1:8470/v1", "count": 3, "ok": True, "nothing": None, "token": None, "text": "a basic thing"}
    structlog.get_logger().info("event", **fields)
    [line] = lines(stream)
    assert {key: line[key] for key in fields} == fields


def test_the_console_form_is_for_people(stream: io.StringIO) -> None:
    configure_logs(Log(format="console"), stream)
    structlog.get_logger().info("node.cordon", node="n1")
    logging.getLogger("asyncssh").warning("link lost")
    first, second = stream.getvalue().splitlines()
    assert "node.cordon" in first
    assert "node=n1" in first
    assert "link lost" in second
    assert "\x1b" not in stream.getvalue()


def test_no_word_of_others_steers_the_terminal_or_makes_a_line_of_its_own(stream: io.StringIO) -> None:
    configure_logs(Log(format="console"), stream)
    steering = "a\x1b]0;title\x07\x9b31m\u202e\n2026-01-01 forged"
    structlog.get_logger().warning(steering, message="b\x1b[2J", said={steering: [steering]})
    logging.getLogger("asyncssh").warning("link %s", steering)
    structlog.get_logger().error("event", exc_info=ValueError(steering))
    seen = stream.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(seen)
    assert [line for line in seen.splitlines()[:2] if "forged" not in line] == []
    assert "ValueError" in seen


def test_logs_go_to_standard_error(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Log())
    structlog.get_logger().info("event")
    logging.getLogger("asyncssh").warning("link lost")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [json.loads(line)["event"] for line in captured.err.splitlines()] == ["event", "link lost"]
