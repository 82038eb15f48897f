"""The documents that are read again and again are read once: here from a store that has none of them."""

from __future__ import annotations

import pytest

from escalator.model.errors import NotFoundError
from escalator.model.inventory import Inventory, Node
from escalator.model.plan import Plan
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.engine.context import KEPT_DOCUMENTS, Book, Head

CLOUD = Inventory(nodes=(Node(id="n0"),))


def plan(number: int) -> Plan:
    parent = f"plan-{number - 1}" if number else None
    return Plan(id=f"plan-{number}", parent=parent, smooth=True, at_s=600.0 * number)


def book(plans: int) -> Book:
    made = Book(memory_store())
    for number in range(plans):
        made.add(plan(number), CLOUD)
    return made


async def test_what_was_stored_just_now_is_not_read_again() -> None:
    assert await book(1).plan("plan-0") == (plan(0), CLOUD)


async def test_what_is_asked_for_again_and_again_stays_and_what_was_asked_for_long_ago_goes() -> None:
    made = book(KEPT_DOCUMENTS)
    for number in range(KEPT_DOCUMENTS, 3 * KEPT_DOCUMENTS):
        await made.plan("plan-0")
        made.add(plan(number), CLOUD)
    assert (await made.plan("plan-0"))[0] == plan(0)
    with pytest.raises(NotFoundError):
        await made.plan("plan-1")


async def test_the_line_of_plans_is_known_beyond_those_that_are_kept_whole() -> None:
    made = book(3 * KEPT_DOCUMENTS)
    assert await made.head("plan-1") == Head("plan-0", 600.0, "upgrade")
    assert (await made.head("plan-0")).begins
    assert not (await made.head("plan-1")).begins
