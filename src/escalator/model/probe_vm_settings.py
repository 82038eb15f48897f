"""Settings of the probe VM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from escalator.model.document import DnsLabel, Model
from escalator.model.errors import Problem
from escalator.model.node_settings import NamedCommand


class ProbeVmSettings(Model):
    """The probe VM: a small instance of our own, in the project of our credentials, that proves a node after its upgrade."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Its image, by id or name."""
    flavor: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Its flavor, by id or name."""
    network: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """Its network, by id or name; null = none."""
    command: DnsLabel | None = None
    """Entry of `commands` that reaches it: `{address}` stands for its first address; null = that it runs is enough."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 300.0
    """Longest time in which it has to run, to be reached, and to arrive on each of its migrations, seconds."""


def probe_vm_problems(probe: ProbeVmSettings | None, driver: str, commands: Mapping[str, NamedCommand]) -> list[Problem]:
    """What of it does not fit the other settings."""
    if probe is None or probe.command is None:
        return []
    entry = commands.get(probe.command)
    if entry is None or entry.where != "manager":
        return [Problem("cloud.probe_vm.command", f"commands has no {probe.command!r} that runs on the manager")]
    if probe.network is None and driver == "openstack":
        return [Problem("cloud.probe_vm.network", "a probe VM without a network has no address that a command could reach")]
    return []
