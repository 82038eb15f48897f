"""Refused credentials are not shown to the cloud again and again."""

from __future__ import annotations

import pytest

from escalator.cloud_manager.openstack.credentials import AGAIN_S, RefusedCredentials
from escalator.cloud_manager.openstack.refusals import no_entry
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError

OLD = {"auth": {"username": "escalator", "password": "old"}}
NEW = {"auth": {"username": "escalator", "password": "new"}}


def test_the_same_ones_are_tried_again_after_a_while_and_changed_ones_at_once() -> None:
    now = 0.0
    refused = RefusedCredentials(lambda: now)
    refused.check(OLD)
    refused.note(OLD, no_entry("The password has expired."))
    now = AGAIN_S - 20
    with pytest.raises(TemporaryError, match=r"has expired.*has changed, or after 20 s") as caught:
        refused.check(OLD)
    assert caught.value.code is Code.CLD_CREDENTIALS
    refused.check(NEW)
    now = AGAIN_S
    refused.check(OLD)
