"""What has to happen to each instance of a node before the node is upgraded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Instance

StayKind = Literal["in-place", "stop-start", "offline"]


@dataclass(frozen=True, slots=True)
class Leaves:
    """The instance moves to another node."""

    kind: Literal["live", "cold"]


@dataclass(frozen=True, slots=True)
class Stays:
    """The instance stays on the node while that is upgraded."""

    kind: StayKind


@dataclass(frozen=True, slots=True)
class Stuck:
    """The instance can neither move nor stay: a failing condition, with what would mend it."""

    reason: str
    remedy: str


PINNED_REMEDY = "register its VNF manager, or set mode: non-smooth: it alone is stopped with its node then, once that is accepted"
"""For one instance; what policy would do to all of them is told beside it."""

Action = Leaves | Stays | Stuck
LIVE, COLD = Leaves("live"), Leaves("cold")


def any_of(actions: Mapping[str, Action], kinds: type[Action] | tuple[type[Action], ...]) -> bool:
    """Whether something of these kinds happens to anyone. Most share one object, so that few are looked at."""
    return any(isinstance(action, kinds) for action in {id(action): action for action in actions.values()}.values())


def action_for(instance: Instance, spec: CampaignSpec, *, managed: bool) -> Action:
    """Decide what is planned for one instance; `managed` says that a VNF manager speaks for it.

    The plan's `in-place` for a managed instance still needs the VNF manager's consent when the campaign runs.
    """
    if instance.blocked is not None:
        return Stuck(f"instance {instance.id} cannot be touched now: {instance.blocked}", "mend its state, then plan again")
    if not instance.running:
        return Stays("offline")
    if instance.vacate == "in-place":
        return Stays("in-place")
    if instance.migration == "none":
        return _not_migratable(instance, spec, managed=managed)
    if managed:
        return Leaves(instance.migration)
    action = _by_default(instance, spec)
    # What its VNF declares stands above what the operator wishes for all.
    allowed = instance.allowed is None or instance.may(action.kind if isinstance(action, Leaves) else "none")
    return action if allowed else Leaves(instance.migration)


def _by_default(instance: Instance, spec: CampaignSpec) -> Leaves | Stays:
    match spec.workloads.default.action:
        case "stop-start":
            return Stays("stop-start")
        case "in-place" | "leave":
            return Stays("in-place")
        case "cold":
            return COLD
        case _:
            return COLD if instance.migration == "cold" else LIVE


def _not_migratable(instance: Instance, spec: CampaignSpec, *, managed: bool) -> Action:
    if not instance.may("none"):
        return Stuck(
            f"instance {instance.id} on {instance.node} can neither migrate nor stay: {instance.migration_reason}",
            "agree with the VNF's owner on another supported_migration_type: escalator constraint set",
        )
    default = spec.workloads.default.action
    if managed:
        return Stays("in-place")
    if default in ("in-place", "leave"):
        return Stays("in-place")
    if default == "stop-start" or spec.mode == "non-smooth":
        return Stays("stop-start")
    why = f" ({instance.migration_reason})" if instance.migration_reason else ""
    return Stuck(
        f"instance {instance.id} on {instance.node} cannot migrate{why}, no VNF manager speaks for it,"
        " and policy lets it not be stopped",
        PINNED_REMEDY,
    )
