"""A campaign on the screen: pure functions from plain data to what is drawn.

The data is a campaign as the API gives it (`GET /v1/campaigns/{name}`); times may be RFC 3339 or Unix seconds, and what
is missing is not drawn, so that the demo can show its campaigns in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from escalator.cli.spans import seconds_of, span
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.progress import Rung

View = Mapping[str, Any]
LETTERS: Mapping[str, str] = {
    Rung.STAGED: "S",
    Rung.CORDONED: "C",
    Rung.NOTIFIED: "N",
    Rung.VACATED: "V",
    Rung.BACKED_UP: "B",
    Rung.UPGRADED: "U",
    Rung.REBOOTED: "R",
    Rung.VERIFIED: "v",
    Rung.AVAILABLE: "A",
}
BACK: Mapping[str, str] = {
    Rung.CORDONED: "C",
    Rung.NOTIFIED: "N",
    Rung.VACATED: "V",
    Rung.ROLLED_BACK: "b",
    Rung.AVAILABLE: "A",
}
"""The shorter ladder of a turn on the way back."""
BACK_LEGEND = "way back: Cordon Notify Vacate back Available"
LEGEND = "Stage Cordon Notify Vacate Backup Upgrade Reboot verify Available"
"""Words behind the ladder's letters. Selected is no step of its own: a node that has begun was selected."""
COLOURS: Mapping[str, str] = {
    "running": "bold cyan",
    "completed": "bold green",
    "done": "green",
    "failed": "bold red",
    "rolled-back": "red",
    "suspended": "bold red",
    "held": "yellow",
    "paused": "bold yellow",
    "aborting": "bold yellow",
    "rolling_back": "bold yellow",
    "rollback_paused": "bold yellow",
    "rollback_failed": "bold red",
    "restoring": "bold yellow",
    "rolled_back": "yellow",
    "restored": "yellow",
    "aborted": "yellow",
    "skipped": "yellow",
    "pending": "dim",
}
_URGENCY = ("failed", "held", "running", "rolled-back", "skipped", "done", "pending")
"""Which nodes are shown first when not all fit."""
ROOMY = 110
"""Columns of a screen on which messages have room beside their nodes."""
BAR_CELLS = 40
MOST_WAITS = 5
"""Answers that are waited for, named before the rest is counted."""
HEAD_LINES = 8
"""Lines around the table of nodes that are always there."""


def screen(view: View, now: float, height: int | None = None) -> RenderableType:
    """The whole campaign; `height` is how many lines there are, None for all nodes."""
    waiting = [*waiting_lines(view, now), *undelivered_line(view)]
    around = HEAD_LINES + bool(view.get("reason")) + bool(view.get("freeze")) + len(waiting) + len(view.get("next", ()))
    room = None if height is None else max(3, height - around)
    parts: list[RenderableType] = [header(view), *waiting]
    if view.get("tasks"):
        parts += [Text(), NodeTable(view["tasks"], now, room), Text()]
        parts.append(Text(f"ladder: {BACK_LEGEND if _any_back(view['tasks']) else LEGEND}", style="dim"))
    for index, command in enumerate(view.get("next", ())):
        parts.append(Text(f"{'      ' if index else 'next: '}{command}", style="" if state_waits(view) else "dim"))
    return Group(*parts)


def state_waits(view: View) -> bool:
    """Whether nothing goes on until a person says so."""
    return view["state"] in ("suspended", "paused", "planned", "draft", "rollback_paused", "rollback_failed")


def freeze_said(view: View) -> str:
    """That everything is frozen, why, and what ends that, in the words of the server; nothing where it is not."""
    freeze = view.get("freeze")
    if not freeze:
        return ""
    why = f": {freeze['reason']}" if freeze["reason"] else ""
    return f"everything is frozen{why}; it ends with escalator freeze end"


def header(view: View) -> RenderableType:
    """Name, state, what holds everything up, plan, progress bar, counts, and the time that is left."""
    state = str(view["state"])
    top = Text.assemble((str(view["name"]), "bold"), "  ", (state.upper(), COLOURS.get(state, "")))
    for word in ("release", "plan"):
        if view.get(word):
            top.append(f"   {word} {view[word]}", style="dim")
    parts: list[RenderableType] = [top]
    frozen = freeze_said(view)
    if frozen:
        parts.append(Text(frozen, style="bold red"))
    # A campaign that waits for nothing but the end of the freeze has it for its reason.
    if view.get("reason") and view["reason"] != frozen:
        code = f"{view['code']}: " if view.get("code") else ""
        parts.append(Text(f"{code}{view['reason']}", style="red" if code else "dim"))
    progress = view.get("progress")
    if progress and progress["total"]:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=progress["total"], completed=progress["done"], width=BAR_CELLS)
        grid.add_row(bar, Text(f"{int(progress['percent']):3} %"), Text(left(view), style="bold"))
        parts += [grid, Text(counts(view) + wave(view))]
    return Group(*parts)


