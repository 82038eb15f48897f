"""The planner against its lower bounds and its peers.

    python benchmarks/planner/bench.py headline --seeds 3     # nights, limits, instances that cannot migrate
    python benchmarks/planner/bench.py open --largest 1000    # all live, no cap: moves, makespan over bound, time
    python benchmarks/planner/bench.py scale                  # 10,000 nodes, one process each, first call included

One peer is the program `hroller` of Debian's `ganeti-htools`; without it its column says so. Each writes its
tables and its plot into docs/explanation/planner.md, between its own marks.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from baselines import run as play
from clouds import Wish, cloud
from hroller import answer as hroller

from escalator.model.campaign import Campaign, load_campaign
from escalator.model.document import Source
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/planner.md"
NIGHT_S = 4 * 3600.0
USES = (0.50, 0.70, 0.85, 0.95)


def campaign(**spec: object) -> Campaign:
    base = {"mode": "smooth", "scope": {"select": {}}, **spec}
    return load_campaign(Source({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "bench"}, "spec": base}))


def nights() -> Campaign:
    windows = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "01:00", "length_s": NIGHT_S}]
    return campaign(waves={"max_unavailable": "10%"}, workloads={"default": {"action": "stop-start"}}, windows=windows)


def uncapped(nodes: int, extra: float) -> Campaign:
    migration = {"per_node": 1, "total": min(1000, max(1, nodes // 10))}
    return campaign(waves={"max_unavailable": "100%", "max_extra_moves": extra}, migration=migration)


def planned(wish: Campaign, there: Inventory) -> tuple[Plan, float, int]:
    """The plan, the processor's seconds that it took, and the violations that the verifier finds."""
    # VNF managers speak for what can move, so that `stop-start` is for what cannot.
    managed = frozenset(i.id for i in there.instances if i.migration == "live")
    began = time.process_time()
    plan = make_plan(wish, there, managed)
    took = time.process_time() - began
    return plan, took, len(verify(wish, there, plan, managed))


def headline(seeds: int, sizes: Sequence[int]) -> None:
    rows, points = [], []
    wish = nights()
    for nodes in sizes:
        for use in USES:
            for pinned in (0.3, 0.7, 0.95):
                found = [_night(wish, Wish(nodes, use, pinned=pinned, seed=seed)) for seed in range(seeds)]
                cell = {key: statistics.median(one[key] for one in found) for key in found[0]}
                worst = sum(one["violations"] for one in found)
                rows.append(_headline_row(nodes, use, pinned, cell, worst))
                points.append(
                    (f"{nodes} {use:.2f} {pinned:.0%}", cell["night"] / cell["bound"], cell["spread10"] / cell["bound"])
                )
                print(rows[-1], flush=True)
    head = (
        "| nodes | use | not migratable | nights | nodes a night, ours | bound | Nova spread, 1 at a time | 10 % batches "
        "| groups over their limit there | moves per VM | seconds | violations |\n|" + "---|" * 12
    )
    write_table("headline", "\n".join([head, *rows]))
    _plot("headline", "Nodes upgraded a night, as a share of the bound", points, ("ours", "Nova spread, 10 % batches"))


def _night(wish: Campaign, what: Wish) -> dict[str, float]:
    there = cloud(what)
    plan, took, violations = planned(wish, there)
    one, ten = (play(there, wish.spec, "spread", share, NIGHT_S) for share in (0.0, 0.1))
    width = wish.spec.waves.limit(what.nodes)
    lasts = wish.spec.estimates.upgrade_s
    bound = min(what.nodes, width * (1 + math.floor((NIGHT_S - 1.25 * lasts - lasts) / lasts)))
    movable = max(1, sum(i.migration == "live" for i in there.instances))
    return {
        "nights": plan.totals.windows,
        "night": sum(u.window == 0 for u in plan.upgrades),
        "bound": bound,
        "spread1": one.first_window,
        "spread10": ten.first_window,
        "over": ten.over_limit,
        "moves": len(plan.moves) / movable,
        "left": len(plan.totals.not_upgraded),
        "took": took,
        "violations": violations,
    }


