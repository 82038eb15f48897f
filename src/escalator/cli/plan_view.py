"""A plan on the screen: what a person reads before saying yes to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from escalator.cli.gantt import Chart
from escalator.cli.plan_tables import SHOWN, hits, impacts, moves, nodes, table, windows, with_rest
from escalator.cli.spans import offset, span
from escalator.model.codes import Code
from escalator.model.counting import counted

BINDING = {
    "node": "the longest turn",
    "parallel": "max_unavailable",
    "bandwidth": "migration.total",
    "group": "a group's limit and recovery",
    "area": "free room",
    "growth": "room on upgraded nodes",
    "window": "the windows",
}
"""What each lower bound comes from."""
AT_OWN_RISK = {Code.PLN_FROM.value: "DOWNGRADE at your own risk", Code.PLN_STOPPED.value: "STOPPED BY POLICY"}
"""Notes that stand beside the verdict."""
NOT_LOOKED_AT = "not looked at"
"""How the message of a condition begins that the plan gives no occasion to look at."""
LEVELS = {"node": "nodes", "rack": "racks", "az": "zones"}
"""Over what the members of a group are apart."""


def plan_view(
    plan: Mapping[str, Any], campaign: str, *, full: bool = False, changes: Sequence[str] | None = None
) -> RenderableType:
    """The whole plan: verdict, conditions, nodes by wave, chart, VNFs that are hit, moves, what stays, what is left out.

    `changes`: how it differs from its parent, where that was asked.
    """
    rows = None if full else SHOWN
    parts: list[RenderableType] = [verdict(plan, campaign), conditions(plan["conditions"])]
    if changes is not None:
        parts.append(diff_view(changes, rows))
    if plan["upgrades"]:
        parts += [windows(plan, rows)] if plan.get("windows") else []
        parts += [nodes(plan, rows), Chart(plan, rows)]
    if plan["hits"]:
        parts.append(hits(plan, rows))
    if plan["moves"]:
        parts.append(moves(plan, rows))
    if plan["impacts"]:
        parts.append(impacts(plan, rows))
    if plan.get("closer"):
        parts.append(_closer(plan, rows))
    if plan.get("interruptions"):
        parts.append(_interruptions(plan, rows))
    if plan.get("no_return"):
        parts.append(_no_return(plan, rows))
    if plan["totals"]["not_upgraded"]:
        parts.append(_left_out(plan, rows))
    return Group(*(item for part in parts for item in (part, Text())))


def summary_view(plan: Mapping[str, Any]) -> RenderableType:
    """A stored plan in short: numbers and conditions."""
    word = _word(plan, plan["nodes"])
    takes = span(plan["makespan_s"]) or "0 s"
    word.append(
        f"  {counted(plan['nodes'], 'node')}, {counted(plan['moves'], 'move')}, {takes} of work,"
        f" {len(plan['not_upgraded'])} left out",
        "not bold default",
    )
    return Group(word, *_at_own_risk(plan), conditions(plan["conditions"]))


def verdict(plan: Mapping[str, Any], campaign: str) -> RenderableType:
    """Smooth or not, and the plan in numbers beside its bounds."""
    word = _word(plan, plan["totals"]["nodes"])
    totals, bounds = plan["totals"], plan["bounds"]
    waves = len({upgrade["wave"] for upgrade in plan["upgrades"]})
    what = "plan" if plan.get("purpose", "upgrade") == "upgrade" else f"plan for the {plan['purpose']}"
    first = Text.assemble(word, f"  {what} ", (plan["id"] or "-", "bold"), f" of campaign {campaign}")
    if plan["parent"]:
        first.append(f", child of {plan['parent']}", style="dim")
    second = (
        f"{counted(totals['nodes'], 'node')} in {counted(waves, 'wave')}, "
        f"{counted(totals['moves'], 'move')} (at least {bounds['moves']}), "
        f"{span(totals['makespan_s']) or '0 s'} of work (at least {span(bounds['makespan_s'])}"
        + (f", by {BINDING[bounds['binding']]})" if bounds["binding"] in BINDING else ")")
    )
    return Group(first, *_at_own_risk(plan), Text(second))


def _word(plan: Mapping[str, Any], nodes: int) -> Text:
    """The verdict in a word; a plan without a turn is nothing to start."""
    if not plan["smooth"]:
        return Text("NOT SMOOTH", "bold red")
    return Text("SMOOTH", "bold green") if nodes else Text("NOTHING TO DO", "bold yellow")


def _at_own_risk(plan: Mapping[str, Any]) -> list[Text]:
    """What stands beside the verdict, as a board reads no further: a downgrade that nobody vouches for, what policy stops."""
    held = [item for item in plan.get("conditions", ()) if item["ok"] and not item["message"].startswith(NOT_LOOKED_AT)]
    noted = [item for item in held if item["code"] in AT_OWN_RISK and item.get("remedy")]
    return [Text(f"{AT_OWN_RISK[item['code']]}: {item['message']}", style="bold yellow") for item in noted]


def conditions(items: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Every condition with ok or FAILS; under a failing one what would make it hold, under a note what to do about it."""
    drawn = table("Conditions", "", "Code", "What was found")
    for item in items:
        word = _how(item)
        found = Text(item["message"])
        if item.get("remedy"):
            found.append(f"\n→ {item['remedy']}", style="bold")
        drawn.add_row(word, item["code"], found)
    return drawn


