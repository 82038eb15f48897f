from __future__ import annotations

import pytest

from escalator.model.progress import CampaignState, NodeTask, TaskKind, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.service import next_verbs


@pytest.mark.parametrize(
    ("state", "kind", "most"),
    [(CampaignState.SUSPENDED, TaskKind.UPGRADE, 3), (CampaignState.ROLLBACK_FAILED, TaskKind.ROLLBACK, 5)],
)
def test_nodes_that_are_not_listed_among_the_next_commands_are_counted(state, kind, most):
    def said(count):
        tasks = [
            NodeTask(campaign="c1", node=f"n{n}", attempt=1, wave=1, kind=kind, state=TaskState.FAILED, updated_at=0.0)
            for n in range(count)
        ]
        return next_verbs(CampaignRow(name="c1", document={}, state=state), tasks)

    assert sum("node retry" in line for line in said(most + 2)) == most
    assert "escalator node list --campaign c1  # 2 more nodes like these" in said(most + 2)
    assert "escalator node list --campaign c1  # 1 more node like these" in said(most + 1)
    assert not any("more node" in line for line in said(most))


@pytest.mark.parametrize("state", [CampaignState.PAUSED, CampaignState.SUSPENDED, CampaignState.COMPLETED, CampaignState.ABORTED])
@pytest.mark.parametrize(
    ("turns", "offered"),
    [
        ([], False),
        ([TaskState.PENDING, TaskState.SKIPPED, TaskState.ROLLED_BACK], False),
        ([TaskState.PENDING, TaskState.DONE], True),
        ([TaskState.FAILED], True),
    ],
)
def test_a_rollback_is_offered_where_something_was_changed(state, turns, offered):
    tasks = [NodeTask(campaign="c1", node=f"n{n}", attempt=1, wave=1, state=turn) for n, turn in enumerate(turns)]
    verbs = next_verbs(CampaignRow(name="c1", document={}, state=state), tasks)
    assert ("escalator campaign rollback c1" in verbs) == offered
    assert verbs
