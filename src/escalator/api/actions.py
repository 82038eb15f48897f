"""Bodies of actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from escalator.model.document import DnsLabel, Model

Who = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]+$", max_length=100)]
UNNAMED = "the operators' token"
"""Who asks, where the request does not say."""


class StartAction(Model):
    """Start by the given plan, or the campaign's own."""

    plan: str | None = None
    accept_drift: bool = False
    accept_outage: bool = False
    """Whether instances may be stopped that find no place: for campaigns of the mode `non-smooth`."""
    accept_point_of_no_return: bool = False
    """Whether nodes may pass the release's point of no return without a person being asked when the first one reaches it."""
    by: Who = UNNAMED
    """Who starts it, where the token has no name; it stands in the history where a point of no return is accepted."""


class RollbackAction(Model):
    """Put back what a campaign changed."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    """Why; it stands in the history."""
    accept_outage: bool = False
    """Whether instances may be stopped once more that find no place: for campaigns of the mode `non-smooth`."""
    outside_windows: bool = False
    """Whether it waits for no maintenance window; that this was accepted stands in the history."""


class ResumeAction(Model):
    """Let a paused or suspended campaign go on."""

    accept_point_of_no_return: bool = False
    """Whether nodes may pass the release's point of no return from now on."""
    by: Who = UNNAMED
    """Who says so, where the token has no name; it stands in the history."""


class RestoreAction(Model):
    """Put a node back on a backup."""

    accept_impact: bool = False
    """Whether instances that run on the node may be impacted."""
    accept_cluster: Annotated[str, StringConstraints(max_length=500)] = ""
    """Why the node may go although its clusters cannot do without it; it stands in the history. Empty = it may not."""


class PruneAction(Model):
    """Let backups go."""

    dry_run: bool = False
    """Only tell which would go."""
    release: Annotated[str, StringConstraints(max_length=128)] = ""
    """Let go what was taken before this release was installed, as `name/version`, whatever retention says."""


class ReplanAction(Model):
    """Plan the rest of a running campaign anew."""

    accept_drift: bool = False
    """Follow the plan although it goes beyond what was approved."""
    dry_run: bool = False
    """Only tell what it would do."""


class StateAction(Model):
    """Why a person pauses or aborts; it stands in the history."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class VnfdImport(Model):
    """A VNF descriptor, and what it is about."""

    vnfd: Annotated[str, StringConstraints(max_length=1_000_000)]
    """The descriptor's service template, TOSCA YAML."""
    vnf: Annotated[str, StringConstraints(pattern=r"^[^\s/]+$", max_length=255)]
    """The VNF instance for which what is not mapped holds."""
    map: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, max_length=1000)
    """Objects (`group:ID`, `instance:ID`, `vnf:ID`) by name of deployment unit or policy."""
    dry_run: bool = False
    """Only tell what it would declare."""


class VnfmChange(Model):
    """What changes of a registration, as a merge patch: what is left out stays, null puts the default back."""

    spec: Mapping[str, Any] = Field(min_length=1, max_length=100)
    """As in the registration; a list is replaced as a whole."""


class SkipAction(Model):
    """Of which campaign a node is left out, and why; it stands with the node and in the history."""

    campaign: DnsLabel
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class HoldAction(Model):
    """Why a person holds a node; it is shown wherever the node is."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class ApproveAction(Model):
    """Which manual gate a person opens, and why; it stands in the history."""

    gate: DnsLabel
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class NodeAction(Model):
    """Of which campaign a node is retried."""

    campaign: DnsLabel
