"""The `ansible` driver without a node: what it can, what it refuses, what it lays out for a run."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from escalator.clocks import SystemClock
from escalator.model.codes import Code
from escalator.model.document import Metadata
from escalator.model.errors import EscalatorError, InputError, PermanentError
from escalator.model.node_settings import AnsibleDriver, Ssh, System
from escalator.model.release import File, Release, ReleaseSpec
from escalator.system_support.ansible.driver import AnsibleSystem, Resources
from escalator.system_support.ansible.private import Play, inventory, prepare, variables
from escalator.system_support.operations import folder_name
from escalator.system_support.releases.folder import hash_file, read_folder

ALL = ("upgrade", "rollback", "verify", "facts", "stage", "backup")


def release(*roles: str, files: tuple[File, ...] = ()) -> Release:
    playbooks = {role: f"{role}.yml" for role in roles}
    return Release(
        metadata=Metadata(name="kit"), spec=ReleaseSpec(version="2.0.0", type="ansible", playbooks=playbooks, files=files)
    )


def ssh(**changes: Any) -> Ssh:
    usual: dict[str, Any] = {
        "key": "key",
        "known_hosts": "/etc/known hosts",
        "addresses": {"cn-1": "10.0.0.1", "cn-2": "10.0.0.2"},
    }
    return Ssh.model_validate(usual | changes)


def driver(folder: Path, ssh_settings: Ssh | None = None, **ansible: Any) -> AnsibleSystem:
    (folder / "key").touch(mode=0o600)
    system = System(ssh=ssh_settings or ssh(), ansible=AnsibleDriver.model_validate(ansible))
    resources = Resources(folder, lambda sha256: folder / sha256, None, SystemClock())  # type: ignore[arg-type]
    return AnsibleSystem(system, folder / "state", {"PATH": os.defpath}, resources)


def play(**changes: Any) -> Play:
    usual: dict[str, Any] = {
        "node": "cn-1",
        "release": release("upgrade"),
        "playbook": "upgrade.yml",
        "operation": "c/cn-1/upgrade-1",
        "runner": Path("/r"),
        "key": Path("/k"),
        "ssh": ssh(),
    }
    return Play(**(usual | changes))


@pytest.mark.parametrize(
    ("roles", "able"),
    [
        (("upgrade",), {"reboot"}),
        (("upgrade", "rollback"), {"reboot", "rollback", "backup"}),
        (("upgrade", "stage"), {"reboot", "stage"}),
        (ALL, {"reboot", "rollback", "backup", "stage"}),
    ],
)
def test_a_bundle_can_what_it_has_playbooks_for(tmp_path: Path, roles: tuple[str, ...], able: set[str]) -> None:
    assert driver(tmp_path).capabilities(release(*roles)) == able
    assert driver(tmp_path, probe="playbook").capabilities(release(*roles)) == able - {"reboot"}


async def test_without_ansible_the_error_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        await driver(tmp_path, bin_dir=str(tmp_path)).start("cn-1", release("upgrade"), "op")
    assert caught.value.code is Code.SYS_ANSIBLE
    assert "requirements/extras.lock" in caught.value.remedy


async def test_what_was_started_is_not_refused_when_it_is_started_again(tmp_path: Path) -> None:
    started = tmp_path / "state" / "playbooks" / folder_name("op") / "started"
    started.mkdir(parents=True)
    (started / "boot").write_text("an earlier one")
    (started.parent / "rc").write_text("0")
    without_ansible = driver(tmp_path, bin_dir=str(tmp_path))
    await without_ansible.start("cn-1", release("upgrade"), "op")
    await without_ansible.rollback("cn-1", release("upgrade", "rollback"), {}, "op")


async def test_a_release_of_another_type_is_refused(tmp_path: Path) -> None:
    other = release("upgrade").model_copy(update={"spec": ReleaseSpec(version="2.0.0", type="command")})
    with pytest.raises(PermanentError) as caught:
        await driver(tmp_path).stage("cn-1", other)
    assert caught.value.code is Code.SYS_WRONG_TYPE


async def test_a_bundle_without_a_way_back_says_so(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        await driver(tmp_path).rollback("cn-1", release("upgrade"), {}, "op")
    assert caught.value.code is Code.SYS_UNSUPPORTED


@pytest.mark.parametrize(
    ("settings", "ansible", "code"),
    [
        (ssh(known_hosts=None), {}, Code.SYS_CONFIG),
        (ssh(key=None), {}, Code.SYS_CONFIG),
        (ssh(key="../key"), {}, Code.SYS_CONFIG),
        (ssh(key="absent"), {}, Code.SYS_CREDENTIALS),
        (ssh(), {"vault_password": "open"}, Code.SYS_CREDENTIALS),
    ],
)
async def test_keys_and_passwords_are_files_that_nobody_else_reads(
    tmp_path: Path, settings: Ssh, ansible: dict[str, Any], code: Code
) -> None:
    (tmp_path / "open").touch(mode=0o644)
    with pytest.raises(EscalatorError) as caught:
        await driver(tmp_path, settings, **ansible).start("cn-1", release("upgrade"), "op")
    assert caught.value.code is code


def test_the_inventory_holds_the_known_hosts_and_checks_their_keys() -> None:
    made: Any = inventory(play(groups=("compute",)))
    hosts = made["all"]["hosts"]
    assert {name: host["ansible_host"] for name, host in hosts.items()} == {"cn-1": "10.0.0.1", "cn-2": "10.0.0.2"}
    said = hosts["cn-1"]["ansible_ssh_common_args"]
    for option in (
        "StrictHostKeyChecking=yes",
        "HostKeyAlias=cn-1",
        "BatchMode=yes",
        "'UserKnownHostsFile=\"/etc/known hosts\"'",
    ):
        assert option in said
    assert made["all"]["children"] == {"compute": {"hosts": {"cn-1": {}, "cn-2": {}}}}
    assert not hosts["cn-1"]["ansible_become"]
    assert inventory(play(node="cn-9", ssh=ssh(user="ops")))["all"]["hosts"]["cn-9"]["ansible_become"]  # type: ignore[index]


def test_what_a_node_said_is_no_template_on_this_host() -> None:
    before = {"agent": "1.0.0-1", "bad": "{{ lookup('pipe', 'id') }}", "{{ x }}": "1", "worse": "1{#"}
    assert variables(play(before=before))["escalator_before"] == {"agent": "1.0.0-1"}
    assert "{" not in json.dumps(variables(play(operation="{{ x }}"))["escalator_operation"])


def bundle(folder: Path) -> tuple[File, ...]:
    source = folder / "upgrade.yml"
    source.write_text("- hosts: all\n")
    length, sha256 = hash_file(source)
    source.rename(folder / sha256)
    return (File(path="plays/upgrade.yml", length=length, sha256=sha256),)


def test_a_run_is_laid_out_for_its_owner_alone_and_once(tmp_path: Path) -> None:
    one = play(release=release("upgrade", files=bundle(tmp_path)))
    prepare(one, lambda sha256: tmp_path / sha256, tmp_path)
    run = tmp_path / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert (run / "project/plays/upgrade.yml").read_text() == "- hosts: all\n"
    assert stat.S_IMODE((run / "env/extravars").stat().st_mode) == 0o600
    before = (run / "play.json").stat().st_ino
    prepare(one, lambda sha256: tmp_path / sha256, tmp_path)
    assert (run / "play.json").stat().st_ino == before
    assert [path.name for path in tmp_path.glob("run*")] == ["run"]


def test_a_bundle_whose_kept_file_changed_is_not_run(tmp_path: Path) -> None:
    (file,) = bundle(tmp_path)
    (tmp_path / file.sha256).write_text("- hosts: everything\n")
    with pytest.raises(PermanentError) as caught:
        prepare(play(release=release("upgrade", files=(file,))), lambda sha256: tmp_path / sha256, tmp_path)
    assert caught.value.code is Code.SYS_WRONG_TYPE
    assert not (tmp_path / "run").exists()


async def test_where_only_playbooks_see_nodes_nothing_is_guessed(tmp_path: Path) -> None:
    made, bare = driver(tmp_path, probe="playbook"), release("upgrade")
    facts = await made.inspect("cn-1", bare)
    assert (facts.boot_id, facts.packages, await made.boot_id("cn-1")) == ("", {}, "")
    assert await made.verify("cn-1", bare, None) == ()
    assert not (await made.reboot_needed("cn-1", bare))[0]
    with pytest.raises(PermanentError) as caught:
        await made.reboot("cn-1", "")
    assert caught.value.code is Code.SYS_UNSUPPORTED


def test_a_bundle_without_a_playbook_that_it_names_is_not_imported(tmp_path: Path) -> None:
    document = {
        "apiVersion": "escalator/v1",
        "kind": "Release",
        "metadata": {"name": "kit"},
        "spec": {"version": "2.0.0", "type": "ansible", "playbooks": {"upgrade": "up.yml", "rollback": "back.yml"}},
    }
    (tmp_path / "release.json").write_text(json.dumps(document))
    (tmp_path / "up.yml").write_text("- hosts: all\n")
    with pytest.raises(InputError) as caught:
        read_folder(tmp_path)
    assert [problem.path for problem in caught.value.problems] == ["spec.playbooks.rollback"]
    (tmp_path / "back.yml").write_text("- hosts: all\n")
    assert [file.path for file in read_folder(tmp_path).release.spec.files] == ["back.yml", "up.yml"]