def _headline_row(nodes: int, use: float, pinned: float, cell: dict[str, float], violations: int) -> str:
    left = f" ({cell['left']:g} left out)" if cell["left"] else ""
    return (
        f"| {nodes} | {use:.2f} | {pinned:.0%} | {cell['nights']:g}{left} | **{cell['night']:g}** | {cell['bound']:g} "
        f"| {cell['spread1']:g} | {cell['spread10']:g} | {cell['over']:g} | {cell['moves']:.3f} | {cell['took']:.2f} "
        f"| {violations} |"
    )


def open_grid(seeds: int, sizes: Sequence[int]) -> None:
    rows, points = [], []
    for nodes in sizes:
        for empty in (0.03, 0.0):
            for use in USES:
                for tight in (False, True):
                    wish = uncapped(nodes, 0.0 if empty else 0.02)
                    found = [_open(wish, Wish(nodes, use, empty=empty, tight=tight, seed=seed)) for seed in range(seeds)]
                    cell = {key: statistics.median(one[key] for one in found) for key in found[0]}
                    peers = ("",) * 5 if tight else _peers(wish, Wish(nodes, use, empty=empty))
                    cell |= {"violations": sum(one["violations"] for one in found), "empty": empty}
                    rows.append(_open_row(f"{nodes} | {use:.2f}", "k=1, R=600" if tight else "mixed", cell, peers))
                    points.append((f"{nodes} {use:.2f} {empty:.0%}{' tight' if tight else ''}", cell["ratio"], None))
                    print(rows[-1], flush=True)
    head = (
        "| nodes | use reached | empty | limits | not upgraded | moves per VM | hours | over the bound | seconds | violations "
        "| spread, 1 at a time | 10 % batches | Fenix-like | drain and return | hroller |\n|" + "---|" * 15
    )
    write_table("open", "\n".join([head, *rows]))
    _plot("open", "Makespan over the lower bound", points, ("ours", ""))


def _open(wish: Campaign, what: Wish) -> dict[str, float]:
    there = cloud(what)
    plan, took, violations = planned(wish, there)
    capacity = sum(cell["pcpu"] for node in there.nodes for cell in node.numa)
    used = sum(i.demand["pcpu"] * i.numa_span for i in there.instances)
    return {
        "use": used / capacity,
        "left": len(plan.totals.not_upgraded),
        "moves": len(plan.moves) / max(1, len({move.instance for move in plan.moves})),
        "hours": plan.totals.makespan_s / 3600,
        "ratio": plan.totals.makespan_s / plan.bounds.makespan_s if plan.bounds.makespan_s else 1.0,
        "took": took,
        "violations": violations,
    }


def _peers(wish: Campaign, what: Wish) -> tuple[str, ...]:
    there = cloud(what)
    shown = []
    for rule, share in (("spread", 0.0), ("spread", 0.1), ("fenix", 0.0), ("return", 0.0)):
        found = play(there, wish.spec, rule, share, None)
        per = found.moves / max(1, len(there.instances))
        shown.append(f"{found.makespan_s / 3600:.1f} h, {per:.2f}, {found.left} left, {found.over_limit} over")
    return (*shown, hroller(there, wish.spec))


def _open_row(what: str, limits: str, cell: dict[str, float], peers: tuple[str, ...]) -> str:
    return (
        f"| {what}: {cell['use']:.2f} | {cell['empty']:.0%} | {limits} | {cell['left']:g} | {cell['moves']:.4f} "
        f"| {cell['hours']:.2f} | **{cell['ratio']:.2f}** | {cell['took']:.2f} | {cell['violations']} | {' | '.join(peers)} |"
    )


