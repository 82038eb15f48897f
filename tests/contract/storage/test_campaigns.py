"""Campaigns and plans, over every kind of storage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import cycle

import pytest

from contract.storage.samples import AWKWARD, JSON, campaign, event, plan, task
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.progress import CampaignState
from escalator.storage.port import Store

OCCUPYING = [
    CampaignState.RUNNING,
    CampaignState.PAUSED,
    CampaignState.SUSPENDED,
    CampaignState.ABORTING,
    CampaignState.ROLLING_BACK,
    CampaignState.ROLLBACK_PAUSED,
    CampaignState.ROLLBACK_FAILED,
    CampaignState.RESTORING,
]


async def test_a_campaign_comes_back_as_it_was_given(store: Store) -> None:
    row = campaign(
        state=CampaignState.COMPLETED,
        cloud="cloud-1",
        plan="p1",
        code="ESC-UPG-014",
        reason=AWKWARD,
        created_at=1234567890.123456,
        started_at=2.5,
        ended_at=3.5,
        revision=7,
    )
    await store.campaigns.add(row)
    assert await store.campaigns.get("c1") == row
    assert await store.campaigns.state("c1") is CampaignState.COMPLETED


async def test_an_unknown_campaign_is_none(store: Store) -> None:
    assert await store.campaigns.get("c1") is None
    assert await store.campaigns.state("c1") is None
    assert await store.campaigns.get_plan("p1") is None


async def test_a_second_campaign_of_one_name_is_refused(store: Store) -> None:
    await store.campaigns.add(campaign())
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.add(campaign(document={}))
    assert caught.value.code is Code.UPG_DUPLICATE
    assert await store.campaigns.list() == [campaign()]


async def test_campaigns_are_listed_oldest_first(store: Store) -> None:
    for name, created_at in (("c", 1.0), ("a", 2.0), ("b", 2.0), ("d", 0.5)):
        await store.campaigns.add(campaign(name, created_at=created_at))
    assert [row.name for row in await store.campaigns.list()] == ["d", "c", "a", "b"]


async def test_a_change_returns_the_new_row_and_leaves_the_other_fields(store: Store) -> None:
    await store.campaigns.add(campaign())
    changed = await store.campaigns.change(
        "c1", [CampaignState.DRAFT], state=CampaignState.PLANNED, plan="p1", reason=AWKWARD, document={"list": (1, 2)}
    )
    wanted = campaign(state=CampaignState.PLANNED, plan="p1", reason=AWKWARD, document={"list": [1, 2]}, revision=1)
    assert changed == wanted
    assert await store.campaigns.get("c1") == wanted


async def test_a_field_can_be_set_back_to_none(store: Store) -> None:
    await store.campaigns.add(campaign(plan="p1", ended_at=3.0))
    await store.campaigns.change("c1", [CampaignState.DRAFT], plan=None, ended_at=None)
    assert await store.campaigns.get("c1") == campaign(revision=1)


async def test_the_events_of_a_change_stand_in_the_history(store: Store) -> None:
    await store.campaigns.add(campaign())
    await store.campaigns.change("c1", [CampaignState.DRAFT], [event("campaign.plan"), event("campaign.note")], reason="r")
    assert [found.action for found in await store.events.read()] == ["campaign.plan", "campaign.note"]


async def test_what_a_change_remembers_stands_with_it_or_not_at_all(store: Store) -> None:
    await store.campaigns.add(campaign(state=CampaignState.COMPLETED))
    await store.tasks.remember("c1", "kept", 1)
    await store.tasks.remember("c1", "number", 0)
    asked = {"number": 1, "why": AWKWARD}
    await store.campaigns.change("c1", [CampaignState.COMPLETED], memo=asked, state=CampaignState.ROLLING_BACK)
    assert await store.tasks.memo("c1") == {"kept": 1, **asked}
    with pytest.raises(ConflictError):
        await store.campaigns.change("c1", [CampaignState.COMPLETED], memo={"number": 2}, state=CampaignState.ROLLING_BACK)
    assert await store.tasks.memo("c1") == {"kept": 1, **asked}


async def test_a_change_from_a_state_that_was_not_expected_changes_nothing(store: Store) -> None:
    await store.campaigns.add(campaign())
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.change("c1", [CampaignState.RUNNING, CampaignState.PAUSED], [event()], reason="r")
    assert caught.value.code is Code.UPG_STATE
    assert "draft" in str(caught.value)
    assert await store.campaigns.get("c1") == campaign()
    assert await store.events.read() == []


async def test_an_unknown_campaign_cannot_change(store: Store) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.campaigns.change("c1", [CampaignState.DRAFT], [event()], reason="r")
    assert caught.value.code is Code.UPG_NOT_FOUND
    assert await store.events.read() == []


@pytest.mark.parametrize("state", OCCUPYING)
async def test_a_cloud_has_one_campaign_at_a_time(store: Store, state: CampaignState) -> None:
    await store.campaigns.add(campaign("first"))
    await store.campaigns.add(campaign("second"))
    await store.campaigns.change("first", [CampaignState.DRAFT], state=state, cloud="cloud-1")
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.change("second", [CampaignState.DRAFT], [event()], state=CampaignState.RUNNING, cloud="cloud-1")
    assert caught.value.code is Code.UPG_ONE_RUNNING
    assert "first" in str(caught.value)
    assert caught.value.remedy == "escalator campaign show first; let it end, or end it by a command that this names"
    assert await store.campaigns.get("second") == campaign("second")
    assert await store.events.read() == []


async def test_a_running_campaign_cannot_be_added_beside_another(store: Store) -> None:
    await store.campaigns.add(campaign("first", state=CampaignState.RUNNING, cloud="cloud-1"))
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.add(campaign("second", state=CampaignState.PAUSED, cloud="cloud-1"))
    assert caught.value.code is Code.UPG_ONE_RUNNING
    assert [row.name for row in await store.campaigns.list()] == ["first"]


@pytest.mark.parametrize("state", [state for state in CampaignState if state not in OCCUPYING])
async def test_a_cloud_is_free_when_its_campaign_is_over(store: Store, state: CampaignState) -> None:
    await store.campaigns.add(campaign("first", state=state, cloud="cloud-1"))
    await store.campaigns.add(campaign("second"))
    await store.campaigns.change("second", [CampaignState.DRAFT], state=CampaignState.RUNNING, cloud="cloud-1")
    assert await store.campaigns.state("second") is CampaignState.RUNNING


async def test_each_cloud_has_its_own_campaign_and_a_campaign_may_go_on(store: Store) -> None:
    for name in ("first", "second"):
        await store.campaigns.add(campaign(name))
        await store.campaigns.change(name, [CampaignState.DRAFT], state=CampaignState.RUNNING, cloud=f"cloud-{name}")
    await store.campaigns.change("first", [CampaignState.RUNNING], state=CampaignState.PAUSED)
    await store.campaigns.change("first", [CampaignState.PAUSED], state=CampaignState.RUNNING)
    assert await store.campaigns.state("first") is CampaignState.RUNNING


async def test_of_many_campaigns_that_start_at_once_one_starts(stores: tuple[Store, Store]) -> None:
    names = [f"c{number}" for number in range(12)]
    for name in names:
        await stores[0].campaigns.add(campaign(name))

    async def start(store: Store, name: str) -> str | Code:
        try:
            await store.campaigns.change(name, [CampaignState.DRAFT], state=CampaignState.RUNNING, cloud="cloud-1")
        except ConflictError as error:
            return error.code
        return name

    started = await asyncio.gather(*(start(store, name) for store, name in zip(cycle(stores), names, strict=False)))
    running = [row.name for row in await stores[0].campaigns.list() if row.state is CampaignState.RUNNING]
    assert len(running) == 1
    assert sorted(started, key=str) == sorted([*running, *[Code.UPG_ONE_RUNNING] * 11], key=str)


async def test_of_many_changes_from_one_state_one_wins(stores: tuple[Store, Store]) -> None:
    await stores[0].campaigns.add(campaign())

    async def plan_it(store: Store, number: int) -> int | Code:
        try:
            await store.campaigns.change("c1", [CampaignState.DRAFT], [event()], state=CampaignState.PLANNED, plan=f"p{number}")
        except ConflictError as error:
            return error.code
        return number

    outcomes = await asyncio.gather(*(plan_it(store, number) for store, number in zip(cycle(stores), range(12), strict=False)))
    [winner] = [outcome for outcome in outcomes if outcome is not Code.UPG_STATE]
    assert await stores[1].campaigns.get("c1") == campaign(state=CampaignState.PLANNED, plan=f"p{winner}", revision=1)
    assert len(await stores[0].events.read()) == 1


async def test_a_plan_comes_back_as_it_was_given(store: Store) -> None:
    await store.campaigns.add(campaign())
    row = plan(parent="p0", document=AWKWARD, inventory=f"{JSON!r}", created_at=2.25)
    await store.campaigns.add_plan(row)
    assert await store.campaigns.get_plan("p1") == row


async def test_plans_are_listed_oldest_first_without_their_texts(store: Store) -> None:
    for name in ("c1", "c2"):
        await store.campaigns.add(campaign(name))
    rows = [plan("p3", created_at=1.0), plan("p1", created_at=2.0), plan("p2", created_at=2.0)]
    for row in [rows[2], rows[0], rows[1], plan("other", campaign="c2")]:
        await store.campaigns.add_plan(row)
    assert await store.campaigns.list_plans("c1") == [replace(row, document="", inventory="") for row in rows]


async def test_storing_the_same_plan_again_changes_nothing_and_another_is_refused(store: Store) -> None:
    await store.campaigns.add(campaign())
    await store.campaigns.add_plan(plan())
    await store.campaigns.add_plan(plan(campaign="unknown", created_at=9.0))
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.add_plan(plan(digest="other"))
    assert caught.value.code is Code.UPG_DUPLICATE
    assert await store.campaigns.get_plan("p1") == plan()


async def test_a_plan_needs_its_campaign(store: Store) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.campaigns.add_plan(plan())
    assert caught.value.code is Code.UPG_NOT_FOUND
    assert await store.campaigns.get_plan("p1") is None


async def test_a_campaign_is_withdrawn_with_its_plans_and_its_name_is_free(store: Store) -> None:
    await store.campaigns.add(campaign("c1", state=CampaignState.PLANNED))
    await store.campaigns.add(campaign("c2"))
    await store.campaigns.add_plan(plan("p1", campaign="c1"))
    await store.campaigns.add_plan(plan("p2", campaign="c2"))
    await store.campaigns.withdraw("c1", (CampaignState.DRAFT, CampaignState.PLANNED), (event(action="campaign.remove"),))
    assert (await store.campaigns.get("c1"), await store.campaigns.get_plan("p1")) == (None, None)
    assert await store.campaigns.get_plan("p2") is not None
    assert [line.action for line in await store.events.read()] == ["campaign.remove"]
    await store.campaigns.add(campaign("c1"))


async def test_another_takes_the_place_of_a_withdrawn_campaign_at_once(store: Store) -> None:
    await store.campaigns.add(campaign("c1", state=CampaignState.PLANNED, plan="p1"))
    await store.campaigns.add_plan(plan("p1", campaign="c1"))
    instead = campaign("c1", document={"other": [1]}, created_at=99.0)
    await store.campaigns.withdraw("c1", (CampaignState.PLANNED,), (), instead)
    assert await store.campaigns.get("c1") == instead
    assert await store.campaigns.list_plans("c1") == []


async def test_a_campaign_in_another_state_is_not_withdrawn(store: Store) -> None:
    row = campaign("c1", state=CampaignState.RUNNING, cloud="cloud-1")
    await store.campaigns.add(row)
    await store.campaigns.add_plan(plan("p1", campaign="c1"))
    with pytest.raises(ConflictError) as refused:
        await store.campaigns.withdraw("c1", (CampaignState.DRAFT,), (event(),), campaign("c1"))
    assert refused.value.code is Code.UPG_STATE
    assert await store.campaigns.get("c1") == row
    assert await store.campaigns.get_plan("p1") is not None
    assert await store.events.read() == []
    with pytest.raises(NotFoundError):
        await store.campaigns.withdraw("c9", (CampaignState.DRAFT,), ())


async def test_a_start_puts_its_turns_and_what_is_remembered_in_place_or_nothing(store: Store) -> None:
    for name in ("c1", "c2"):
        await store.campaigns.add(campaign(name, state=CampaignState.PLANNED))
        await store.campaigns.add_plan(plan(f"{name}-plan", campaign=name))
    running = {"state": CampaignState.RUNNING, "cloud": "cloud-1"}
    await store.tasks.put(task("n9"))
    turns = [task("n1"), task("n2")]
    row = await store.campaigns.start("c1", turns, [event("started")], {"approved": "c1-plan"}, plan="c1-plan", **running)
    assert (row.state, row.plan) == (CampaignState.RUNNING, "c1-plan")
    assert await store.tasks.list("c1") == turns
    assert await store.tasks.list("c1", ladders=False) == turns
    assert await store.tasks.memo("c1") == {"approved": "c1-plan"}
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.start("c2", [task("n1", campaign="c2")], [event("refused")], {"a": 1}, plan="c2-plan", **running)
    assert caught.value.code is Code.UPG_ONE_RUNNING
    with pytest.raises(ConflictError) as caught:
        await store.campaigns.start("c1", [], [event("refused")], {"a": 1}, plan="c1-plan", **running)
    assert caught.value.code is Code.UPG_STATE
    for gone in ("c1-plan", "none"):
        with pytest.raises(ConflictError, match="edited while it was started"):
            await store.campaigns.start("c2", [], [event("refused")], {}, plan=gone, state=CampaignState.RUNNING)
    assert await store.tasks.list("c1") == turns
    assert (await store.tasks.list("c2"), await store.tasks.memo("c2")) == ([], {})
    assert [line.action for line in await store.events.read()] == ["started"]


async def test_nothing_is_remembered_of_a_campaign_that_was_removed(store: Store) -> None:
    await store.campaigns.add(campaign())
    await store.tasks.put(task("n1"))
    await store.tasks.remember("c1", "gate", "approved")
    await store.campaigns.withdraw("c1", [CampaignState.DRAFT], ())
    assert (await store.tasks.list("c1"), await store.tasks.memo("c1")) == ([], {})
