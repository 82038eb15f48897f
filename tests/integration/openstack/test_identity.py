"""Who we are, and what is said when that does not suffice."""

from __future__ import annotations

import logging
import traceback

import pytest

from beds.openstack import config
from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from integration.openstack.conftest import driver_of

pytestmark = pytest.mark.openstack

SECRETS = (config.ESCALATOR_PASSWORD, config.READER_PASSWORD, "bed-wrong-0a1b")


async def _refused(bed: OpenStackBed, entry: str) -> EscalatorError:
    driver = driver_of(bed, entry)
    try:
        with pytest.raises(EscalatorError) as caught:
            await driver.identity()
        return caught.value
    finally:
        driver.close()


async def test_the_service_user_is_known_by_name_and_roles(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    found = await driver.identity()
    assert found.user == "escalator@service"
    assert {"admin", "service"} <= set(found.roles)
    assert found.id == f"127.0.0.1:{bed.layout.port('keystone')}/RegionOne"


@pytest.mark.parametrize(
    ("entry", "kind", "code"),
    [
        ("wrong-password", TemporaryError, Code.CLD_CREDENTIALS),
        ("reader", PermanentError, Code.CLD_FORBIDDEN),
        ("unreachable", TemporaryError, Code.CLD_UNREACHABLE),
        ("no-such-entry", PermanentError, Code.CLD_CONFIG),
    ],
)
async def test_each_way_to_be_refused_has_its_own_code_and_a_remedy(
    bed: OpenStackBed, entry: str, kind: type[EscalatorError], code: Code
) -> None:
    error = await _refused(bed, entry)
    assert (type(error), error.code) == (kind, code)
    assert error.remedy


async def test_no_password_is_in_messages_tracebacks_or_logs(bed: OpenStackBed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = ""
    for entry in ("wrong-password", "reader", "unreachable"):
        told += "".join(traceback.format_exception(await _refused(bed, entry)))
    told += caplog.text
    assert "auth/tokens" in told
    assert not [secret for secret in SECRETS if secret in told]


async def test_a_reader_cannot_cordon(bed: OpenStackBed) -> None:
    driver = driver_of(bed, "reader")
    with pytest.raises(PermanentError) as caught:
        await driver.cordon("cn-01", "x")
    driver.close()
    assert caught.value.code is Code.CLD_FORBIDDEN
    assert bed.cloud.service("cn-01")["status"] == "enabled"
