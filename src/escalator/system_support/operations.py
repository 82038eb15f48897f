"""Names and logs of detached operations, the same for every driver."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from escalator.model.codes import Code
from escalator.system_support.port import Check, OperationState, Progress

MAX_CHUNK_BYTES = 65536
"""Log bytes per poll; the next poll goes on from the cursor."""
EXIT_NOT_NEEDED = 70
EXIT_RETRY = 75
"""sysexits' EX_TEMPFAIL."""
EXIT_CODES: Mapping[int, OperationState] = {
    0: OperationState.DONE,
    EXIT_NOT_NEEDED: OperationState.NOT_NEEDED,
    EXIT_RETRY: OperationState.RETRY,
}
"""What exit codes mean; any other means failed."""


def folder_name(operation: str) -> str:
    """A folder's name for an operation id: readable, safe, and another one for every other id."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", operation).strip("._-")[:60] or "operation"
    return f"{readable}-{hashlib.sha256(operation.encode()).hexdigest()[:16]}"


def outcome(exit_code: int) -> OperationState:
    """What an exit code means: 0 done, 70 not needed, 75 try again later, else failed."""
    return EXIT_CODES.get(exit_code, OperationState.FAILED)


def progress(state: OperationState, exit_code: int | None, log: bytes, cursor: int) -> Progress:
    """Progress from the bytes of the log that follow the cursor; a line that is still being written waits for its end."""
    full = len(log) >= MAX_CHUNK_BYTES
    end = len(log) if state is not OperationState.RUNNING and not full else log.rfind(b"\n") + 1
    used = log[: len(log) if full and end == 0 else end]
    return Progress(
        state=state,
        exit_code=exit_code,
        lines=tuple(used.decode(errors="replace").splitlines()),
        cursor=cursor + len(used),
    )


def installer(found: Progress, operation: str) -> Check:
    """The check `installer`: what the operation's own end says."""
    if found.state in (OperationState.DONE, OperationState.NOT_NEEDED):
        return Check("installer", ok=True)
    if found.exit_code is None:
        message = f"The operation {operation} is {found.state.value}."
        return Check("installer", ok=False, code=Code.SYS_OPERATION, message=message)
    return Check("installer", ok=False, code=Code.SYS_INSTALL, message=f"The installer ended with {found.exit_code}.")
