"""The operator's own commands in a campaign: whether there are such, and one run of one, told in the history.

Exit code 0: it is as it should be; 70: not needed here; 75: try again; anything else: it failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
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
AROUND = ("before", "after")
"""Hooks of the campaign as a whole."""
PINS = ("set", "check", "release")
CODES = {"test": Code.SYS_TEST, "probe": Code.SYS_TEST, "out-of-band": Code.SYS_OUT_OF_BAND, "power-cycle": Code.SYS_OUT_OF_BAND}
"""With which code a command fails, by its purpose; a hook with its own."""
SAID = 500
"""Characters of a command's output in the history."""
TRIES = 4
"""Runs of a command about no node that asks for another one, or does not end in time."""
Wanted = Callable[[], Awaitable[bool]]
"""Whether a command is still to be run: people may have decided otherwise since."""
METADATA = "hook_metadata"
"""Memo of a campaign: what is said to its hooks, as JSON by `phase/position`."""


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


def commands_of(campaign: Campaign) -> Iterator[tuple[str, str]]:
    """Every command that the campaign names: where it stands in the document, and its name."""
    procedure = campaign.spec.node
    named = [(f"spec.node.hooks.{phase}", getattr(procedure.hooks, phase)) for phase in PHASES]
    around = [(f"spec.hooks.{phase}", getattr(campaign.spec.hooks, phase)) for phase in AROUND]
    pins = [(f"spec.pins.{what}", getattr(campaign.spec.pins, what)) for what in PINS]
    for path, names in [*around, *named, ("spec.node.tests", procedure.tests), *pins]:
        yield from ((f"{path}[{number}]", name) for number, name in enumerate(names))


def _problems(ctx: Context, campaign: Campaign) -> Iterator[Problem]:
    driver = campaign.spec.node.driver
    for path, name in commands_of(campaign):
        if not ctx.commands.knows(name):
            yield Problem(path, f"the settings have no command {name!r}; {nearest(ctx.commands, name)}")
        elif ctx.commands.on_node(name) and not path.startswith("spec.node"):
            what = "version pins are" if path.startswith("spec.pins") else "hooks of the whole campaign are"
            yield Problem(path, f"{name!r} is to run on nodes, and {what} not about one of them")
        elif ctx.commands.on_node(name) and not _reaches(ctx, driver):
            yield Problem(path, f"{name!r} is to run on nodes, and the driver {driver} cannot do that")


def nearest(commands: Commands, name: str) -> str:
    """Which name may be meant."""
    near = get_close_matches(name, commands.names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(commands.names)}" if commands.names else "it has none at all"


def _reaches(ctx: Context, driver: str) -> bool:
    return driver in ctx.systems and ctx.systems[driver].runs


def keyed(names: Sequence[str], number: int) -> str:
    """Return what the run of a list's command is known by: its name, or `NAME~2` where the list names it for the second time."""
    before = names[:number].count(names[number])
    return f"{names[number]}~{before + 1}" if before else names[number]


async def metadata_of(ctx: Context, campaign: str) -> Mapping[str, str]:
    """What is said to the campaign's hooks, by `phase/position`."""
    return (await ctx.store.tasks.memo(campaign)).get(METADATA) or {}


async def until_settled(
    ctx: Context, call: Call, tell: Callable[[int, str], Awaitable[None]], wanted: Wanted | None = None
) -> tuple[int, str]:
    """Run a command about no node, and again while it asks for that and is `wanted`; each end is told.

    Its exit code, and what it said.
    """
    for number in range(1, TRIES + 1):
        try:
            ran = await ctx.commands.run(call)
            code, said = ran.code, _output(ran)
        except EscalatorError as error:
            code, said = TEMPORARY, error.message
        await tell(code, said)
        if code != TEMPORARY or number == TRIES:
            break
        await ctx.clock.sleep(ctx.pace.recheck_s)
        if wanted is not None and not await wanted():
            break
    return code, said


async def perform(job: Job, purpose: str, command: str, *, address: str = "", metadata: str = "", key: str = "") -> None:
    """Run a command about the job's node, and tell how it ended. `key` tells two runs of one command for one purpose apart.

    Raises TemporaryError when it wants to be run again, PermanentError with the last line of what it said when it failed.
    """
    code = CODES.get(purpose, Code.SYS_HOOK)
    call = Call(
        command=command,
        purpose=purpose,
        operation=job.operation(f"{purpose}-{key or command}"),
        campaign=job.ref.campaign,
        node=job.node,
        release=job.release.id,
        address=address,
        metadata=metadata,
        way="back" if job.ref.back else "there",
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
