from __future__ import annotations

import re

import pytest

from escalator.api.app import bare_app


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("/v1/campaigns?stat=RUNNING", [("stat", "unknown query parameter; there is none here")]),
        ("/v1/nodes?campain=night&rack=r1", [("campain", "did you mean 'campaign'?"), ("rack", "known are campaign, role")]),
        ("/v1/events?limit=5&tial=3", [("tial", "did you mean 'tail'?")]),
        ("/v1/nodes?=x", [("", "known are campaign, role")]),
    ],
)
async def test_a_parameter_that_nobody_reads_is_refused_and_those_that_exist_are_named(api, asked, said):
    refused = await api.get(asked)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["exit_code"]) == (422, "ESC-API-001", 2)
    assert [one["path"] for one in problem["problems"]] == [name for name, _ in said]
    assert all(words in one["message"] for one, (_, words) in zip(problem["problems"], said, strict=True))


async def test_no_route_takes_a_parameter_that_it_does_not_document(api):
    paths = bare_app().openapi()["paths"]
    for path, operations in paths.items():
        if not path.startswith("/v1/"):
            continue
        for method in operations:
            answer = await api.request(method.upper(), re.sub(r"{.*?}", "x", path), params={"nobody_reads_this": "1"})
            named = [one["path"] for one in answer.json().get("problems", ())]
            assert (answer.status_code, named) == (422, ["nobody_reads_this"]), (method, path)


async def test_documented_parameters_are_taken(api):
    asked = {"/v1/nodes": {"role": ["compute", "control"]}, "/v1/events": {"limit": 1, "code": "ESC-VIM-003"}}
    for path, params in asked.items():
        assert (await api.get(path, params=params)).status_code == 200


async def test_health_answers_whatever_a_supervisor_adds(stranger):
    assert (await stranger.get("/readyz?verbose=1")).status_code == 200


async def test_a_value_that_has_not_its_form_is_told_as_in_documents(api):
    refused = await api.get("/v1/events?since=yesterday")
    (said,) = refused.json()["problems"]
    assert (refused.status_code, refused.json()["exit_code"], said["path"]) == (422, 2, "query.since")
    assert said["message"].startswith("'yesterday' is no moment: a date, a time and the offset from UTC are expected")


async def test_events_of_a_campaign_that_never_was_are_not_just_none(api):
    refused = await api.get("/v1/events?campaign=nope")
    assert (refused.status_code, refused.json()["detail"]) == (404, "There is no campaign named nope.")
