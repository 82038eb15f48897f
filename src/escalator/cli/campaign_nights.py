"""A plan night by night, in rows that go into a change request: who has a turn when, and what is hit."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from escalator.cli.base import Lister, Shown, rows
from escalator.cli.campaign import quoted
from escalator.cli.documents import loaded
from escalator.cli.failures import UsageError
from escalator.cli.gantt import turns
from escalator.cli.plan_times import Times
from escalator.cli.spans import offset, span, zoned
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.printable import printable

Plan = Mapping[str, Any]
Row = Mapping[str, Any]
COLUMNS: Mapping[str, Sequence[str]] = {
    "node": ("node", "wave", "out_from", "begins", "ends", "moves", "stays", "left_out"),
    "vnf": ("vnf", "begins", "ends", "moved", "stayed", "hit_s", "at_once"),
    "instance": ("instance", "node", "how", "to", "begins", "ends"),
}
"""What each kind of row tells, behind its night."""
_TIMES = ("out_from", "begins", "ends")
_WORKING = "Times are working time from the start, for programs in seconds: no date is known for the windows of this plan.\n"


class Nights(Lister):
    """List what a campaign's plan does in which night: the turn of each node, or what it does to each VNF or instance.

    It is the plan that the campaign has; nothing is planned anew. With -f csv or -f json the rows are for a change request:
    times are RFC 3339 in the zone of the windows, and nights count from 1.
    """

    nothing = "The plan has nothing for that."
    spare = ("opens", "closes")
    read = "left_out"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", nargs="?", help="the campaign")
        parser.add_argument("--file", type=Path, metavar="FILE", help="a plan as `escalator plan -f json` prints it")
        parser.add_argument("--by", choices=tuple(COLUMNS), default="node", help="one row for each; node when left out")
        parser.add_argument("--night", type=int, metavar="N", help="only this night; the first is 1")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the plan and put it into rows."""
        plan = self._plan(parsed_args)
        dated = Times(plan).dated
        if not dated and plan["upgrades"]:
            self.app.stderr.write(_WORKING)
        found = [row for row in night_rows(plan, parsed_args.by) if parsed_args.night in (None, row["night"])]
        windows = ("opens", "closes") if dated else ()
        return rows(found, {name: _column(name) for name in ("night", *windows, *COLUMNS[parsed_args.by])})

    def _plan(self, parsed_args: argparse.Namespace) -> Plan:
        if (parsed_args.name is None) == (parsed_args.file is None):
            raise UsageError("Name a campaign, or a plan with --file: one of the two.")
        if parsed_args.file is not None:
            from escalator.model.plan import Plan as Document  # noqa: PLC0415 - pydantic is slow to import

            document: Plan = printable(json.loads(loaded(Document, parsed_args.file).model_dump_json(by_alias=True)))
            return document
        with self.server() as client:
            plan = client.get(f"/v1/campaigns/{quoted(parsed_args.name)}")["plan"]
            if plan is None:
                remedy = f"escalator campaign plan {parsed_args.name}"
                raise ConflictError(Code.UPG_NO_PLAN, f"Campaign {parsed_args.name} has no plan.", remedy=remedy)
            found: Plan = client.get(f"/v1/plans/{quoted(plan)}")
        return found


def night_rows(plan: Plan, by: str) -> Iterator[Row]:
    """Rows of the plan by `node`, `vnf` or `instance`, in the order of time; nodes that are left out come last, without a night.

    Times are RFC 3339 where the plan's windows are dated, else seconds of working time from its start.
    """
    times, windows = Times(plan), {row["window"]: row for row in plan.get("windows", ())}
    for number, row in _BY[by](plan):
        window = windows.get(number, {})
        said = {name: row.get(name) for name in COLUMNS[by]}
        # What ends as its window does is no matter of the next one.
        when = {name: times.told(row.get(name), row.get("begins" if name == "ends" else name)) for name in _TIMES if name in said}
        night = None if number is None else number + 1
        yield {"night": night, "opens": window.get("opens"), "closes": window.get("closes"), **said, **when}


def _nodes(plan: Plan) -> Iterator[tuple[int | None, Row]]:
    moves, stays = (Counter(row[key] for row in plan[what]) for what, key in (("moves", "from"), ("impacts", "node")))
    waves = {upgrade["node"]: upgrade["wave"] for upgrade in plan["upgrades"]}
    for node, out, begins, ends, number in turns(plan):
        when = {"out_from": out, "begins": begins, "ends": ends}
        yield number, {"node": node, "wave": waves[node], **when, "moves": moves[node], "stays": stays[node]}
    for left in plan["totals"]["not_upgraded"]:
        yield None, {"node": left["node"], "left_out": left["reason"]}


def _vnfs(plan: Plan) -> Iterator[tuple[int | None, Row]]:
    for hit in sorted(plan["hits"], key=lambda hit: (hit["window"], hit["vnf"])):
        when = {"begins": hit.get("begins_s"), "ends": hit.get("ends_s")}
        yield hit["window"], {**hit, **when, "hit_s": hit["impacted_s"]}


def _instances(plan: Plan) -> Iterator[tuple[int | None, Row]]:
    times, windows = Times(plan), {upgrade["node"]: upgrade["window"] for upgrade in plan["upgrades"]}
    found = [(row, row["from"], row["to"]) for row in plan["moves"]] + [(row, row["node"], None) for row in plan["impacts"]]
    for row, node, to in sorted(found, key=lambda item: (item[0]["start_s"], item[0]["instance"])):
        number = times.number(row["start_s"])
        told = {"instance": row["instance"], "node": node, "how": row["kind"], "to": to}
        # Without a clock it counts to the night of its node; who makes room for others may leave one that has had its turn.
        number = windows.get(node, windows.get(to)) if number is None else number
        yield number, {**told, "begins": row["start_s"], "ends": row["end_s"]}


_BY: Mapping[str, Callable[[Plan], Iterable[tuple[int | None, Row]]]] = {"node": _nodes, "vnf": _vnfs, "instance": _instances}


def _column(name: str) -> Callable[[Row], object]:
    """A cell: as it is for programs, and with its time in words for people."""
    said = span if name == "hit_s" else _when if name in _TIMES else zoned if name in ("opens", "closes") else None

    def cell(row: Row) -> object:
        value = row[name]
        if value is None:
            return Shown(None, "")
        return value if said is None else Shown(value, said(value))

    return cell


def _when(value: str | float) -> str:
    """A time for people: the day and the clock of its window, or working time."""
    return f"{datetime.fromisoformat(value):%a %m-%d %H:%M:%S}" if isinstance(value, str) else offset(value)
