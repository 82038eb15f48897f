from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.document import load, parse
from escalator.model.errors import InputError
from escalator.world.rules import Fault, FaultKind, Faults, Subject
from escalator.world.timings import Timings
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, small_cloud


def strikes(world: World, fault: Fault, times: int, subject: Subject | None = None) -> list[int]:
    world.faults.add(fault)
    what = subject or Subject(node="a")
    return [n for n in range(1, times + 1) if world.faults.check(fault.kind, what) is not None]


def test_without_a_number_a_rule_strikes_every_time(world: World) -> None:
    assert strikes(world, Fault(kind="upgrade"), 3) == [1, 2, 3]


def test_first_strikes_so_many_times_and_no_more(world: World) -> None:
    assert strikes(world, Fault(kind="upgrade", first=2), 5) == [1, 2]


def test_occurrences_are_struck_exactly(world: World) -> None:
    fault = Fault(kind="upgrade", occurrences=(2, 4))
    assert strikes(world, fault, 5) == [2, 4]
    assert world.faults.struck() == {fault: 2}


def test_probability_is_a_share_and_the_same_in_every_run(clock: TurnedClock) -> None:
    def run(seed: int) -> list[int]:
        world = World.in_memory(clock, replace(TIMINGS, seed=seed))
        world.load(small_cloud())
        return strikes(world, Fault(kind="upgrade", probability=0.3), 500)

    assert run(1) == run(1) != run(2)
    assert 100 < len(run(1)) < 200


@pytest.mark.parametrize(
    ("selector", "struck"),
    [
        ({"node": "cn-00*"}, True),
        ({"node": "cn-1*"}, False),
        ({"instance": "vm-1"}, True),
        ({"instance": "vm-2"}, False),
        ({"release": "agent/2.*"}, True),
        ({"release": "agent/1.*"}, False),
        ({"vnfm": "v"}, True),
        ({"vnfm": "w"}, False),
        ({"node": "cn-0001", "instance": "vm-2"}, False),
    ],
)
def test_a_rule_strikes_only_what_it_selects(world: World, selector: dict[str, str], struck: bool) -> None:
    subject = Subject(node="cn-0001", instance="vm-1", release="agent/2.0.0", vnfm="v")
    assert bool(strikes(world, Fault(kind="stop", **selector), 1, subject)) is struck


def test_a_rule_of_another_kind_does_not_even_count(world: World) -> None:
    fault = Fault(kind="upgrade", first=1)
    world.faults.add(fault)
    kinds: tuple[FaultKind, ...] = ("stop", "reboot", "live_migration")
    assert not any(world.faults.check(kind, Subject(node="a")) for kind in kinds)
    assert world.faults.check("upgrade", Subject(node="a")) == fault


def test_the_first_rule_that_strikes_decides(world: World) -> None:
    world.faults.add(Fault(kind="stop", effect="hang", occurrences=(2,)), Fault(kind="stop", effect="lost"))
    effects = [world.faults.check("stop", Subject()).effect for _ in range(3)]
    assert effects == ["lost", "hang", "lost"]


def test_after_clear_nothing_goes_wrong(world: World) -> None:
    world.faults.add(Fault(kind="stop"))
    world.faults.clear()
    assert world.faults.check("stop", Subject()) is None


def test_a_fault_file_is_read_and_its_mistakes_are_named() -> None:
    text = """
apiVersion: escalator/v1
kind: Faults
spec:
  jitter: 0.2
  faults:
    - {kind: live_migration, effect: fail, instance: "vm-*", probability: 0.05}
    - {kind: upgrade, effect: slow, factor: 3, occurrences: [2]}
"""
    read = load(Faults, parse(text))
    assert [fault.kind for fault in read.spec.faults] == ["live_migration", "upgrade"]
    assert read.spec.jitter == 0.2
    with pytest.raises(InputError) as caught:
        load(Faults, parse(text.replace("probability", "probabilty").replace("upgrade", "upgrad")))
    assert len(caught.value.problems) == 2


def test_jitter_varies_durations_within_its_share_and_repeats() -> None:
    timings = Timings(jitter=0.2, seed=7)
    durations = [timings.real(100.0, "move", f"vm-{n}", 1) for n in range(200)]
    assert durations == [timings.real(100.0, "move", f"vm-{n}", 1) for n in range(200)]
    assert 80 <= min(durations) < 85
    assert 115 < max(durations) <= 120


def test_speed_makes_everything_faster() -> None:
    assert Timings(speed=100.0).real(50.0) == 0.5
