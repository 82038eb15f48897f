"""Which steps of the course a node goes through: by what the release touches, and by the hooks that the campaign names.

| impact | out of service | instances |
|---|---|---|
| `none` | no: nothing that anybody uses is touched | run on |
| `control` | yes: nothing new lands while the cloud's agents restart | run on |
| `dataplane` | yes | leave, or stay impacted and running where VNF manager or policy lets them |
| `reboot` | yes | leave, or stay stopped where VNF manager or policy lets them |
"""

from __future__ import annotations

from collections.abc import Collection

from escalator.model.campaign import Hooks
from escalator.model.inventory import Role
from escalator.model.release import Impact, spares_instances
from escalator.upgrade_manager.engine.steps.announce import ANNOUNCE
from escalator.upgrade_manager.engine.steps.consult import CONSULT
from escalator.upgrade_manager.engine.steps.cordon import CORDON, UNCORDON
from escalator.upgrade_manager.engine.steps.hooks import MAINTENANCE, POST_MAINTENANCE, PRE_MAINTENANCE, PREFLIGHT, hooked
from escalator.upgrade_manager.engine.steps.hooks import STEPS as HOOKS
from escalator.upgrade_manager.engine.steps.members import ASK, EVACUATE, FLAG_STORAGE, HAND_OVER, REJOIN, steps_for
from escalator.upgrade_manager.engine.steps.members import STEPS as MEMBERS
from escalator.upgrade_manager.engine.steps.notify import NOTIFY
from escalator.upgrade_manager.engine.steps.probe_vm import PROBE
from escalator.upgrade_manager.engine.steps.upgrade import BACK_UP, REBOOT, UPGRADE, VERIFY
from escalator.upgrade_manager.engine.steps.vacate import RESUME, VACATE

AFTER_STAGE = (
    PREFLIGHT,
    ASK,
    CORDON,
    NOTIFY,
    CONSULT,
    VACATE,
    HAND_OVER,
    EVACUATE,
    BACK_UP,
    FLAG_STORAGE,
    PRE_MAINTENANCE,
    UPGRADE,
    REBOOT,
    MAINTENANCE,
    VERIFY,
    PROBE,
    POST_MAINTENANCE,
    RESUME,
    REJOIN,
    UNCORDON,
    ANNOUNCE,
)
"""Every step that follows on staging, in order."""
EMPTYING = frozenset(step.name for step in (NOTIFY, CONSULT, VACATE, RESUME))
CORDONING = frozenset(step.name for step in (CORDON, UNCORDON))
WITHOUT_HOOKS = frozenset(HOOKS)
"""Every hook's step."""
PLAIN = WITHOUT_HOOKS | MEMBERS
"""What a course leaves out that says nothing: it began before there were hooks, and before there were kinds of nodes."""


def leaves_out(impact: Impact, hooks: Hooks, roles: Collection[Role], *, look: bool = False) -> frozenset[str]:
    """Names of the steps that a node does not go through. `look`: who may reboot is looked at out of band first.

    What its roles ask of a node does not hold for a release that touches nothing.
    """
    without = WITHOUT_HOOKS - hooked(hooks)
    if look and not spares_instances(impact):
        without -= {PREFLIGHT.name}
    if spares_instances(impact) or "compute" not in roles:
        without |= EMPTYING
    without |= MEMBERS - (frozenset() if impact == "none" else steps_for(roles))
    return without | CORDONING if impact == "none" else without
