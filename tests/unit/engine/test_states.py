"""The state tables: everything can be reached, nothing else may happen."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, TaskState
from escalator.storage import rules
from escalator.upgrade_manager.engine.states import ACTIVE, CAMPAIGN_MOVES, ENDED, TASK_MOVES, VERBS, check, mermaid, sources

FINAL = {CampaignState.COMMITTED, CampaignState.ROLLED_BACK, CampaignState.RESTORED}


def reachable(moves: Mapping[Hashable, Mapping[Hashable, str]], start: Hashable) -> set[Hashable]:
    found = [start]
    for state in found:  # grows
        found += [target for target in moves[state] if target not in found]
    return set(found)


def test_every_state_of_a_campaign_and_of_a_task_is_reached() -> None:
    assert reachable(CAMPAIGN_MOVES, CampaignState.DRAFT) == set(CampaignState)
    assert reachable(TASK_MOVES, TaskState.PENDING) == set(TaskState)


def test_every_state_has_its_row_and_every_move_its_reason() -> None:
    assert set(CAMPAIGN_MOVES) == set(CampaignState)
    assert set(TASK_MOVES) == set(TaskState)
    for moves in (*CAMPAIGN_MOVES.values(), *TASK_MOVES.values()):
        assert all(moves.values())


def test_only_the_final_states_lead_nowhere() -> None:
    assert {state for state, moves in CAMPAIGN_MOVES.items() if not moves} == FINAL
    assert {state for state, moves in TASK_MOVES.items() if not moves} == {TaskState.DONE}


@pytest.mark.parametrize("state", CampaignState)
@pytest.mark.parametrize("target", CampaignState)
def test_what_the_table_does_not_allow_is_refused(state: CampaignState, target: CampaignState) -> None:
    if target in CAMPAIGN_MOVES[state]:
        check("c", state, target)
        assert state in sources(target)
        return
    assert state not in sources(target)
    with pytest.raises(ConflictError) as caught:
        check("c", state, target)
    assert caught.value.code is Code.UPG_STATE
    assert caught.value.exit_code == 6
    assert caught.value.facts == {"state": state.value}
    assert state.value in caught.value.message


def test_the_remedy_names_what_is_possible() -> None:
    with pytest.raises(ConflictError) as caught:
        check("c", CampaignState.PAUSED, CampaignState.PLANNED)
    assert caught.value.remedy == "Possible now: resume, abort, rollback."
    assert set(VERBS) <= set(CampaignState)


def test_engine_and_storage_agree_on_which_campaigns_hold_their_cloud() -> None:
    assert set(ACTIVE) == set(rules.OCCUPYING)


def test_an_ended_task_goes_on_only_by_a_persons_word() -> None:
    assert {by for state in ENDED for by in TASK_MOVES[state].values()} == {"retry", "skip"}


def test_diagrams_hold_every_move() -> None:
    for moves, start in ((CAMPAIGN_MOVES, CampaignState.DRAFT), (TASK_MOVES, TaskState.PENDING)):
        text = mermaid(moves, start)
        arrows = sum(len(targets) or 1 for targets in moves.values()) + 1
        assert text.startswith("stateDiagram-v2\n    [*] --> ")
        assert text.count("-->") == arrows
