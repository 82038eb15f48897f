"""Nodes in their turns that nobody counts on any more: they have not answered since their reboot.

Such a node stays out of service and counts as that. But the rest is planned without it where that leaves nobody without a
turn: what was to go onto it goes elsewhere, and who waited for it goes on. If it comes back after all, it is counted on again.
"""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.progress import NodeTask, TaskKind
from escalator.upgrade_manager.engine.states import UNDER_WAY


def is_lost(task: NodeTask) -> bool:
    """Whether the node is in its turn, and will not be upgraded in it as far as is known."""
    return task.kind is TaskKind.UPGRADE and task.state in UNDER_WAY and task.code == Code.UPG_LOST.value
