"""Campaigns as they run: disturbed ones, how long rehearsals take, and planning anew in the middle.

    python benchmarks/planner/runs.py disturbed     # failed migrations, late upgrades, lost nodes
    python benchmarks/planner/runs.py rehearse      # twenty runs of 100 nodes
    python benchmarks/planner/runs.py replan        # from the middle of 1,000 and 10,000 nodes

Each writes its table into docs/explanation/planner.md, between its own marks.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bench import campaign, uncapped, write_table
from clouds import Wish, cloud

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.simulation.rehearsal import Outcome
from escalator.simulation.rehearsals import Rehearsal, rehearse_all
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.repair.repaired import repaired
from escalator.upgrade_manager.planner.repair.sofar import so_far
from escalator.upgrade_manager.planner.uncollected import uncollected
from escalator.upgrade_manager.planner.verify.check import verify
from escalator.world.rules import Fault, FaultsSpec

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from properties.midway import state_at

Made = TypeVar("Made")
RESUME_S = 600.0
CALM = FaultsSpec(jitter=0.0)
ROUGH = FaultsSpec(
    jitter=0.2,
    resume_s=RESUME_S,
    faults=(Fault(kind="live_migration", probability=0.02), Fault(kind="reboot", effect="lost", probability=0.005)),
)
"""2 % of the migrations fail, every duration is up to a fifth off, one node in two hundred does not come back."""


def rolling() -> Campaign:
    return campaign(waves={"max_unavailable": "10%"}, workloads={"default": {"action": "live"}})


def disturbed(runs: int, nodes: int) -> None:
    rows = []
    for use in (0.50, 0.70, 0.85, 0.90, 0.95):
        for label, faults in (("times only", FaultsSpec(jitter=0.2)), ("all", ROUGH)):
            found = _runs(Wish(nodes, use), faults, runs)
            calm = _runs(Wish(nodes, use), CALM, 1)[0]
            rows.append(_disturbed_row(f"{nodes} | {use:.2f} | {label}", calm, found))
            print(rows[-1], flush=True)
    head = "| nodes | use | disturbed | runs | duration / undisturbed, median and worst | moves per instance, worst "
    head += "| not upgraded, median and worst | waited for a person | violations |\n|" + "---|" * 9
    write_table("disturbed", "\n".join([head, *rows]))


def _runs(what: Wish, faults: FaultsSpec, runs: int) -> list[Outcome]:
    return rehearse_all(Rehearsal(cloud(what), rolling(), faults), range(runs))


def _disturbed_row(what: str, calm: Outcome, found: Sequence[Outcome]) -> str:
    ratios = [one.duration_s / calm.duration_s for one in found]
    moves = [one.moves / max(1, calm.moves) for one in found]
    left = [one.rolled_back + one.failed + one.skipped for one in found]
    resting = sum(one.state != "completed" for one in found)
    return (
        f"| {what} | {len(found)} | **{statistics.median(ratios):.2f}**, {max(ratios):.2f} | {max(moves):.3f} "
        f"| {statistics.median(left):g}, {max(left)} | {resting} of {len(found)} at the end "
        f"| {sum(len(one.violations) for one in found)} |"
    )


def timed(runs: int, nodes: int) -> None:
    rows = []
    for label, faults in (("nothing goes wrong", CALM), ("times ±20 %", FaultsSpec(jitter=0.2)), ("as above, all", ROUGH)):
        rehearsal, began, used = Rehearsal(cloud(Wish(nodes, 0.70)), rolling(), faults), time.perf_counter(), _used_s()
        wrong = sum(len(one.violations) for one in rehearse_all(rehearsal, range(runs)))
        took, each = time.perf_counter() - began, (_used_s() - used) / runs
        rows.append(f"| {nodes} | {label} | {runs} | **{took:.0f}** | {each:.1f} | {wrong} |")
        print(rows[-1], flush=True)
    head = "| nodes | faults | runs | seconds in all | the processor's for each | violations |\n|" + "---|" * 6
    write_table("rehearse", "\n".join([head, *rows]))


def _used_s() -> float:
    """The processor's seconds of this process and of those that it began and that are over."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def replan(sizes: Sequence[int]) -> None:
    rows = []
    for nodes in sizes:
        there, wish = cloud(Wish(nodes, 0.70)), uncapped(nodes, 0.0)
        plan = make_plan(wish, there).sealed("parent")
        # What a campaign has done when it takes a plan up, before anything happens.
        _, read_s = _timed(lambda: so_far(plan))  # noqa: B023 - called at once
        for label, share in (("a tenth", 0.1), ("a third", 0.33), ("half", 0.5)):
            now, progress = state_at(there, plan, share * plan.totals.makespan_s)
            lost = _one_lost(now, plan)
            local, local_s = _timed(lambda: repaired(wish, lost, frozenset(), None, progress))  # noqa: B023 - called at once
            full, full_s = _timed(lambda: make_plan(wish, lost, progress=replace(progress, parent=None)))  # noqa: B023 - as above
            again = Inventory.model_construct(nodes=lost.nodes, instances=lost.instances, groups=lost.groups)
            wrong, verify_s = _timed(lambda: len(verify(wish, again, local or full)))  # noqa: B023 - as above
            also = len(verify(wish, lost, full))
            ratio = f"{local.totals.makespan_s / full.totals.makespan_s:.2f}" if local else "not repaired"
            seconds = f"{read_s:.2f} | **{local_s:.2f}** | {verify_s:.2f} | **{full_s:.2f}**"
            rows.append(f"| {nodes} | {label} | {seconds} | {ratio} | {wrong + also} |")
            print(rows[-1], flush=True)
    head = "| nodes | done | read before, s | repair, s | verifying, s | anew, s | end by repair / anew | violations |\n|"
    head += "---|" * 8
    write_table("replan", "\n".join([head, *rows]))


def _one_lost(now: Inventory, plan: Plan) -> Inventory:
    """A node that waits is down; one that takes something later, where there is one."""
    targets = {move.target for move in plan.moves}
    old = [node.id for node in now.nodes if node.progress == "old"]
    lost = next((node for node in old if node in targets), old[-1])
    nodes = tuple(node.model_copy(update={"state": "down"}) if node.id == lost else node for node in now.nodes)
    return now.with_nodes(nodes)


def _timed(makes: Callable[[], Made]) -> tuple[Made, float]:
    """What it makes, and the processor's seconds that it took."""
    with uncollected():
        began = time.process_time()
        made = makes()
        return made, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("disturbed", "rehearse", "replan"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--largest", type=int, default=10_000)
    asked = parser.parse_args()
    match asked.what:
        case "disturbed":
            disturbed(asked.runs, asked.nodes)
        case "rehearse":
            timed(asked.runs, asked.nodes)
        case "replan":
            replan([n for n in (1000, 10_000) if n <= asked.largest])


if __name__ == "__main__":
    main()
