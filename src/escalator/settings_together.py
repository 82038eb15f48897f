"""Settings that are each as they may be, and cannot be together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.model.errors import Problem
from escalator.model.host import LOOPBACK
from escalator.model.neighbour_settings import neighbour_problems
from escalator.model.placeholders import MANUAL, VNF_COMMAND, of_settings, unknown_words
from escalator.model.probe_vm_settings import probe_vm_problems

if TYPE_CHECKING:
    from escalator.settings import FenixFace, Settings


def _fenix_problems(fenix: FenixFace) -> list[Problem]:
    found = []
    if fenix.sessions.templates and fenix.auth != "keystone":
        message = "whoever starts sessions shows a token of the cloud: vim.fenix.auth has to be keystone"
        found.append(Problem("vim.fenix.sessions.templates", message))
    bus = fenix.notifications
    if bus.credential is not None and bus.variable is not None:
        found.append(Problem("vim.fenix.notifications.variable", "the address stands in a file or in a variable, not in both"))
    return found


def _placeholder_problems(settings: Settings) -> list[Problem]:
    vim = settings.vim
    spoken = [("vim.manual.argv", vim.manual.argv, MANUAL)]
    spoken += [(f"vim.commands.{name}.argv", entry.argv, VNF_COMMAND) for name, entry in vim.commands.items()]
    parts = settings.system.command, settings.commands, settings.gates, settings.locks, settings.neighbours
    return unknown_words([*of_settings(*parts), *spoken])


def _simulated_problems(settings: Settings) -> list[Problem]:
    if settings.cloud.driver == "simulated":
        return []
    found = {f"gates.{name}.kind": "gate" for name, gate in settings.gates.items() if gate.kind == "simulated"}
    found |= {"locks.kind": "lock service"} if settings.locks.kind == "simulated" else {}
    return [Problem(path, f"a simulated {what} needs a simulated cloud") for path, what in found.items()]


def impossible(settings: Settings) -> list[Problem]:
    """What of these settings cannot be beside the others, each with its place."""
    found = []
    faces = {"fenix": (settings.vim.fenix.auth, "constrain"), "tacker": (settings.vim.tacker.auth, "answer for")}
    for name, (auth, could) in faces.items():
        if auth == "none" and settings.vnfm.host not in LOOPBACK:
            message = f"vnfm.host {settings.vnfm.host} is not loopback: whoever reaches it could {could} any VNF; use keystone"
            found.append(Problem(f"vim.{name}.auth", message))
        if auth == "keystone" and settings.cloud.driver != "openstack":
            found.append(Problem(f"vim.{name}.auth", "a simulated cloud has no Keystone; use none on loopback"))
    found += _fenix_problems(settings.vim.fenix)
    found += neighbour_problems(settings.neighbours, settings.cloud.driver)
    found += probe_vm_problems(settings.cloud.probe_vm, settings.cloud.driver, settings.commands)
    found += _placeholder_problems(settings)
    found += _simulated_problems(settings)
    for part in ("out_of_band", "clusters"):
        for key, name in getattr(settings.system, part):
            if isinstance(name, str) and (name not in settings.commands or settings.commands[name].where != "manager"):
                found.append(Problem(f"system.{part}.{key}", f"commands has no {name!r} that runs on the manager"))
    if settings.server.host not in LOOPBACK:
        message = f"{settings.server.host} is not loopback; until accounts exist the operators' listener stays on loopback"
        found.append(Problem("server.host", message))
    names = [settings.server.port, settings.repository.port, settings.vnfm.port]
    if len({p for p in names if p}) != len([p for p in names if p]):
        found.append(Problem("server.port", "the three listeners need three ports"))
    return found
