"""Releases and VNF managers, over every kind of storage."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from contract.storage.samples import JSON
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.notice import Auth, Vnfm, VnfmSpec
from escalator.storage.port import ReleaseRow, Store

RELEASE = ReleaseRow(id="agent/2.0.0", digest="sha256:aa", document=JSON, imported_at=12.5)
SPEC = VnfmSpec(callback_uri="http://vnfm.example/cb", auth=Auth(type="bearer", credential="cred"), projects=("p1",), vnfs=("å",))


async def test_a_release_comes_back_as_it_was_given(store: Store) -> None:
    await store.releases.add(RELEASE)
    assert await store.releases.get(RELEASE.id) == RELEASE
    assert await store.releases.get("other/1.0.0") is None


async def test_importing_the_same_release_again_changes_nothing(store: Store) -> None:
    await store.releases.add(RELEASE)
    await store.releases.add(replace(RELEASE, imported_at=99.0))
    assert await store.releases.list() == [RELEASE]


async def test_another_content_under_a_known_release_id_is_refused(store: Store) -> None:
    await store.releases.add(RELEASE)
    with pytest.raises(ConflictError) as caught:
        await store.releases.add(replace(RELEASE, digest="sha256:bb"))
    assert caught.value.code is Code.SYS_RELEASE_EXISTS
    assert await store.releases.list() == [RELEASE]


async def test_an_envelope_comes_back_and_a_later_one_takes_its_place(store: Store) -> None:
    signed = replace(RELEASE, envelope='{"payload": "å"}', signed_by={"alice": "aa"})
    await store.releases.add(RELEASE)
    await store.releases.add(replace(signed, imported_at=99.0))
    assert await store.releases.get(RELEASE.id) == signed
    await store.releases.add(RELEASE)
    assert await store.releases.get(RELEASE.id) == signed, "an unsigned copy takes nothing away"
    again = replace(signed, envelope="{}", signed_by={"alice": "aa", "bob": "bb"})
    await store.releases.add(again)
    assert await store.releases.list() == [again]


async def test_a_release_can_be_forgotten(store: Store) -> None:
    await store.releases.add(RELEASE)
    await store.releases.remove(RELEASE.id)
    await store.releases.remove("other/1.0.0")
    assert await store.releases.list() == []
    await store.releases.add(replace(RELEASE, digest="sha256:bb"))


async def test_releases_are_listed_in_order_of_id(store: Store) -> None:
    for release_id in ("b/1", "a/2", "a/1"):
        await store.releases.add(replace(RELEASE, id=release_id))
    assert [row.id for row in await store.releases.list()] == ["a/1", "a/2", "b/1"]


async def test_a_vnfm_comes_back_as_it_was_given(store: Store) -> None:
    vnfm = Vnfm(name="v1", spec=SPEC)
    await store.vnfms.add(vnfm)
    assert await store.vnfms.get("v1") == vnfm
    assert await store.vnfms.get("v2") is None


async def test_a_second_vnfm_of_one_name_is_refused(store: Store) -> None:
    await store.vnfms.add(Vnfm(name="v1", spec=SPEC))
    with pytest.raises(ConflictError) as caught:
        await store.vnfms.add(Vnfm(name="v1", spec=VnfmSpec()))
    assert caught.value.code is Code.VIM_DUPLICATE
    assert await store.vnfms.list() == [Vnfm(name="v1", spec=SPEC)]


async def test_a_vnfm_can_be_replaced(store: Store) -> None:
    await store.vnfms.add(Vnfm(name="v1", spec=VnfmSpec()))
    await store.vnfms.replace(Vnfm(name="v1", spec=SPEC))
    assert await store.vnfms.get("v1") == Vnfm(name="v1", spec=SPEC)


async def test_a_vnfm_is_replaced_only_while_it_is_what_is_known(store: Store) -> None:
    first, second, third = (Vnfm(name="v1", spec=VnfmSpec(projects=(name,))) for name in ("p1", "p2", "p3"))
    await store.vnfms.add(first)
    await store.vnfms.replace(second, first)
    with pytest.raises(ConflictError) as caught:
        await store.vnfms.replace(third, first)
    assert caught.value.code is Code.VIM_CHANGED
    assert await store.vnfms.get("v1") == second
    with pytest.raises(NotFoundError):
        await store.vnfms.replace(Vnfm(name="v2", spec=SPEC), first)


async def test_a_vnfm_is_removed_only_while_it_is_what_is_known(store: Store) -> None:
    first, second = (Vnfm(name="v1", spec=VnfmSpec(projects=(name,))) for name in ("p1", "p2"))
    await store.vnfms.add(second)
    with pytest.raises(ConflictError) as caught:
        await store.vnfms.remove("v1", first)
    assert caught.value.code is Code.VIM_CHANGED
    assert await store.vnfms.list() == [second]
    await store.vnfms.remove("v1", second)
    with pytest.raises(NotFoundError):
        await store.vnfms.remove("v1", second)
    assert await store.vnfms.list() == []


async def test_of_two_who_replace_a_vnfm_at_once_one_is_refused(store: Store) -> None:
    first, *others = (Vnfm(name="v1", spec=VnfmSpec(projects=(name,))) for name in ("p1", "p2", "p3"))
    await store.vnfms.add(first)
    calls = (store.vnfms.replace(other, first) for other in others)
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["ConflictError", "NoneType"]


async def test_a_vnfm_that_is_removed_is_gone(store: Store) -> None:
    for name in ("v2", "v1", "v3"):
        await store.vnfms.add(Vnfm(name=name, spec=VnfmSpec()))
    await store.vnfms.remove("v2")
    assert [vnfm.name for vnfm in await store.vnfms.list()] == ["v1", "v3"]


async def test_an_unknown_vnfm_can_be_neither_replaced_nor_removed(store: Store) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.vnfms.replace(Vnfm(name="v1", spec=SPEC))
    assert caught.value.code is Code.VIM_NOT_FOUND
    with pytest.raises(NotFoundError):
        await store.vnfms.remove("v1")
    assert await store.vnfms.list() == []
