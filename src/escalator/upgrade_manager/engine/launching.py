"""A campaign that runs is driven, and one that is not says so: its workflow is started, or a person is called."""

from __future__ import annotations

from contextlib import suppress

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, EscalatorError, TemporaryError
from escalator.model.progress import CampaignState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.campaign import begin_back


async def drive_on(ctx: Context, name: str) -> None:
    """Make sure that the campaign has its workflow; nothing happens when it has. Raises what the engine raises."""
    await ctx.launcher.start("campaign", f"campaign/{name}", {"campaign": name})


async def drive_if_not(ctx: Context, row: CampaignRow) -> None:
    """The same where it is known that nobody drives it: any other campaign obeys a person while the engine's storage is away."""
    if row.code == Code.UPG_NOT_DRIVEN.value:
        await drive_on(ctx, row.name)


async def launch(ctx: Context, name: str) -> None:
    """Start the workflow of a campaign that is stored as running. Raises TemporaryError (`UPG_NOT_DRIVEN`) when that fails.

    It is suspended then: nobody has begun anything, and `resume` starts it.
    """
    try:
        await drive_on(ctx, name)
    except EscalatorError as error:
        raise await _not_driven(ctx, name, CampaignState.RUNNING, CampaignState.SUSPENDED, error) from error


async def launch_back(ctx: Context, name: str) -> None:
    """The same for the way back of a campaign that is over: it is paused when its workflow cannot be started."""
    try:
        await begin_back(ctx, name)
    except EscalatorError as error:
        raise await _not_driven(ctx, name, CampaignState.ROLLING_BACK, CampaignState.ROLLBACK_PAUSED, error) from error


async def _not_driven(
    ctx: Context, name: str, state: CampaignState, rest: CampaignState, error: EscalatorError
) -> TemporaryError:
    why = f"its workflow could not be started, so nobody drives it: {error.message}"
    with suppress(ConflictError):  # a person was quicker, whose command starts it too
        await change(ctx, name, (state,), rest, Code.UPG_NOT_DRIVEN, why)
    return TemporaryError(
        Code.UPG_NOT_DRIVEN, f"Campaign {name} is {rest.value}: {why}", remedy=f"escalator campaign resume {name}"
    )
