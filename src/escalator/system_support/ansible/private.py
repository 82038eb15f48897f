"""The private data folder of one run: the bundle's files, an inventory made from the settings, variables.

What comes from nodes is no template: versions go into variables only where they look like versions, since Ansible
evaluates what it finds in variables on this host.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.node_settings import Ssh
from escalator.model.release import Release

VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+:~-]{0,127}")
NAME = re.compile(r"[a-z0-9][a-z0-9+._-]{0,127}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Play:
    """One run: which playbook of which release for which node, and what the driver knows beside."""

    node: str
    release: Release
    playbook: str
    operation: str
    runner: Path
    key: Path
    ssh: Ssh
    vault_password: Path | None = None
    groups: Sequence[str] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    """Package versions that a backup holds, for the way back."""


def prepare(play: Play, path_of: Callable[[str], Path], folder: Path) -> None:
    """Make `folder/run`, complete or not at all; one that is there stays as it is.

    Raises PermanentError (`SYS_WRONG_TYPE`) when a file of the bundle is not the one that was imported.
    """
    target, part = folder / "run", folder / f"run.{uuid.uuid4().hex}"
    if target.exists():
        return
    part.mkdir(mode=0o700)
    try:
        for file in play.release.spec.files:
            _copy(path_of(file.sha256), part / "project" / file.path, file.sha256, file.path)
        _write(part / "inventory" / "hosts.json", inventory(play))
        _write(part / "env" / "extravars", variables(play))
        _write(part / "play.json", _order(play))
        part.rename(target)
    except FileExistsError:
        pass  # another start of the same operation was quicker
    except OSError as error:
        if not target.exists():
            message = f"The files of {play.release.id} cannot be laid out: {error.strerror}."
            raise PermanentError(Code.SYS_WRONG_TYPE, message, remedy="escalator release import") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def inventory(play: Play) -> dict[str, object]:
    """The inventory: every host that the settings know an address of, and this node."""
    addresses = {**play.ssh.addresses, play.node: play.ssh.addresses.get(play.node, play.node)}
    hosts = {node: _host(play, node, address) for node, address in sorted(addresses.items())}
    children: dict[str, object] = {group: {"hosts": {name: {} for name in hosts}} for group in play.groups}
    return {"all": {"hosts": hosts, "children": children}}


def variables(play: Play) -> dict[str, object]:
    """Variables that playbooks may use; they are stronger than the bundle's own."""
    before = {name: version for name, version in play.before.items() if NAME.fullmatch(name) and VERSION.fullmatch(version)}
    return {
        "escalator_node": play.node,
        "escalator_release": play.release.id,
        "escalator_version": play.release.spec.version,
        "escalator_operation": hashlib.sha256(play.operation.encode()).hexdigest()[:16],
        "escalator_packages": {pin.name: pin.version for pin in play.release.spec.packages},
        "escalator_before": before,
        "ansible_host_key_checking": True,
        "ansible_ssh_host_key_checking": True,
    }


def _host(play: Play, node: str, address: str) -> dict[str, object]:
    options = {
        "UserKnownHostsFile": f'"{play.ssh.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": node,
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": str(max(1, int(play.ssh.connect_timeout_s))),
        "ServerAliveInterval": "10",
    }
    said = ["-F", "none", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    return {
        "ansible_connection": "ssh",
        "ansible_host": address,
        "ansible_port": play.ssh.port,
        "ansible_user": play.ssh.user,
        "ansible_become": play.ssh.user != "root",
        "ansible_ssh_private_key_file": str(play.key),
        "ansible_ssh_common_args": shlex.join(said),
    }


def _order(play: Play) -> dict[str, object]:
    vault = {} if play.vault_password is None else {"ANSIBLE_VAULT_PASSWORD_FILE": str(play.vault_password)}
    return {"node": play.node, "playbook": play.playbook, "runner": str(play.runner), "environment": vault}


def _copy(source: Path, target: Path, sha256: str, name: str) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = hashlib.sha256()
    with source.open("rb") as file, target.open("xb") as out:
        while chunk := file.read(2**20):
            state.update(chunk)
            out.write(chunk)
    if state.hexdigest() != sha256:
        message = f"The file {name} of the bundle is not the one that was imported."
        raise PermanentError(Code.SYS_WRONG_TYPE, message, remedy="Import the release again.")
    target.chmod(0o700)  # scripts of a bundle may be run; nobody else sees the folder


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(value, file)
