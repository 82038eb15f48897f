"""How nodes are counted: one definition for every face, there and back."""

from __future__ import annotations

import pytest

from escalator.model.progress import CampaignState, NodeTask, TaskKind, TaskState, counts_of

C, K, T = CampaignState, TaskKind, TaskState


def tasks(kind: TaskKind = K.UPGRADE, **states: int) -> list[NodeTask]:
    named = [(state, number) for state, count in states.items() for number in range(count)]
    return [NodeTask(campaign="c", node=f"{kind.value}-{s}-{n}", kind=kind, state=T[s]) for s, n in named]


def test_only_nodes_that_were_upgraded_make_the_share():
    counts = counts_of(C.RUNNING, tasks(DONE=8, SKIPPED=1, RUNNING=1, PENDING=1))
    assert (counts.done, counts.total, counts.ended, counts.percent) == (8, 11, 9, 72.7)


def test_an_aborted_campaign_is_not_all_done():
    counts = counts_of(C.ABORTED, tasks(DONE=5, SKIPPED=7))
    assert (counts.percent, counts.ended, counts.skipped) == (41.6, 12, 7)


def test_a_node_that_was_put_back_in_its_turn_has_failed():
    assert counts_of(C.RUNNING, tasks(ROLLED_BACK=1, FAILED=1)).failed == 2


@pytest.mark.parametrize("state", [C.ROLLING_BACK, C.ROLLBACK_PAUSED, C.ROLLBACK_FAILED, C.RESTORING])
def test_on_the_way_back_only_nodes_that_go_back_count(state):
    nodes = [*tasks(SKIPPED=7), *tasks(K.ROLLBACK, DONE=2, RUNNING=1), *tasks(K.RESTORE, DONE=1, PENDING=1)]
    counts = counts_of(state, nodes)
    assert counts.back
    assert (counts.done, counts.total, counts.skipped, counts.percent) == (3, 5, 0, 60.0)


def test_all_that_was_changed_is_back():
    counts = counts_of(C.ROLLED_BACK, [*tasks(SKIPPED=7), *tasks(K.ROLLBACK, DONE=5)])
    assert (counts.done, counts.total, counts.percent) == (5, 5, 100.0)


def test_before_its_turns_are_laid_out_nothing_is_back():
    counts = counts_of(C.ROLLING_BACK, tasks(DONE=5, SKIPPED=7))
    assert (counts.back, counts.done, counts.total, counts.pending) == (True, 0, 5, 5)


def test_a_share_is_rounded_down_and_none_is_no_error():
    assert counts_of(C.RUNNING, tasks(DONE=1999, PENDING=1)).percent == 99.9
    assert counts_of(C.DRAFT, []).percent == 0.0
