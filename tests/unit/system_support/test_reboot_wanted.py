"""Whether a node waits for a reboot, by its kernels: the running one against those that are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from escalator.system_support.packages.on_node.probe import flavour, has_modules, needs_restarting, newer_kernel


@pytest.mark.parametrize(
    ("running", "installed", "modules", "wanted"),
    [
        ("6.1.0-18-amd64", ["6.1.0-18-amd64", "6.1.0-9-amd64"], True, ""),
        ("6.1.0-9-amd64", ["6.1.0-18-amd64", "6.1.0-9-amd64"], True, "6.1.0-18-amd64"),
        ("6.1.0-9-amd64", ["6.1.0-18-rt-amd64", "6.1.0-18-cloud-amd64", "6.1.0-9-amd64"], True, ""),  # other flavours
        ("6.1.0-9-amd64", ["6.1.0-18-amd64"], False, "6.1.0-18-amd64"),  # the running one was removed
        ("6.1.0-9-amd64", ["6.1.0-18-amd64"], True, ""),  # booted from elsewhere
        ("5.14.0-362.8.1.el9_3.x86_64", ["5.14.0-362.8.1.el9_3.x86_64", "5.14.0-427.el9.x86_64"], True, "5.14.0-427.el9.x86_64"),
        ("6.18.0", [], False, ""),  # a container
        ("6.18.0", ["6.1.0-18-amd64"], False, ""),
    ],
)
def test_a_newer_kernel_of_the_same_flavour_wants_a_reboot(
    running: str, installed: list[str], modules: bool, wanted: str
) -> None:
    assert newer_kernel(running, installed, has_modules=modules) == wanted


def test_what_a_removed_kernel_leaves_behind_are_no_modules(tmp_path: Path) -> None:
    of_kernel = tmp_path / "6.1.0-18-amd64"
    assert not has_modules(of_kernel.name, str(tmp_path))
    of_kernel.mkdir()
    (of_kernel / "modules.dep").touch()  # Debian takes these away only when the package is purged
    assert not has_modules(of_kernel.name, str(tmp_path))
    (of_kernel / "kernel").mkdir()
    assert has_modules(of_kernel.name, str(tmp_path))


def test_flavours_have_no_numbers() -> None:
    assert flavour("6.1.0-18-rt-amd64") == ("rt", "amd")
    assert flavour("5.14.0-362.8.1.el9_3.x86_64") == flavour("5.14.0-427.el9.x86_64")


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("echo 'Core libraries have been updated:'; echo '  * glibc'; echo '  * systemd'; exit 1", "glibc, systemd"),
        ("exit 1", "needs-restarting"),
        ("echo none; exit 0", ""),
        ("exit 2", ""),
    ],
)
def test_the_tool_of_rpm_hosts_is_asked_where_it_is(
    script: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert needs_restarting() == ""
    tool = tmp_path / "needs-restarting"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert needs_restarting() == wanted
