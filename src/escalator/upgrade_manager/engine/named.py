"""The operator's own commands in a campaign: whether there are such, and one run of one, told in the history.

Exit code 0: it is as it should be; 70: not needed here; 75: try again; anything else: it failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, InputError, PermanentError, Problem, TemporaryError
from escalator.model.progress import Event
from escalator.system_support.port import Call, Commands, Ran
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job

PASSED = (0, 70)
TEMPORARY = 75
PHASES = ("preflight", "pre_maintenance", "maintenance", "post_maintenance")
PINS = ("set", "check", "release")
CODES = {"test": Code.SYS_TEST, "probe": Code.SYS_TEST, "out-of-band": Code.SYS_OUT_OF_BAND, "power-cycle": Code.SYS_OUT_OF_BAND}
"""With which code a command fails, by its purpose; a hook with its own."""
SAID = 500
"""Characters of a command's output in the history."""


def require_commands(ctx: Context, campaign: Campaign) -> None:
    """Raise InputError with every name that the settings do not have, or that cannot run where they say.

    Likewise, with `CLD_PROBE_SETUP`, when a probe VM is asked for and none is set up.
    """
    _require_probe_vm(ctx, campaign)
    problems = list(_problems(ctx, campaign))
    if problems:
        message = "The campaign names commands that cannot be run."
        raise InputError(Code.SYS_NO_COMMAND, message, remedy="Each stands in the settings under commands.", problems=problems)


def _require_probe_vm(ctx: Context, campaign: Campaign) -> None:
    if campaign.spec.node.probe_vm == "all" and ctx.probe_vm is None:
        problem = Problem("spec.node.probe_vm", "no probe VM is set up; leave the key out, or set cloud.probe_vm in the settings")
        raise InputError(Code.CLD_PROBE_SETUP, "The campaign asks for a probe VM on every node.", problems=[problem])


def _problems(ctx: Context, campaign: Campaign) -> Iterator[Problem]:
    procedure = campaign.spec.node
    named = [(f"spec.node.hooks.{phase}", getattr(procedure.hooks, phase)) for phase in PHASES]
    pins = [(f"spec.pins.{what}", getattr(campaign.spec.pins, what)) for what in PINS]
    for path, names in [*named, ("spec.node.tests", procedure.tests), *pins]:
        for number, name in enumerate(names):
            if not ctx.commands.knows(name):
                yield Problem(f"{path}[{number}]", f"the settings have no command {name!r}; {nearest(ctx.commands, name)}")
            elif ctx.commands.on_node(name) and path.startswith("spec.pins"):
                yield Problem(f"{path}[{number}]", f"{name!r} is to run on nodes, and version pins are not about one of them")
            elif ctx.commands.on_node(name) and not _reaches(ctx, procedure.driver):
                what = f"{name!r} is to run on nodes, and the driver {procedure.driver} cannot do that"
                yield Problem(f"{path}[{number}]", what)


def nearest(commands: Commands, name: str) -> str:
    """Which name may be meant."""
    near = get_close_matches(name, commands.names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(commands.names)}" if commands.names else "it has none at all"


def _reaches(ctx: Context, driver: str) -> bool:
    return driver in ctx.systems and ctx.systems[driver].runs


async def perform(job: Job, purpose: str, command: str, *, address: str = "") -> None:
    """Run a command about the job's node, and tell how it ended.

    Raises TemporaryError when it wants to be run again, PermanentError with the last line of what it said when it failed.
    """
    code = CODES.get(purpose, Code.SYS_HOOK)
    call = Call(
        command=command,
        purpose=purpose,
        operation=job.operation(f"{purpose}-{command}"),
        campaign=job.ref.campaign,
        node=job.node,
        release=job.release.id,
        address=address,
    )
    began = job.ctx.clock.now()
    try:
        ran = await job.ctx.commands.run(call, job.system)
    except EscalatorError as error:
        await _tell(job, call, "failed", error.message, error.code, began)
        raise
    if ran.code in PASSED:
        await _tell(job, call, "done", _output(ran), None, began)
        return
    await _tell(job, call, "failed", f"exit code {ran.code}: {_output(ran)}", code, began)
    word = f"{purpose} hook" if purpose in PHASES else f"{purpose} command" if purpose not in ("test", "probe") else purpose
    what = f"The {word} {command} ended with {ran.code}: {ran.said}"
    raise TemporaryError(code, what) if ran.code == TEMPORARY else PermanentError(code, what)


def _output(ran: Ran) -> str:
    return " / ".join(ran.lines)[-SAID:]


async def _tell(job: Job, call: Call, outcome: str, message: str, code: Code | None, began: float) -> None:
    now = job.ctx.clock.now()
    event = Event(
        at=now,
        action="node.command",
        campaign=job.ref.campaign,
        node=job.node,
        object_id=call.command,
        outcome=outcome,
        code=None if code is None else code.value,
        message=message,
        duration_s=round(now - began, 3),
        data={"purpose": call.purpose, "operation": call.operation},
    )
    await job.ctx.store.events.append((event,))
