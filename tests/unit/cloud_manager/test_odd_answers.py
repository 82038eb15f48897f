"""Answers that no OpenStack service gives, as of a proxy in its place: each is our error, and no list is read without end."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from keystoneauth1.adapter import Adapter
from requests import Response

from escalator.cloud_manager.openstack import reading
from escalator.cloud_manager.openstack.client import MAX_PAGES, Api, Rest, understood
from escalator.cloud_manager.openstack.refusals import is_own, said
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError


class Always:
    """Answers every request with the same."""

    def __init__(self, answer: object) -> None:
        self._content = json.dumps(answer).encode()
        self.asked = 0

    def request(self, *_: object, **__: object) -> Response:
        self.asked += 1
        answer = Response()
        answer.status_code, answer._content = 200, self._content
        return answer


def cloud(service: Always) -> Api:
    rest = Rest(cast("Adapter", service), None)
    return cast("Api", SimpleNamespace(compute=rest, network=rest, placement=rest, servers=rest))


ODD: list[Any] = [[], "ok", 7, None, {}, {"status": "maintenance"}, {"services": None}, {"services": [7]}, {"services": [{}]}]


@pytest.mark.parametrize("answer", ODD)
def test_an_answer_without_what_its_api_says_is_asked_for_again(answer: object) -> None:
    with pytest.raises(TemporaryError) as caught:
        understood(lambda: reading.services(cloud(Always(answer))))
    assert caught.value.code is Code.CLD_UNREACHABLE


def test_an_error_that_is_brackets_without_end_is_an_error_all_the_same() -> None:
    deep = "[" * 100_000
    assert said(deep).startswith("[[[")
    assert not is_own(deep, "itemNotFound")


def test_server_groups_without_end_are_given_up() -> None:
    service = Always({"server_groups": [{"id": str(number)} for number in range(reading.LEAST_PAGE)]})
    with pytest.raises(PermanentError, match="the list does not end"):
        reading.groups(cloud(service))
    assert service.asked == MAX_PAGES


def test_a_list_whose_links_lead_in_a_circle_is_given_up() -> None:
    links = [{"rel": "next", "href": "http://elsewhere.example/servers?marker=1"}]
    service = Always({"servers": [{"id": "1", "OS-EXT-STS:vm_state": "active"}], "servers_links": links})
    with pytest.raises(PermanentError, match="the list does not end"):
        reading.servers(cloud(service))
    assert service.asked == MAX_PAGES
