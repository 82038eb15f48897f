"""Pages of states and steps, from the engine's own tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escalator.model.campaign import CampaignSpec, Migration, Scope
from escalator.model.progress import CampaignState, Rung, TaskState
from escalator.model.select import Select
from escalator.upgrade_manager.engine.moves import MAX_TARGETS
from escalator.upgrade_manager.engine.node import COURSE
from escalator.upgrade_manager.engine.rollback.node import COURSE as BACK
from escalator.upgrade_manager.engine.runner import ATTEMPTS, Step
from escalator.upgrade_manager.engine.states import ACTIVE, CAMPAIGN_MOVES, TASK_MOVES, VERBS, mermaid
from tools.docs.markdown import GENERATED, code, sentence, table


def _moves(moves: Mapping[Any, Mapping[Any, str]]) -> str:
    rows = [
        (code(state.value), ", ".join(f"{code(target.value)} ({by})" for target, by in targets.items()) or "final")
        for state, targets in moves.items()
    ]
    return table(("State", "Moves to (by)"), rows)


def page() -> str:
    """The page of states."""
    return "\n".join(
        (
            GENERATED,
            "# States\n",
            "The tables are `CAMPAIGN_MOVES` and `TASK_MOVES` in `engine/states.py`; anything they do not list is refused with",
            "`ESC-UPG-002`.\n",
            "## Campaign\n",
            "```mermaid",
            mermaid(CAMPAIGN_MOVES, CampaignState.DRAFT.value),
            "```\n",
            _moves(CAMPAIGN_MOVES),
            f"One campaign at a time may be in {', '.join(code(s.value) for s in ACTIVE)} on one cloud.\n",
            "A campaign that is `completed` or `aborted` can be rolled back until it is committed; see",
            "[How to roll a campaign back](../howto/roll-back.md).\n",
            "What a person can do in each state:\n",
            table(("State", "Actions"), [(code(s.value), ", ".join(map(code, verbs))) for s, verbs in VERBS.items()]),
            "## Node task\n",
            "One node's part of a campaign.\n",
            "```mermaid",
            mermaid(TASK_MOVES, TaskState.PENDING.value),
            "```\n",
            _moves(TASK_MOVES),
            "## Tries\n",
            f"A step that meets a temporary error is tried {ATTEMPTS} times, with pauses that double; then its node fails.",
            "While a reboot or a restart makes silence likely it is tried on until its time-out.",
            f"An instance has {1 + Migration().retries} tries to move, by `spec.migration.retries`; no more than",
            f"{MAX_TARGETS} nodes are tried. People may try a node again as often as they like (`escalator node retry`, from",
            "`failed`, `rolled-back` and `skipped`): each is a turn of its own, which `campaign show` numbers (`#2`).\n",
            "## Condition ladder\n",
            "What has been reached on a node, each with since when, by which step, and a message. An undo adds the same rung",
            "with status false; nothing is taken away.\n",
            ", ".join(code(rung.value) for rung in Rung) + ".\n",
        )
    )


def steps_page() -> str:
    """The page of steps."""
    spec = CampaignSpec(mode="smooth", scope=Scope(select=Select()))
    return "\n".join(
        (
            GENERATED,
            "# Steps of a node\n",
            "In this order. *consult* runs only when somebody was asked, *resume* only when an instance was to stay on the node,",
            "the four that are named after hooks only when the campaign names one. A release of impact `none` or `control`",
            "leaves out *notify*, *consult*, *vacate* and *resume*, one of impact `none` also *cordon* and *uncordon*.",
            "*ask-cluster* and *rejoin* are for control, network and storage nodes, *hand-over*, *evacuate* and *flag-storage*",
            "for one of these each; nodes that do not compute leave out what is about instances.",
            "A failure runs the undos of the steps that have begun, last one first. *Abort stops before it*: an abort of the",
            "campaign keeps a node from beginning this step; later ones are never kept back.\n",
            table(
                ("Step", "Rung reached", "Undo", "Abort stops before it", "Time-out by default"), (_row(s, spec) for s in COURSE)
            ),
            "Time-outs come from `spec.node.timeouts` of the campaign where it names one, else they are fixed.\n",
            "## What each does\n",
            *(f"- **{step.name}**: {WHAT[step.name]}" for step in COURSE),
            "",
            "## On the way back\n",
            "A rollback, and a restore, take the same node through these. The steps of the same name are the same. Nothing",
            "undoes *roll-back*: a node on which it fails is held out of service for a person; one whose turn ends before it is",
            "given back as it was, unless it was out of service before.\n",
            table(
                ("Step", "Rung reached", "Undo", "Abort stops before it", "Time-out by default"), (_row(s, spec) for s in BACK)
            ),
            *(f"- **{step.name}**: {WHAT[step.name]}" for step in BACK if step not in COURSE),
            "",
        )
    )


def _row(step: Step, spec: CampaignSpec) -> tuple[str, ...]:
    undo = "yes" if step.undo is not None else "nothing to undo"
    return (
        code(step.name),
        code(step.rung.value) if step.rung else "",
        undo,
        "yes" if step.abortable else "no",
        f"{step.timeout_s(spec):g} s",
    )


WHAT: Mapping[str, str] = {
    name: sentence(text)
    for name, text in {
        "stage": "fetches the release's files onto the node and checks them; its software does not change. "
        "The node is still in service",
        "ask-cluster": "asks the clusters of a control, network or storage node whether they can do without it, and waits until "
        "they can; nothing on a node that only computes",
        "hand-over": "lets another member be the master of the control cluster, where the node is it",
        "evacuate": "puts what is active on a network node on the break-glass sheet, and lets it be active elsewhere",
        "flag-storage": "asks once more whether a storage node may stop, and keeps its cluster from recovering meanwhile",
        "rejoin": "puts back what was moved and set for the node's clusters, and waits until they are whole",
        "preflight": "looks whether a node that may reboot can be reached out of band, where the settings say how, and runs the "
        "campaign's preflight hooks; a node that one of them speaks against is left out with what it said, "
        "and nothing of it has changed",
        "cordon": "writes what it found to the break-glass sheet, then disables the node's compute service so that nothing new "
        "lands there, and tells the neighbours that the host is in maintenance. A node that somebody else disabled, or that is "
        "down, is skipped. The undo puts the service back as found, and tells the neighbours",
        "notify": "asks each VNF manager with instances on the node, in one round with one deadline. An instance with a task of "
        "its own under way is waited for. The undo withdraws what is open and says that the node is available",
        "consult": "turns answers, silence and failed deliveries into what happens to each instance, by the campaign's policy; a "
        "deferral is waited for",
        "vacate": "moves what has to leave, each to a named target that is looked at again just before, then stops what stays. "
        "The undo starts what was stopped; a moved instance stays where it is",
        "back-up": "notes what the node offers and keeps versions, configuration and state as far as the driver can",
        "pre-maintenance": "runs the hooks of that name, after the node was emptied and before its software changes. The undo "
        "runs the hooks after maintenance, on the software that the node has then, before it is in service again",
        "upgrade": "looks a last time whether the node is still out of service and nothing runs on it that may not, then starts "
        "the installer detached on the node under an id of its own and follows it. The undo puts the old "
        "software back and proves it",
        "reboot": "reboots when the release or the node asks for it, and waits for a new boot id. Under instances that run on "
        "the node it does not reboot: what was not announced is a failure of the release. A node that does not "
        "come back in time is power-cycled once, where the settings say how",
        "maintenance": "runs the hooks of that name on the new software, before it is verified",
        "verify": "checks installer, packages, daemon and health, waits for the compute service, and compares what the node "
        "offers, and which services and agents run, with what there was before; then the campaign's tests run",
        "probe": "boots a small VM of our own on the node, which stays out of service for everybody else, lets the operator's "
        "command reach it, and migrates it to an upgraded node and back; then it is deleted. Only where the settings set one up "
        "and the campaign wants it on this node. The undo takes away whatever was made for it",
        "post-maintenance": "runs the hooks of that name when the node is proved, before it goes back into service",
        "resume": "starts what was stopped for the node and sees it active",
        "uncordon": "puts the compute service back exactly as it was found, and tells the neighbours that the host is back",
        "roll-back": "looks a last time whether nothing runs on the node that may not, then puts the software back that was kept "
        "before the upgrade, detached on the node and followed; a restore takes the oldest backup of the campaign, and forces it",
        "reboot-back": "reboots when what was put back needs it, and waits for a new boot id",
        "verify-back": "checks packages, daemon and health against the backup, waits for the compute service, and compares what "
        "the node offers, and which services and agents run, with what there was before its upgrade",
        "announce": "tells the VNF managers that the node is available and frees its slot",
    }.items()
}
