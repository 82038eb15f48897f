"""Answers about single instances, in any order and at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beds.vnfm.clocks import START
from escalator.model.errors import ConflictError
from escalator.model.notice import AffectedResource, Disposition, Notice, NoticeState, NoticeType, Reply
from escalator.storage.memory import memory_store
from escalator.storage.opening import open_sqlite
from escalator.vim_interface.collected import Collected
from escalator.vim_interface.parts import Part, as_reply, heard

NAMES = [f"vm-{n}" for n in range(5)]
ACTIONS = st.sampled_from([None, "MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"])


def notice(*, reply_by: float = START + 300) -> Notice:
    resources = tuple(AffectedResource(resource_id=name, project_id="p1", planned_action="live") for name in NAMES)
    return Notice(
        id="n", type=NoticeType.HOST_MAINTENANCE_UPCOMING, vnfm="core", campaign="c1", task="c1/n1/1", resources=resources,
        created_at=START, reply_by=reply_by, reply_token="t" * 43, state=NoticeState.DELIVERED,
    )  # fmt: skip


def of_all(words: dict[str, str | None]) -> Reply:
    return Reply(result="ACK", instances={name: action for name, action in words.items() if action is not None})  # type: ignore[misc]


@given(words=st.fixed_dictionaries(dict.fromkeys(NAMES, ACTIONS)), order=st.permutations([*NAMES, *NAMES[:2]]))
def test_in_any_order_the_last_of_them_makes_the_answer(words: dict[str, str | None], order: list[str]) -> None:
    async def run() -> None:
        store = memory_store()
        await store.notices.add([notice()])
        replies = Collected(store.notices)
        left = set(NAMES)
        for name in order:
            left.discard(name)
            said = await replies.hear(notice(), Part(name, False, words[name]), len(NAMES), START)  # type: ignore[arg-type]
            assert said == (None if left else of_all(words))

    asyncio.run(run())


async def test_parts_that_come_at_the_same_time_are_all_seen_by_one_of_them(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "state.sqlite") as store:
        await store.notices.add([notice()])
        replies = Collected(store.notices)
        found = await asyncio.gather(
            *(replies.hear(notice(), Part(name, False, "MIGRATE"), len(NAMES), START) for name in NAMES for _ in range(3))
        )
        whole = of_all(dict.fromkeys(NAMES, "MIGRATE"))
        assert whole in found
        assert {repr(one) for one in found} <= {repr(None), *(repr(one) for one in found if one == whole)}


async def test_of_two_different_words_at_the_same_time_one_counts(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "state.sqlite") as store:
        await store.notices.add([notice()])
        replies = Collected(store.notices)
        parts = [Part("vm-0", False, "MIGRATE"), Part("vm-0", False, "OWN_ACTION")]
        calls = (replies.hear(notice(), part, len(NAMES), START) for part in parts)
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(one).__name__ for one in found) == ["ConflictError", "NoneType"]


async def test_after_the_deadline_nothing_is_heard_although_the_notice_is_not_closed_yet() -> None:
    store = memory_store()
    await store.notices.add([notice(reply_by=START)])
    with pytest.raises(ConflictError, match="has passed"):
        await Collected(store.notices).hear(notice(reply_by=START), Part("vm-0", False, None), len(NAMES), START)
    assert await store.notices.replies("n") == []


@given(words=st.dictionaries(st.text(max_size=20), st.tuples(st.booleans(), ACTIONS), max_size=5))
def test_what_is_kept_is_read_back(words: dict[str, tuple[bool, Disposition | None]]) -> None:
    parts = {about: Part(about, *said) for about, said in words.items()}
    rows = [{"verdict": "partial", "reply": as_reply(part).model_dump(mode="json")} for part in parts.values()]
    others = [{"verdict": "late", "reply": as_reply(Part("vm", False, "MIGRATE")).model_dump(mode="json")}]
    assert heard([*others, *rows]) == parts
