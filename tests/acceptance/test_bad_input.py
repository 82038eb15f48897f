"""What is wrong before anything begins: each a clear error with its code and what to do, and nothing half done."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from acceptance.small import KNOWN_S, SmallSite
from acceptance.test_faults import check_put_back
from beds.joint.server import ServerProcess

BEDS = (pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(600))
CAMPAIGN = {
    "apiVersion": "escalator/v1",
    "kind": "Campaign",
    "metadata": {"name": "first"},
    "spec": {"mode": "smooth", "scope": {"select": {"role": "compute"}}},
}


def with_marks(*marks: pytest.MarkDecorator):
    """All of these marks on one test."""

    def decorate(test):
        for mark in marks:
            test = mark(test)
        return test

    return decorate


@with_marks(*BEDS)
def test_a_node_with_another_host_key_is_not_touched(small: SmallSite) -> None:
    small.bed.nodes.new_host_key("cn-04", known=False)
    restart(small, "cn-04")
    try:
        small.begin("impostor", ("cn-04",))
        task = check_put_back(small, small.follow("impostor", 4), "ESC-SYS-002")
    finally:
        small.bed.nodes.new_host_key("cn-04")
        restart(small, "cn-04")
    assert "known_hosts" in task["message"]
    assert task["ladder"] == []


@with_marks(*BEDS)
def test_a_node_that_does_not_answer_is_not_touched(small: SmallSite) -> None:
    small.bed.nodes.cut("cn-04")
    try:
        small.begin("unplugged", ("cn-04",))
        view = small.follow("unplugged", 4)
    finally:
        small.bed.nodes.restore("cn-04")
    task = check_put_back(small, view, "ESC-SYS-001")
    assert task["ladder"] == []


@with_marks(*BEDS)
def test_a_cloud_that_refuses_our_credentials_is_told_by_the_first_command_that_needs_it(
    small: SmallSite, tmp_path: Path
) -> None:
    cloud = {"os_cloud": "wrong-password", "config_file": str(small.bed.openstack.clouds_yaml)}
    server = ServerProcess(tmp_path, {"cloud": cloud})
    server.start()
    try:
        document = tmp_path / "campaign.yaml"
        document.write_text(yaml.safe_dump(CAMPAIGN))
        server.ok("campaign", "create", str(document))
        for words in (("campaign", "plan", "first"), ("node", "list"), ("inventory", "export")):
            ran = server.cli(*words)
            assert (ran.code, ran.out) == (1, ""), ran.err
            assert "ESC-CLD-002" in ran.err
            assert "What to do: " in ran.err
        shown = server.ok("campaign", "show", "first")
        assert (shown["state"], shown["plan"]) == ("draft", None)
        assert "not-the-password" not in server.log.read_text()
    finally:
        server.stop()


def restart(site: SmallSite, node: str) -> None:
    """A reboot by the power button: sshd reads its host key again, and the host is back in the cloud."""
    before = site.bed.openstack.cloud.service(node)["updated_at"]
    site.bed.nodes.kill(node)
    site.bed.nodes.start(node)
    site.bed.nodes.wait(node)
    cloud = site.bed.openstack.cloud
    cloud.wait(lambda: cloud.service(node)["updated_at"] > before and node in cloud.hosts_up(), f"{node} is not back", KNOWN_S)


@pytest.fixture
def server(tmp_path: Path):
    """A server on a simulated cloud, by itself."""
    made = ServerProcess(tmp_path, {"cloud": {"driver": "simulated", "simulated": {"nodes": 4}}})
    made.start()
    yield made
    made.stop()


def test_bad_documents_are_refused_whole_and_leave_nothing_behind(server: ServerProcess, tmp_path: Path) -> None:
    bad = {
        "not-yaml": ("spec: [", "ESC-CFG-002"),
        "unknown-keys": (
            yaml.safe_dump({**CAMPAIGN, "spec": {**CAMPAIGN["spec"], "wavs": {}, "nod": {}}}),
            "did you mean 'waves'",
        ),
        "anchors": ("a: &a [x]\nb: [*a, *a]\n", "ESC-CFG-002"),
        "not-yet": (yaml.safe_dump({**CAMPAIGN, "spec": {**CAMPAIGN["spec"], "migration": {"post_copy": True}}}), "ESC-CFG-005"),
    }
    for name, (text, said) in bad.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        ran = server.cli("campaign", "create", str(file))
        assert (ran.code, ran.out) == (2, ""), name
        assert said in ran.err, name
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "release.yaml").write_text("kind: Release\n")
    assert server.cli("release", "import", str(folder)).code == 2
    assert server.cli("vnfm", "show", "nobody").code == 2
    assert "ESC-VIM-001" in server.cli("vnfm", "show", "nobody").err
    assert server.cli("campaign", "start", "nobody").code == 2
    assert server.ok("campaign", "list") == server.ok("release", "list") == []
    assert [row["action"] for row in server.ok("event", "list")] == ["server.start"]


def test_strangers_get_no_word_in(server: ServerProcess, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong-token"
    wrong.write_text("x" * 32)
    wrong.chmod(0o600)
    ran = server.cli("campaign", "list", ESCALATOR_TOKEN_FILE=str(wrong))
    assert ran.code == 7
    assert "ESC-API-002" in ran.err
    assert "What to do: " in ran.err
    token = (server.state / "token").read_text().strip()
    for path, headers, status, code in (
        ("/v1/campaigns", {}, 401, "ESC-API-002"),
        ("/v1/campaigns", {"Authorization": f"Bearer {token}", "Host": "evil.example"}, 403, "ESC-API-003"),
        ("/v1/campaigns", {"Authorization": f"Bearer {token}", "Origin": "https://evil.example"}, 403, "ESC-API-003"),
    ):
        assert problem(urllib.request.Request(server.url + path, headers=headers)) == (status, code)
    body = json.dumps({"result": "ACK", "instances": {}}).encode()
    headers = {"Content-Type": "application/json", "Version": "1.0.0"}
    forged = urllib.request.Request(f"{server.vnfm_url}/vi-vnfm/v1/replies/{'a' * 32}", body, headers, method="PUT")
    assert problem(forged) == (404, "ESC-VIM-001")
    assert token not in server.log.read_text()


def problem(request: urllib.request.Request) -> tuple[int, str]:
    """Status and code of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=60)
    with raised.value as error:
        found = json.load(error)
    assert found["title"]
    return raised.value.code, found["code"]
