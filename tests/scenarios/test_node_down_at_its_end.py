"""A node that is down when it is given back: it has its time to report once, and not once for everybody who is told."""

from __future__ import annotations

import pytest

from escalator.upgrade_manager.engine.in_service import REPORT_S
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

ORCHESTRATOR = "orchestrator nfvo"
WAITS = """
world nodes=4 seed=1
campaign agent node.driver=simulated node.hooks.{hook}=[look]
plan agent
fault kind=command command=look effect=retry node=cn-0003
start agent
until agent node.command cn-0003
crash cn-0003
"""
"""The node goes down while a hook of it is tried again and again."""
STOPS = WAITS.format(hook="pre_maintenance") + "abort agent\nfaults none"
ENDS = WAITS.format(hook="post_maintenance") + "faults none"


async def _waited_s(lines: str, action: str) -> float:
    async with staged() as stage:
        await stage.play(f"{lines}\nuntil agent node.{action} cn-0003 done")
        events = await stage.sim.store.events.read(0, campaign="agent", node="cn-0003", limit=100_000)
        return next(event.duration_s or 0.0 for event in events if event.action == f"node.{action}" and event.outcome == "done")


async def _until_told_s() -> float:
    """From when the node is enabled until its turn ends without VNF managers being told."""
    async with staged() as stage:
        await stage.play(_with(ENDS, ORCHESTRATOR) + "\nuntil agent node.announce cn-0003 done")
        events = await stage.sim.store.events.read(0, campaign="agent", node="cn-0003", limit=100_000)
        began = next(event.at for event in events if event.action == "node.uncordon" and event.outcome == "started")
        ended = next(event.at for event in events if event.action == "node.announce" and event.outcome == "done")
        return ended - began


def _with(lines: str, more: str) -> str:
    return lines.replace("campaign", f"{more}\ncampaign", 1)


@pytest.mark.parametrize("first", ["", ORCHESTRATOR])
def test_an_undo_waits_once_for_whoever_is_told(first: str) -> None:
    assert REPORT_S <= virtual_time.run(_waited_s(_with(STOPS, first), "undo-cordon")) < 1.2 * REPORT_S


def test_the_end_of_a_turn_waits_for_no_orchestrator_where_there_is_none() -> None:
    assert virtual_time.run(_waited_s(ENDS, "uncordon")) == 0


def test_an_orchestrator_is_told_of_a_node_that_had_its_time_to_report() -> None:
    assert virtual_time.run(_waited_s(_with(ENDS, ORCHESTRATOR), "uncordon")) >= REPORT_S


def test_a_node_that_had_its_time_to_report_is_not_waited_for_again_when_its_turn_ends() -> None:
    assert REPORT_S <= virtual_time.run(_until_told_s()) < 1.2 * REPORT_S
