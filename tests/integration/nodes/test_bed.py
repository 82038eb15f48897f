"""The bed does what its users rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from beds.nodes.bed import Kind, NodesBed
from beds.nodes.slots import run

pytestmark = pytest.mark.nodes
KINDS = pytest.mark.parametrize("kind", ["ns", "systemd"])


@KINDS
def test_a_node_is_a_host_of_its_own(nodes_bed: NodesBed, kind: Kind) -> None:
    name = f"own-{kind}"
    nodes_bed.add_many([name], kind)
    assert nodes_bed.exec(name, "hostname").strip() == name
    assert nodes_bed.exec(name, "cat", "/proc/sys/kernel/random/boot_id").strip() == nodes_bed.boot_id(name)
    assert nodes_bed.boot_id(name) != Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert nodes_bed.address(name) in nodes_bed.exec(name, "hostname", "-I")
    assert nodes_bed.installed(name, "openssh-server")
    assert nodes_bed.installed(name, "escalator-test-agent") is None
    sources = nodes_bed.exec(name, "sh", "-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null", check=False)
    assert sources == ""
    systemd = nodes_bed.exec(name, "sh", "-c", "[ -d /run/systemd/system ] && echo yes", check=False).strip()
    assert systemd == ("yes" if kind == "systemd" else "")


@KINDS
def test_watchers_see_a_node_die_and_boot_again_with_another_boot_id(
    nodes_bed: NodesBed, kind: Kind, request: pytest.FixtureRequest
) -> None:
    name = f"watched-{kind}"
    nodes_bed.add_many([name], kind)
    seen: list[str | None] = []
    told = threading.Condition()

    def changed(node: str, boot_id: str | None) -> None:
        assert node == name
        with told:
            seen.append(boot_id)
            told.notify_all()

    def expect(number: int) -> None:
        with told:
            assert told.wait_for(lambda: len(seen) >= number, timeout=20), seen

    request.addfinalizer(nodes_bed.watch([name], changed, every_s=0.02))
    expect(1)
    nodes_bed.exec(name, "touch", "/root/kept", "/run/gone")
    nodes_bed.kill(name)
    expect(2)
    nodes_bed.start(name)
    expect(3)
    assert seen[1] is None
    assert seen[2] not in (None, seen[0])
    nodes_bed.wait(name)
    assert nodes_bed.exec(name, "ls", "/root/kept").strip() == "/root/kept"
    assert "gone" not in nodes_bed.exec(name, "ls", "/run")
    before = nodes_bed.boot_id(name)
    nodes_bed.reboot(name)
    expect(4)
    with told:
        assert told.wait_for(lambda: seen[-1] not in (None, before), timeout=20), seen


CRASH = """
import os, signal, sys
sys.path[:0] = [{tests!r}, {source!r}]
from pathlib import Path
from beds.nodes.bed import NodesBed
bed = NodesBed(Path({folder!r}))
bed.add_many(["left-behind"]); bed.add_many(["left-too"], "systemd")
print(bed.manager_address, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_swept_by_the_next(nodes_bed: NodesBed, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    text = CRASH.format(tests=str(root / "tests"), source=str(root / "src"), folder=str(tmp_path / "crashed"))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    address = done.stdout.strip()
    slot = address.split(".")[2]
    assert f"esc{slot}x-1" in run("ip", "netns", "list")
    left = {int(pid) for number in ("1", "2") for pid in run("ip", "netns", "pids", f"esc{slot}x-{number}").split()}
    assert left
    with NodesBed(tmp_path / "next") as bed:
        assert bed.manager_address == address
        assert f"esc{slot}x-1" not in run("ip", "netns", "list")
        assert not [pid for pid in left if _alive(pid)]
    assert address not in run("ip", "addr")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
