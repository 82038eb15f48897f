"""Bodies of actions."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from escalator.model.document import DnsLabel, Model


class StartAction(Model):
    """Start by the given plan, or the campaign's own."""

    plan: str | None = None
    accept_drift: bool = False


class ReplanAction(Model):
    """Plan the rest of a running campaign anew."""

    accept_drift: bool = False
    """Follow the plan although it goes beyond what was approved."""
    dry_run: bool = False
    """Only tell what it would do."""


class StateAction(Model):
    """Why a person pauses or aborts; it stands in the history."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class NodeAction(Model):
    """Of which campaign a node is retried or skipped."""

    campaign: DnsLabel
