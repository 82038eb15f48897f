"""Where a move stands, for what server and record can say together."""

from __future__ import annotations

import pytest

from escalator.cloud_manager.openstack.move_state import judge, with_cause, with_power, with_progress
from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus

LIVE = MoveOrder("vm", "a", "b", "live")
COLD = MoveOrder("vm", "a", "b", "cold")


def _server(host: str = "a", task: str | None = None, state: str = "active", **more: object) -> dict[str, object]:
    return {"OS-EXT-SRV-ATTR:host": host, "OS-EXT-STS:task_state": task, "OS-EXT-STS:vm_state": state, **more}


def _record(status: str, kind: str = "live-migration", origin: str = "a", target: str | None = "b") -> dict[str, object]:
    return {"migration_type": kind, "status": status, "source_compute": origin, "dest_compute": target}


LIVE_CASES = [
    (_server(), None, "none", True),
    (_server(task="migrating"), None, "running", True),
    (_server(task="rebooting"), None, "none", True),
    (_server("b"), None, "done", True),
    (_server("c"), None, "none", True),
    (_server(task="migrating"), _record("accepted", target=None), "running", True),
    (_server(task="migrating"), _record("running"), "running", True),
    (_server("b"), _record("running"), "running", True),
    (_server("b"), _record("completed"), "done", True),
    (_server("b", task="rebooting"), _record("completed"), "running", True),
    (_server("a"), _record("completed"), "none", True),
    (_server(task="migrating"), _record("failed"), "running", True),
    (_server(), _record("failed"), "failed", True),
    (_server(), _record("cancelled"), "failed", True),
    (_server(), _record("error", target=None), "failed", True),
    (_server(state="error"), _record("error"), "failed", False),
    (_server(state="error"), _record("running"), "failed", False),
    (_server("b"), _record("error"), "done", False),
    (_server("b", state="error"), _record("error"), "done", False),
    (_server("b", state="error"), _record("running"), "done", False),
    (_server(), _record("error", target="c"), "none", True),
    (_server(task="migrating"), _record("running", target="c"), "none", True),
    (_server(task="migrating"), _record("completed", origin="c", target="a"), "running", True),
    (_server("b"), _record("completed", origin="c"), "done", True),
]
COLD_CASES = [
    (_server(task="resize_prep"), None, "running", True),
    (_server(task="resize_migrating"), _record("migrating", "migration"), "running", True),
    (_server("b", task="resize_finish"), _record("post-migrating", "migration"), "running", True),
    (_server("b", state="resized"), _record("finished", "migration"), "confirm", True),
    (_server("b", task="resize_reverting", state="resized"), _record("reverting", "migration"), "running", True),
    (_server("b", state="resized"), _record("confirming", "migration"), "running", True),
    (_server("b", state="resized"), _record("confirmed", "migration"), "running", True),
    (_server("b"), _record("confirmed", "migration"), "done", True),
    (_server("b", state="stopped"), _record("confirmed", "migration"), "done", True),
    (_server("a"), _record("reverted", "migration"), "failed", True),
    (_server("b", state="resized"), _record("reverted", "migration"), "running", True),
    (_server("a"), _record("error", "migration", target=None), "failed", True),
    (_server("b", state="error"), _record("error", "migration"), "failed", False),
    (_server("b", state="error"), _record("finished", "migration"), "failed", False),
    (_server("a"), _record("failed"), "none", True),
    (_server("b", state="resized"), _record("finished", "resize"), "none", True),
]


@pytest.mark.parametrize(
    ("order", "server", "record", "state", "healthy"),
    [*((LIVE, *case) for case in LIVE_CASES), *((COLD, *case) for case in COLD_CASES)],
)
def test_server_and_record_together_say_where_the_move_stands(
    order: MoveOrder, server: dict[str, object], record: dict[str, object] | None, state: str, healthy: bool
) -> None:
    found = judge(order, server, record)
    assert (found.state.value, found.healthy) == (state, healthy)
    assert found.at == server["OS-EXT-SRV-ATTR:host"]


def test_a_server_that_is_gone_is_lost() -> None:
    assert judge(LIVE, None, _record("completed")).state is MoveState.LOST


def test_a_silent_host_is_named_while_the_move_waits_for_it() -> None:
    assert "service of a is silent" in judge(LIVE, _server(task="migrating", host_status="DOWN"), _record("running")).message


@pytest.mark.parametrize(
    ("last", "power", "healthy"),
    [("create", 1, True), ("create", 4, False), ("stop", 4, True), ("stop", 1, False), ("start", 4, False)],
)
def test_health_at_the_confirm_is_the_power_that_was_there_before(last: str, power: int, healthy: bool) -> None:
    actions = [{"action": "migrate"}, {"action": last}, {"action": "stop"}]
    waiting = MoveStatus(MoveState.CONFIRM, "b")
    assert with_power(waiting, {"OS-EXT-STS:power_state": power}, actions).healthy is healthy


def test_progress_is_percent_of_the_memory_and_unknown_without_figures() -> None:
    running = MoveStatus(MoveState.RUNNING, "a")
    assert with_progress(running, {"memory_total_bytes": 200, "memory_processed_bytes": 50}).progress == 25.0
    assert with_progress(running, {"memory_total_bytes": None}).progress is None
    assert with_progress(running, None).progress is None


def test_the_clouds_own_words_about_a_failure_are_added_in_one_bounded_line() -> None:
    failed = MoveStatus(MoveState.FAILED, "a", message="the migration is error")
    told = with_cause(failed, "No valid host\n" + "x" * 1000).message
    assert told.startswith("the migration is error: No valid host x")
    assert len(told) < 400
