"""What an operator sets about nodes and about commands of their own; part of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from escalator.model.document import DnsLabel, Model
from escalator.model.inventory import Role

Seconds = Annotated[float, Field(gt=0, le=86400)]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/")]


class Staging(Model):
    """How release files come onto nodes before their turns."""

    ahead: bool = True
    """Whether a campaign that waits for its maintenance window is staged without being asked."""
    concurrent: Annotated[int, Field(ge=1, le=100)] = 8
    """Nodes that fetch at once."""
    kib_per_s: Annotated[int, Field(ge=1)] | None = None
    """Most that one node fetches, KiB per second; null = as fast as it goes. In all it is `concurrent` times this."""


class OutOfBand(Model):
    """The other way to nodes, such as Redfish, by the operator's commands."""

    check: DnsLabel | None = None
    """Which of `commands` tells whether a node can be reached out of band, before it is taken out of service."""
    power_cycle: DnsLabel | None = None
    """Which of `commands` power-cycles a node that does not come back from its reboot: once in its turn. Null = nobody does."""
    after_s: Seconds = 900.0
    """How long such a node is waited for first; less than the campaign's `reboot_s`. Then the rest is planned without it, too."""


class NamedCommand(Model):
    """A command of the operator's that campaigns name, never spell out: as a hook or a test."""

    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    """Command; `{node}`, `{campaign}`, `{release}` stand for one argument each, `{address}` for a probe VM's.
    No shell reads it."""
    where: Literal["manager", "node"] = "manager"
    """Where it runs: on the manager's host, or on the node, over the node's driver."""
    timeout_s: Seconds = 300.0


class ClusterNode(Model):
    """A node that the cloud does not tell of by itself, or whose other roles it does not tell."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=4)]
    az: str | None = None
    rack: str | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    """`control-cluster`, `network-cluster` and `storage-cluster` name the clusters that it is a member of."""


class ClusterCommands(Model):
    """Control, network and storage nodes: which there are, and which of `commands` ask and tell their clusters."""

    nodes: Mapping[str, ClusterNode] = Field(default_factory=dict, max_length=10_000)
    control_status: DnsLabel | None = None
    """Prints `{"members": {"NODE": true}, "master": "NODE", "quorum": 2}`: who serves."""
    control_hand_over: DnsLabel | None = None
    """Makes another member the master; null = a master goes as it is, when it is the last."""
    network_status: DnsLabel | None = None
    """Prints `{"active": ["NAME"], "whole": true, "why": ""}`: what is active on the node."""
    network_evacuate: DnsLabel | None = None
    """Lets gateways, routers and agents be active elsewhere."""
    network_restore: DnsLabel | None = None
    """Lets what `ESCALATOR_FOUND` names be active on the node again."""
    storage_status: DnsLabel | None = None
    """Prints `{"ok_to_stop": true, "clean": true, "flagged": false, "why": ""}`, `nodes` as `ESCALATOR_NODES`."""
    storage_flag: DnsLabel | None = None
    """Keeps the cluster from recovering while the node is away, such as `noout`."""
    storage_unflag: DnsLabel | None = None
    """Lets it recover again."""


class Ssh(Model):
    """How the `packages` driver reaches nodes."""

    user: str = "root"
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    key: str | None = None
    """Name of the private key file inside `credentials_dir`."""
    known_hosts: AbsolutePath | None = None
    """File of the nodes' host keys. A node whose key is not there is refused."""
    addresses: Mapping[str, str] = Field(default_factory=dict)
    """Address per node id where the id itself does not resolve."""
    connect_timeout_s: Seconds = 15.0


class CommandDriver(Model):
    """The operator's own tool: argv templates; `{node}`, `{release}` and `{version}` stand for one argument each."""

    argv: tuple[str, ...] = ()
    rollback_argv: tuple[str, ...] = ()
    verify_argv: tuple[str, ...] = ()
    verify_rollback_argv: tuple[str, ...] = ()
    stage_argv: tuple[str, ...] = ()
    backup_argv: tuple[str, ...] = ()
    facts_argv: tuple[str, ...] = ()
    boot_id_argv: tuple[str, ...] = ()
    reboot_argv: tuple[str, ...] = ()
    reboot_needed_argv: tuple[str, ...] = ()
    timeout_s: Seconds = 3600.0
    concurrent: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many of these commands run at once; null = any number."""
    retry_codes: Annotated[tuple[int, ...], Field(max_length=20)] = (75,)
    """Exit codes that mean `try again`; tools that hand on Ansible's own end with 4 when a node did not answer."""
    not_needed_codes: Annotated[tuple[int, ...], Field(max_length=20)] = (70,)


class AnsibleDriver(Model):
    """How playbooks run. Nodes are reached as `system.ssh` says."""

    concurrent: Annotated[int, Field(ge=1, le=100)] = 6
    """How many playbooks run at once on this host; each takes about 100 MB."""
    timeout_s: Seconds = 3600.0
    """How long one run may take, without its wait for a free place."""
    vault_password: str | None = None
    """Name of the file inside `credentials_dir` that holds the vault's password; null = nothing is encrypted."""
    groups: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")], ...], Field(max_length=50)
    ] = ()
    """Groups of the inventory that every node is in, for playbooks that do not say `hosts: all`."""
    probe: Literal["ssh", "playbook"] = "ssh"
    """How nodes are looked at: over SSH by the server itself, or by the release's `facts` playbook alone."""
    bin_dir: AbsolutePath | None = None
    """Folder of `ansible-runner` and `ansible-playbook`; null = the server's own, then `PATH`."""


class System(Model):
    """The nodes themselves."""

    ssh: Ssh = Ssh()
    command: CommandDriver = CommandDriver()
    ansible: AnsibleDriver = AnsibleDriver()
    staging: Staging = Staging()
    out_of_band: OutOfBand = OutOfBand()
    clusters: ClusterCommands = ClusterCommands()
    keep_days: Annotated[float, Field(ge=1, le=3660)] = 30.0
    """How long logs and exit codes of commands and playbooks are kept on this host after their end."""
    settle_s: Seconds = 30.0
    """How long a daemon may take to come up and be healthy after its packages were installed or put back."""
