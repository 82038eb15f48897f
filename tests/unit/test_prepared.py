"""What beds start from is made for the tests that need it, and for no others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from beds.prepared import BEDS, needed


def test_a_test_that_needs_no_bed_has_none_prepared(request: pytest.FixtureRequest) -> None:
    assert needed([request.node]) == []


@pytest.mark.parametrize("marker", ["openstack", "nodes"])
def test_a_bed_is_known_by_its_marker(request: pytest.FixtureRequest, marker: str) -> None:
    request.node.add_marker(marker)
    assert needed([request.node, request.node]) == [marker]


@pytest.mark.parametrize("fixture", ["masakari_service", "tacker5", "tacker16"])
def test_what_is_beside_a_bed_is_known_by_its_fixture(fixture: str) -> None:
    assert needed([SimpleNamespace(iter_markers=list, fixturenames=["tmp_path", fixture])]) == [fixture]  # type: ignore[list-item]
    assert fixture in BEDS
