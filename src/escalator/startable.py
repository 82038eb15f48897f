"""Whether a server can start with its settings: what they name beside themselves is there and can be used.

`serve` looks before it binds anything, and `config show --config` looks in the same way: a file that is said to be good is one
that a server starts with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from escalator.api.listener_tls import listener_context
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, InputError, Problem
from escalator.settings import Settings
from escalator.system_support.releases.trust import trust_of
from escalator.upgrade_manager.copies import read_copy
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.broker import broker_address


def check_startable(settings: Settings) -> None:
    """Raise what stands in the way: the one error as it is, several as problems of one InputError (`CFG_SETTINGS`)."""
    found = list(_refusals(settings))
    if len(found) == 1:
        raise found[0][1]
    if found:
        problems = [problem for path, error in found for problem in _problems(path, error)]
        raise InputError(Code.CFG_SETTINGS, "The settings are not valid.", problems=problems)


def _problems(path: str, error: EscalatorError) -> Sequence[Problem]:
    named = error.problems if isinstance(error, InputError) else ()
    return named or (Problem(path, error.message),)


def _refusals(settings: Settings) -> Iterator[tuple[str, EscalatorError]]:
    for path, look in _looks(settings).items():
        try:
            look()
        except EscalatorError as error:
            yield path, error


def _looks(settings: Settings) -> dict[str, Callable[[], object]]:
    looks: dict[str, Callable[[], object]] = {"releases.trust": lambda: trust_of(settings.releases.trust)}
    tls, bus = settings.vnfm.tls, settings.vim.fenix.notifications
    if tls is not None:
        looks["vnfm.tls"] = lambda: listener_context("vnfm", tls)
    if bus.on:
        looks["vim.fenix.notifications"] = broker_address(bus, Credentials(settings.credentials), os.environ)
    copied = settings.cloud.simulated.inventory if settings.cloud.driver == "simulated" else None
    if copied is not None and not settings.world.exists():
        looks["cloud.simulated.inventory"] = lambda: read_copy(Path(copied))
    return looks
