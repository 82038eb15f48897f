"""What VNFs declare that they tolerate while the infrastructure under them is maintained."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from escalator.cli.base import Command, Lister, Shower, Shown, fields, rows
from escalator.cli.campaign import quoted
from escalator.cli.documents import read_file
from escalator.cli.failures import UsageError
from escalator.model.counting import counted

KINDS = ("group", "instance", "vnf", "project")
TYPES = ("no_migration", "offline_migration", "live_migration")
SHORT = {
    "impact_notification_lead_time": "lead",
    "is_impact_mitigation_requested": "mitigation",
    "supported_migration_type": "migration",
    "max_undetectable_interruption_time": "interruption",
    "min_recovery_time_between_impacts": "recovery",
    "max_number_of_impacted_instances": "impacted",
    "min_number_of_preserved_instances": "preserved",
    "runs_management": "management",
    "anti_affinity": "apart",
    "max_per_node": "per node",
    "member_of": "member of",
    "declared_by": "declared by",
}
"""SOL 001's names in a word, for the list; programs get the names."""
_IN_SECONDS = ("lead", "interruption", "recovery")
_LIMITED = ("group", "vnf")
"""Kinds whose instances make up one group that has the limits."""
_COUNTS = ("max_number_of_impacted_instances", "min_number_of_preserved_instances")


class ListConstraints(Lister):
    """List what is declared, with the number of instances that each constraint is about now."""

    nothing = "Nothing is declared: escalator constraint set KIND ID, or escalator constraint import FILE"
    read = "spec"

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/constraints")
        columns: dict[str, Any] = {"kind": "kind", "id": "id", "instances": "instances"}
        columns["spec"] = lambda c: Shown(_said(c["spec"]), "\n".join(_brief(c["spec"])))
        return rows(found, columns)


class _One(Shower):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        return _about(parser)


class ShowConstraint(_One):
    """Show what is declared for one group, instance, VNF or project."""

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get it."""
        with self.server() as client:
            return _shown(client.get(_path(parsed_args)))


class SetConstraint(_One):
    """Declare for one group, instance, VNF or project what it tolerates, in place of what was declared before."""

    more = "Times are seconds, or as in TOSCA: '2 m', '500 ms'. A running campaign holds to it from its next step on."

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--file", type=Path, metavar="FILE", help="all of it, in SOL 001's names (YAML or JSON)")
        text = "time wanted between the notice and what causes the impact"
        parser.add_argument("--lead-time", dest="impact_notification_lead_time", metavar="TIME", help=text)
        text = "a replacement has to be there before it is impacted"
        parser.add_argument(
            "--mitigation", dest="is_impact_mitigation_requested", action=argparse.BooleanOptionalAction, help=text
        )
        text = "a VNF manager, an NFVO, an EMS or Escalator itself runs in it"
        parser.add_argument("--management", dest="runs_management", action=argparse.BooleanOptionalAction, help=text)
        text = "its members are kept on different nodes, also where the cloud does not do that by itself; for a group"
        parser.add_argument("--anti-affinity", dest="anti_affinity", action=argparse.BooleanOptionalAction, help=text)
        text = "most of its members on one node; for a group"
        parser.add_argument("--max-per-node", dest="max_per_node", type=int, metavar="N", help=text)
        text = "how it may migrate; may be repeated, the preferred one first"
        parser.add_argument("--migration", dest="supported_migration_type", action="append", choices=TYPES, help=text)
        text = "longest interruption that it does not notice"
        parser.add_argument("--max-interruption", dest="max_undetectable_interruption_time", metavar="TIME", help=text)
        text = "time that it needs between two impacts"
        parser.add_argument("--recovery", dest="min_recovery_time_between_impacts", metavar="TIME", help=text)
        for option, name in zip(("--max-impacted", "--min-preserved"), _COUNTS, strict=True):
            text = f"{name}, for groups of at least SIZE where that is given; may be repeated"
            parser.add_argument(option, dest=name, action="append", type=_sized, metavar="[SIZE:]N", help=text)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Declare it."""
        # Not everything that is shown can be said here: groups and projects of VNF managers come with their own calls.
        given = {name: value for name in SHORT if (value := getattr(parsed_args, name, None)) is not None}
        for name in _COUNTS:
            if name in given:
                given[name] = [({"group_size": size} if size else {}) | {name: count} for size, count in given[name]]
        given = {name: _time(value) if SHORT[name] in _IN_SECONDS else value for name, value in given.items()}
        if parsed_args.file is not None and given:
            raise UsageError("Give --file, or options of what is declared, not both.")
        if parsed_args.file is None and not given:
            raise UsageError("Nothing is declared by this; to forget: escalator constraint remove KIND ID")
        text = json.dumps(given).encode() if parsed_args.file is None else read_file(parsed_args.file)
        with self.server() as client:
            before = next((c for c in client.get("/v1/constraints") if (c["kind"], c["id"]) == _key(parsed_args)), None)
            client.put_document(_path(parsed_args), text)
            found = client.get(_path(parsed_args))
        if gone := _no_longer(before, found):
            self.app.stderr.write(f"Not declared any more, as this takes the place of all that was: {'; '.join(gone)}.\n")
        if found["instances"] == 0:
            self.app.stderr.write(f"No instance is in {found['kind']} {found['id']} now; it holds as soon as one is.\n")
        elif found["kind"] in _LIMITED and _none_left(found):
            has = f"{found['kind']} {found['id']} has {counted(found['instances'], 'instance')}"
            said = f"{has}, and by this none of them may be impacted"
            self.app.stderr.write(f"{said}: no node on which one has to stay or to move can be upgraded.\n")
        return _shown(found)


