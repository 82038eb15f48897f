"""The worker loop of both drives: whatever fails, the campaign must not be left alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.model.progress import Event
from escalator.upgrade_manager.engine.context import Context


async def seen_to_its_end(
    ctx: Context, name: str, look: Callable[[], Awaitable[str | None]], forget: Callable[[], None], what: str = "the campaign"
) -> str:
    """Look again and again until a look finds the end; what that is called.

    After a failure what was known is forgotten, and it is looked again soon: a cloud did not answer, or a person was quicker.
    """
    told = ""
    while True:
        try:
            end = await look()
        except Exception as error:  # noqa: BLE001 - the worker loop: whatever fails, the campaign must not be left alone
            forget()
            said = error.message if isinstance(error, EscalatorError) else f"{type(error).__name__}: {error}"
            if told != said:
                told = said
                code = error.code if isinstance(error, EscalatorError) else Code.UPG_STEP_FAILED
                await _trouble(ctx, name, code, f"{what} is looked at again: {said}")
            await ctx.clock.sleep(ctx.pace.recheck_s)
        else:
            told = ""
            if end is not None:
                return end


async def _trouble(ctx: Context, name: str, code: Code, message: str) -> None:
    event = Event(at=ctx.clock.now(), action="campaign.trouble", campaign=name, object_id=name, code=code.value, message=message)
    try:
        await ctx.store.events.append((event,))
    except EscalatorError:
        return  # it may be storage itself that does not answer