def _how(item: Mapping[str, Any]) -> Text:
    """Whether a condition holds; nothing in favour of one that holds only because there is nothing to look at."""
    if not item["ok"]:
        return Text("FAILS", "bold red")
    if item.get("remedy"):
        return Text("note", "yellow")
    return Text("-", "dim") if item["message"].startswith(NOT_LOOKED_AT) else Text("ok", "green")


def _interruptions(plan: Mapping[str, Any], rows: int | None) -> RenderableType:
    drawn = table(
        "What moves take of those that say what they notice", "Instance", "Move", "Takes", "Known from", "Not noticed", ""
    )
    for row in plan["interruptions"][:rows]:
        known = f"seen in {row['campaign']}" if row["source"] == "seen" else "estimate"
        word = Text("noticed", "yellow") if row["noticed"] else Text("")
        takes, most = (f"{row[name]:.3g} s" for name in ("expected_s", "tolerates_s"))
        drawn.add_row(row["instance"], row["kind"], takes, known, f"up to {most}", word)
    return with_rest(drawn, len(plan["interruptions"]), rows)


def violations_view(violations: Sequence[Mapping[str, Any]], totals: Mapping[str, Any], *, full: bool = False) -> RenderableType:
    """What the verifier found; the first of many, or `full`."""
    rows = len(violations) if full else SHOWN
    said = f"{counted(totals['nodes'], 'node')}, {counted(totals['moves'], 'move')}"
    if not violations:
        return Text.assemble(("No violation", "bold green"), f"  {said}")
    drawn = table("Violations", "When", "Code", "What")
    for item in violations[:rows]:
        drawn.add_row("" if item["time_s"] is None else offset(item["time_s"]), item["code"], item["message"])
    return Group(
        Text.assemble((counted(len(violations), "violation"), "bold red"), f"  {said}"), with_rest(drawn, len(violations), rows)
    )


def replan_view(replan: Mapping[str, Any]) -> RenderableType:
    """A plan for the rest of a campaign, as a diff."""
    if not replan["changes"]:
        return Text.assemble(("The plan holds", "bold green"), "  nothing would change")
    word = "It is followed from now on" if replan["followed"] else "Nothing is changed yet"
    to_go = f"{counted(replan['nodes'], 'node')} and {counted(replan['moves'], 'move')} to go"
    said = f"  {to_go}, {replan['plan']} after {replan['parent']}"
    beyond = [Text.assemble(("Beyond what was approved: ", "bold red"), item) for item in replan["beyond"]]
    if replan["left_out"]:
        beyond.append(Text.assemble(("Without a turn: ", "bold yellow"), ", ".join(replan["left_out"])))
    return Group(Text.assemble((word, "bold"), said), diff_view(replan["changes"], SHOWN), *beyond)


def diff_view(changes: Sequence[str], rows: int | None) -> RenderableType:
    """How a plan differs from its parent, line by line."""
    colours = {"+": "green", "-": "red", "~": "yellow"}
    lines = [Text(line, colours.get(line[:1], "")) for line in changes[:rows]]
    if rows is not None and len(changes) > rows:
        lines.append(Text(f"... and {len(changes) - rows} more: -f json", "dim"))
    return Group(*lines) if lines else Text("Nothing is done otherwise than by the parent.", "dim")


def run_view(found: Mapping[str, Any]) -> RenderableType:
    """What the verifier found in a run."""
    checked = (
        f"{counted(found['turns'], 'turn')}, {counted(found['upgraded'], 'node')} upgraded, "
        f"{counted(found['moves'], 'move')}, {counted(found['impacts'], 'impact')}"
    )
    if not found["violations"]:
        return Text.assemble(("No rule was broken", "bold green"), f"  {checked}")
    drawn = table("Violations", "When", "Code", "What")
    for item in found["violations"][:SHOWN]:
        drawn.add_row("" if item["time_s"] is None else offset(item["time_s"]), item["code"], item["message"])
    count = len(found["violations"])
    return Group(Text.assemble((f"{counted(count, 'rule')} broken", "bold red"), f"  {checked}"), with_rest(drawn, count, SHOWN))


def _no_return(plan: Mapping[str, Any], rows: int | None) -> RenderableType:
    """By VNF and window: who decides about them thinks of VNFs."""
    drawn = table("What cannot come back by live migration", "VNF", "Window", "Instances", "Way back", right=("Instances",))
    count = Counter((row["vnf"], row["window"], row["way_back"]) for row in plan["no_return"])
    for (vnf, window, way), number in sorted(count.items())[:rows]:
        drawn.add_row(vnf, str(window + 1), str(number), way)
    return with_rest(drawn, len(count), rows)


def _closer(plan: Mapping[str, Any], rows: int | None) -> RenderableType:
    drawn = table("Groups that end closer together", "Group", "Over", "In", "Most in one", right=("In", "Most in one"))
    for row in plan["closer"][:rows]:
        changes = (f"{row[f'{what}_before']} → {row[f'{what}_after']}" for what in ("places", "most"))
        drawn.add_row(row["group"], LEVELS.get(row["level"], row["level"]), *changes)
    return with_rest(drawn, len(plan["closer"]), rows)


def _left_out(plan: Mapping[str, Any], rows: int | None) -> RenderableType:
    nodes = plan["totals"]["not_upgraded"]
    drawn = table("Left out", "Node", "Why")
    for item in nodes[:rows]:
        drawn.add_row(Text(item["node"], "yellow"), Text(item["reason"]))
    return with_rest(drawn, len(nodes), rows)
