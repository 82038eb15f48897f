"""What is stored of a release changes while a campaign runs: nodes that come later are not touched with it."""

from __future__ import annotations

from dataclasses import replace

from escalator.simulation.setup import RELEASE
from escalator.system_support.releases.envelope import Envelope
from escalator.system_support.releases.folder import canonical, digest
from escalator.system_support.releases.trust import Trust
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged
from unit.system_support.bundles import ALICE

TRUST = Trust({"alice": ALICE.public_key}, 1)
ENVELOPE = Envelope(canonical(RELEASE)).signed(ALICE)
BEGIN = """
campaign agent failure.max_failed=9 failure.same_error=9
plan agent
start agent
until agent node.announce
"""


async def _signed(stage: Stage, notes: str | None = None, envelope: Envelope = ENVELOPE) -> None:
    """Keep the release as one that alice signed; `notes` makes the document another than she did."""
    releases = stage.sim.store.releases
    row = await releases.get(RELEASE.id)
    assert row is not None
    document = {**row.document, "spec": {**row.document["spec"], "notes": notes}}
    signed_by = TRUST.recorded(["alice"])
    await releases.remove(row.id)
    text = envelope.encode().decode()
    await releases.add(replace(row, document=document, digest=digest(RELEASE), envelope=text, signed_by=signed_by))


async def _play(notes: str | None, envelope: Envelope = ENVELOPE) -> tuple[list[str], list[str]]:
    async with staged() as stage:
        await stage.play("world nodes=3 seed=1")
        await _signed(stage)
        await stage.play(BEGIN)
        await _signed(stage, notes, envelope)
        await stage.play("run agent")
        view = await stage.sim.campaigns.show("agent")
        return [f"{task.state.value} {task.code}" for task in view.tasks], list(await stage.invariants())


def test_a_signed_release_that_stays_what_it_was_is_installed_everywhere() -> None:
    assert virtual_time.run(_play(None)) == (["done "] * 3, [])


def test_a_document_that_changes_stops_at_staging_and_no_node_leaves_service() -> None:
    states, broken = virtual_time.run(_play("changed"))
    assert states == ["done ", "done ", "rolled-back ESC-SYS-021"]
    assert broken == []


def test_signatures_that_change_stop_at_staging() -> None:
    other = replace(ENVELOPE, signatures=(replace(ENVELOPE.signatures[0], sig=bytes(64)),))
    states, broken = virtual_time.run(_play(None, other))
    assert states == ["done ", "done ", "rolled-back ESC-SYS-021"]
    assert broken == []
