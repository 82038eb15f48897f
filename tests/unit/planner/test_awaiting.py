"""Nodes are looked at when the targets are upgraded that the plan so far gives their instances."""

from __future__ import annotations

from escalator.upgrade_manager.planner.awaiting import Awaiting


def test_nodes_come_in_the_order_of_the_plan_when_their_targets_are_there() -> None:
    awaiting = Awaiting([3, 1, 2, 4], {1: {9}, 2: {8, 9}, 4: set()})
    waiting = {1, 2, 3, 4}
    assert awaiting.order(waiting) == [3, 4]
    awaiting.came_back(9)
    assert awaiting.order(waiting) == [3, 1, 4]
    awaiting.came_back(8)
    assert awaiting.order(waiting) == [3, 1, 2, 4]


def test_nodes_that_have_begun_are_not_looked_at_again_and_a_target_counts_once() -> None:
    awaiting = Awaiting([1, 2], {1: {2}, 2: set()})
    assert awaiting.order({1, 2}) == [2]
    awaiting.came_back(2)
    awaiting.came_back(2)
    assert awaiting.order({1}) == [1]
    assert awaiting.order(set()) == []
