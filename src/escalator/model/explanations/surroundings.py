"""Explanations of codes: VNF managers, the cloud and the nodes."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.explanation import Explanation

SURROUNDINGS = {
    Code.VIM_NOT_FOUND: Explanation(
        meaning="no VNF manager, notice or reply address of that name",
        causes="A name that is misspelt; a reply address that is cut off or was never given out; an instance that is gone.",
        then="escalator vnfm list; escalator notice list --campaign NAME",
    ),
    Code.VIM_DUPLICATE: Explanation(
        meaning="a VNF manager of that name exists",
        causes="A VNF manager of that name is registered.",
        then="escalator vnfm set NAME changes what it is registered with; escalator vnfm show NAME shows it",
    ),
    Code.VIM_UNREACHABLE: Explanation(
        meaning="the VNF manager's address does not answer",
        causes="Address, firewall or name resolution; our certificate is refused; a command that does not end in time.",
        then=(
            "Open the way to the address, or correct it: escalator vnfm set NAME --callback-uri URI;"
            " then escalator vnfm test NAME"
        ),
    ),
    Code.VIM_CREDENTIALS: Explanation(
        meaning="the VNF manager refused our credentials",
        causes="The credential file is out of date, or the account is locked. It is read anew at each use.",
        then="Correct the file in credentials_dir; escalator vnfm test NAME",
    ),
    Code.VIM_CERTIFICATE: Explanation(
        meaning="the VNF manager's certificate is not accepted",
        causes="It has expired, names another host, or is of an authority that is not in the server's trust store.",
        then=(
            "Have it renewed, or put its authority into the trust store (openssl version -d names the folder, SSL_CERT_FILE"
            " another file), which is read again by itself; escalator vnfm test NAME"
        ),
    ),
    Code.VIM_CHANGED: Explanation(
        meaning="the VNF manager's registration was changed by somebody else meanwhile",
        causes="Between the look at it and this change another one came; nothing of this one was carried out.",
        then="escalator vnfm show NAME has what it is now and its version; set again what still has to change",
    ),
    Code.VIM_REFUSED: Explanation(
        meaning="the VNF manager answered the delivery with an error",
        causes="The VNF manager answered the notice, or a question, with an error or with what cannot be read.",
        then="Its own log at that time; escalator notice show ID has the status",
    ),
    Code.VIM_LATE: Explanation(
        meaning="the reply came after its deadline",
        causes="The deadline of the notice had passed, or the notice was withdrawn.",
        then=(
            "escalator node retry NAME NODE asks again while the campaign runs, or, where it paused, escalator campaign resume"
            " NAME; after its end another campaign of the same release takes up what was left. For the next time: raise"
            " workloads.notify.reply_timeout_s, or answer DEFER in time"
        ),
    ),
    Code.VIM_SUPERSEDED: Explanation(
        meaning="a different reply to this notice was accepted before",
        causes="Two programs, or a program and a person, answered differently. The first answer counts.",
        then=(
            "escalator notice show ID lists every answer that came. Where the first one left the node out: escalator node retry"
            " NAME NODE while the campaign runs, else another campaign of the same release"
        ),
    ),
    Code.VIM_REPLY: Explanation(
        meaning="the reply's body is not valid",
        causes="Not JSON, an unknown key or value, an instance that was not asked about, or a DEFER beyond vim.max_defer_s.",
        then="Each problem is named; the OpenAPI document of the VNF managers' listener has the form",
    ),
    Code.VIM_REGISTRATION: Explanation(
        meaning="the VNF manager's registration is not valid",
        causes=(
            "An address that may not be used, what two VNF managers both claim, or a command or credential that is not there."
        ),
        then="Correct what is named: escalator vnfm set NAME, or the server's settings where a command is missing",
    ),
    Code.VIM_CREDENTIAL_FILE: Explanation(
        meaning="the named credential cannot be read",
        causes="The file is not there, is readable by others, is empty, or is too large.",
        then="ls -l in credentials_dir; mode 0600 and the server's user are expected",
    ),
    Code.VIM_FOREIGN: Explanation(
        meaning="the caller's token is not bound to the project that this belongs to",
        causes=(
            "A token of one project was used for another's instances, groups or constraints, or the operator's own "
            "word stands there."
        ),
        then="Use a token of the project that owns it; the operator may escalator constraint remove",
    ),
    Code.VIM_NEIGHBOUR: Explanation(
        meaning="a neighbour could not be told that a host is in maintenance, or back",
        causes="Masakari, Alertmanager, or a command of neighbours.hooks, did not take the news.",
        then="The message has its answer; escalator restoration list shows who still believes in maintenance",
    ),
    Code.VIM_ALARM: Explanation(
        meaning="an alarm that a VNF manager registers is not valid, or one too many",
        causes=(
            "An address that does not begin with the registered one, fault ids of another form, or more alarms than"
            " a server or project may have."
        ),
        then="Compare callback_uri of escalator vnfm show NAME with Tacker's endpoint",
    ),
    Code.VIM_NO_ALARM: Explanation(
        meaning="a VNF manager that is told per instance has no alarm for one",
        causes="The VNF was instantiated without ServerNotifierUri, or the VM is so new that Tacker has not registered it yet.",
        then="See the VNF's additionalParams in Tacker; then escalator node retry NAME NODE",
    ),
    Code.VIM_ORCHESTRATOR: Explanation(
        meaning="an orchestrator does not answer; it is told later, and nothing waits for it",
        causes=(
            "The orchestrator's address does not answer, or it refuses our credentials or the message. Nothing waits for it."
        ),
        then="escalator vnfm test NAME; what it missed is told in order when it answers again",
    ),
    Code.VIM_NOT_TOLD: Explanation(
        meaning="an orchestrator was not told something, and it is not tried any more",
        causes="It refused what was said, or did not answer for vim.or_vi.give_up_after_s.",
        then="escalator notice list --campaign NAME shows what it does not know",
    ),
    Code.VIM_NO_EXTRA: Explanation(
        meaning="the settings ask for notifications on RabbitMQ, and its client is not installed",
        causes="vim.fenix.notifications names a broker, and Escalator was installed without the extra rabbitmq.",
        then=(
            "From the checkout, pip install --require-hashes -r requirements/extras.lock, or take vim.fenix.notifications out "
            "of the settings"
        ),
    ),
    Code.VIM_SESSION: Explanation(
        meaning="a session of the Fenix interface cannot be made of its template",
        causes="The template's file is missing or not valid, or it selects none of the hosts that the session names.",
        then="escalator campaign validate FILE; vim.fenix.sessions.templates of the settings names the files",
    ),
    Code.VIM_THROTTLED: Explanation(
        meaning="too many wrong credentials came from this caller, which is not heard for a minute",
        causes="A VNF manager that still uses an old password or token, or somebody who guesses.",
        then="Mend the caller's credential; vim.max_wrong_credentials of the settings says how many are heard in a minute",
    ),
    Code.VIM_NOTICED: Explanation(
        meaning="a live migration would interrupt an instance for longer than its VNF does not notice, and nobody bears it",
        causes=(
            "Its max_undetectable_interruption_time is below estimates.migration.interruption_s; no group of its says how many"
            " members may be impacted, and no VNF manager said yes."
        ),
        then="escalator constraint list; register its VNF manager, or declare a limit of its group",
    ),
    Code.VIM_V_NOTICED: Explanation(
        meaning="a plan calls itself smooth although an instance would notice its live migration and nobody bears it",
        causes="A plan made or changed elsewhere, or by another version.",
        then="escalator campaign plan NAME makes it anew",
    ),
    Code.VIM_SUBSCRIPTION: Explanation(
        meaning="the subscription is not valid, or its address does not answer as it has to",
        causes=(
            "A callback that does not answer GET with 204, a host that is not allowed, a filter beyond what the "
            "registration owns, or parameters that are missing."
        ),
        then="Each problem is named; vim.callback_hosts and escalator vnfm show NAME say what is allowed",
    ),
    Code.VIM_SUBSCRIBED: Explanation(
        meaning="the VNF manager has a subscription, or what it asks for belongs to another one",
        causes="A VNF manager has one subscription: another address or filter needs the first one deleted.",
        then="DELETE the subscription and make it anew; escalator vnfm show NAME shows it",
    ),
    Code.CLD_UNREACHABLE: Explanation(
        meaning="the cloud's API does not answer",
        causes="The API is down, overloaded or behind a proxy that answers in its place; or one of Nova's cells is down.",
        then="openstack compute service list from the server's machine; work goes on by itself when it answers",
    ),
    Code.CLD_CREDENTIALS: Explanation(
        meaning="the cloud refused our credentials",
        causes="The password or application credential in clouds.yaml is wrong or has expired.",
        then="openstack token issue with the same clouds.yaml; the file is read anew",
    ),
    Code.CLD_FORBIDDEN: Explanation(
        meaning="our user lacks a role for this call",
        causes="The service user lacks a role, or a policy of the cloud is stricter than usual.",
        then="The message names the call; grant the role to the user in clouds.yaml",
    ),
    Code.CLD_NOT_FOUND: Explanation(
        meaning="no such node or instance in the cloud",
        causes="A node that left the cloud, an instance that was deleted, a name in another form.",
        then="openstack compute service list; openstack server show ID",
    ),
    Code.CLD_REFUSED: Explanation(
        meaning="the cloud refused the request",
        causes="The cloud answered that this cannot be done; its own words follow.",
        then="Read them; openstack server event list ID has more",
    ),
    Code.CLD_FOREIGN_CORDON: Explanation(
        meaning="the node is disabled for someone else's reason",
        causes="An operator or a tool disabled the node before, for the reason shown.",
        then="Ask whoever did; escalator node retry NAME NODE when it is enabled again",
    ),
    Code.CLD_NO_VALID_HOST: Explanation(
        meaning="the cloud found the named target unfit",
        causes="The target filled up, was cordoned, or lacks something that only the cloud's scheduler knows of.",
        then="Nothing: another target is tried by itself",
    ),
    Code.CLD_BUSY: Explanation(
        meaning="the instance is busy with another task",
        causes="A tenant's snapshot, resize, rebuild or reboot is under way.",
        then="Nothing: it is tried again; openstack server show ID if it does not end",
    ),
    Code.CLD_CONFIG: Explanation(
        meaning="the cloud's configuration is missing or wrong",
        causes="clouds.yaml, its entry or a service of the region is missing, or the cloud is older than Train.",
        then="Correct cloud.os_cloud or clouds.yaml as the message says",
    ),
    Code.CLD_PROBE_SETUP: Explanation(
        meaning="the probe VM cannot be made as it is set up",
        causes="cloud.probe_vm is missing in the settings, or names an image, flavor or network that our project does not see.",
        then="Compare cloud.probe_vm with openstack image list, flavor list and network list in our project",
    ),
    Code.CLD_PROBE_BOOT: Explanation(
        meaning="the probe VM did not boot on the upgraded node",
        causes="The hypervisor, its agent, the network or the storage of the node does not start instances on the new release.",
        then="The nova-compute log of the node at that time; mend the release, then escalator node retry NAME NODE",
    ),
    Code.SYS_UNREACHABLE: Explanation(
        meaning="the node does not answer over SSH",
        causes="The node is down or rebooting, or SSH is filtered.",
        then="ssh to the node as system.ssh.user from the server's machine",
    ),
    Code.SYS_HOST_KEY: Explanation(
        meaning="the node's host key is unknown or has changed",
        causes="The node was installed anew, or somebody sits in between. It is never accepted by itself.",
        then="Check the key on the node's console; add it to known_hosts",
    ),
    Code.SYS_CREDENTIALS: Explanation(
        meaning="the node refused our key",
        causes="Our public key is not in authorized_keys, or the account is locked.",
        then="ssh -i KEY USER@NODE true",
    ),
    Code.SYS_STAGE: Explanation(
        meaning="the release could not be staged on the node",
        causes="The node cannot reach the repository listener, its disk is full, or a file does not have its digest.",
        then="df -h on the node; curl repository.public_url from there; then escalator node retry NAME NODE",
    ),
    Code.SYS_BACKUP: Explanation(
        meaning="the backup could not be taken",
        causes="The node's disk is full, or a path of the release's state_paths cannot be read.",
        then="df -h and the paths on the node; then escalator node retry NAME NODE",
    ),
    Code.SYS_INSTALL: Explanation(
        meaning="the installer ended with an error",
        causes="A maintainer script failed, dpkg was locked or interrupted, a dependency is missing.",
        then="escalator event list --node NODE has the end of its output; the log stays on the node",
    ),
    Code.SYS_PACKAGES: Explanation(
        meaning="packages are not in the state that the release names",
        causes="The installer said it was done and left packages at other versions, half-configured or held.",
        then="dpkg -l and apt-mark showhold on the node",
    ),
    Code.SYS_DAEMON: Explanation(
        meaning="the running daemon is not of the release's version",
        causes="The new package is installed and the old process still runs, or the daemon did not start.",
        then="systemctl status on the node; is a restart missing in the package?",
    ),
    Code.SYS_HEALTH: Explanation(
        meaning="the node's health check fails",
        causes="The daemon runs and says that it is not well.",
        then="The check's own output stands in the message",
    ),
    Code.SYS_REBOOT: Explanation(
        meaning="the node did not come back from its reboot, or not with what was installed",
        causes="The node hangs in its firmware, boots another kernel than the installed one, or lost its network.",
        then="Its console; bring it up, then escalator node retry NAME NODE",
    ),
    Code.SYS_OPERATION: Explanation(
        meaning="an operation on the node is unknown or was lost",
        causes="The node was installed anew, or its record of operations was removed, while something was under way.",
        then="Look at the node; escalator node retry NAME NODE begins anew",
    ),
    Code.SYS_ROLLBACK: Explanation(
        meaning="the node could not be put back on its old version",
        causes="The old packages are not to be had any more, a downgrade is refused, or the node does not answer.",
        then="The node is held: put it back by hand, escalator restoration list, then escalator campaign resume NAME",
    ),
    Code.SYS_RELEASE: Explanation(
        meaning="the release is not valid",
        causes="release.yaml has errors, or files do not match their digests.",
        then="Each problem is named; correct it and import again",
    ),
    Code.SYS_RELEASE_NOT_FOUND: Explanation(
        meaning="no such release",
        causes="It was not imported here, or the version is written differently.",
        then="escalator release list; import it, again where it was removed",
    ),
    Code.SYS_RELEASE_EXISTS: Explanation(
        meaning="the release exists with other content",
        causes="A release never changes once it is imported.",
        then="Give what changed a new version",
    ),
    Code.SYS_UNSUPPORTED: Explanation(
        meaning="the driver cannot do this",
        causes="The campaign or release asks the driver for what it does not have, such as a reboot or a rollback.",
        then="Another node.driver, or leave it out",
    ),
    Code.SYS_COMMAND: Explanation(
        meaning="the operator's command failed",
        causes="The command ended with an exit code that means failure; the end of its error output is the message.",
        then="Run it by hand with the same arguments; then escalator node retry NAME NODE",
    ),
    Code.SYS_CONFIG: Explanation(
        meaning="the driver's configuration is missing or wrong",
        causes="A key or file of the driver is missing in the server's settings, or it was taken from them after the start.",
        then="The message names the setting, or the driver that is missing: correct the settings and start the server anew",
    ),
    Code.SYS_BUNDLE: Explanation(
        meaning="the file is no release bundle",
        causes="It is cut short, packed or signed by another tool, changed, or holds more or less than its document lists.",
        then="escalator release verify FILE on the machine that it came from; fetch it again, or build it again",
    ),
    Code.SYS_DIGEST: Explanation(
        meaning="a file is not the one that the release's document names",
        causes="It was changed after it was signed, damaged on its way, or on the server's disk.",
        then="Fetch the bundle again and import it; a file that changed on the server's disk is a case for its operator",
    ),
    Code.SYS_SIGNATURES: Explanation(
        meaning="too few trusted keys have signed the release",
        causes="It is unsigned, signed with keys that releases.trust does not name, or its document changed after it was signed.",
        then=(
            "escalator release verify FILE --trust DIR says why each signature does not count; escalator release sign FILE"
            " --key KEYFILE adds one, and escalator release import FILE takes it in"
        ),
    ),
    Code.SYS_EXPIRED: Explanation(
        meaning="the release has expired",
        causes="The time in spec.expires of its document is over. What runs, and every way back, goes on.",
        then="Import a release that is newer",
    ),
    Code.SYS_RELEASE_NEEDED: Explanation(
        meaning="the release is still needed",
        causes="A campaign that is not final names it, a node's way back leads to a package of it, or a backup needs it.",
        then=(
            "escalator campaign commit NAME, or let it go back, for each campaign that the message names; escalator backup prune"
            " --release NAME/VERSION for backups; then escalator release remove NAME/VERSION again"
        ),
    ),
    Code.SYS_KEY: Explanation(
        meaning="a signing key cannot be used",
        causes="The file is not there, is readable by others, is no Ed25519 key in PEM form, or its passphrase is another.",
        then="chmod 600 FILE; --passphrase-env names the variable that holds the passphrase",
    ),
    Code.SYS_HOOK: Explanation(
        meaning="a hook of the operator's failed",
        causes="The command ended with an exit code other than 0, 70 and 75, or again and again with 75.",
        then="escalator event list --node NODE has what it said; run it by hand, then escalator node retry NAME NODE;"
        " after a hook of the whole campaign, escalator campaign resume NAME",
    ),
    Code.SYS_TEST: Explanation(
        meaning="a test of the operator's failed on the upgraded node",
        causes="The new software does not do what the test asks of it, or the test itself is wrong.",
        then="The last line of the test is the message; the node was put back by policy",
    ),
    Code.SYS_PIN: Explanation(
        meaning="a version pin was not set, does not hold, or was not released",
        causes="A command of the campaign's pins ended with an exit code other than 0 and 70, or again and again with 75.",
        then=(
            "escalator event list --campaign NAME has what it said; run it by hand, then escalator campaign resume NAME, on the "
            "way back escalator node retry NAME NODE"
        ),
    ),
    Code.SYS_NO_COMMAND: Explanation(
        meaning="a command that the campaign names cannot be run",
        causes="The settings have no entry of that name, its program is not there, or the driver has no way onto the node.",
        then="Correct commands in the settings and restart the server; the message names the nearest entry",
    ),
    Code.SYS_OUT_OF_BAND: Explanation(
        meaning="a node cannot be reached out of band, or could not be power-cycled",
        causes="Its management controller does not answer, its credentials changed, or the operator's command is wrong.",
        then="Run the command of system.out_of_band by hand; then escalator node retry NAME NODE",
    ),
    Code.SYS_REBOOT_REFUSED: Explanation(
        meaning="the node asks for a reboot that the release does not announce",
        causes="A package of the release wants a reboot, and the release's impact says that instances run on meanwhile.",
        then="Correct impact in release.yaml to reboot, as a new version, and plan again",
    ),
    Code.SYS_CLUSTER: Explanation(
        meaning="a cluster that a node is a member of could not be asked or told",
        causes="A command of system.clusters failed, asked to be run again, or printed something else than what is documented.",
        then="Run the command by hand as the history shows it; docs/howto/upgrade-control-network-storage.md says what it prints",
    ),
    Code.SYS_NOT_WHOLE: Explanation(
        meaning="a cluster did not come to what is needed within the time allowed",
        causes=(
            "A member does not serve after its upgrade, something stays active on a network node, or what is stored is not "
            "whole; after the upgrade the time is node.timeouts.rejoin_s, before it vacate_s."
        ),
        then="See what the cluster says; when it is whole, escalator node retry NAME NODE: it is not upgraded again",
    ),
    Code.SYS_MEMBER: Explanation(
        meaning="a node is not put back on a backup, because its clusters cannot do without it now",
        causes=(
            "The other control members would not keep the quorum, it is the master, something is active on it, a peer is "
            "away, noout is not set, or a storage cluster is not whole or says that the node may not stop; the message says."
        ),
        then="Stand the node aside, or bring back what is away; or escalator backup restore ID --accept-cluster WHY",
    ),
    Code.SYS_ANSIBLE: Explanation(
        meaning="Ansible is not installed on the server",
        causes="The ansible driver runs ansible-runner and ansible-playbook as programs; they come with an extra of the package.",
        then="From the checkout, pip install --require-hashes -r requirements/extras.lock, or set system.ansible.bin_dir",
    ),
    Code.SYS_WRONG_TYPE: Explanation(
        meaning="the driver cannot install this release",
        causes="The release has another type than the driver takes, or no playbook for what is asked, or its kept files changed.",
        then="Name the right driver under node.driver, or import the release again",
    ),
    Code.SYS_PLAYBOOK: Explanation(
        meaning="the release's verify playbook failed on the node",
        causes="A task of it failed; the message has its name and what it said.",
        then="See what it says; then escalator node retry NAME NODE",
    ),
    Code.SYS_CANNOT: Explanation(
        meaning="the driver cannot undo, or cannot do, all that others can",
        causes="The bundle has no playbook for it, or the settings name no command. The plan holds; it says what to expect.",
        then="Accept it, or add what the remedy names and plan again",
    ),
}
"""By code."""
