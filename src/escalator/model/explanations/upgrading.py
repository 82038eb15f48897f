"""Explanations of codes: what the Upgrade Manager meets."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.explanation import Explanation

UPGRADING = {
    Code.UPG_NOT_FOUND: Explanation(
        meaning="no campaign, plan or node task of that name",
        causes="A name or id that is misspelt, of another server, or of a node that the campaign's plan does not contain.",
        then="escalator campaign list; escalator campaign show NAME",
    ),
    Code.UPG_STATE: Explanation(
        meaning="the campaign's state does not allow this action",
        causes="The campaign went on, was paused, or ended since you looked; a node is having its turn, or has had it.",
        then="escalator campaign show NAME lists under Next what can be done now",
    ),
    Code.UPG_ONE_RUNNING: Explanation(
        meaning="another campaign is running on this cloud",
        causes=(
            "A campaign is running, paused, suspended, being aborted or on its way back. Two at once would count on the same"
            " spare capacity."
        ),
        then="escalator campaign list; let that one end, or end it by what escalator campaign show NAME lists under Next",
    ),
    Code.UPG_DRIFT: Explanation(
        meaning="the cloud changed since the plan, beyond what was approved",
        causes=(
            "Instances came, went or moved, a node went down or is back, or limits changed, so that nodes, VNFs, "
            "moves or windows differ from what was approved."
        ),
        then="Read the difference; escalator campaign plan NAME for a new approval, or start with --accept-drift",
    ),
    Code.UPG_STEP_FAILED: Explanation(
        meaning="a step of a node failed for a reason without a code of its own",
        causes="An answer that the step did not expect from the cloud, the node or storage; the message has it.",
        then="escalator event list --campaign NAME --node NODE; then escalator node retry NAME NODE",
    ),
    Code.UPG_UNDO_FAILED: Explanation(
        meaning="an undo failed; the node needs a person",
        causes="The cloud or the node did not answer while something was put back, or a person changed it in between.",
        then=(
            "escalator restoration list shows what is not as it was, with the command for each; then escalator "
            "campaign resume NAME"
        ),
    ),
    Code.UPG_TIMEOUT: Explanation(
        meaning="a step did not end within its time-out",
        causes=(
            "A step took longer than node.timeouts allows: a slow installer, a migration that does not converge, a "
            "group that is never free."
        ),
        then=(
            "escalator event list --node NODE shows on what; raise the time-out or mend the cause, then escalator "
            "node retry NAME NODE"
        ),
    ),
    Code.UPG_LOST: Explanation(
        meaning="a node does not come back from its reboot",
        causes=(
            "It hangs in its firmware, its boot loader or its new kernel, or its network is not up. The rest is planned "
            "without it where that leaves nobody without a turn. It counts as out of service until it is back."
        ),
        then=(
            "look at its console. Before node.timeouts.reboot_s is over it goes on by itself as soon as it answers; after "
            "that it is held: escalator node retry NAME NODE, or escalator node skip NAME NODE"
        ),
    ),
    Code.UPG_NOT_DRIVEN: Explanation(
        meaning="a campaign's workflow could not be started, so nobody drives it",
        causes=(
            "The database in which workflows are kept did not answer when the campaign, or its way back, had just begun. No node "
            "was touched; what else is kept of the campaign is whole."
        ),
        then="see that the database answers and its disk has room, then escalator campaign resume NAME, which starts it",
    ),
    Code.UPG_LESS_OFFERED: Explanation(
        meaning="after the upgrade the node offers less than before",
        causes=(
            "A driver, an agent or a kernel parameter is missing after the upgrade: fewer CPUs, huge pages, VFs, "
            "traits or agents than before."
        ),
        then="Compare with the message on the node; mend the release, then escalator node retry NAME NODE",
    ),
    Code.UPG_PROBE_MOVE: Explanation(
        meaning="the probe VM did not migrate from the upgraded node to another one, or not back",
        causes=(
            "Live migration does not work on the new release: libvirt, its certificates or ports, CPU models, or the migration "
            "network."
        ),
        then="The nova-compute logs of both nodes; mend the release, then escalator node retry NAME NODE",
    ),
    Code.UPG_SERVICE_GONE: Explanation(
        meaning="a service or agent of the node that ran before the upgrade does not run after it, or after its way back",
        causes=(
            "A unit does not start on the new release or is not enabled any more, an agent of the cloud does not report, or Nova "
            "or a person has disabled it meanwhile. One that is taken away on purpose is to be named."
        ),
        then="systemctl status UNIT on the node; what goes on purpose is named in units_gone of release or campaign",
    ),
    Code.UPG_NO_TARGET: Explanation(
        meaning="no node can take an instance that has to leave",
        causes="All nodes that fit are full, in maintenance, or of a newer hypervisor than the instance may come back from.",
        then="escalator campaign plan NAME says what spare would do; free a node, then escalator node retry NAME NODE",
    ),
    Code.UPG_INSTANCE_LEFT: Explanation(
        meaning="an instance that has to leave is still on the node",
        causes="Somebody started or moved an instance onto the node after it was cordoned.",
        then="Move it, or wait until it is gone; then escalator node retry NAME NODE",
    ),
    Code.UPG_REJECTED: Explanation(
        meaning="a VNF manager refused",
        causes=(
            "The VNF manager said NACK, or answered for an instance what leaves no way to empty the node; its "
            "reason stands behind it."
        ),
        then=(
            "Talk to the VNF's owner; then escalator node retry NAME NODE while the campaign runs, or, where it paused,"
            " escalator campaign resume NAME asks again; after its end another campaign of the same release takes up the rest"
        ),
    ),
    Code.UPG_SILENT: Explanation(
        meaning="a VNF manager did not answer and policy skips or pauses",
        causes=(
            "The VNF manager got the notice and said nothing until the deadline. Silence never allows a stop, a "
            "cold migration or an in-place upgrade."
        ),
        then=(
            "Call whoever speaks for the VNF. That notice takes no answer any more: escalator node retry NAME NODE asks again"
            " while the campaign runs, or, where it paused, escalator campaign resume NAME; then escalator notice list --campaign"
            " NAME and escalator notice reply ID. After its end another campaign of the same release takes up what was left"
        ),
    ),
    Code.UPG_UNDELIVERABLE: Explanation(
        meaning="a notice could not be delivered",
        causes=(
            "The VNF manager's address does not answer, shows a certificate that is not accepted, refuses our credentials or"
            " the notice, or is not registered any more."
        ),
        then="escalator vnfm test NAME; then escalator campaign resume NAME asks again",
    ),
    Code.UPG_FAILURES: Explanation(
        meaning="more nodes failed than the campaign allows, or one needs a person and all others are through",
        causes=(
            "failure.max_failed is passed, or failure.same_error nodes failed with one and the same error: likely "
            "the release, not the nodes. Or a node within what is allowed could not be put back in service, or policy holds it."
        ),
        then=(
            "escalator campaign show NAME; mend the cause and escalator node retry, or escalator node skip, or "
            "escalator campaign abort NAME"
        ),
    ),
    Code.UPG_ABORTED: Explanation(
        meaning="the campaign was aborted",
        causes="A person, or failure.then, aborted the campaign before this node's turn, or before it was changed.",
        then="Nothing; plan another campaign for the nodes that are left",
    ),
    Code.UPG_SKIPPED: Explanation(
        meaning="the node was skipped",
        causes="A person left the node out.",
        then="escalator node retry NAME NODE takes it up again while the campaign runs",
    ),
    Code.UPG_NO_PLAN: Explanation(
        meaning="the campaign has no plan yet",
        causes="The campaign was created or changed and not planned since.",
        then="escalator campaign plan NAME",
    ),
    Code.UPG_DUPLICATE: Explanation(
        meaning="a campaign of that name exists",
        causes="A campaign keeps its name for ever, as its history is found by it.",
        then="escalator campaign edit FILE while it has not started; else choose another metadata.name",
    ),
    Code.UPG_HOST_FAILURE: Explanation(
        meaning="an unplanned host failure holds new work back",
        causes="A host that is not having its turn went down: what was spare may be needed for it.",
        then="Bring the host back; or escalator campaign resume NAME: that accepts it",
    ),
    Code.UPG_MOVE_FAILED: Explanation(
        meaning="an instance could not be moved after all retries",
        causes=(
            "The hypervisor gave the migration up on every target tried: no convergence, CPU or device differences,"
            " storage, network."
        ),
        then="openstack server migration list; the compute service's log of both nodes; then escalator node retry NAME NODE",
    ),
    Code.UPG_STUCK_INSTANCE: Explanation(
        meaning="an instance on the node is in a state that needs a person",
        causes="A tenant's own task is under way, or the instance is in error, rescued, suspended or half-resized.",
        then="openstack server show ID; mend it or let its owner do so; then escalator node retry NAME NODE",
    ),
    Code.UPG_GIVEN_BACK: Explanation(
        meaning="a person put the node back in service in the middle of its turn",
        causes="Somebody ran the command of the break-glass sheet, or enabled the service for a reason of their own.",
        then="If the node may go again: escalator node retry NAME NODE",
    ),
    Code.UPG_NO_ROOM: Explanation(
        meaning="nodes that are out of service leave no room for another",
        causes="waves.max_unavailable or waves.spread counts nodes that are down or in maintenance, ours or others'.",
        then="Bring those nodes back: the message names them; then escalator campaign resume NAME",
    ),
    Code.UPG_NO_TURN: Explanation(
        meaning="the plan for the rest of a campaign has no turn for a node",
        causes="What happened since makes a turn impossible: no room, a limit, a window.",
        then="Read each node's reason; make room and escalator campaign replan NAME, or escalator node skip NAME NODE",
    ),
    Code.UPG_BUDGET: Explanation(
        meaning="a group was impacted beyond its limit for longer than its budget allows",
        causes=(
            "Host failures, or limits that were changed, had more of a group impacted at once than it allows, for "
            "longer than availability.percent leaves."
        ),
        then=(
            "escalator workload list NAME --by group; with workloads.on_budget suspend, escalator campaign resume NAME accepts it"
        ),
    ),
    Code.UPG_AT_WORK: Explanation(
        meaning="a lifecycle operation of a VNF on the node did not end in time",
        causes=(
            "A heal, scale or upgrade of a VNF hangs (FAILED_TEMP waits for a person), or what its manager is at "
            "work on cannot be seen."
        ),
        then="End the operation at the VNF manager; then escalator node retry NAME NODE",
    ),
    Code.UPG_NOTHING_BACK: Explanation(
        meaning="there is nothing to roll back or to restore",
        causes="The campaign has changed no node, or every node that it changed is back, or was left as it is by a person.",
        then="escalator campaign show NAME; a campaign that is over can be committed",
    ),
    Code.UPG_LATER: Explanation(
        meaning="a later campaign has changed the same nodes",
        causes="What a node runs is what the last campaign put there: its backups come first on the way back.",
        then="escalator campaign rollback of the campaign that is named, then of this one",
    ),
    Code.UPG_NOT_BACK: Explanation(
        meaning="nodes are not rolled back; a person decides",
        causes="A node's rollback failed, or its VNF managers or policy do not allow its instances any way back.",
        then="escalator campaign show NAME; then escalator node retry or skip, or escalator campaign restore NAME",
    ),
    Code.UPG_NO_WAY_BACK: Explanation(
        meaning="the plan for the way back has no turn for the node",
        causes="Its instances cannot leave it in a way that is allowed, it is down, or it has left the campaign's scope.",
        then="Change what stands in the way, for instance workloads at their VNF manager; then escalator node retry NAME NODE",
    ),
    Code.UPG_BACKUP_LEFT: Explanation(
        meaning="a backup could not be removed from its node after a commit",
        causes="The node did not answer, or its disk refused; the campaign is committed all the same.",
        then="Remove the folder below /var/lib/escalator/backups on the node when it is back",
    ),
    Code.UPG_SCALE_IN: Explanation(
        meaning="VNF managers were asked to scale in, which did not make room for every node",
        causes="They refused, were silent, could not be told, or had too little to give; the message says which of them.",
        then="Agree with the VNFs' owners, or add the spare that the plan names; then escalator campaign replan NAME",
    ),
    Code.UPG_CLUSTER: Explanation(
        meaning="a node waits because its cluster cannot do without it now",
        causes=(
            "The other control members would not keep the quorum, a peer of a network node is away, or a storage cluster "
            "is not whole or says that the node may not stop; the message says which."
        ),
        then="Bring back what is away and let the cluster recover: the campaign goes on by itself",
    ),
    Code.UPG_MASTER: Explanation(
        meaning="a node is the current master of its control cluster, and others go before it",
        causes="The master is always the last; it moved to this node after the plan was made.",
        then="Nothing; of a node that was left out for it: escalator node retry NAME NODE",
    ),
    Code.UPG_ORDER: Explanation(
        meaning="kinds of nodes cannot go, or do not go, in the order that the layers ask for",
        causes="Two layers of the release contradict one another, or groups of the campaign hold several kinds of nodes.",
        then="Set spec.order in the campaign, or give each kind of node groups of its own, in the order that the message names",
    ),
    Code.UPG_ROLE: Explanation(
        meaning="the settings have no commands for a node's role",
        causes="A node of the plan is a control, network or storage node, and system.clusters lacks what tells its cluster.",
        then="Name the commands under system.clusters, or leave the nodes out with scope.exclude",
    ),
    Code.UPG_HELD: Explanation(
        meaning="only nodes that a person holds are left in a campaign",
        causes="escalator node hold was called for them, in this campaign or before it, and everything else has had its turn.",
        then="escalator node unhold NODE lets the campaign go on; escalator node skip NAME NODE leaves a waiting node out",
    ),
    Code.UPG_GROUP: Explanation(
        meaning="a group of nodes is through and did not reach its `success`",
        causes="Nodes of it, such as a canary, failed, were refused by VNF managers, or had no turn.",
        then=(
            "Look at its nodes; escalator node retry NAME NODE tries again, escalator campaign resume NAME goes on to the next "
            "group all the same, escalator campaign abort NAME ends it"
        ),
    ),
    Code.UPG_OVERDUE: Explanation(
        meaning="the node gave its turn back: its window was over, or too short for the rest, and nothing of it was touched yet",
        causes="A VNF manager answered late, or limits of groups let nobody through for long.",
        then="Nothing: it has its turn in the next window, and VNF managers are told then. Longer windows, or fewer nodes in one",
    ),
    Code.UPG_FROZEN: Explanation(
        meaning="everything is frozen by a person: no campaign begins anything",
        causes="escalator freeze begin. Nodes whose software was being changed are finished; others gave their turns back.",
        then="escalator freeze show says why and since when; escalator freeze end lets campaigns go on",
    ),
    Code.UPG_NOT_FROZEN: Explanation(
        meaning="there is no freeze that could end",
        causes="It was ended already, or there never was one.",
        then="escalator freeze show",
    ),
    Code.UPG_GATE: Explanation(
        meaning="a gate of the campaign said no, could not be asked, or was not open before its deadline",
        causes="What the gate looks at is not as it has to be, or its command in the settings fails.",
        then="The message has its last line: mend what it says; escalator campaign resume NAME asks it again",
    ),
    Code.UPG_APPROVAL: Explanation(
        meaning="a manual gate waits for a person",
        causes="The campaign has come to a gate of kind `manual`.",
        then="escalator campaign approve NAME GATE opens it; escalator campaign abort NAME ends the campaign",
    ),
    Code.UPG_NOT_ASKED: Explanation(
        meaning="a gate was approved that the campaign does not wait for",
        causes="It is not manual, was approved before, or its time has not come.",
        then="escalator campaign show NAME says what it waits for",
    ),
    Code.UPG_LOCK: Explanation(
        meaning="the campaign's keys at the lock service are not held",
        causes="Another site works with one of them, the lock service does not answer, or the settings have none.",
        then=(
            "The message says who has the key: wait for that site, or mend the service; a campaign that was paused goes on with "
            "escalator campaign resume NAME, which takes the keys again"
        ),
    ),
    Code.UPG_NOT_HELD: Explanation(
        meaning="a node was to be let go that nobody holds",
        causes="It was let go before, or its name is another one.",
        then="escalator node list shows in the column hold which nodes are held",
    ),
}
"""By code."""
