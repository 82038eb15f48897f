"""Subscriptions of VNF managers, over every kind of storage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.notice import Vnfm, VnfmSpec
from escalator.model.subscription import Filter, Subscription
from escalator.storage.port import Store

WANTED = Filter.model_validate_json('{"notificationTypes": ["HostMaintenanceUpcoming"], "projectIds": ["p1", "å"]}')
ROW = Subscription(
    vnfm="v1", callback_uri="http://vnfm.example/cb", filter=WANTED, auth="BASIC", sealed="gAAAA-sealed", created_at=12.5
)


@pytest.fixture(autouse=True)
async def registered(store: Store) -> None:
    for name in ("v2", "v1"):
        await store.vnfms.add(Vnfm(name=name, spec=VnfmSpec()))


async def test_a_subscription_comes_back_as_it_was_given(store: Store) -> None:
    await store.subscriptions.add(ROW)
    plain = Subscription(vnfm="v2", callback_uri="https://other.example/")
    await store.subscriptions.add(plain)
    assert await store.subscriptions.get("v1") == ROW
    assert await store.subscriptions.get("v2") == plain
    assert await store.subscriptions.get("v3") is None
    assert await store.subscriptions.list() == [ROW, plain]


async def test_a_vnf_manager_has_one_at_most(store: Store) -> None:
    await store.subscriptions.add(ROW)
    with pytest.raises(ConflictError) as caught:
        await store.subscriptions.add(replace(ROW, callback_uri="http://elsewhere.example/"))
    assert caught.value.code is Code.VIM_SUBSCRIBED
    assert await store.subscriptions.list() == [ROW]


async def test_who_is_not_registered_has_none(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.subscriptions.add(replace(ROW, vnfm="v3"))
    assert await store.subscriptions.list() == []


async def test_one_that_is_there_can_be_replaced_and_no_other(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.subscriptions.replace(ROW)
    await store.subscriptions.add(ROW)
    other = Subscription(vnfm="v2", callback_uri="https://other.example/")
    await store.subscriptions.add(other)
    changed = replace(ROW, auth="OAUTH2_CLIENT_CREDENTIALS", sealed="gAAAA-other")
    await store.subscriptions.replace(changed)
    assert await store.subscriptions.list() == [changed, other]


async def test_what_is_removed_is_gone_and_can_be_made_again(store: Store) -> None:
    await store.subscriptions.add(ROW)
    await store.subscriptions.remove("v1")
    assert await store.subscriptions.get("v1") is None
    with pytest.raises(NotFoundError):
        await store.subscriptions.remove("v1")
    await store.subscriptions.add(replace(ROW, auth=None, sealed=None))
    assert len(await store.subscriptions.list()) == 1


async def test_a_subscription_ends_with_its_registration_and_outlives_a_change_of_it(store: Store) -> None:
    await store.subscriptions.add(ROW)
    await store.vnfms.replace(Vnfm(name="v1", spec=VnfmSpec(projects=("p1",))))
    assert await store.subscriptions.list() == [ROW]
    await store.vnfms.remove("v1")
    assert await store.subscriptions.list() == []
    await store.vnfms.add(Vnfm(name="v1", spec=VnfmSpec()))
    assert await store.subscriptions.get("v1") is None
