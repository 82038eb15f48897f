"""Who will have to move once more: told so when it is asked."""

from __future__ import annotations

from escalator.model.plan import Move, Plan, Upgrade
from escalator.upgrade_manager.engine.steps.notify import interim


def move(instance: str, target: str, start_s: float) -> Move:
    return Move(instance=instance, origin="a", target=target, start_s=start_s, end_s=start_s + 10)


def test_a_move_is_interim_where_its_target_has_its_turn_still_before_it() -> None:
    moves = (move("to-done", "done", 100.0), move("to-later", "later", 100.0), move("to-foreign", "foreign", 100.0))
    turns = (("done", 0.0), ("a", 120.0), ("later", 300.0))
    upgrades = tuple(Upgrade(node=node, start_s=start_s, end_s=start_s + 60) for node, start_s in turns)
    plan = Plan(smooth=True, moves=moves, upgrades=upgrades)
    planned = dict.fromkeys(("to-done", "to-later", "to-foreign"), "live")
    assert interim(plan, "a", planned) == {"to-later"}
    # By policy it stays where it is, whatever the plan had in mind.
    assert interim(plan, "a", {**planned, "to-later": "in-place"}) == frozenset()
    assert interim(plan, "later", planned) == frozenset()
