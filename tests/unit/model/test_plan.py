"""Plans are sealed: their digest covers everything but itself, and nothing in them changes."""

from __future__ import annotations

import pytest

from escalator.model.plan import Impact, Move, Plan, Totals, Upgrade

MOVE = Move.model_validate({"instance": "v", "from": "a", "to": "b", "start_s": 0.0, "end_s": 5.0})
PLAN = Plan(smooth=True, upgrades=(Upgrade(node="a", start_s=5.0, end_s=9.0),), moves=(MOVE,), totals=Totals(nodes=1, moves=1))


def test_the_same_plan_has_the_same_digest() -> None:
    assert PLAN.sealed("p").digest == PLAN.sealed("p").digest
    assert PLAN.sealed("p").sealed("p").digest == PLAN.sealed("p").digest
    assert PLAN.sealed("p").digest.startswith("sha256:")


@pytest.mark.parametrize("changes", [{"smooth": False}, {"moves": ()}, {"at_s": 1.0}, {"totals": Totals(nodes=2)}])
def test_any_change_changes_the_digest(changes: dict[str, object]) -> None:
    assert PLAN.model_copy(update=changes).sealed("p").digest != PLAN.sealed("p").digest


def test_id_and_parent_are_covered() -> None:
    assert len({PLAN.sealed("p").digest, PLAN.sealed("q").digest, PLAN.sealed("p", "q").digest}) == 3


def test_sealing_leaves_the_plan_itself_as_it_was() -> None:
    PLAN.sealed("p")
    assert (PLAN.id, PLAN.digest, PLAN.parent) == ("", "", None)
    with pytest.raises(ValueError, match="frozen"):
        PLAN.smooth = False


def test_a_sealed_plan_survives_its_text() -> None:
    sealed = PLAN.sealed("p", "parent")
    again = Plan.model_validate_json(sealed.model_dump_json(by_alias=True))
    assert again == sealed
    assert again.sealed("p", "parent").digest == sealed.digest


def test_an_interval_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="end_s is before start_s"):
        Upgrade(node="a", start_s=2.0, end_s=1.0)


def test_moves_and_impacts_are_found_by_node() -> None:
    stay = Impact(instance="w", kind="in-place", node="a", start_s=5.0, end_s=9.0)
    late = MOVE.model_copy(update={"instance": "u", "start_s": 3.0})
    plan = PLAN.model_copy(update={"impacts": (stay,), "moves": (late, MOVE)})
    assert [m.instance for m in plan.moves_from["a"]] == ["v", "u"]
    assert plan.impacts_on == {"a": (stay,)}
