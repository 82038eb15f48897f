"""Programs with the command lines of openstack-ansible, kayobe, TripleO and COU, over hosts that are files.

`stand_in.py FOLDER TOOL WORD…`: the folder has a JSON file per host with its `version`, the `history` of what was done to it, its
`instances`, and `trouble`: what goes wrong on it, each once. A command that names no host works on all of them, as the tools do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from beds.tools.lines import Asked, EndError, parse

FAILED, UNREACHABLE, NOBODY = 2, 4, 1
NEW = "new"


def host_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def hosts(folder: Path, limit: str) -> list[str]:
    """The hosts within the limit; all of them without one. Raises EndError when it leaves none."""
    known = sorted(file.stem for file in folder.glob("*.json"))
    found = [name for name in known if not limit or name in limit.split(",")]
    if not found:
        raise EndError(NOBODY, "the limit leaves no hosts to target")
    return found


def work_on(folder: Path, name: str, done: str, *, changes: bool = True) -> None:
    """Do it to one host, or let go wrong what is to."""
    file = host_file(folder, name)
    host: dict[str, Any] = json.loads(file.read_text())
    trouble = host["trouble"].pop(0) if host["trouble"] and changes else ""
    host["history"].append(f"{done}: {trouble}" if trouble else done)
    if changes and not trouble:
        host["version"] = NEW
    file.write_text(json.dumps(host))
    print(f"TASK [{done}]\nchanged: [{name}]", flush=True)
    if trouble == "unreachable":
        raise EndError(UNREACHABLE, f"fatal: [{name}]: UNREACHABLE! => no answer on port 22")
    if trouble:
        raise EndError(FAILED, f"fatal: [{name}]: FAILED! => nova-compute cannot be started")


def openstack_ansible(folder: Path, asked: Asked) -> None:
    """The play for nova wants the keys of all compute hosts, which a limit leaves out, unless its tag is skipped."""
    limit, skipped = asked.one("--limit"), ",".join(asked.values.get("--skip-tags", ())).split(",")
    if "openstack.osa.nova" in asked.places and limit and "nova-key" not in skipped:
        raise EndError(FAILED, "fatal: the keys of the compute hosts outside of the limit are not known")
    for name in hosts(folder, limit):
        work_on(folder, name, " ".join(asked.places))


def kayobe(folder: Path, asked: Asked) -> None:
    """What kolla-ansible does goes by the limit for kolla-ansible alone."""
    limit = asked.one("--limit" if "package" in asked.command else "--kolla-limit")
    for name in hosts(folder, limit):
        work_on(folder, name, asked.command, changes="pull" not in asked.command)


def tripleo(folder: Path, asked: Asked) -> None:
    """It asks for a confirmation unless it is told not to; nobody is there to give it."""
    if "--yes" not in asked.flags:
        raise EndError(NOBODY, "Are you sure you want to run this command? [y/N]: nobody answers")
    for name in hosts(folder, asked.one("--limit")):
        work_on(folder, name, f"{asked.command} of {asked.one('--stack')}")


def cou(folder: Path, asked: Asked) -> None:
    """It asks before each step, takes a backup first, and leaves hypervisors alone that have instances, unless told otherwise."""
    if "--auto-approve" not in asked.flags:
        raise EndError(NOBODY, "Continue (y/n): nobody answers")
    for name in hosts(folder, ",".join(asked.values.get("--hostname", ()))):
        if "--no-backup" not in asked.flags:
            work_on(folder, name, "backup of the databases", changes=False)
        if json.loads(host_file(folder, name).read_text())["instances"] and "--force" not in asked.flags:
            continue
        work_on(folder, name, asked.command)


TOOLS: Mapping[str, Callable[[Path, Asked], None]] = {
    "openstack-ansible": openstack_ansible,
    "kayobe": kayobe,
    "openstack": tripleo,
    "cou": cou,
}


def main(words: Sequence[str]) -> None:
    """Do what the command line asks for. Raises EndError when it cannot."""
    folder, tool, *rest = words
    asked = parse(tool, rest)
    if {"-h", "--version"} & asked.flags:
        return
    TOOLS[tool](Path(folder), asked)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except EndError as end:
        print(end, flush=True)
        sys.exit(end.code)
