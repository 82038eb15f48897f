"""All commands by name, found without scanning what is installed: a command's module is loaded when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

from cliff.commandmanager import CommandManager

_HERE = "escalator.cli"
COMMANDS: Mapping[str, str] = {
    "backup list": "backup:ListBackups",
    "backup prune": "backup:Prune",
    "backup restore": "backup:Restore",
    "backup show": "backup:ShowBackup",
    "backup verify": "backup:Verify",
    "campaign abort": "campaign:Abort",
    "campaign approve": "campaign_approve:Approve",
    "campaign commit": "campaign_back:Commit",
    "campaign create": "campaign:Create",
    "campaign edit": "campaign_draft:Edit",
    "campaign list": "campaign:ListCampaigns",
    "campaign nights": "campaign_nights:Nights",
    "campaign pause": "campaign:Pause",
    "campaign plan": "campaign_plan:MakePlan",
    "campaign remove": "campaign_draft:Remove",
    "campaign replan": "campaign_rest:Replan",
    "campaign restore": "campaign_back:Restore",
    "campaign resume": "campaign:Resume",
    "campaign rollback": "campaign_back:Rollback",
    "campaign show": "campaign_show:Show",
    "campaign stage": "campaign_stage:Stage",
    "campaign start": "campaign_show:Start",
    "campaign validate": "offline:Validate",
    "campaign verify": "campaign_rest:VerifyRun",
    "constraint import": "constraint:Import",
    "constraint list": "constraint:ListConstraints",
    "constraint remove": "constraint:Remove",
    "constraint set": "constraint:SetConstraint",
    "constraint show": "constraint:ShowConstraint",
    "config show": "server:ShowConfig",
    "demo": "demo:Demo",
    "event list": "event:ListEvents",
    "explain": "explain:Explain",
    "inventory export": "inventory:Export",
    "freeze begin": "freeze:BeginFreeze",
    "freeze end": "freeze:EndFreeze",
    "freeze show": "freeze:ShowFreeze",
    "node hold": "node_hold:HoldNodes",
    "node list": "node:ListNodes",
    "node retry": "node:Retry",
    "node show": "node:ShowNode",
    "node skip": "node:Skip",
    "node unhold": "node_hold:UnholdNodes",
    "notice list": "notice:ListNotices",
    "notice reply": "notice:Reply",
    "notice show": "notice:ShowNotice",
    "plan": "offline:OfflinePlan",
    "rehearse": "rehearse:Rehearse",
    "release build": "release_bundle:Build",
    "release import": "release:Import",
    "release key generate": "release_bundle:GenerateKey",
    "release list": "release:ListReleases",
    "release remove": "release:RemoveRelease",
    "release show": "release:ShowRelease",
    "release sign": "release_bundle:Sign",
    "release verify": "release_bundle:VerifyBundle",
    "restoration list": "server:ListRestorations",
    "serve": "serve:Serve",
    "verify": "offline:Verify",
    "vnfm list": "vnfm:ListVnfms",
    "vnfm register": "vnfm:Register",
    "vnfm remove": "vnfm:Remove",
    "vnfm set": "vnfm_set:Set",
    "vnfm show": "vnfm:ShowVnfm",
    "vnfm test": "vnfm:Test",
    "workload list": "workload:ListWorkloads",
    "workload outages": "workload:ListOutages",
    "workload show": "workload:ShowWorkload",
}


def command_manager() -> CommandManager:
    """All commands for cliff."""
    manager = CommandManager()
    for name, target in COMMANDS.items():
        manager.commands[name] = EntryPoint(name=name, value=f"{_HERE}.{target}", group=_HERE)
    return manager
