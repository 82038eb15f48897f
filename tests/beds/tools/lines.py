"""The command lines of deployment tools, as their projects publish them: what each takes, and nothing else.

| tool | where it is published |
|---|---|
| openstack-ansible | its guide on minor upgrades; it hands its words on to `ansible-playbook`, whose manual has them |
| kayobe | `--help` of the command, from `ansible.add_args`, `kolla_ansible.add_args`, `vault.add_args` and the command's own |
| openstack overcloud … | the command line reference of Red Hat OpenStack Platform 17.1, of python-tripleoclient |
| cou | `--help` of the command, from `cou/commands.py` |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

USAGE = 2


class EndError(Exception):
    """The program ends with this exit code and these words."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True)
class Form:
    """One command of a tool. Each option by all of its names; the first of them is what it is known by."""

    flags: Sequence[str] = ()
    values: Sequence[str] = ()
    needed: Collection[str] = ()
    """Options without which the command is refused."""
    apart: Sequence[Collection[str]] = ()
    """Of each of these at most one."""
    several: Collection[str] = ()
    """Options that may be given more than once."""
    places: bool = False
    """Whether words without an option follow, at least one."""

    def named(self, word: str, among: Sequence[str]) -> str | None:
        """What the option is known by."""
        return next((names.split()[0] for names in among if word in names.split()), None)


@dataclass(frozen=True)
class Asked:
    """A command line, taken apart."""

    command: str
    flags: frozenset[str] = frozenset()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    places: Sequence[str] = ()

    def one(self, name: str) -> str:
        """The option's value; empty without one."""
        return self.values.get(name, ("",))[-1]


_PLAYBOOK = Form(
    flags=(
        "-h --help", "--version", "-v --verbose", "--force-handlers", "--flush-cache", "-b --become", "-K --ask-become-pass",
        "-k --ask-pass", "-C --check", "-D --diff", "--list-hosts", "-J --ask-vault-password --ask-vault-pass",
        "--syntax-check", "--list-tasks", "--list-tags", "--step",
    ),
    values=(
        "--private-key --key-file", "-u --user", "-c --connection", "-T --timeout", "--ssh-common-args", "--sftp-extra-args",
        "--scp-extra-args", "--ssh-extra-args", "--connection-password-file --conn-pass-file", "--become-method",
        "--become-user", "--become-password-file --become-pass-file", "--tags -t", "--skip-tags", "-i --inventory",
        "--limit -l", "-e --extra-vars", "--vault-id", "--vault-password-file --vault-pass-file", "-f --forks",
        "-M --module-path", "--start-at-task",
    ),
    several=("-e", "-i", "--tags", "--skip-tags", "--vault-id", "--vault-password-file", "-M"),
    apart=(("-J", "--vault-password-file"), ("-k", "--connection-password-file"), ("-K", "--become-password-file")),
    places=True,
)  # fmt: skip
_KAYOBE_FLAGS = ("-h --help", "-b --become", "-C --check", "-lt --list-tasks", "--ask-vault-pass")
_KAYOBE = (
    "--config-path",
    "-e --extra-vars",
    "-i --inventory",
    "--limit -l",
    "--skip-tags",
    "-t --tags",
    "--vault-password-file",
)
_KOLLA = (
    "--kolla-config-path",
    "-ke --kolla-extra-vars",
    "-ki --kolla-inventory",
    "--kolla-limit -kl",
    "-kt --kolla-tags",
    "--kolla-venv",
)
_TRIPLEO = Form(
    flags=("-h --help", "--yes -y"),
    values=("--limit", "--playbook", "--static-inventory", "--ssh-user", "--tags", "--skip-tags", "--stack", "--ansible-forks"),
    needed=("--limit",),
    several=("--playbook",),
)
_COU_FLAGS = ("-h --help", "--backup", "--no-backup", "--force", "--verbose -v", "--quiet -q", "--auto-approve")
_COU_APART = (("--verbose", "--quiet"), ("--backup", "--no-backup"))
FORMS: Mapping[str, Mapping[str, Form]] = {
    "openstack-ansible": {"": _PLAYBOOK},
    "kayobe": {
        "overcloud container image pull": Form(
            _KAYOBE_FLAGS, (*_KAYOBE, *_KOLLA), apart=(("--ask-vault-pass", "--vault-password-file"),), several=("-e", "-ke")
        ),
        "overcloud service upgrade": Form(
            (*_KAYOBE_FLAGS, "--skip-prechecks"),
            (*_KAYOBE, *_KOLLA),
            apart=(("--ask-vault-pass", "--vault-password-file"),),
            several=("-e", "-ke"),
        ),
        "overcloud host package update": Form(
            (*_KAYOBE_FLAGS, "--security"), (*_KAYOBE, "--packages"), needed=("--packages",), several=("-e",)
        ),
    },
    "openstack": {"overcloud upgrade run": _TRIPLEO, "overcloud update run": _TRIPLEO},
    "cou": {
        "upgrade control-plane": Form(_COU_FLAGS, ("--model",), apart=_COU_APART),
        "upgrade data-plane": Form(
            _COU_FLAGS,
            ("--model", "--machine -m", "--hostname -n", "--availability-zone --az"),
            apart=(*_COU_APART, ("--machine", "--hostname", "--availability-zone")),
            several=("--machine", "--hostname", "--availability-zone"),
        ),
    },
}


def parse(tool: str, words: Sequence[str]) -> Asked:
    """Take a command line apart. Raises EndError for what is not published: a shortened option, one without its value."""
    command = next((name for name in FORMS[tool] if list(words[: len(name.split())]) == name.split()), None)
    if command is None:
        raise EndError(USAGE, f"{tool}: {' '.join(words[:3])} is none of its commands")
    form, rest = FORMS[tool][command], list(words[len(command.split()) :])
    flags: set[str] = set()
    values: dict[str, list[str]] = {}
    places: list[str] = []
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if (flag := form.named(word, form.flags)) is not None:
            flags.add(flag)
        elif (name := form.named(option, form.values)) is not None:
            if not equals and (not rest or rest[0].startswith("-")):
                raise EndError(USAGE, f"argument {option}: expected one argument")
            values.setdefault(name, []).append(value if equals else rest.pop(0))
        elif form.places and not word.startswith("-"):
            places.append(word)
        else:
            raise EndError(USAGE, f"unrecognized arguments: {word}")
    asked = Asked(command, frozenset(flags), values, places)
    _check(form, asked)
    return asked


def _check(form: Form, asked: Asked) -> None:
    given = {*asked.flags, *asked.values}
    missing = sorted({*form.needed} - given)
    if missing or (form.places and not asked.places):
        raise EndError(USAGE, f"the following arguments are required: {', '.join(missing) or 'playbook'}")
    for group in form.apart:
        if len(given.intersection(group)) > 1:
            raise EndError(USAGE, f"not allowed with one another: {', '.join(sorted(given.intersection(group)))}")
    twice = sorted(name for name, all_given in asked.values.items() if len(all_given) > 1 and name not in form.several)
    if twice:
        raise EndError(USAGE, f"{twice[0]} twice: the tool would silently take the last")
