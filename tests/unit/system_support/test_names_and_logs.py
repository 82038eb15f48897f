"""Names of operations and the reading of their logs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from escalator.system_support.operations import MAX_CHUNK_BYTES, folder_name, outcome, progress
from escalator.system_support.port import OperationState


def test_an_operation_id_stays_readable() -> None:
    assert folder_name("agent-2-0/cn-01/1/upgrade").startswith("agent-2-0_cn-01_1_upgrade-")


@given(st.text(), st.text())
def test_every_operation_id_has_a_safe_folder_of_its_own(one: str, other: str) -> None:
    assert re.fullmatch(r"(?![.-])[A-Za-z0-9._-]{1,80}", folder_name(one))
    assert (folder_name(one) == folder_name(other)) == (one == other)


def test_exit_codes_mean_what_the_port_says() -> None:
    assert [outcome(code).value for code in (0, 70, 75, 1, 100)] == ["done", "not-needed", "retry", "failed", "failed"]


def test_a_line_that_is_still_being_written_waits_for_its_end() -> None:
    found = progress(OperationState.RUNNING, None, b"one\ntw", 10)
    assert (found.lines, found.cursor) == (("one",), 14)
    found = progress(OperationState.DONE, 0, b"two", 14)
    assert (found.lines, found.cursor) == (("two",), 17)


@given(st.lists(st.binary(max_size=10), max_size=6), st.data())
def test_lines_read_in_pieces_are_the_lines_of_the_whole(parts: list[bytes], data: st.DataObject) -> None:
    log = b"\n".join(part.replace(b"\r", b"").replace(b"\n", b"") for part in parts)
    lines: list[str] = []
    cursor = 0
    while cursor < len(log):
        written = data.draw(st.integers(cursor + 1, len(log)))
        state = OperationState.DONE if written == len(log) else OperationState.RUNNING
        found = progress(state, None, log[cursor:written], cursor)
        lines += found.lines
        assert found.cursor in (cursor, log.rfind(b"\n", 0, written) + 1, len(log))
        cursor = found.cursor
        if cursor < written:  # the rest is the beginning of a line: it comes with the line's end
            found = progress(OperationState.DONE, None, log[cursor:], cursor)
            lines += found.lines
            cursor = found.cursor
    assert lines == list(progress(OperationState.DONE, 0, log, 0).lines)


def test_a_line_without_end_is_passed_on_in_pieces() -> None:
    found = progress(OperationState.RUNNING, None, b"x" * MAX_CHUNK_BYTES, 0)
    assert found.cursor == MAX_CHUNK_BYTES
