"""Many runs of a rehearsal, in several processes."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import pytest

from escalator.model.campaign import load_campaign
from escalator.model.codes import Code
from escalator.model.document import Source
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Instance, Inventory, Node
from escalator.simulation.rehearsals import Rehearsal, rehearse_all
from escalator.world.rules import Fault, FaultsSpec

CELL = {"pcpu": 16.0}
SITE = Inventory(
    nodes=tuple(Node(id=f"n{n}", numa=(CELL,)) for n in range(3)),
    instances=tuple(Instance(id=f"vm{n}", project="p", node=f"n{n % 2}", demand={"pcpu": 4.0}) for n in range(4)),
)
CAMPAIGN = load_campaign(
    Source(
        {
            "apiVersion": "escalator/v1",
            "kind": "Campaign",
            "metadata": {"name": "c"},
            "spec": {"mode": "smooth", "scope": {"select": {}}},
        }
    )
)
FAULTS = FaultsSpec(faults=(Fault(kind="live_migration", probability=0.2),))


class Deadly:
    """Ends the process that takes it in, as the system does where memory is short."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return os.abort, ()


def test_runs_are_the_same_and_in_the_same_order_in_one_process_and_in_several() -> None:
    rehearsal = Rehearsal(SITE, CAMPAIGN, FAULTS)
    alone = rehearse_all(rehearsal, range(5), processes=1)
    assert rehearse_all(rehearsal, range(5), processes=2) == alone
    assert len({one.duration_s for one in alone}) == 5


def test_a_process_that_dies_ends_the_rehearsal_with_a_reason() -> None:
    deadly: Any = Deadly()
    with pytest.raises(TemporaryError) as raised:
        rehearse_all(Rehearsal(deadly, CAMPAIGN, FAULTS), range(2), processes=2)
    assert raised.value.code is Code.PLN_WORKER


def test_whoever_waits_hears_of_each_run_that_is_over() -> None:
    for processes in (1, 2):
        told: list[int] = []
        rehearse_all(Rehearsal(SITE, CAMPAIGN, FAULTS), range(4), processes, told.append)
        assert told == [1, 2, 3, 4]


def test_who_stops_a_rehearsal_does_not_wait_for_the_rest_of_it() -> None:
    def stop(over: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehearse_all(Rehearsal(SITE, CAMPAIGN, FAULTS), range(2_000), 2, stop)
    for child in multiprocessing.active_children():
        child.join(10)
        assert child.exitcode is not None, "it goes on with runs that nobody waits for"
