"""What a probe's answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.document import Metadata
from escalator.model.errors import TemporaryError
from escalator.model.release import Daemon, Health, Package, Release, ReleaseSpec
from escalator.system_support.call import Output
from escalator.system_support.packages.checks import Wanted, checks, facts, understood, wanted, wants_reboot
from escalator.system_support.packages.shelf import PackagesShelf

URL, HEALTH = "http://127.0.0.1:1/version", "http://127.0.0.1:1/"
RELEASE = Release(
    metadata=Metadata(name="r"),
    spec=ReleaseSpec(
        version="2.0.0",
        packages=(Package(name="agent", version="2.0.0"), Package(name="libs", version="2.0.1")),
        daemon=Daemon(url=URL),
        health=(Health(name="agent", url=HEALTH),),
    ),
)


def probe(**changes: Any) -> dict[str, Any]:
    usual = {
        "boot_id": "b", "kernel": "6", "os": "debian 12", "arch": "amd64", "audit": "", "offers": {"cpus": 4},
        "units": ["ssh.service"],
        "packages": {"agent": ["2.0.0", "ii"], "libs": ["2.0.1", "hi"]},
        "urls": {URL: {"status": 200, "body": json.dumps({"version": "2.0.0"})}, HEALTH: {"status": 200, "body": ""}},
    }  # fmt: skip
    return {**usual, **changes}


def urls(version: Any = "2.0.0", status: int = 200, health: int = 200) -> dict[str, Any]:
    return {URL: {"status": status, "body": json.dumps({"version": version})}, HEALTH: {"status": health, "body": ""}}


def test_a_good_node_passes_every_check_even_with_packages_on_hold() -> None:
    assert [(check.name, check.ok) for check in checks(RELEASE, wanted(RELEASE), probe())] == [
        ("packages", True),
        ("daemon", True),
        ("health", True),
    ]


@pytest.mark.parametrize(
    ("changes", "name", "code"),
    [
        ({"packages": {"agent": ["2.0.0", "iF"], "libs": ["2.0.1", "ii"]}}, "packages", Code.SYS_PACKAGES),
        ({"packages": {"agent": ["1.0.0", "ii"], "libs": ["2.0.1", "ii"]}}, "packages", Code.SYS_PACKAGES),
        ({"packages": {"agent": ["2.0.0", "ii"]}}, "packages", Code.SYS_PACKAGES),
        ({"audit": "The following packages are only half configured"}, "packages", Code.SYS_PACKAGES),
        ({"urls": urls(version="1.0.0")}, "daemon", Code.SYS_DAEMON),
        ({"urls": urls(status=0)}, "daemon", Code.SYS_DAEMON),
        ({"urls": {**urls(), URL: {"status": 200, "body": "<html>"}}}, "daemon", Code.SYS_DAEMON),
        ({"urls": {**urls(), URL: {"status": 200, "body": "[]"}}}, "daemon", Code.SYS_DAEMON),
        ({"urls": urls(health=503)}, "health", Code.SYS_HEALTH),
        ({"urls": urls(health=0)}, "health", Code.SYS_HEALTH),
    ],
)
def test_each_check_fails_on_its_own(changes: dict[str, Any], name: str, code: Code) -> None:
    found = [(check.name, check.code) for check in checks(RELEASE, wanted(RELEASE), probe(**changes)) if not check.ok]
    assert found == [(name, code)]


def test_a_rollback_to_nothing_wants_no_package() -> None:
    target = Wanted({"agent": None, "libs": None}, None)
    assert not checks(RELEASE, target, probe())[0].ok
    assert checks(RELEASE, target, probe(packages={}))[0].ok


@pytest.mark.parametrize(
    ("runs", "gone", "before", "ok"),
    [("7", True, "6", False), ("7", True, "", False), ("7", False, "6", True), ("6", True, "6", True)],
    ids=["the removed one", "the removed one, with an old backup", "another", "the same as before"],
)
def test_a_node_is_not_back_while_a_kernel_runs_that_was_removed(runs: str, gone: bool, before: str, ok: bool) -> None:
    target = Wanted({"agent": "2.0.0"}, None, kernel=before)
    (packages, *_) = checks(RELEASE, target, probe(kernel=runs, kernel_gone=gone))
    assert packages.ok is ok
    assert packages.message == ("" if ok else "kernel 7 runs, which is not installed any more")


def test_facts_are_the_nodes_own() -> None:
    found = facts("cn-1", RELEASE, probe(urls=urls(version="1.9.9")))
    assert (found.node, found.boot_id, found.daemon, dict(found.offers)) == ("cn-1", "b", "1.9.9", {"cpus": 4.0})
    assert dict(found.packages) == {"agent": "2.0.0", "libs": "2.0.1"}
    assert found.units == ("ssh.service",)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "odd",
    [
        [], "", 7, None, {}, {"packages": []}, probe(packages=7), probe(packages={"agent": []}), probe(offers={"cpus": "many"}),
        probe(offers=[1]), probe(units=None),
    ],
)  # fmt: skip
def test_an_answer_of_any_other_form_is_the_nodes_own_trouble(odd: Any) -> None:
    with pytest.raises(TemporaryError, match="n1 cannot be inspected") as caught:
        understood("n1", lambda: facts("n1", RELEASE, odd))
    assert caught.value.code is Code.SYS_UNREACHABLE


@pytest.mark.parametrize("odd", [[], None, {}, probe(packages={"agent": 7}), probe(audit=None, kernel_gone=1), probe(urls={})])
def test_so_it_is_in_its_checks_and_when_it_is_asked_for_a_reboot(odd: Any) -> None:
    with pytest.raises(TemporaryError):
        understood("n1", lambda: (checks(RELEASE, wanted(RELEASE), odd), wants_reboot(odd)))


def test_a_daemon_that_answers_brackets_without_end_says_no_version() -> None:
    said = {URL: {"status": 200, "body": DEEP}, HEALTH: {"status": 200, "body": ""}}
    assert facts("n1", RELEASE, probe(urls=said)).daemon is None


@pytest.mark.parametrize("text", ["[]", "{}", "7", DEEP, '{"backups": 7, "wrong": 7}', '{"backups": [{}], "wrong": [1]}'])
async def test_so_it_is_where_its_backups_are_looked_after(text: str) -> None:
    async def answers(*_: object) -> Output:
        return Output(0, text.encode(), "")

    shelf = PackagesShelf(answers)
    for ask in (shelf.list("n1"), shelf.verify("n1", {"id": "b"}), shelf.prune("n1", [], None)):
        with pytest.raises(TemporaryError):
            await ask
