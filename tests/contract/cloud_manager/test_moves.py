"""Moves: asked for once, judged by both the instance and the record, and safe to repeat."""

from __future__ import annotations

import pytest

from contract.cloud_manager.harness import Harness, ended, has_state, until
from escalator.cloud_manager.port import MoveOrder, MoveState
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError


async def _order(harness: Harness, kind: str = "live") -> MoveOrder:
    instance = await harness.boot(harness.nodes[0])
    return MoveOrder(instance, harness.nodes[0], harness.nodes[1], kind)  # type: ignore[arg-type]


async def test_a_live_move_ends_on_the_target_and_repeating_the_order_changes_nothing(harness: Harness) -> None:
    order = await _order(harness)
    assert (await harness.cloud.move_status(order)).state is MoveState.NONE
    await harness.cloud.start_move(order)
    await harness.cloud.start_move(order)
    done = await ended(harness, order)
    assert (done.state, done.at, done.healthy) == (MoveState.DONE, order.target, True)
    await harness.cloud.start_move(order)
    moved = await harness.cloud.instance(order.instance)
    assert moved is not None
    assert (moved.node, moved.state, moved.task_state) == (order.target, "active", None)


async def test_a_live_move_under_way_blocks_the_instance_and_shows_progress(harness: Harness) -> None:
    order = await _order(harness)
    await harness.break_live_moves(order.origin, hang=True)
    await harness.cloud.start_move(order)
    status = await until(harness, lambda: harness.cloud.move_status(order), lambda found: found.progress is not None)
    assert (status.state, status.at) == (MoveState.RUNNING, order.origin)
    moving = await harness.cloud.instance(order.instance)
    assert moving is not None
    assert moving.blocked is not None
    assert "migrating" in moving.blocked


async def test_an_order_to_another_target_waits_until_the_first_has_ended(harness: Harness) -> None:
    order = await _order(harness)
    await harness.break_live_moves(order.origin, hang=True)
    await harness.cloud.start_move(order)
    await until(harness, lambda: harness.cloud.move_status(order), lambda found: found.progress is not None)
    with pytest.raises(TemporaryError) as caught:
        await harness.cloud.start_move(MoveOrder(order.instance, order.origin, harness.nodes[2], "live"))
    assert caught.value.code is Code.CLD_BUSY


async def test_a_failed_live_move_leaves_the_instance_running_where_it_was_and_may_be_tried_again(harness: Harness) -> None:
    order = await _order(harness)
    await harness.break_live_moves(order.origin)
    await harness.cloud.start_move(order)
    failed = await ended(harness, order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, order.origin, True)
    assert failed.message
    await harness.mend()
    await harness.cloud.start_move(order)
    assert (await ended(harness, order)).state is MoveState.DONE


async def test_an_aborted_live_move_leaves_the_instance_where_it_was(harness: Harness) -> None:
    order = await _order(harness)
    await harness.break_live_moves(order.origin, hang=True)
    await harness.cloud.start_move(order)
    await until(harness, lambda: harness.cloud.move_status(order), lambda found: found.progress is not None)
    await harness.cloud.abort_move(order)
    failed = await ended(harness, order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, order.origin, True)


async def test_aborting_what_is_not_under_way_does_nothing(harness: Harness) -> None:
    order = await _order(harness)
    await harness.cloud.abort_move(order)
    assert (await harness.cloud.move_status(order)).state is MoveState.NONE


async def test_a_cordoned_target_is_refused_as_unfit(harness: Harness) -> None:
    live = await _order(harness)
    await harness.cloud.cordon(live.target, "Escalator campaign c: upgrade")
    for order in (live, MoveOrder(live.instance, live.origin, live.target, "cold")):
        with pytest.raises(PermanentError) as caught:
            await harness.cloud.start_move(order)
        assert caught.value.code is Code.CLD_NO_VALID_HOST


async def test_a_member_of_an_anti_affinity_group_is_not_put_beside_another(harness: Harness) -> None:
    first, _, _ = await harness.boot_pair()
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.start_move(MoveOrder(first, harness.nodes[0], harness.nodes[1], "live"))
    assert caught.value.code is Code.CLD_NO_VALID_HOST


async def test_an_instance_that_is_not_on_the_origin_is_not_moved(harness: Harness) -> None:
    instance = await harness.boot(harness.nodes[2])
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.start_move(MoveOrder(instance, harness.nodes[0], harness.nodes[1], "live"))
    assert caught.value.code is Code.CLD_REFUSED


async def test_a_cold_move_waits_for_confirm_and_ends_on_the_target(harness: Harness) -> None:
    order = await _order(harness, "cold")
    await harness.cloud.start_move(order)
    await harness.cloud.start_move(order)
    waiting = await ended(harness, order)
    assert (waiting.state, waiting.at, waiting.healthy) == (MoveState.CONFIRM, order.target, True)
    await harness.cloud.start_move(order)
    await harness.cloud.confirm_move(order)
    await harness.cloud.confirm_move(order)
    done = await ended(harness, order)
    assert (done.state, done.at, done.healthy) == (MoveState.DONE, order.target, True)
    await harness.cloud.confirm_move(order)
    await has_state(harness, order.instance, "active")


async def test_a_reverted_cold_move_ends_on_the_origin(harness: Harness) -> None:
    order = await _order(harness, "cold")
    await harness.cloud.start_move(order)
    assert (await ended(harness, order)).state is MoveState.CONFIRM
    await harness.cloud.revert_move(order)
    await harness.cloud.revert_move(order)
    failed = await ended(harness, order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, order.origin, True)
    await has_state(harness, order.instance, "active")


async def test_a_stopped_instance_moves_cold_and_stays_stopped(harness: Harness) -> None:
    order = await _order(harness, "cold")
    await harness.cloud.stop(order.instance)
    await has_state(harness, order.instance, "stopped")
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.start_move(MoveOrder(order.instance, order.origin, order.target, "live"))
    assert caught.value.code is Code.CLD_REFUSED
    await harness.cloud.start_move(order)
    waiting = await ended(harness, order)
    assert (waiting.state, waiting.healthy) == (MoveState.CONFIRM, True)
    await harness.cloud.confirm_move(order)
    assert (await ended(harness, order)).state is MoveState.DONE
    await has_state(harness, order.instance, "stopped")


async def test_the_move_of_an_instance_that_is_gone_is_lost(harness: Harness) -> None:
    order = await _order(harness)
    await harness.delete(order.instance)
    status = await harness.cloud.move_status(order)
    assert (status.state, status.at, status.healthy) == (MoveState.LOST, None, False)
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.start_move(order)
    assert caught.value.code is Code.CLD_NOT_FOUND


async def test_stop_and_start_may_be_repeated(harness: Harness) -> None:
    instance = await harness.boot(harness.nodes[0])
    await harness.cloud.start(instance)
    await harness.cloud.stop(instance)
    await harness.cloud.stop(instance)
    await has_state(harness, instance, "stopped")
    await harness.cloud.stop(instance)
    await harness.cloud.start(instance)
    await harness.cloud.start(instance)
    await has_state(harness, instance, "active")
