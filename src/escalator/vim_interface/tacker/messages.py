"""What Tacker registers, what it is sent, and which addresses may be sent to."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from escalator.model.alarm import Alarm
from escalator.model.codes import Code
from escalator.model.document import Model, load, parse
from escalator.model.errors import InputError, Problem
from escalator.model.notice import Notice

PATH = "/tacker"
MAX_FAULT_IDS = 32
"""Kinds of fault that one VM is watched for; Tacker's own examples have two."""
OUT_OF_SERVICE = "11"
"""Tacker's type of fault for a physical server that is taken out of service."""
_REST = re.compile(r"(/[A-Za-z0-9._~-]*)+", re.ASCII)
"""What may follow the registered address: plain path segments. Tacker's default has an empty one."""
FaultId = Annotated[str, StringConstraints(pattern=r"^[!-~]{4}$")]
"""Exactly four characters: Tacker refuses notifications with anything else."""


class AlarmBody(Model):
    """Body of a registration. Keys that other versions add, such as `recovery_action`, are taken and mean nothing."""

    model_config = ConfigDict(extra="ignore")

    fault_action: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2008)]
    fault_id: Annotated[tuple[FaultId, ...], Field(min_length=1, max_length=MAX_FAULT_IDS)]


class AlarmShown(AlarmBody):
    """Answer to a registration."""

    alarm_id: str


def parse_alarm(body: bytes) -> AlarmBody:
    """Read a registration; raises InputError (`VIM_ALARM`) with all problems."""
    if not body.strip().startswith(b"{"):
        raise InputError(Code.VIM_ALARM, "The alarm is not valid.", problems=[Problem("", "a JSON object is expected")])
    return load(AlarmBody, parse(body.strip()), code=Code.VIM_ALARM)


def shown(alarm: Alarm) -> AlarmShown:
    """Return the answer to a registration: what was registered, and its id."""
    return AlarmShown(fault_action=alarm.fault_action, fault_id=alarm.fault_ids, alarm_id=alarm.id)


def is_below(fault_action: str, registered: str | None) -> bool:
    """Tell whether an address is below the one that the operator registered.

    It has to begin with that one to the letter: two readers of one address may differ on everything else.
    """
    if registered is None:
        return False
    base = registered.rstrip("/")
    rest = fault_action.removeprefix(base)
    return fault_action.startswith(base) and _REST.fullmatch(rest) is not None and not {".", ".."} & {*rest.split("/")}


def notification(notice: Notice, alarm: Alarm, fault_id: str) -> dict[str, Any]:
    """Return what is sent for one instance of a notice."""
    said: dict[str, Any] = {
        "host_id": notice.node,
        "alarm_id": alarm.id,
        "fault_id": fault_id,
        "fault_type": OUT_OF_SERVICE,
        "fault_option": {},
    }
    return {"notification": {name: value for name, value in said.items() if value is not None}}