class Remove(Command):
    """Forget what was declared for one group, instance, VNF or project."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        return _about(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Remove it."""
        with self.server() as client:
            client.delete(_path(parsed_args))
        self.app.stderr.write(f"Nothing is declared for {parsed_args.kind} {parsed_args.id} any more.\n")


class Import(Lister):
    """Take what a VNF descriptor (TOSCA YAML, ETSI SOL 001) declares: all of it or, if something does not fit, nothing."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="the descriptor's service template")
        parser.add_argument("--vnf", required=True, metavar="ID", help="the VNF instance that it describes")
        text = "what a deployment unit or policy is about: group:ID, instance:ID or vnf:ID; may be repeated"
        parser.add_argument("--map", action="append", default=[], type=_mapped, metavar="NAME=KIND:ID", help=text)
        parser.add_argument("--dry-run", action="store_true", help="only tell what it would declare")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Import it."""
        mapped: defaultdict[str, list[str]] = defaultdict(list)
        for name, what in parsed_args.map:
            mapped[name].append(what)
        action = {"vnfd": read_file(parsed_args.file).decode(errors="replace"), "vnf": parsed_args.vnf, "map": mapped}
        with self.server() as client:
            found = client.post("/v1/constraints/actions/import", {**action, "dry_run": parsed_args.dry_run})
        columns: dict[str, Any] = {"kind": "kind", "id": "id"}
        columns["spec"] = lambda c: Shown(_said(c["spec"]), "\n".join(_brief(c["spec"])))
        return rows(found, columns)


def _none_left(constraint: Mapping[str, Any]) -> bool:
    """Whether what is declared lets none of the instances that are there now be impacted."""
    from escalator.model.constraint import MaintenanceInfo  # noqa: PLC0415 - pydantic is slow to import
    from escalator.model.document import Source, load  # noqa: PLC0415 - as above

    count = constraint["instances"]
    return count is not None and load(MaintenanceInfo, Source(dict(constraint["spec"]))).max_impacted(count) == 0


def _about(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("kind", choices=KINDS, help="whom it is about")
    parser.add_argument("id", metavar="ID", help="its id: of the server group, the instance, the VNF, the project")
    return parser


def _key(parsed_args: argparse.Namespace) -> tuple[str, str]:
    return parsed_args.kind, parsed_args.id


def _no_longer(before: Mapping[str, Any] | None, found: Mapping[str, Any]) -> list[str]:
    """What was said before of what nothing is said of now."""
    if before is None:
        return []
    said = _said(found["spec"])
    return _brief({name: value for name, value in before["spec"].items() if name not in said and name != "declared_by"})


def _path(parsed_args: argparse.Namespace) -> str:
    return f"/v1/constraints/{parsed_args.kind}/{quoted(parsed_args.id)}"


def _shown(constraint: Mapping[str, Any]) -> Any:  # noqa: ANN401 - cliff's
    spec = constraint["spec"]
    return fields({**constraint, "spec": Shown(_said(spec), "\n".join(_brief(spec)))})


def _said(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if value not in (None, [])}


def _brief(spec: Mapping[str, Any]) -> list[str]:
    """A constraint's values in a few words each."""
    lines = []
    for name, value in _said(spec).items():
        word = SHORT[name]
        if name in _COUNTS:
            said = ", ".join(f"{row[name]}" + (f" from {row['group_size']} on" if row["group_size"] else "") for row in value)
        elif word in _IN_SECONDS:
            said = f"{value:g} s"
        else:
            said = ", ".join(value) if isinstance(value, list) else {True: "yes", False: "no"}.get(value, value)
        lines.append(f"{word} {said}")
    return lines


def _time(text: str) -> float | str:
    """A number where it is one; the server reads the rest and says what is wrong with it."""
    try:
        return float(text)
    except ValueError:
        return text


def _sized(text: str) -> tuple[int | None, int]:
    size, colon, count = text.rpartition(":")
    try:
        return (int(size) if colon else None), int(count)
    except ValueError as error:
        raise argparse.ArgumentTypeError("N or SIZE:N is expected") from error


def _mapped(text: str) -> tuple[str, str]:
    name, equals, what = text.partition("=")
    if not equals or not name or what.partition(":")[0] not in KINDS:
        raise argparse.ArgumentTypeError("NAME=KIND:ID is expected")
    return name, what
