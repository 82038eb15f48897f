"""What subscriptions may ask for, and what is made of those that were kept before a rule."""

from __future__ import annotations

from typing import get_args

import pytest

from escalator.model.notice import IN_ORDER, NoticeType, VnfmNoticeType
from escalator.model.subscription import Filter


def test_vnf_managers_may_name_what_they_are_told_and_nothing_else():
    assert set(get_args(VnfmNoticeType)) == set(NoticeType) - IN_ORDER
    wanted = Filter.kept('{"notificationTypes": ["HostAvailable"]}')
    assert [kind for kind in NoticeType if wanted.takes(kind)] == [NoticeType.HOST_AVAILABLE]


@pytest.mark.parametrize(
    ("kept", "types"),
    [
        ('{"notificationTypes":["ProjectEvent","HostAvailable"],"projectIds":["p1"]}', ("HostAvailable",)),
        ('{"notificationTypes":["ProjectEvent"],"projectIds":["p1"]}', None),
        ('{"projectIds":["p1"]}', None),
    ],
)
def test_what_was_taken_before_can_still_be_read(kept, types):
    found = Filter.kept(kept)
    assert (found.notification_types, found.project_ids) == (types, ("p1",))