def counts(view: View) -> str:
    """`3 of 8 nodes upgraded, 2 running, 1 failed`: zeros are not said. Nodes that have no part in the way back do not count."""
    progress = view["progress"]
    word = "back" if progress["back"] else "upgraded"
    said = [f"{progress['done']} of {counted(progress['total'], 'node')} {word}"]
    said += [f"{progress[state]} {state}" for state in ("running", "held", "failed", "skipped") if progress.get(state)]
    return ", ".join(said)


def wave(view: View) -> str:
    """Which wave the campaign has come to: that of the nodes at work, and of those that wait while none is."""
    tasks = view.get("tasks", ())
    # The way back has waves of its own, beside those that nodes had which it leaves as they are.
    tasks = [task for task in tasks if _back(task)] or tasks

    def of(*states: str) -> list[int]:
        return sorted({task["wave"] for task in tasks if task["state"] in states})

    if view.get("code") == Code.UPG_GROUP.value:
        # Where a group did not succeed, its wave is the one that the campaign has come to.
        reached = of("pending", "running", "held", "skipped", "failed", "rolled-back")[:1]
    else:
        # One node that is held back in an early wave says nothing of how far the others are.
        reached = of("running") or of("pending")[:1] or of("held")[:1]
    if not reached:
        return ""
    most = max(task["wave"] for task in tasks)
    return f", wave {reached[0]} of {most}" if len(reached) == 1 else f", waves {reached[0]} to {reached[-1]} of {most}"


def left(view: View) -> str:
    """How much longer, as far as can be told."""
    return f"about {span(view['eta_s'])} left" if view.get("eta_s") is not None else ""


def waiting_lines(view: View, now: float) -> Iterable[Text]:
    """Whom the campaign waits for, since when and until when."""
    waits = view.get("waiting", ())
    for wait in waits[:MOST_WAITS]:
        line = Text(f"waiting for {wait['vnfm']}", style="magenta")
        if wait.get("node"):
            line.append(f" about {wait['node']}")
        since, until = seconds_of(wait.get("since")), seconds_of(wait.get("reply_by"))
        if since is not None:
            line.append(f" for {span(now - since)}")
        deferred = seconds_of(wait.get("deferred_until"))
        if deferred is not None and deferred > now:
            line.append(f", which asks for another {span(deferred - now)}")
        elif deferred is not None:
            line.append(", which asked for time that is over")
        if until is not None and until > now:
            line.append(f", at most {span(until - now)} more")
        if not wait.get("delivered", True):
            line.append(" (not delivered yet)", style="red")
        yield line
    asked = next((wait for wait in waits if wait.get("notice")), None)
    if asked is not None:
        yield Text(f"  answer for {asked['vnfm']}: escalator notice reply {asked['notice']} --result ACK", style="dim")
    if len(waits) > MOST_WAITS:
        yield Text(f"… and for {counted(len(waits) - MOST_WAITS, 'more answer')}", style="magenta")


def undelivered_line(view: View) -> Iterable[Text]:
    """Who was not reached, in one line: the history tells each notice."""
    lost = view.get("undelivered", ())
    if lost:
        names = ", ".join(sorted({notice["vnfm"] for notice in lost}))
        yield Text(
            f"{counted(view.get('undelivered_total', len(lost)), 'notice')} not delivered to {names}: {lost[0]['message']}",
            style="red",
        )


