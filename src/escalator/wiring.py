"""The composition root: the only place that knows drivers. Everything else is handed what it needs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from escalator.cloud_manager.port import CloudManager
from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.clock import Clock
from escalator.storage.port import Store
from escalator.system_support.port import SystemSupport
from escalator.system_support.simulated import SimulatedSystem
from escalator.upgrade_manager.engine.campaign import run_campaign
from escalator.upgrade_manager.engine.context import Book, Context, Pace, Sheet, Signals
from escalator.upgrade_manager.engine.node import upgrade_node
from escalator.upgrade_manager.engine.runtime import Course, Json, Launcher
from escalator.vim_interface.port import VimInterface
from escalator.vim_interface.vim import Parts, Vim
from escalator.world.world import World

TOKEN_BYTES = 24
"""192 random bits: more than the 128 that an unguessable reply address needs."""


def courses_of(ctx: Context) -> dict[str, Course]:
    """The workflows by the names under which they are stored."""
    return {"campaign": partial(run_campaign, ctx), "node": partial(upgrade_node, ctx)}


def waker(launcher: Launcher) -> Callable[[str, str, Mapping[str, Json]], Any]:
    """How the VIM Interface wakes the node task that waits for answers; a round of asking wakes its task's workflow."""

    async def wake(task: str, topic: str, payload: Mapping[str, Json]) -> None:
        await launcher.send(task.partition("~")[0], topic, dict(payload), key=str(payload["key"]))

    return wake


def reply_token() -> str:
    """The unguessable part of a reply address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def make_context(  # noqa: PLR0913 - the composition root names every part once
    *,
    store: Store,
    cloud: CloudManager,
    systems: Mapping[str, SystemSupport],
    vim: VimInterface,
    clock: Clock,
    launcher: Launcher,
    sheet: Sheet,
    pace: Pace,
) -> Context:
    """All that the courses and steps work with."""
    return Context(
        store=store,
        cloud=cloud,
        systems=systems,
        vim=vim,
        clock=clock,
        launcher=launcher,
        sheet=sheet,
        book=Book(store),
        signals=Signals(),
        pace=pace,
    )


def simulated_drivers(world: World) -> tuple[CloudManager, dict[str, SystemSupport]]:
    """The simulated Cloud Manager and System Support on one world."""
    return SimulatedCloud(world), {"simulated": SimulatedSystem(world)}


def make_vim(parts: Parts) -> Vim:
    """The VIM Interface of its parts."""
    return Vim(parts)
