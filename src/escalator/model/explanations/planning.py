"""Explanations of codes: what stands against a plan, and what the independent check of one finds."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.explanation import Explanation

_CHECKED = "The plan was made for another inventory or campaign, was edited, or the planner has a defect."
_AGAIN = "Plan again with the same inventory and campaign; report it if it stays"

PLANNING = {
    Code.PLN_SCOPE: Explanation(
        meaning="the scope selects no node",
        causes="Labels, zones or patterns of scope.select match nothing, or scope.exclude takes all of it away.",
        then="escalator node list -f json shows what nodes have; correct the scope",
    ),
    Code.PLN_NODE_STATE: Explanation(
        meaning="a node is down or in maintenance for someone else's reason",
        causes="The compute service is down, or somebody disabled it.",
        then="Bring the node back, or exclude it; the rest of the plan stands",
    ),
    Code.PLN_CAPACITY: Explanation(
        meaning="not enough room for the instances that have to move",
        causes="Not enough free CPUs, memory, VFs or NUMA entries of the right shape on nodes that instances may go to.",
        then="The remedy names how many empty hosts of which shape would do",
    ),
    Code.PLN_PINNED: Explanation(
        meaning="an instance can neither move nor stay",
        causes="An instance that cannot migrate, and no word of a VNF manager or workloads.default lets it stay.",
        then="Register its VNF manager, or set workloads.default.action, or exclude its node",
    ),
    Code.PLN_INSTANCE_STATE: Explanation(
        meaning="an instance's state blocks its move",
        causes=(
            "An instance is in error, rescued, suspended, half-resized, or busy with a task of its tenant; on the way back:"
            " it runs on a newer hypervisor, and nobody may let it come back cold."
        ),
        then="The remedy names the instance and what ends the state, or who has to be asked",
    ),
    Code.PLN_GROUP: Explanation(
        meaning="a group's limits cannot hold",
        causes="Limits of a group contradict each other, or members that are down leave nothing that may be impacted.",
        then="escalator constraint show group ID; bring members back, or have the VNF's owner correct the limit",
    ),
    Code.PLN_VIOLATION: Explanation(
        meaning="the plan breaks an invariant",
        causes="The independent check found a rule broken, in a plan or in what was done.",
        then="escalator campaign verify NAME lists each; report it: this is a defect, or a host that failed",
    ),
    Code.PLN_DOCUMENT: Explanation(
        meaning="the plan document is not valid",
        causes="A plan file that was edited, cut off, or made for another inventory.",
        then="Make the plan anew",
    ),
    Code.PLN_WINDOW: Explanation(
        meaning="the maintenance windows are too short or too few",
        causes=(
            "A node's turn with its rollback is longer than the window, or all turns need more windows than there "
            "are before not_after."
        ),
        then="The remedy names what would do: empty hosts, more nodes at once, a later not_after, or how long a window has to be",
    ),
    Code.PLN_RESERVE: Explanation(
        meaning="the reserve of hosts or a spread rule leaves no room",
        causes="waves.reserve_hosts or a rule of waves.spread asks for more than the scope has.",
        then="Lower it, or widen the scope",
    ),
    Code.PLN_RETURN: Explanation(
        meaning="instances that a rollback could not bring back by live migration",
        causes="Guests of a newer hypervisor do not live-migrate to an older one, and policy allows none of the other ways.",
        then=(
            "Set workloads.default.action so that they may be moved cold or stopped, or accept that a rollback leaves them; on"
            " the way back: escalator vnfm register NAME --dialect manual --project PROJECT lets a person answer for them"
        ),
    ),
    Code.PLN_MITIGATION: Explanation(
        meaning="an instance that has to have a replacement first would stay on its node",
        causes="An instance with is_impact_mitigation_requested would stay on its node while that is upgraded.",
        then="Let it migrate, or have its VNF manager take the business away first",
    ),
    Code.PLN_OWNERS: Explanation(
        meaning="VNF managers that would be asked do not answer",
        causes="VNF managers of nodes in the plan do not answer a test.",
        then="escalator vnfm test NAME for each that is named",
    ),
    Code.PLN_SPREAD: Explanation(
        meaning="groups whose members end closer together than they began",
        causes=(
            "Nodes that were upgraded by then, and had room, were in racks or zones that other members are in, "
            "so that members of an anti-affinity group end in fewer of them, or more of them in one."
        ),
        then="Weigh it: `closer` of the plan names each group. An empty host in each rack or zone leaves a choice",
    ),
    Code.PLN_ESTIMATES: Explanation(
        meaning="estimates for hardware that no node of the campaign has, or of a reboot within seconds",
        causes=(
            "The labels under `estimates.hardware` fit no node: mostly a name or a value is written otherwise than the cloud "
            "has it. Nodes they were meant for count with the general estimate, so that a night may be too short. "
            "Or an `upgrade_s` was written in minutes: it is in seconds, the reboot included."
        ),
        then="Compare the labels with those of `escalator node show NODE` or of the inventory; take out what is meant for others",
    ),
    Code.PLN_IMPOSSIBLE: Explanation(
        meaning="an instance that has to move is larger than any node of the cloud",
        causes=(
            "No compute node could hold it, were it empty: mostly its demand is written in another unit, or names a resource "
            "that no node has. More hosts of the kinds that there are would not help."
        ),
        then="Compare what it needs with what nodes have in the inventory, and correct it; plan again",
    ),
    Code.PLN_REPAIRED: Explanation(
        meaning="the plan for the rest is the plan so far, put right where something happened",
        causes=(
            "Something happened to a few nodes or instances. What was to go to a node that is lost goes elsewhere, turns for "
            "which there is no place yet come later, and all that has not begun is as late as what runs."
        ),
        then="Nothing: it says what of the plan so far has changed",
    ),
    Code.PLN_STOPPED: Explanation(
        meaning="running instances are stopped with their nodes by policy alone",
        causes=(
            "`workloads.default.action` is `stop-start`, `in-place` or `leave`, and no VNF manager speaks for these instances: "
            "all of them stay, those that could move live, too. The plan is smooth, as its document wants it so. "
            "This never fails a plan."
        ),
        then="Agree with their owners; or set the action to `live`, and `mode: non-smooth` for what cannot move",
    ),
    Code.PLN_PRESUMED: Explanation(
        meaning="who is presumed to have a VNF manager, in a plan that was made without a server",
        causes=(
            "No server is asked, so nobody knows who is registered. As in a rehearsal, each project with instances that belong "
            "to a VNF, or that switch over, is presumed to have a VNF manager; what could only be stopped is not presumed to "
            "have its consent unless its VNF declares that it may stay. This never fails a plan."
        ),
        then="Plan on the server where VNF managers are registered: that plan asks those, and goes by policy for all others",
    ),
    Code.PLN_NODE_GROUPS: Explanation(
        meaning="a group of nodes that others come after has no node",
        causes="Its `select` fits no node, or what it fits is out of service, held or upgraded, so that nothing can be sampled.",
        then="Change `scope.groups`, let held nodes go, or bring nodes back; then escalator campaign plan NAME",
    ),
    Code.PLN_WORKER: Explanation(
        meaning="a process that makes plans, or plays runs of a rehearsal, ended before it was through",
        causes="The system ended it, as it does where memory is short, or a person did. The next plan gets a new process.",
        then="Try again; a campaign that runs does so by itself. See whether the server's host has memory left",
    ),
    Code.PLN_OUTAGE: Explanation(
        meaning="instances would be stopped with their nodes, in a campaign of the mode non-smooth",
        causes="They can neither migrate nor stay, or no node has room for them.",
        then="escalator campaign start (or rollback) NAME --accept-outage, or make room and escalator campaign plan NAME",
    ),
    Code.PLN_V_STAGES: Explanation(
        meaning="verify: a node is in the wrong group, or does not wait for the groups and waves before it",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_NODES: Explanation(
        meaning="verify: a node stands in both lists or in none, twice, or is not in scope",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_STATE: Explanation(
        meaning="verify: a node is upgraded that is out of service or upgraded already",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_DURATION: Explanation(
        meaning="verify: something does not last as estimated",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_ORIGIN: Explanation(
        meaning="verify: an instance is not where it is moved from, or moves twice at once",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_KIND: Explanation(
        meaning="verify: an instance cannot be moved that way",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_TARGET: Explanation(
        meaning="verify: an instance may not be on its target",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_EXTRA: Explanation(
        meaning="verify: a move goes to a node not upgraded without saying so, or there are too many of these",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_CAPACITY: Explanation(
        meaning="verify: a NUMA entry is over-full",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_AFFINITY: Explanation(
        meaning="verify: an affinity or anti-affinity policy does not hold",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_UNAVAILABLE: Explanation(
        meaning="verify: too many nodes out of service at once",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_RESERVE: Explanation(
        meaning="verify: the reserve of empty hosts does not hold",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_CONCURRENCY: Explanation(
        meaning="verify: too many moves at once",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_STAY: Explanation(
        meaning="verify: an instance is left on a node that is upgraded, and nothing allows it",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_GROUP: Explanation(
        meaning="verify: too many members of a group impacted at once, or too close together",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_LEAD: Explanation(
        meaning="verify: an impact comes before the lead time, or work before the plan's own start",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_WINDOW: Explanation(
        meaning="verify: a turn does not fit into its maintenance window",
        causes=_CHECKED,
        then=_AGAIN,
    ),
    Code.PLN_V_REPORT: Explanation(
        meaning="verify: what the plan says of itself does not hold",
        causes=_CHECKED,
        then=_AGAIN,
    ),
}
"""By code."""
