"""A program with the command line of kolla-ansible, over hosts that are files: for tests of what drives such a tool.

It takes what the tool documents and nothing else: an unknown option, a shortened one or one without its value ends with 2.
Beside the tool's own files, `globals.yml` of the configuration names `stand_in_hosts`, a folder with a JSON file per host:
what runs there, its images, what was done to it, and `trouble`: what goes wrong when the host is worked on.

| trouble | what happens |
|---|---|
| `{"in": "upgrade", "how": "fail"}` | a task fails: half of the host is done, exit code 2 |
| `{"in": "upgrade", "how": "unreachable"}` | the host does not answer, exit code 4 |
| `{"in": "upgrade", "how": "hang"}` | it does not end |
| `{"in": "upgrade", "how": "unhealthy"}` | it ends with 0, and the container does not run |
| `{"in": "upgrade", "how": "idle"}` | it ends with 0, and nothing was changed |
| `{"in": "upgrade", "how": "later"}` | exit code 75, as a script in front of the tool may say that it is not the time |

`times` says how often, 1 when it is left out.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FLAGS = (
    "-b --become -C --check -D --diff -lt --list-tasks -J --ask-vault-password --ask-vault-pass "
    "-v --verbose -q --quiet -h --help --debug --version"
)
_COMMANDS = (
    "bifrost-deploy bifrost-deploy-servers bifrost-upgrade bootstrap-servers certificates check deploy deploy-containers "
    "destroy gather-facts genconfig install-deps mariadb-backup mariadb-recovery migrate-container-engine "
    "nova-libvirt-cleanup octavia-certificates post-deploy prechecks prune-images pull rabbitmq-reset-state reconfigure "
    "stop upgrade validate-config"
)
FLAGS, COMMANDS = frozenset(_FLAGS.split()), frozenset(_COMMANDS.split())
VALUES = {
    **dict.fromkeys(("-i", "--inventory"), "inventory"),
    **dict.fromkeys(("-l", "--limit"), "limit"),
    **dict.fromkeys(("-t", "--tags"), "tags"),
    **dict.fromkeys(("-e", "--extra-vars"), "extra-vars"),
    **dict.fromkeys(("-p", "--playbook"), "playbook"),
    **dict.fromkeys(("--vault-password-file", "--vault-pass-file"), "vault-password-file"),
    **{f"--{name}": name for name in ("skip-tags", "vault-id", "configdir", "passwords", "log-file")},
}
SEVERAL = frozenset(("inventory", "extra-vars", "playbook", "vault-id", "vault-password-file"))
USAGE, BAD_CONFIG, FAILED_HOSTS, UNREACHABLE_HOSTS, LATER = 2, 1, 2, 4, 75


class EndError(Exception):
    """The program ends with this exit code and these words."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True)
class Asked:
    """The command line, taken apart."""

    command: str
    flags: frozenset[str]
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def one(self, name: str, default: str) -> str:
        return self.values.get(name, (default,))[-1]


