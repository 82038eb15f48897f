"""The gates of the settings, by name."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.model.brakes import GateEntry
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.gates.command import CommandGate
from escalator.vim_interface.gates.manual import ManualGate
from escalator.vim_interface.gates.port import Gate
from escalator.vim_interface.gates.prometheus import PrometheusGate
from escalator.vim_interface.gates.simulated import SimulatedGate
from escalator.vim_interface.gates.web import HttpGate
from escalator.world.world import World


def gates_of(
    entries: Mapping[str, GateEntry], environment: Mapping[str, str], credentials: Credentials, world: World | None
) -> Mapping[str, Gate]:
    """Make them. Raises InputError for a simulated gate beside a real cloud."""
    found: dict[str, Gate] = {}
    for name, entry in entries.items():
        match entry.kind:
            case "command":
                found[name] = CommandGate(entry, environment)
            case "http":
                found[name] = HttpGate(entry, credentials)
            case "prometheus":
                found[name] = PrometheusGate(entry, credentials)
            case "manual":
                found[name] = ManualGate()
            case "simulated" if world is not None:
                found[name] = SimulatedGate(world.gates, entry.retry_s, entry.deadline_s)
            case _:
                raise InputError(Code.CFG_SETTINGS, f"gates.{name}: a simulated gate needs a simulated cloud.")
    return found
