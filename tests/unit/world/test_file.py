from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, PermanentError, TemporaryError
from escalator.world.file import WorldFile
from escalator.world.history import KIND
from escalator.world.records import VnfmRow
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, a_notice, a_release, small_cloud


def opened(path: Path, clock: TurnedClock, *, read_only: bool = False) -> World:
    world = World.open(path, clock, TIMINGS, read_only=read_only)
    if world.empty:
        world.load(small_cloud())
    return world


def test_what_was_under_way_is_done_after_reopening(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    world.vnfms.put(VnfmRow(name="v", behaviour="moves"))
    world.vnfms.deliver("v", a_notice())
    world.faults.add(Fault(kind="stop", first=1))
    world.power.stop("vm-3")
    world.moves.start("vm-1", "a", "c", "live")
    world.hosts.cordon("b", "campaign c")
    world.operations.upgrade("b", a_release(), "u")
    world.close()
    clock.time += 1000
    world = opened(tmp_path / "w.sqlite", clock)
    assert world.instance("vm-1").node == "c"
    assert world.instance("vm-3").state == "active"
    assert world.operations.get("b", "u").state == "done"
    assert world.hosts.unavailable() == {"b": "campaign c"}
    assert [r.reply.result for r in world.vnfms.due_replies()] == ["ACK"]
    assert world.faults.struck() == {Fault(kind="stop", first=1): 1}
    assert [e.at - 1_000_000 for e in world.audit.history("move-done", "upgrade-done")] == [10, 100]
    world.close()


def test_replies_that_were_taken_are_not_offered_again_after_reopening(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    world.vnfms.put(VnfmRow(name="v", behaviour="defer"))
    world.vnfms.deliver("v", a_notice())
    clock.time += 20
    world.vnfms.replied("notice-1", 0)
    world.close()
    clock.time += 1000
    world = opened(tmp_path / "w.sqlite", clock)
    assert [(r.number, r.reply.result) for r in world.vnfms.due_replies()] == [(1, "ACK")]
    world.vnfms.deliver("v", a_notice())
    assert [(h.notice, h.times) for h in world.vnfms.heard()] == [("notice-1", 2)]
    assert len(world.vnfms.due_replies()) == 1
    world.close()


def test_a_node_that_crashes_after_reopening_breaks_off_the_move_to_it(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    world.moves.start("vm-1", "a", "c", "live")
    world.close()
    world = opened(tmp_path / "w.sqlite", clock)
    world.hosts.crash("c")
    clock.time += 100
    assert world.moves.get("vm-1").state == "failed"
    assert world.instance("vm-1").node == "a"
    world.close()


def test_a_second_process_is_refused_while_the_first_one_writes(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    with pytest.raises(ConflictError) as caught:
        opened(tmp_path / "w.sqlite", clock)
    assert caught.value.code is Code.STO_LOCKED
    world.close()
    opened(tmp_path / "w.sqlite", clock).close()


def test_an_onlooker_sees_what_is_true_and_changes_nothing(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 10
    onlooker = opened(tmp_path / "w.sqlite", clock, read_only=True)
    assert onlooker.instance("vm-1").node == "c"
    onlooker.hosts.cordon("c", "seen only here")
    onlooker.close()
    assert world.hosts.unavailable() == {}
    world.close()
    again = opened(tmp_path / "w.sqlite", clock)
    assert again.hosts.unavailable() == {}
    again.close()


def test_what_an_onlooker_loads_is_of_one_moment(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    world.hosts.cordon("a", "campaign c")
    looking = WorldFile(tmp_path / "w.sqlite", read_only=True)
    before = len(list(looking.rows(without=KIND)))
    lines = len(world.audit.history())
    world.hosts.cordon("b", "campaign c")
    assert before
    assert len(list(looking.rows_of(KIND))) == lines, "the history is that of the tables"
    looking.commit()
    assert len(list(looking.rows_of(KIND))) > lines
    looking.close()
    world.close()


def test_a_file_that_is_no_world_is_refused(tmp_path: Path, clock: TurnedClock) -> None:
    (tmp_path / "w.sqlite").write_text("this is no database, and long enough to be taken for one" * 50)
    with pytest.raises(PermanentError) as caught:
        opened(tmp_path / "w.sqlite", clock)
    assert caught.value.code is Code.STO_UNAVAILABLE
    with pytest.raises(PermanentError):
        opened(tmp_path / "w.sqlite", clock)  # it is not locked by the one that did not open it
    with pytest.raises(PermanentError):
        opened(tmp_path / "missing" / "w.sqlite", clock, read_only=True)


KILLED = """
import sys
from pathlib import Path
from unit.world.smallcloud import TIMINGS, TurnedClock, a_release, small_cloud
from escalator.world.world import World

world = World.open(Path(sys.argv[1]), TurnedClock(), TIMINGS)
world.load(small_cloud())
for number in range(100_000):
    world.software.backup("a", a_release(), f"b-{number}")
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_was_told_is_done(tmp_path: Path, clock: TurnedClock) -> None:
    path = tmp_path / "w.sqlite"
    roots = os.pathsep.join(sys.path)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": roots}
    )
    with child:
        for _ in range(50):
            said = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    last = int((rest or [said])[-1])
    onlooker = opened(path, clock, read_only=True)
    assert onlooker.software.kept(f"b-{last}")
    onlooker.close()
    world = opened(path, clock)
    assert last >= 49
    assert all(world.software.kept(f"b-{number}") for number in range(last + 1))
    world.close()


def test_the_history_goes_on_where_it_was_and_an_onlooker_has_lines_of_his_own(tmp_path: Path, clock: TurnedClock) -> None:
    world = opened(tmp_path / "w.sqlite", clock)
    world.hosts.cordon("a", "campaign c")
    world.moves.start("vm-1", "a", "c", "live")
    begun = world.audit.history()
    world.close()
    world = opened(tmp_path / "w.sqlite", clock)
    assert world.audit.history() == begun
    world.hosts.cordon("b", "campaign c")
    assert [line.seq for line in world.audit.history()] == list(range(1, len(begun) + 2))
    onlooker = opened(tmp_path / "w.sqlite", clock, read_only=True)
    clock.time += 1000
    assert [line.what for line in onlooker.audit.history()].count("move-done") == 1
    assert [line.what for line in onlooker.audit.history()].count("cordon") == 2
    onlooker.close()
    again = opened(tmp_path / "w.sqlite", clock, read_only=True)
    again.state.clock = TurnedClock()
    assert [line.what for line in again.audit.history()].count("move-done") == 0
    again.close()
    world.close()


def test_what_a_full_disk_did_not_take_is_in_the_file_after_the_next_change(tmp_path: Path) -> None:
    file = WorldFile(tmp_path / "w.sqlite")
    file.put("thing", "gone", b"1")
    file.put("thing", "old", b"1")
    file.commit()
    [(pages,)] = file._db.execute("PRAGMA page_count")
    file._db.execute(f"PRAGMA max_page_count = {pages}")
    file.put("thing", "large", b"x" * 100_000)
    file.delete("thing", "gone")
    for _ in range(2):
        with pytest.raises(TemporaryError) as caught:
            file.commit()
        assert caught.value.code is Code.STO_UNAVAILABLE
    file._db.execute("PRAGMA max_page_count = 1000000")
    file.put("thing", "small", b"2")
    file.commit()
    file.close()
    file = WorldFile(tmp_path / "w.sqlite", read_only=True)
    assert [(key, len(body)) for key, body in file.rows_of("thing")] == [("old", 1), ("large", 100_000), ("small", 1)]
    file.close()
