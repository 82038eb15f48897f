"""Releases: documents that could harm a node, or that nothing can install, are refused."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.document import Source, load
from escalator.model.errors import InputError
from escalator.model.release import Release

SHA = "0" * 64


def release(**spec: Any) -> Release:
    base = {"version": "2.0.0", "packages": [{"name": "nfvi-agent", "version": "2.0.0-1"}]}
    document = {"apiVersion": "escalator/v1", "kind": "Release", "metadata": {"name": "nfvi-agent"}, "spec": {**base, **spec}}
    return load(Release, Source(document))


def test_a_release_is_named_by_name_and_version() -> None:
    assert release().id == "nfvi-agent/2.0.0"


@pytest.mark.parametrize(
    "spec",
    [
        {"version": "2.0"},
        {"version": "02.0.0"},
        {"version": "v2.0.0"},
        {"packages": []},
        {"packages": [{"name": "../x", "version": "1"}]},
        {"packages": [{"name": "agent", "version": "1; rm -rf /"}]},
        {"packages": [{"name": "agent", "version": "$(id)"}]},
        {"type": "rpm-set"},
        {"type": "ansible"},
        {"type": "ansible", "playbooks": {"rollback": "back.yml"}},
        {"type": "ansible", "playbooks": {"upgrade": "/etc/up.yml"}},
        {"type": "ansible", "playbooks": {"upgrade": "-e@x.yml"}},
        {"type": "ansible", "playbooks": {"upgrade": "up.sh"}},
        {"type": "ansible", "playbooks": {"upgrade": "up.yml", "other": "x.yml"}},
        {"playbooks": {"upgrade": "up.yml"}},
        {"type": "image"},
        {"files": [{"path": "/etc/passwd", "length": 1, "sha256": SHA}]},
        {"files": [{"path": "../x.deb", "length": 1, "sha256": SHA}]},
        {"files": [{"path": "a/../../x.deb", "length": 1, "sha256": SHA}]},
        {"files": [{"path": ".hidden", "length": 1, "sha256": SHA}]},
        {"files": [{"path": "a b.deb", "length": 1, "sha256": SHA}]},
        {"files": [{"path": "a.deb", "length": -1, "sha256": SHA}]},
        {"files": [{"path": "a.deb", "length": 1, "sha256": "F" * 64}]},
        {"files": [{"path": "a.deb", "length": 1, "sha256": "0" * 63}]},
        {"state_paths": ["/etc"]},
        {"state_paths": ["/"]},
        {"state_paths": ["/etc/../../x"]},
        {"state_paths": ["relative/path"]},
        {"state_paths": ["/etc/agent; reboot"]},
        {"daemon": {"url": "http://elsewhere/version"}},
        {"daemon": {"url": "file:///etc/passwd"}},
        {"daemon": {"url": "http://localhost@evil/version"}},
        {"health": [{"name": "a", "url": "http://169.254.169.254/"}]},
        {"reboot": "sometimes"},
        {"nonsense": 1},
    ],
)
def test_a_release_that_is_not_right_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        release(**spec)
    assert caught.value.problems


@pytest.mark.parametrize(
    "spec",
    [
        {"version": "2.0.0-rc.1+build5"},
        {"type": "command", "packages": []},
        {"files": [{"path": "pool/agent_2.0.0-1_amd64.deb", "length": 1, "sha256": SHA}]},
        {"state_paths": ["/var/lib/agent"]},
        {"daemon": {"url": "http://127.0.0.1:9100/version", "version_key": "v"}},
        {"health": [{"name": "alive", "url": "http://localhost:9100/healthz"}]},
    ],
)
def test_a_release_that_is_right_is_read(spec: dict[str, Any]) -> None:
    assert release(**spec).metadata.name == "nfvi-agent"


def test_everything_that_is_not_right_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        release(
            type="ansible",
            impact="none",
            reboot="always",
            expires="never",
            state_paths=["/a", "/b/../c"],
            upgrades_from=["none", "x y", "y z"],
            requires={"arch": "amd64", "moon": "1", "sun": "1"},
        )
    assert [problem.path for problem in caught.value.problems] == [
        "spec",
        "spec.expires",
        "spec.reboot",
        "spec.requires.moon",
        "spec.requires.sun",
        "spec.state_paths[0]",
        "spec.state_paths[1]",
        "spec.upgrades_from[1]",
        "spec.upgrades_from[2]",
    ]
