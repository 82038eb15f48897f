"""Groups that clients of Fenix want kept apart, as Doctor's sample and Tacker's plug-in declare theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beds.vnfm.bed import Bed, opened_bed
from contract.vim_interface.test_fenix import TOKEN, client
from escalator.storage.port import CampaignRow

GROUP = {"group_id": "g1", "project_id": "p1", "group_name": "doctor_ha_app_group", "max_impacted_members": 1, "recovery_time": 4}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", tmp_path) as opened:
        opened.tokens[TOKEN] = "p1"
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        yield opened


@pytest.mark.parametrize(
    ("said", "apart"),
    [
        ({"anti_affinity_group": True, "max_instances_per_host": 1}, True),
        ({"anti_affinity_group": True, "max_instances_per_host": 0}, True),
        ({"anti_affinity_group": False, "max_instances_per_host": 1}, True),
        ({"anti_affinity_group": False, "max_instances_per_host": 0}, None),
        ({}, None),
    ],
)
async def test_a_group_is_kept_apart_as_it_is_declared(bed: Bed, said: dict[str, object], apart: bool | None) -> None:
    async with client(bed) as http:
        assert (await http.put("/instance_group/g1", json={**GROUP, **said})).status_code == 200
    (found,) = await bed.store.constraints.list()
    assert (found.id, found.spec.anti_affinity) == ("g1@p1", apart)


@pytest.mark.parametrize("apart", [True, False])
async def test_several_of_a_group_may_share_a_host_and_no_more(bed: Bed, apart: bool) -> None:
    said = {"anti_affinity_group": apart, "max_instances_per_host": 2}
    async with client(bed) as http:
        assert (await http.put("/instance_group/g1", json={**GROUP, **said})).status_code == 200
    (found,) = await bed.store.constraints.list()
    assert (found.id, found.spec.anti_affinity, found.spec.max_per_node) == ("g1@p1", None, 2)


@pytest.mark.parametrize("number", [-1, 1_000_001, "two", 1.5])
async def test_what_is_no_number_of_instances_is_refused(bed: Bed, number: object) -> None:
    async with client(bed) as http:
        answer = await http.put("/instance_group/g1", json={**GROUP, "max_instances_per_host": number})
    assert (answer.status_code, answer.json()["problems"][0]["path"]) == (422, "max_instances_per_host")
    assert await bed.store.constraints.list() == []


@pytest.mark.parametrize("path", ["/instance_group/g1", "/instance/vm-1"])
async def test_yaml_is_not_read_from_a_project_of_the_cloud(bed: Bed, path: str) -> None:
    """A megabyte of it would keep the whole server busy for ten seconds."""
    async with client(bed) as http:
        refused = await http.put(path, content=b"project_id: p1\n")
        assert (refused.status_code, refused.json()["code"]) == (422, "ESC-CFG-002")
    assert not await bed.store.constraints.list()