@dataclass(frozen=True, slots=True)
class NodeTable:
    """The nodes, as the screen has room for them."""

    tasks: Sequence[View]
    now: float
    room: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it: rich asks for this."""
        apart = options.max_width < ROOMY
        said = [task for task in self.tasks if _message(task).plain] if apart else []
        room = self.room
        if room is not None and said:
            # Where lines are few, those that need a look first have a third of them.
            said = sorted(said, key=_urgency)[: max(1, room // 3)]
            room = max(3, room - len(said) - 1)
        yield node_table(self.tasks, self.now, room, apart=apart)
        if said:
            grid = Table.grid(padding=(0, 1))
            grid.add_column(no_wrap=True, min_width=max(len(str(task["node"])) for task in said))
            grid.add_column(no_wrap=self.room is not None, overflow="fold" if self.room is None else "ellipsis")
            for task in said:
                grid.add_row(str(task["node"]), _message(task))
            yield from (Text(), grid)


def node_table(tasks: Sequence[View], now: float, room: int | None = None, *, apart: bool = False) -> RenderableType:
    """A row per node. When not all fit, those that need a look or are under way come first, and the rest is counted.

    `apart`: without the messages, which stand elsewhere.
    """
    shown = list(tasks)
    if room is not None and len(shown) > room:
        chosen = {id(task) for task in sorted(tasks, key=_urgency)[: room - 1]}
        shown = [task for task in tasks if id(task) in chosen]
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    for name in ("Node", "Wave", "State", _heading(tasks), "Step", "For", *(() if apart else ("Message",))):
        right = name in ("Wave", "For")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "Message", overflow="ellipsis")
    on_the_way_back = _any_back(tasks)
    for task in shown:
        message = _message(task)
        # On a screen of limited height each node has one line, whatever it has to say.
        message.no_wrap, message.overflow = (True, "ellipsis") if room is not None else (False, "fold")
        table.add_row(*_cells(task, now, with_ladder=_back(task) or not on_the_way_back), *(() if apart else (message,)))
    if len(shown) == len(tasks):
        return table
    return Group(table, Text(f"… and {len(tasks) - len(shown)} more", style="dim"))


def ladder(task: View) -> Text:
    """The rungs reached as letters, the one under way as `>` or, where the node failed, as `x`."""
    reached = {rung["rung"] for rung in task.get("ladder", ()) if rung.get("status", True)}
    letters = BACK if _back(task) else LETTERS
    last = max((index for index, rung in enumerate(letters) if rung in reached), default=-1)
    text = Text()
    for index, (rung, letter) in enumerate(letters.items()):
        here = index == last + 1
        if index:
            text.append(" ")
        if rung in reached:
            text.append(letter, style="green")
        elif here and task["state"] in ("failed", "rolled-back"):
            text.append("x", style="bold red")
        elif here and task["state"] in ("running", "held"):
            text.append(">", style=COLOURS[task["state"]])
        else:
            text.append("-" if index < last else ".", style="dim")
    return text


def change_lines(before: View | None, after: View) -> list[str]:
    """What changed between two looks, a line each, for output that is no terminal."""
    lines = []
    old = {task["node"]: task for task in before["tasks"]} if before else {}
    for task in after.get("tasks", ()):
        was = old.get(task["node"])
        if was is None and task["state"] in ("pending", "done", "skipped"):
            continue
        if was is None or _look(was) != _look(task):
            code = f" {task['code']}" if task.get("code") else ""
            message = f": {task['message']}" if task.get("message") else ""
            back = f"{task['kind']} " if _back(task) else ""
            lines.append(f"{task['node']} {back}{task['state']}{_try(task)} {task['step']}{code}{message}".rstrip())
    moved = before is None or before["state"] != after["state"]
    # A campaign that goes on may begin to wait: for a host that failed, for its window.
    waits = not moved and before is not None and bool(after.get("reason")) and before.get("reason") != after["reason"]
    lines += _thaw_lines(before, after)
    # Where the freeze is the reason, that is said already.
    waits = waits and after["reason"] != freeze_said(after)
    if moved or waits or _ended(before) != _ended(after):
        progress = f", {counts(after)}" if after.get("progress") else ""
        code = f" {after['code']}" if waits and after.get("code") else ""
        why = "" if after.get("reason") == freeze_said(after) else after.get("reason")
        reason = f"{code}: {why}" if (moved or waits) and why else ""
        lines.append(f"{after['name']} {after['state']}{progress}{reason}")
    return lines


def _thaw_lines(before: View | None, after: View) -> list[str]:
    """That a freeze holds, or holds no more, since the look before."""
    was, now = ("" if view is None else freeze_said(view) for view in (before, after))
    if was == now:
        return []
    return [f"{after['name']}: {now}" if now else f"{after['name']}: the freeze has ended"]


def _cells(task: View, now: float, *, with_ladder: bool) -> tuple[RenderableType, ...]:
    state = str(task["state"])
    since = seconds_of(task.get("updated_at"))
    age = span(now - since) if since is not None and state in ("running", "held") else ""
    colour = COLOURS.get(state, "")
    return (
        Text(str(task["node"]), style=colour),
        str(task.get("wave", "")),
        Text((f"{task['kind']} " if _back(task) else "") + state + _try(task), style=colour),
        ladder(task) if with_ladder else Text(),
        str(task.get("step", "")) if state not in ("done", "pending") else "",
        age,
    )


def _try(task: View) -> str:
    """Which try of its kind it is, from the second on."""
    tries = task.get("tries", 1)
    return f" #{tries}" if tries > 1 else ""


def _heading(tasks: Sequence[View]) -> str:
    """The letters of the rows' ladders: on the way back, nodes without a part in it show none."""
    return " ".join((BACK if _any_back(tasks) else LETTERS).values())


def _any_back(tasks: Sequence[View]) -> bool:
    return any(_back(task) for task in tasks)


def _back(task: View) -> bool:
    return bool(task.get("kind", "upgrade") != "upgrade")


def _message(task: View) -> Text:
    code = f"{task['code']} " if task.get("code") else ""
    return Text(f"{code}{task.get('message', '')}" if task["state"] != "done" else "")


def _urgency(task: View) -> tuple[int, float]:
    rank = _URGENCY.index(task["state"]) if task["state"] in _URGENCY else len(_URGENCY)
    return rank, -(seconds_of(task.get("updated_at")) or 0.0)


def _look(task: View) -> tuple[object, ...]:
    return task["state"], task["step"], task.get("code"), task.get("message")


def _ended(view: View | None) -> object:
    return view["progress"]["ended"] if view and view.get("progress") else None
