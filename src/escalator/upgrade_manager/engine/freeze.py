"""The emergency freeze: nothing begins in any campaign. What runs is finished, what only waits is given back."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from escalator.model.codes import Code
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import GOING_ON, usual_reason, write
from escalator.upgrade_manager.engine.context import Context

FROZEN = "everything is frozen"
_PLACE, _KEY = "*", "freeze"
"""Where it is kept: a memo of no campaign, whose names are DNS labels."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Since when (Unix seconds), and why in a person's words."""

    since: float
    reason: str = ""

    @property
    def said(self) -> str:
        """The same as part of a sentence."""
        return f"{FROZEN}{f': {self.reason}' if self.reason else ''}; it ends with escalator freeze end"


async def current_freeze(ctx: Context) -> Freeze | None:
    """The freeze that holds now."""
    found = (await ctx.store.tasks.memo(_PLACE)).get(_KEY)
    return Freeze(float(found["since"]), str(found["reason"])) if found else None


async def keep_freeze(ctx: Context, freeze: Freeze | None) -> None:
    """Store it in place of what holds; none ends it."""
    await ctx.store.tasks.remember(_PLACE, _KEY, None if freeze is None else asdict(freeze))


async def frozen(ctx: Context, name: str, board: Board) -> bool:
    """Whether the campaign may begin nothing now; whoever looks at it sees why, and the rest is planned anew afterwards."""
    found = await current_freeze(ctx)
    said = "" if found is None else found.said
    row = await ctx.store.campaigns.get(name) if board.frozen != said else None
    if row is None:
        return found is not None
    shown = row.state in GOING_ON
    if found is not None:
        await write(ctx, name, "campaign.waits", found.said, code=Code.UPG_FROZEN, node=None)
        if shown:
            await ctx.store.campaigns.change(name, (row.state,), code="", reason=found.said)
    elif board.frozen or row.reason.startswith(FROZEN):
        # Also one that ended while another board was followed, or while the server was down.
        board.disturbed = board.disturbed or "the end of a freeze"
        if shown:
            await ctx.store.campaigns.change(name, (row.state,), code="", reason=await usual_reason(ctx, name, row.state))
    board.frozen = said
    return found is not None
