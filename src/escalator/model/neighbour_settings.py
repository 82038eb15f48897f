"""Settings of the neighbours: systems that are told that a host is in maintenance, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from escalator.model.document import DnsLabel, Model
from escalator.model.errors import Problem
from escalator.model.forms import WEB_ADDRESS
from escalator.model.node_settings import Seconds
from escalator.model.notice import Auth


class Hook(Model):
    """Commands that tell a neighbour; `{node}` and `{campaign}` stand for one argument each."""

    enter: Annotated[tuple[str, ...], Field(min_length=1)]
    """Run when a host goes into maintenance, before anything else happens to it."""
    leave: Annotated[tuple[str, ...], Field(min_length=1)]
    """Run when it is back."""
    timeout_s: Seconds = 60.0
    required: bool = True
    """Whether a host is left alone when its neighbour cannot be told."""


class Alertmanager(Model):
    """Alertmanager, in which the alerts of a host in maintenance are silenced."""

    url: Annotated[str, StringConstraints(pattern=WEB_ADDRESS, max_length=2008)] | None = None
    """Its address; null = there is none."""
    auth: Auth = Auth()
    matchers: Annotated[Mapping[str, str], Field(min_length=1)] = Field(default_factory=lambda: {"instance": "{node}"})
    """Labels of the alerts that are silenced; `{node}` stands for the host."""
    length_s: Seconds = 14400.0
    """When a silence ends that nobody ends."""
    required: bool = False


class Masakari(Model):
    """OpenStack's instance high availability, which evacuates hosts that it takes for dead."""

    enabled: bool = False
    """Whether its hosts are set `on_maintenance`; through the user of the OpenStack cloud, who needs the role admin there."""
    required: bool = True
    """Whether a host is left alone when Masakari cannot be told."""


class Neighbours(Model):
    """Systems that are told that a host is in maintenance, and back."""

    hooks: Mapping[DnsLabel, Hook] = Field(default_factory=dict)
    """Neighbours that are told by commands, in this order."""
    masakari: Masakari = Masakari()
    """OpenStack's instance high availability, which must not evacuate a host that reboots."""
    alertmanager: Alertmanager = Alertmanager()


def neighbour_problems(neighbours: Neighbours, cloud_driver: str) -> list[Problem]:
    """What of these settings cannot be, each with its place."""
    found = []
    if neighbours.alertmanager.auth.type not in ("none", "basic", "bearer"):
        found.append(Problem("neighbours.alertmanager.auth.type", "only none, basic and bearer are supported there"))
    if neighbours.masakari.enabled and cloud_driver != "openstack":
        found.append(
            Problem("neighbours.masakari.enabled", f"the {cloud_driver} cloud has no Masakari; it needs cloud.driver openstack")
        )
    built_in = {"masakari": neighbours.masakari.enabled, "alertmanager": neighbours.alertmanager.url is not None}
    why = "is told without a command already; give the hook another name"
    return found + [Problem(f"neighbours.hooks.{n}", f"{n} {why}") for n in sorted(neighbours.hooks) if built_in.get(n)]
