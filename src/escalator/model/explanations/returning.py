"""What codes of backups, of the way back, and of where a release goes mean."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.model.codes import Code
from escalator.model.explanation import Explanation

RETURNING: Mapping[Code, Explanation] = {
    Code.SYS_BACKUP_NOT_FOUND: Explanation(
        meaning="there is no such backup",
        causes="The id is written differently, the backup was pruned, or somebody removed it from its node.",
        then="escalator backup list",
    ),
    Code.SYS_BACKUP_DAMAGED: Explanation(
        meaning="a backup does not hold what was kept",
        causes="Somebody changed its files on the node, or the node's disk did. Nothing is put back from it.",
        then="Look for another one of the node: escalator backup list --node NODE; and look at the node's disk",
    ),
    Code.SYS_BACKUP_BUSY: Explanation(
        meaning="a backup cannot be restored now",
        causes="A campaign is active on this cloud, or the node is being restored already; a campaign waits for a restore, too.",
        then="Let the campaign or the restore come to its end, then ask again",
    ),
    Code.SYS_CARRIES: Explanation(
        meaning="the node carries running instances",
        causes="A restore replaces the node's software, and may reboot it, under everything that runs there.",
        then="Move the instances away; or accept the impact: escalator backup restore ID --accept-impact",
    ),
    Code.SYS_NO_WAY_BACK: Explanation(
        meaning="the node may not be taken back to what it ran before",
        causes="The release's rollback_to leaves that version out, its point of no return was passed, or versions are not kept.",
        then="Go forward: retry, or a campaign with a release that mends it",
    ),
    Code.SYS_RESTORE: Explanation(
        meaning="a backup could not be restored",
        causes="The node does not answer, the old packages cannot be installed, or what runs afterwards is not what was kept.",
        then="escalator backup show ID says where it ended; the node is held out of service until it is put right",
    ),
    Code.SYS_BACKUP_SPACE: Explanation(
        meaning="the backup does not fit on the node's disk",
        causes="The disk that holds /var/lib/escalator is nearly full. The node was not changed.",
        then="escalator backup prune, or make room on the node; then escalator node retry NAME NODE",
    ),
    Code.PLN_FROM: Explanation(
        meaning="the release does not go upon what some nodes run",
        causes="Its upgrades_from leaves out their version, or what they run is not known.",
        then="The message names a path over imported releases where there is one: a campaign for each step of it",
    ),
    Code.PLN_REQUIRES: Explanation(
        meaning="some nodes are not what the release requires",
        causes="Operating system, architecture, another layer, or another release on the node does not fit.",
        then="Upgrade first what the message names, or leave these nodes out by scope.exclude",
    ),
    Code.PLN_BACK: Explanation(
        meaning="some nodes could not be taken back to what they run",
        causes="The release's rollback_to leaves their version out, or the campaign's backup.scope keeps less than everything.",
        then="Weigh it before the start: what fails on such a node is mended forward only",
    ),
    Code.PLN_NO_RETURN: Explanation(
        meaning="the release has a point of no return",
        causes="From a step of its nodes on it cannot be taken back; before the first node passes it, a person is asked.",
        then="escalator campaign resume NAME --accept-point-of-no-return, or escalator campaign abort NAME",
    ),
}
"""By code."""
