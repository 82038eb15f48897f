"""Why a campaign goes back, what it waits for on its way, and what goes on from there: a pause loses none of it."""

from __future__ import annotations

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

BEGUN = "world nodes=4 seed=1\ncampaign a\nplan a\nstart a\nrun a"


async def _seen(stage: Stage) -> tuple[str, str, tuple[str, ...]]:
    view = await stage.sim.campaigns.show("a")
    return view.row.state.value, view.row.reason, tuple(view.next)


async def _back(stage: Stage) -> None:
    await stage.play(BEGUN)
    await stage.sim.campaigns.back.rollback("a", "the vendor says so")
    await stage.play("until a node.vacate")


def test_why_it_goes_back_is_shown_again_after_a_pause() -> None:
    async def shown() -> list[tuple[str, str, tuple[str, ...]]]:
        async with staged() as stage:
            await _back(stage)
            await stage.sim.campaigns.pause("a", "storm")
            paused = await _seen(stage)
            await stage.sim.campaigns.resume("a")
            return [paused, await _seen(stage)]

    paused, resumed = virtual_time.run(shown())
    assert paused == ("rollback_paused", "storm", ("escalator campaign resume a",))
    assert resumed == ("rolling_back", "the vendor says so", ("escalator campaign pause a",))


def test_a_way_back_that_is_frozen_says_so_and_what_ends_it() -> None:
    async def shown() -> list[tuple[str, str, tuple[str, ...]]]:
        async with staged() as stage:
            await _back(stage)
            await stage.play("freeze storm\nwait 3600")
            frozen = await _seen(stage)
            assert (await stage.sim.campaigns.show("a")).eta_s is None
            await stage.play("unfreeze\nwait 60")
            return [frozen, await _seen(stage)]

    frozen, thawed = virtual_time.run(shown())
    said = "everything is frozen: storm; it ends with escalator freeze end"
    assert frozen == ("rolling_back", said, ("escalator freeze end", "escalator campaign pause a"))
    assert thawed[:2] == ("rolling_back", "the vendor says so")


def test_a_way_back_that_waits_for_its_window_says_so() -> None:
    async def shown() -> str:
        async with staged() as stage:
            spec = '[{"days":["thu"],"start":"00:00","length_s":14400,"time_zone":"UTC"}]'
            await stage.play(BEGUN.replace("campaign a", f"campaign a windows={spec}"))
            await stage.play("wait 21600")
            await stage.sim.campaigns.back.rollback("a", "the vendor says so")
            await stage.play("wait 60")
            return (await _seen(stage))[1]

    assert virtual_time.run(shown()).startswith("waits for its window, which opens Thu")