def scale() -> None:
    """Each size in a process of its own: loading, first call, verification and memory apart."""
    rows = []
    for nodes, use in ((1000, 0.7), (10_000, 0.7), (10_000, 0.95)):
        command = [sys.executable, __file__, "one", "--nodes", str(nodes), "--use", str(use)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rows.append(
            f"| {nodes} | {found['use']:.2f} | {found['instances']} | {found['load_s']:.1f} | **{found['plan_s']:.1f}** "
            f"| {found['verify_s']:.1f} | {found['rss_mb']:.0f} | {found['ratio']:.2f} | {found['left']} "
            f"| {found['violations']} |"
        )
        print(rows[-1], flush=True)
    head = "| nodes | use | instances | loading, s | planning, s | verifying, s | peak memory, MB | over the bound "
    head += "| left | violations |\n|"
    write_table("scale", "\n".join([head + "---|" * 10, *rows]))


def one(nodes: int, use: float) -> None:
    there = cloud(Wish(nodes, use))
    text = there.model_dump_json(by_alias=True)
    began = time.perf_counter()
    there = Inventory.model_validate_json(text)
    load_s = time.perf_counter() - began
    wish = uncapped(nodes, 0.0)
    began = time.perf_counter()
    plan = make_plan(wish, there)
    plan_s = time.perf_counter() - began
    began = time.perf_counter()
    violations = len(verify(wish, there, plan))
    capacity = sum(cell["pcpu"] for node in there.nodes for cell in node.numa)
    print(
        json.dumps(
            {
                "use": sum(i.demand["pcpu"] * i.numa_span for i in there.instances) / capacity,
                "instances": len(there.instances),
                "load_s": load_s,
                "plan_s": plan_s,
                "verify_s": time.perf_counter() - began,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "ratio": plan.totals.makespan_s / plan.bounds.makespan_s,
                "left": len(plan.totals.not_upgraded),
                "violations": violations,
            }
        )
    )


def write_table(mark: str, table: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{table}\n\n{end}{after}", encoding="utf-8")


def _plot(name: str, title: str, points: Sequence[tuple[str, float, float | None]], words: tuple[str, str]) -> None:
    """Bars side by side, as a picture of its own."""
    top = max(max(a, b or 0.0) for _, a, b in points) * 1.1
    step, height = 16, 240
    width = 60 + step * len(points) + 20
    y: Callable[[float], float] = lambda value: 30 + height * (1 - value / top)  # noqa: E731 - one line of arithmetic
    size = f'width="{max(width, 420)}" height="{height + 150}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="10">']
    parts.append(f'<rect width="100%" height="100%" fill="#ffffff"/><text x="8" y="16" font-size="12">{title}</text>')
    for tick in range(int(top * 4) + 1):
        parts.append(f'<line x1="55" x2="{width}" y1="{y(tick / 4):.0f}" y2="{y(tick / 4):.0f}" stroke="#dddddd"/>')
        parts.append(f'<text x="25" y="{y(tick / 4) + 3:.0f}">{tick / 4:.2f}</text>')
    for number, (label, ours, other) in enumerate(points):
        x = 60 + step * number
        for offset, value, color in ((0, ours, "#2f6fb0"), (6, other, "#f0a030")):
            if value is not None:
                parts.append(
                    f'<rect x="{x + offset}" y="{y(value):.1f}" width="6" height="{30 + height - y(value):.1f}" fill="{color}"/>'
                )
        parts.append(f'<text transform="translate({x + 9},{height + 36}) rotate(90)">{label}</text>')
    legend = "  ".join(f"{'blue' if n == 0 else 'orange'}: {word}" for n, word in enumerate(words) if word)
    parts.append(f'<text x="60" y="{height + 146}">{legend}</text></svg>\n')
    (PAGE.parent / f"planner-{name}.svg").write_text("\n".join(parts), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("headline", "open", "scale", "one"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--largest", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--use", type=float, default=0.7)
    asked = parser.parse_args()
    match asked.what:
        case "headline":
            headline(asked.seeds, [n for n in (20, 100, 500) if n <= asked.largest])
        case "open":
            open_grid(asked.seeds, [n for n in (100, 1000) if n <= asked.largest])
        case "scale":
            scale()
        case "one":
            one(asked.nodes, asked.use)


if __name__ == "__main__":
    main()
