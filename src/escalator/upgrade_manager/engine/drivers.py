"""The driver that a campaign names: whether this server has it, asked before anything is planned."""

from __future__ import annotations

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem
from escalator.upgrade_manager.engine.context import Context


def require_driver(ctx: Context, campaign: Campaign) -> None:
    """Raise InputError (`CFG_DRIVER`) when the server has no such driver: every node's turn would fail on it."""
    driver = campaign.spec.node.driver
    if driver in ctx.systems:
        return
    left_out = "" if "driver" in campaign.spec.node.model_fields_set else ", which is meant where the key is left out"
    known = ", ".join(sorted(ctx.systems)) or "none"
    problem = Problem("spec.node.driver", f"the server has no driver {driver}{left_out}; configured are: {known}")
    remedy = "Name one of those under spec.node.driver, or configure it in the settings and start the server anew."
    message = "The campaign names a driver that the server does not have."
    raise InputError(Code.CFG_DRIVER, message, problems=[problem], remedy=remedy)
