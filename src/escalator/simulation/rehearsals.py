"""Many runs of a rehearsal, on all processors: each run is a world of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass, field

from escalator.logs import configure_logs
from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Inventory
from escalator.settings import Log
from escalator.simulation.rehearsal import Outcome, Planners, rehearse
from escalator.worker_processes import end_with_parent
from escalator.world.rules import FaultsSpec

MOST_PROCESSES = 8
"""Each holds a cloud of its own with all plans of a run: more would rather run out of memory than be done sooner."""
WORTH_A_PROCESS = 100
"""Nodes, over all runs, that take longer than a process takes to begin: that is about a second."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is rehearsed; for its parts see `rehearse`."""

    inventory: Inventory
    campaign: Campaign
    faults: FaultsSpec
    start_s: float | None = None
    planners: Planners = field(default_factory=Planners)

    def run(self, seed: int) -> Outcome:
        """One run."""
        return rehearse(self.inventory, self.campaign, self.faults, seed, self.planners, self.start_s)


def rehearse_all(
    rehearsal: Rehearsal, seeds: Sequence[int], processes: int | None = None, tell: Callable[[int], None] | None = None
) -> list[Outcome]:
    """A run for each seed, in their order: the same ones whatever the number of `processes`.

    Without one there are as many as processors, where there is enough to do. `tell` is called with how many are over, each time
    that another one is. Raises TemporaryError (`PLN_WORKER`) when a process ends before its run is over.
    """
    wanted = _processes(len(seeds), len(rehearsal.inventory.nodes)) if processes is None else processes
    found: list[Outcome] = []
    for outcome in _each(rehearsal, seeds, wanted):
        found.append(outcome)
        if tell is not None:
            tell(len(found))
    return found


def _each(rehearsal: Rehearsal, seeds: Sequence[int], processes: int) -> Iterator[Outcome]:
    if processes == 1:
        yield from map(rehearsal.run, seeds)
        return
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (rehearsal,))
    over = False
    try:
        for run in [pool.submit(_run, seed) for seed in seeds]:
            yield run.result()
        over = True
    except BrokenExecutor as error:
        message = "A process that played runs ended before they were over."
        remedy = "See whether this host has memory left; fewer processors use less of it (taskset)."
        raise TemporaryError(Code.PLN_WORKER, message, remedy=remedy) from error
    finally:
        # Who stops a rehearsal does not wait for the runs that are under way. No run is called off before: the pool's own
        # thread, which finds its processes gone, would fail by one that is.
        for child in () if over else multiprocessing.active_children():
            if child not in others:
                child.terminate()
        pool.shutdown()


def _processes(runs: int, nodes: int) -> int:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(processors, MOST_PROCESSES, runs, runs * nodes // WORTH_A_PROCESS))


class _Process:
    """What a process of the pool was given when it began."""

    rehearsal: Rehearsal


def _begin(rehearsal: Rehearsal) -> None:
    # Who stops the rehearsal by Ctrl-C hears of it from the first process, once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    configure_logs(Log(level="error"))
    end_with_parent()
    _Process.rehearsal = rehearsal


def _run(seed: int) -> Outcome:
    return _Process.rehearsal.run(seed)
