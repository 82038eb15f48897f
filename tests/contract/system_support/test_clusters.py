"""What both drivers of clusters do alike, and how the commands of an operator may answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.system_support.clusters_harness import ByCommand, Harness, InWorld
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.system_support.clusters.port import FLAG, ROUTING

MINE = ["router-network-1-1", "router-network-1-2"]


@pytest.fixture(params=["simulated", "commands"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return InWorld() if request.param == "simulated" else ByCommand(tmp_path)


async def test_a_control_cluster_tells_its_members_its_master_and_its_quorum(harness: Harness) -> None:
    found = await harness.clusters.control("control-2")
    assert found.members == {"control-1": True, "control-2": True, "control-3": True}
    assert (found.master, found.quorum, found.without("control-2")) == ("control-1", 2, 2)
    harness.away("control-3")
    assert (await harness.clusters.control("control-2")).without("control-2") == 1


async def test_a_master_hands_over_once_and_another_member_has_nothing_to_hand_over(harness: Harness) -> None:
    await harness.clusters.hand_over("control-3")
    assert (await harness.clusters.control("control-1")).master == "control-1"
    await harness.clusters.hand_over("control-1")
    then = (await harness.clusters.control("control-1")).master
    assert then in ("control-2", "control-3")
    await harness.clusters.hand_over("control-1")
    assert (await harness.clusters.control("control-1")).master == then


async def test_what_is_active_goes_elsewhere_and_comes_back(harness: Harness) -> None:
    found = await harness.clusters.network("network-1")
    assert (sorted(found.active), found.whole) == (MINE, True)
    for _ in range(2):
        await harness.clusters.evacuate("network-1")
        assert (await harness.clusters.network("network-1")).active == ()
    for _ in range(2):
        await harness.clusters.bring_back("network-1", found.active)
        assert sorted((await harness.clusters.network("network-1")).active) == MINE
    harness.away("network-2")
    assert not (await harness.clusters.network("network-1")).whole


async def test_a_storage_node_may_stop_while_its_peers_serve_and_is_flagged_meanwhile(harness: Harness) -> None:
    found = await harness.clusters.storage("storage-1")
    assert (found.ok_to_stop, found.clean, found.flagged) == (True, True, False)
    for on in (True, True, False, False):
        await harness.clusters.flag("storage-1", on=on)
        assert (await harness.clusters.storage("storage-1")).flagged is on
    harness.away("storage-2")
    found = await harness.clusters.storage("storage-1")
    assert (found.ok_to_stop, found.clean) == (False, False)


async def test_a_storage_cluster_is_asked_about_all_nodes_that_go_at_once(harness: Harness) -> None:
    assert (await harness.clusters.storage("storage-1", ("storage-3",))).ok_to_stop
    assert not (await harness.clusters.storage("storage-1", ("storage-2", "storage-3"))).ok_to_stop
    harness.away("storage-3")
    found = await harness.clusters.storage("storage-1", ("storage-3",))
    assert (found.ok_to_stop, found.clean) == (True, False)
    assert not (await harness.clusters.storage("storage-2")).ok_to_stop


async def test_a_command_that_answers_for_one_node_lets_no_others_go_with_it(tmp_path: Path) -> None:
    harness = ByCommand(tmp_path)
    harness.write(several=False)
    assert (await harness.clusters.storage("storage-1")).ok_to_stop
    found = await harness.clusters.storage("storage-1", ("storage-3",))
    assert (found.ok_to_stop, found.why) == (False, "the command storage_status does not answer for 2 nodes at once")


async def test_the_sheet_has_the_commands_that_put_it_back(harness: Harness) -> None:
    await harness.clusters.evacuate("network-1")
    await harness.by_hand(harness.clusters.by_hand(ROUTING, "network-1", {"active": MINE}))
    await harness.clusters.flag("storage-1", on=True)
    await harness.by_hand(harness.clusters.by_hand(FLAG, "storage-1", {"flagged": False}))
    if isinstance(harness, ByCommand):
        assert sorted((await harness.clusters.network("network-1")).active) == MINE
        assert not (await harness.clusters.storage("storage-1")).flagged


@pytest.mark.parametrize(("code", "kind"), [(75, TemporaryError), (1, PermanentError)])
async def test_a_command_that_fails_says_why(tmp_path: Path, code: int, kind: type[Exception]) -> None:
    harness = ByCommand(tmp_path)
    harness.write(exit=code, says="the cluster is split")
    with pytest.raises(kind, match="the cluster is split"):
        await harness.clusters.evacuate("network-1")


async def test_what_needs_nothing_is_no_failure(tmp_path: Path) -> None:
    harness = ByCommand(tmp_path)
    harness.write(exit=70, says="it is so")
    await harness.clusters.flag("storage-1", on=True)


@pytest.mark.parametrize(
    "says", ["", "up", "[]", '{"members": {}}', '{"members": {"control-1": "yes"}}', '{"members": {"x": true}, "extra": 1}']
)
async def test_an_answer_of_another_form_is_refused(tmp_path: Path, says: str) -> None:
    harness = ByCommand(tmp_path)
    harness.write(exit=70, says=says)
    with pytest.raises(PermanentError) as caught:
        await harness.clusters.control("control-1")
    assert caught.value.code is Code.SYS_CLUSTER


async def test_an_answer_without_end_is_refused(tmp_path: Path) -> None:
    harness = ByCommand(tmp_path)
    harness.write(exit=70, says='{"members": {"control-1": true}}' + " " * 70_000)
    with pytest.raises(PermanentError, match="longer than"):
        await harness.clusters.control("control-1")


async def test_a_role_without_its_commands_is_told_as_lacking(tmp_path: Path) -> None:
    harness = ByCommand(tmp_path, storage_flag=None, control_hand_over=None)
    assert harness.clusters.missing("storage") == ["system.clusters.storage_flag"]
    assert [*harness.clusters.missing("control"), *harness.clusters.missing("compute")] == []
    assert not harness.clusters.hands_over
    with pytest.raises(PermanentError, match="no command for storage_flag"):
        await harness.clusters.flag("storage-1", on=True)
