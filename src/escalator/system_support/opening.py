"""The drivers for real nodes, made from the settings."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

from escalator.model.clock import Clock
from escalator.settings import Settings
from escalator.system_support.port import SystemSupport
from escalator.system_support.releases.store import ReleaseStore


def real_systems(settings: Settings, importer: ReleaseStore, clock: Clock, stack: AsyncExitStack) -> dict[str, SystemSupport]:
    """The drivers by their names, closed with `stack`. Under a simulated cloud: those that the settings say something of.

    Raises PermanentError or InputError when the settings ask for what cannot be.
    """
    systems: dict[str, SystemSupport] = {}
    if settings.cloud.driver != "simulated" or settings.system.ssh.known_hosts is not None:
        systems |= _over_ssh(settings, importer, clock, stack)
    if settings.system.command.argv:
        from escalator.system_support.command import CommandSystem  # noqa: PLC0415 - only who uses it loads it

        systems["command"] = CommandSystem(settings.system.command, settings.state, os.environ, clock, settings.system.keep_days)
    return systems


def _over_ssh(settings: Settings, importer: ReleaseStore, clock: Clock, stack: AsyncExitStack) -> dict[str, SystemSupport]:
    # asyncssh takes a second to import: only for who uses it.
    from escalator.system_support.ansible.driver import AnsibleSystem, Resources  # noqa: PLC0415
    from escalator.system_support.packages.driver import PackagesSystem, Source  # noqa: PLC0415

    source = Source(settings.repository.url, importer.repository.public_key)
    packages = PackagesSystem(settings.system, settings.credentials, source, clock)
    stack.push_async_callback(packages.close)
    resources = Resources(settings.credentials, importer.path, packages, clock)
    return {"packages": packages, "ansible": AnsibleSystem(settings.system, settings.state, os.environ, resources)}
