"""The port of the VIM Interface: the verbs that the Upgrade Manager uses, and nothing more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

from escalator.model.inventory import Instance
from escalator.model.notice import Disposition, NoticeType, Vnfm
from escalator.vim_interface.facts import Fact, PlannedWindow
from escalator.vim_interface.operations.port import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one node task asks of all VNF managers with instances on its node.

    `task` is the node task's id; whatever follows a `~` in it tells its rounds of asking apart.
    `planned` gives per instance the planned action (`live`, `cold`, `in-place`, `stop-start`, `offline`); times are Unix seconds.
    Nothing is announced for a time before `action_at`, nor before an instance's own lead time has passed.

    With the kind `SCALE_IN_REQUESTED` it asks for room, of no node in particular: nothing happens to an instance by it, and
    those whose leaving helps most come first.
    """

    task: str
    campaign: str
    node: str | None
    instances: tuple[Instance, ...]
    planned: Mapping[str, str]
    reply_by: float
    action_at: float
    interruptions: Mapping[str, float] = field(default_factory=dict)
    """For how long the planned move is expected to interrupt each instance that moves, seconds."""
    interim: Collection[str] = ()
    """Ids of the instances whose planned move leads to a node that is still to be upgraded itself."""
    kind: NoticeType = NoticeType.HOST_MAINTENANCE_UPCOMING
    details: Mapping[str, str] = field(default_factory=dict)
    """More about it in words, for those who look: `purpose` is `rollback` or `restore` where it is no upgrade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Where one VNF manager's answer to an ask stands."""

    vnfm: str
    notice: str
    state: Literal["open", "answered", "silent", "undeliverable", "cancelled"]
    result: Literal["ACK", "NACK", "DEFER"] | None = None
    until: float | None = None
    reason: str = ""
    instances: tuple[str, ...] = ()
    """Ids of the instances that were asked about."""
    asked_at: float = 0.0
    """Unix seconds."""
    action_at: float | None = None
    """What was announced does not happen before, unless the VNF manager agrees to it; Unix seconds."""
    dispositions: Mapping[str, Disposition] = field(default_factory=dict)
    error: str = ""
    heard: tuple[str, ...] = ()
    """Ids of those about which there was a yes, of a notice that ended without an answer about all."""
    gone: bool = False
    """Whether the VNF manager is not registered any more: who asks again asks who speaks for its instances now."""

    def to_json(self) -> dict[str, object]:
        """Plain values for the journal."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A campaign that begins: what VNF managers hear before they are asked about any node. Times are Unix seconds."""

    campaign: str
    key: str
    """Tells two of a campaign apart."""
    instances: tuple[Instance, ...]
    """Whose VNF managers are told."""
    planned: Mapping[str, str]
    """What is planned for those of them that it touches: `live`, `cold`, `in-place`, `stop-start`, `offline`, `own`."""
    first_at: Mapping[str, float]
    """When the turn of the node on which each of them is now begins by the plan."""
    windows: Sequence[PlannedWindow] = ()
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Reachability:
    """Whether a VNF manager answers at its address with our credentials."""

    vnfm: str
    ok: bool
    code: str = ""
    message: str = ""
    remedy: str = ""
    """What to do where that is more particular than what the code says."""


class Orchestrators(Protocol):
    """Who is above the cloud and its VNF managers: told, never asked."""

    async def names(self) -> Sequence[str]:
        """Their names, in order; who tells nothing without any of them pays nothing."""
        ...

    async def tell(self, fact: Fact) -> None:
        """Put a fact into the outbox for each of them. Safe to repeat: the same fact is told once."""
        ...


class Finished(Protocol):
    """Those VNF managers that hear of each instance by itself."""

    async def tell(self, task: str, instance: str) -> None:
        """Tell that the instance has moved for that node task; nobody who was not asked about it. Safe to repeat."""
        ...


class Announced(Protocol):
    """What is told of a campaign as it begins."""

    async def tell(self, what: Announcement) -> None:
        """Tell each VNF manager with one of the instances which they are, how and when. Safe to repeat."""
        ...


class VimInterface(Protocol):
    """Everything that goes to and comes from VNF managers, and what orchestrators are told."""

    @property
    def orchestrators(self) -> Orchestrators:
        """The orchestrators."""
        ...

    @property
    def finished(self) -> Finished:
        """Those that hear of each instance."""
        ...

    @property
    def announced(self) -> Announced:
        """What is told of a campaign as it begins."""
        ...

    async def owners(self, instances: Sequence[Instance]) -> Mapping[str, str]:
        """Name of the VNF manager of each instance that has one: by instance, else by VNF, else by project."""
        ...

    async def operations(self, instances: Sequence[Instance]) -> Sequence[Operation]:
        """Lifecycle operations under way at the VNFs of these instances; what cannot be told counts as under way."""
        ...

    async def ask(self, ask: Ask) -> tuple[str, ...]:
        """Put one notice per VNF manager concerned into the outbox, in one transaction; ids of the notices.

        Safe to repeat: the same task gets the same notices. When the last answer is in or the deadline has passed, the
        task's workflow is woken by a message on its topic `answers`; at once when no VNF manager is concerned.
        """
        ...

    async def answers(self, task: str) -> tuple[Answer, ...]:
        """Where the answers to the task's notices stand now."""
        ...

    async def defer(self, task: str, vnfm: str, until: float) -> None:
        """Accept a DEFER: the notice is open again until a few seconds after then, and takes one more reply."""
        ...

    async def tell(
        self, kind: NoticeType, campaign: str, *, node: str | None = None, vnfms: Sequence[str] = (), key: str, task: str = ""
    ) -> None:
        """Put a notice that needs no answer into the outbox, for each VNF manager; `key` makes it safe to repeat.

        With `task` it names the instances that the VNF manager was asked about for that task.
        It goes to `vnfms`; without any, to all when it is about the campaign, to nobody when it is about a node.
        """
        ...

    async def cancel(self, task: str) -> None:
        """Withdraw the task's notices and tell the VNF managers that got them."""
        ...

    async def reach(self, names: Sequence[str]) -> tuple[Reachability, ...]:
        """Ask the address of each of these VNF managers whether it would take notices; in the same order."""
        ...

    async def test(self, vnfm: Vnfm) -> Reachability:
        """Ask the VNF manager's address whether it would take notices."""
        ...
