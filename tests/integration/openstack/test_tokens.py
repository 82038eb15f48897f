"""Tokens of tenants, checked at the bed's Keystone."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import yaml
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from beds.openstack.bed import OpenStackBed
from beds.vnfm.clocks import SteppedClock
from escalator.cloud_manager.openstack.tokens import KEPT_S, KeystoneTokens
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.settings import Cloud

pytestmark = pytest.mark.openstack


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def tokens(bed: OpenStackBed, clock: SteppedClock) -> Iterator[KeystoneTokens]:
    made = KeystoneTokens(Cloud(os_cloud="escalator", config_file=str(bed.clouds_yaml)), clock)
    yield made
    made.close()


@pytest.fixture
def tenant(bed: OpenStackBed) -> Iterator[Session]:
    entry = yaml.safe_load(bed.clouds_yaml.read_text(encoding="utf-8"))["clouds"]["bed"]
    session = Session(auth=Password(**entry["auth"]), timeout=60)
    yield session
    session.session.close()


async def test_a_token_is_bound_to_its_project(bed: OpenStackBed, tokens: KeystoneTokens, tenant: Session) -> None:
    assert await tokens.project_of(str(tenant.get_token())) == tenant.get_project_id()
    entry = yaml.safe_load(bed.clouds_yaml.read_text(encoding="utf-8"))["clouds"]["bed"]
    assert await tokens.name_of(str(tenant.get_token())) == entry["auth"]["project_name"]


@pytest.mark.parametrize("token", ["", "gAAAAABinvented", "x" * 4000, "line\u0085break"])
async def test_what_is_no_token_is_bound_to_nothing(tokens: KeystoneTokens, token: str) -> None:
    assert (await tokens.project_of(token), await tokens.name_of(token)) == (None, None)


async def test_a_token_that_is_revoked_is_good_for_a_minute_at_most(
    tokens: KeystoneTokens, tenant: Session, clock: SteppedClock
) -> None:
    token = str(tenant.get_token())
    assert await tokens.project_of(token) is not None
    where = {"endpoint_filter": {"service_type": "identity", "interface": "public", "version": "3"}}
    tenant.delete("/auth/tokens", headers={"X-Subject-Token": token}, **where)
    assert await tokens.project_of(token) is not None
    await clock.advance(KEPT_S)
    assert await tokens.project_of(token) is None


async def test_our_own_credentials_may_be_wrong(bed: OpenStackBed, clock: SteppedClock) -> None:
    made = KeystoneTokens(Cloud(os_cloud="wrong-password", config_file=str(bed.clouds_yaml)), clock)
    with pytest.raises(TemporaryError) as caught:
        await made.project_of("gAAAAABinvented")
    made.close()
    assert caught.value.code is Code.CLD_CREDENTIALS


async def test_no_token_is_logged(tokens: KeystoneTokens, tenant: Session, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = str(tenant.get_token())
    caplog.clear()
    await tokens.project_of(token)
    assert token not in caplog.text
