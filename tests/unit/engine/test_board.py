"""The board: which node goes next, which failed, and when all is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.progress import NodeTask, TaskState
from escalator.upgrade_manager.engine.board import Board, Limits
from escalator.upgrade_manager.engine.stages import stuck


def task(node: str, state: TaskState = TaskState.PENDING, wave: int = 1, attempt: int = 1) -> NodeTask:
    return NodeTask(campaign="c", node=node, state=state, wave=wave, attempt=attempt)


def board(order: dict[str, set[str]]) -> Board:
    made = Board("p", {node: frozenset(first) for node, first in order.items()}, Limits(most=2, scope=frozenset(order)))
    for node, first in order.items():
        made.put(task(node, wave=2 if first else 1))
    return made


def names(made: Board) -> list[str]:
    return [ready.node for ready in made.ready()]


def test_nodes_that_wait_for_nothing_are_ready_in_order_of_wave_and_name() -> None:
    made = board({"b": set(), "a": set(), "c": {"a"}})
    assert names(made) == ["a", "b"]
    assert not made.ended


@pytest.mark.parametrize("end", [TaskState.DONE, TaskState.SKIPPED, TaskState.FAILED, TaskState.ROLLED_BACK])
def test_a_node_is_ready_when_the_last_before_it_has_ended_however(end: TaskState) -> None:
    made = board({"a": set(), "b": set(), "c": {"a", "b"}})
    made.put(task("a", end))
    assert names(made) == ["b"]
    made.put(task("b", TaskState.RUNNING))
    assert names(made) == []
    made.put(task("b", end))
    assert names(made) == ["c"]


def test_failures_are_kept_until_the_node_gets_another_turn() -> None:
    made = board({"a": set()})
    made.put(task("a", TaskState.ROLLED_BACK))
    assert list(made.failed) == ["a"]
    assert made.ended
    made.put(task("a", attempt=2))
    assert made.failed == {}
    assert names(made) == ["a"]
    assert not made.ended


def test_all_is_over_when_every_node_has_ended() -> None:
    made = board({"a": set(), "b": {"a"}})
    made.put(task("a", TaskState.DONE))
    assert not made.ended
    made.put(task("b", TaskState.SKIPPED))
    assert made.ended


def test_putting_the_same_again_changes_nothing() -> None:
    made = board({"a": set(), "b": {"a"}})
    for _ in range(3):
        made.put(replace(task("a"), state=TaskState.HELD))
    assert names(made) == []
    assert not made.ended


def test_a_node_without_a_turn_waits_and_is_stranded_when_nothing_else_is_left() -> None:
    made = board({"a": set(), "b": {"a"}})
    made.put(task("x"))
    assert names(made) == ["a"]
    assert stuck(made) == []
    made.put(task("a", TaskState.DONE))
    assert names(made) == ["b"]
    made.put(task("b", TaskState.RUNNING))
    assert stuck(made) == []
    made.put(task("b", TaskState.FAILED))
    assert [left.node for left in stuck(made)] == ["x"]
    assert not made.ended
    made.put(task("x", TaskState.SKIPPED))
    assert made.ended
    assert stuck(made) == []


def test_a_node_that_does_not_come_back_has_the_rest_planned_without_it_and_with_it_again_when_it_does() -> None:
    made = board({"a": set(), "b": set(), "c": {"a"}})
    made.put(task("a", TaskState.RUNNING))
    assert made.disturbed == ""
    made.put(replace(task("a", TaskState.RUNNING), code=Code.UPG_LOST.value, message="it is silent"))
    assert made.disturbed == "a does not come back"
    assert names(made) == ["b"]  # whoever has no other place waits for it all the same
    made.disturbed = ""
    made.put(replace(task("a", TaskState.RUNNING), code=Code.UPG_LOST.value, message="it is silent still"))
    assert made.disturbed == ""
    made.put(task("a", TaskState.RUNNING))
    assert made.disturbed == "a is back"