def parse(words: Sequence[str]) -> Asked:
    """Raises EndError for what the tool's command line does not have."""
    command, flags, values = "", set(), {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in FLAGS:
            flags.add(word)
        elif name in VALUES and (not equals or name.startswith("--")):
            if not equals and (not rest or rest[0].startswith("-")):
                raise EndError(USAGE, f"argument {name}: expected one argument")
            values.setdefault(VALUES[name], []).append(value if equals else rest.pop(0))
        elif not command and word in COMMANDS:
            command = word
        else:
            raise EndError(USAGE, f"unrecognized arguments: {word}")
    twice = sorted(name for name, given in values.items() if len(given) > 1 and name not in SEVERAL)
    if twice:
        raise EndError(USAGE, f"the stand-in refuses --{twice[0]} twice: the tool would silently take the last")
    return Asked(command, frozenset(flags), values)


def configuration(folder: Path) -> Mapping[str, str]:
    """The plain `name: value` lines of globals.yml. Raises EndError where the tool refuses its configuration."""
    if not folder.is_dir():
        raise EndError(BAD_CONFIG, f"the configuration path {folder} is invalid")
    try:
        lines = (folder / "globals.yml").read_text().splitlines()
    except OSError as error:
        raise EndError(BAD_CONFIG, f"globals.yml: {error.strerror}") from error
    pairs = (line.partition(":") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def hosts_of(asked: Asked, folder: Path) -> list[str]:
    """The hosts of the inventory within the limit."""
    known: list[str] = []
    for path in asked.values.get("inventory", (str(folder / "ansible/inventory/all-in-one"),)):
        reader = configparser.ConfigParser(allow_no_value=True, delimiters=("=",), interpolation=None)
        if not reader.read(path):
            raise EndError(BAD_CONFIG, f"the inventory {path} is invalid")
        known += [re.split(r"\s", host)[0] for section in reader.sections() for host in reader[section]]
    limits = asked.one("limit", "all").split(",")
    found = sorted({host for host in known if "all" in limits or host in limits})
    if not found:
        raise EndError(BAD_CONFIG, "the inventory, host pattern and limit leave no hosts to target")
    return found


class Host:
    """One host, as its file tells and keeps it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._file = folder / f"{name}.json"
        self.now: dict[str, Any] = json.loads(self._file.read_text())

    def write(self, done: str) -> None:
        """Keep it, with one line more in its history; whole or not at all."""
        self.now.setdefault("history", []).append(done)
        scratch = self._file.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(self.now))
        scratch.replace(self._file)

    def trouble(self, command: str) -> str:
        """What goes wrong this time; it is used up by that."""
        for entry in self.now.get("trouble", ()):
            if entry["in"] == command and entry.get("times", 1) > 0:
                entry["times"] = entry.get("times", 1) - 1
                self.write(f"{command}: {entry['how']}")
                return str(entry["how"])
        return ""


def pull(host: Host, release: str) -> None:
    """Images come onto the host; what runs stays."""
    host.now["images"] = sorted({*host.now.get("images", ()), release})


def run_containers(host: Host, release: str) -> None:
    """The host runs this release, and is well."""
    pull(host, release)
    host.now |= {"libvirt": release, "compute": release, "healthy": True}


def check(host: Host, _: str) -> None:
    """Raises EndError when a container does not run as it should."""
    task("Check containers", host)
    if not host.now["healthy"]:
        raise EndError(FAILED_HOSTS, f"fatal: [{host.name}]: FAILED! => the container nova_compute is not running")


WORK: Mapping[str, Callable[[Host, str], None]] = {
    "pull": pull,
    "upgrade": run_containers,
    "deploy": run_containers,
    "check": check,
}


def task(name: str, host: Host) -> None:
    print(f"TASK [nova-cell : {name}]\nchanged: [{host.name}]", flush=True)


def work_on(host: Host, command: str, release: str) -> None:
    """Do it to one host, or let go wrong what is to."""
    trouble = host.trouble(command)
    match trouble:
        case "unreachable":
            raise EndError(UNREACHABLE_HOSTS, f"fatal: [{host.name}]: UNREACHABLE! => no answer on port 22")
        case "later":
            raise EndError(LATER, "somebody else is at work on this site")
        case "hang":
            task("Wait for the container", host)
            signal.pause()
        case "fail":
            host.now |= {"libvirt": release, "healthy": False}
            host.write(f"{command} {release}: half")
            task("Start nova-libvirt", host)
            raise EndError(FAILED_HOSTS, f"fatal: [{host.name}]: FAILED! => the container nova_compute cannot be started")
    task(command, host)
    if trouble != "idle":
        WORK[command](host, release)
    if trouble == "unhealthy":
        host.now["healthy"] = False
    host.write(f"{command} {release}")


def main(words: Sequence[str]) -> None:
    """Do what the command line asks for. Raises EndError when it cannot."""
    asked = parse(words)
    if asked.command not in WORK:
        raise EndError(USAGE, f"the stand-in does not play {asked.command or 'a command line without a command'}")
    if asked.flags & {"-J", "--ask-vault-password", "--ask-vault-pass"} and not sys.stdin.isatty():
        raise EndError(BAD_CONFIG, "nobody is there to be asked for the vault's password")
    folder = Path(asked.one("configdir", os.environ.get("KOLLA_CONFIG_PATH", "/etc/kolla")))
    settings = configuration(folder)
    for name in hosts_of(asked, folder):
        work_on(Host(Path(settings["stand_in_hosts"]), name), asked.command, settings["openstack_release"])
    print("PLAY RECAP", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except EndError as end:
        print(end, flush=True)
        sys.exit(end.code)
