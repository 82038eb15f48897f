"""What the courses and steps work with: the ports, storage, the clock, and the documents they read again and again."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self, TypeVar

from escalator.allocation import give_back
from escalator.cloud_manager.port import CloudManager
from escalator.model.campaign import Campaign
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.inventory import Inventory, Seen
from escalator.model.plan import Plan
from escalator.model.probe_vm_settings import ProbeVmSettings
from escalator.model.progress import NodeTask
from escalator.model.release import Release
from escalator.storage.changes import Restorations
from escalator.storage.port import Store
from escalator.system_support.clusters.port import Clusters
from escalator.system_support.port import Commands, SystemSupport, Vetting
from escalator.upgrade_manager.engine.leases import Leases
from escalator.upgrade_manager.engine.planning import Planning
from escalator.upgrade_manager.engine.runtime import Launcher
from escalator.upgrade_manager.planner.impact import NOTHING, Brings
from escalator.vim_interface.gates.port import Gate
from escalator.vim_interface.neighbours.port import Neighbour
from escalator.vim_interface.port import VimInterface

KEPT_DOCUMENTS = 8
"""One campaign runs per cloud; a few more documents may be looked at meanwhile."""
KEPT_HEADS = 10_000
"""Of how many plans it is remembered which one they follow: more than any campaign makes."""
KEPT_CHANGES = 1000
"""Of how many things it is remembered that they changed while nobody waited for that."""


class Sheet(Protocol):
    """The break-glass sheet: what to put back by hand when Escalator itself is dead."""

    async def rewrite(self, restorations: Restorations) -> None:
        """Replace the sheet, atomically, by all that is open now; when this returns, it shows what was open before."""
        ...

    async def catch_up(self, restorations: Restorations) -> None:
        """Replace it when that failed the last time."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are looked at, seconds."""

    poll_s: float = 2.0
    """Between two looks at a move, an operation or a reboot, at first."""
    slowest_poll_s: float = 20.0
    """What has lasted long is looked at less often: a tenth of its age, but never less often than this."""
    door_s: float = 2.0
    """Between two tries of an admission door."""
    recheck_s: float = 60.0
    """Net under lost wake-ups: how long a gate waits at most before it looks again."""
    sweep_s: float = 300.0
    """The same net under the drive, which then reads every node of the campaign again."""
    asleep_s: float = 300.0
    """The same while nothing is under way and no maintenance window is open; when the next one opens, it looks in any case."""

    def next_poll_s(self, age_s: float) -> float:
        """How long to wait before the next look at something that has lasted `age_s` seconds."""
        return max(self.poll_s, min(age_s / 10.0, self.slowest_poll_s))


@dataclass(frozen=True, slots=True)
class StagingPolicy:
    """How nodes are staged before their turns."""

    concurrent: int = 8
    """Nodes that fetch at once."""
    ahead: bool = True
    """Whether a campaign that waits for its window is staged without being asked."""


@dataclass(frozen=True, slots=True)
class OutOfBand:
    """The other way to nodes: names of the operator's commands, null where there is none."""

    check: str | None = None
    power_cycle: str | None = None
    after_s: float = 900.0
    """How long a node may take to come back from its reboot before it is power-cycled, seconds."""


@dataclass(frozen=True, slots=True)
class ProbeRules:
    """How a probe VM proves a node, where one is set up: what reaches it, and how long each of its steps may take."""

    command: str | None = None
    timeout_s: float = 300.0

    @classmethod
    def of(cls, settings: ProbeVmSettings | None) -> ProbeRules | None:
        """As the settings say."""
        return None if settings is None else cls(settings.command, settings.timeout_s)


@dataclass(frozen=True, slots=True)
class Availability:
    """What a group's service has to reach, and over which time."""

    share: float = 0.99999
    period_s: float = 365 * 86400.0

    @property
    def budget_s(self) -> float:
        """Seconds of the period in which the service may be impaired."""
        return (1.0 - self.share) * self.period_s


@dataclass(frozen=True, slots=True)
class Head:
    """What is asked of each plan on the way back to the first one of its campaign."""

    parent: str | None
    at_s: float
    purpose: str

    @property
    def begins(self) -> bool:
        """Whether it is one for all of a campaign, and not for the rest of it or its way back."""
        return self.purpose == "upgrade" and self.at_s <= 0

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """That of the plan."""
        return cls(plan.parent, plan.at_s, plan.purpose)


class Book:
    """Parsed documents of campaigns under way. A running campaign's document and plans do not change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._campaigns: OrderedDict[str, Campaign] = OrderedDict()
        self._plans: OrderedDict[str, tuple[Plan, Inventory]] = OrderedDict()
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._releases: OrderedDict[str, Release] = OrderedDict()

    async def campaign(self, name: str) -> Campaign:
        """The campaign's document."""
        if name not in self._campaigns:
            row = await self._store.campaigns.get(name)
            if row is None:
                raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no campaign {name!r}.", remedy="escalator campaign list")
            _keep(self._campaigns, name, Campaign.model_validate_json(json.dumps(row.document)))
        return self._campaigns[name]

    def forget(self, name: str) -> None:
        """Read the campaign's document again next time."""
        self._campaigns.pop(name, None)

    async def plan(self, plan_id: str) -> tuple[Plan, Inventory]:
        """A plan and the inventory it was made from."""
        if plan_id not in self._plans:
            row = await self._store.campaigns.get_plan(plan_id)
            if row is None:
                raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no plan {plan_id!r}.")
            self.add(Plan.model_validate_json(row.document), Inventory.model_validate_json(row.inventory))
            del row
            give_back()  # the texts are as large as what was made of them
        # The plan that a person approved, and the one that is followed, are asked for again and again; those in between are not.
        self._plans.move_to_end(plan_id)
        return self._plans[plan_id]

    def add(self, plan: Plan, inventory: Inventory) -> None:
        """Take in a plan that is stored, with the inventory it was made from: it does not have to be read again."""
        _keep(self._plans, plan.id, (plan, inventory))
        _keep(self._heads, plan.id, Head.of(plan), KEPT_HEADS)

    async def head(self, plan_id: str) -> Head:
        """What one plan of a long line is, without what it holds."""
        if plan_id not in self._heads:
            _keep(self._heads, plan_id, Head.of((await self.plan(plan_id))[0]), KEPT_HEADS)
        return self._heads[plan_id]

    async def release(self, release_id: str) -> Release:
        """An imported release's document."""
        if release_id not in self._releases:
            row = await self._store.releases.get(release_id)
            if row is None:
                remedy = "escalator release list shows those there are; escalator release import takes one in"
                raise NotFoundError(Code.SYS_RELEASE_NOT_FOUND, f"There is no release {release_id!r}.", remedy=remedy)
            _keep(self._releases, release_id, Release.model_validate_json(json.dumps(row.document)))
        return self._releases[release_id]

    def forget_release(self, release_id: str) -> None:
        """Read the release's document again next time."""
        self._releases.pop(release_id, None)

    async def brings(self, campaign: Campaign) -> Brings:
        """What a plan has to know of the campaign's release; nothing for a campaign without one."""
        if campaign.spec.release is None:
            return NOTHING
        release = await self.release(campaign.spec.release)
        return Brings(dict(release.brings), release.spec.impact, dict(release.spec.order))


V = TypeVar("V")


def _keep(shelf: OrderedDict[str, V], key: str, value: V, most: int = KEPT_DOCUMENTS) -> None:
    shelf[key] = value
    while len(shelf) > most:
        shelf.popitem(last=False)


class Signals:
    """Wake-ups inside this process; a lost one costs `Pace.recheck_s` at most."""

    def __init__(self) -> None:
        # In the order of their coming: a set would wake them in another one each time.
        self._waiting: defaultdict[str, dict[asyncio.Event, None]] = defaultdict(dict)
        self._changed: OrderedDict[str, set[str]] = OrderedDict()

    def wake(self, campaign: str, node: str = "") -> None:
        """Something of the campaign, or of one of its nodes, changed."""
        self._changed.setdefault(campaign, set()).add(node)
        self._changed.move_to_end(campaign)
        while len(self._changed) > KEPT_CHANGES:
            # Nobody waits at most doors, and nobody ever will again at those of nodes that are through.
            self._changed.popitem(last=False)
        for event in self._waiting.get(campaign, ()):
            event.set()

    def wake_doors(self, campaign: str) -> None:
        """Whoever waits at a door of the campaign looks again: it may be that nothing is to begin any more."""
        for key, waiting in self._waiting.items():
            if key.startswith(f"{campaign}/"):
                for event in waiting:
                    event.set()

    async def wait(self, campaign: str, clock: Clock, timeout_s: float) -> frozenset[str]:
        """Return at the next change, at the latest after the time-out: the nodes that changed, empty when unknown."""
        if campaign not in self._changed:
            await self._change(campaign, clock, timeout_s)
        changed = self._changed.pop(campaign, set())
        return frozenset() if "" in changed else frozenset(changed)

    async def _change(self, campaign: str, clock: Clock, timeout_s: float) -> None:
        event = asyncio.Event()
        self._waiting[campaign][event] = None
        timer = asyncio.ensure_future(clock.sleep(timeout_s))
        change = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((timer, change), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            change.cancel()
            del self._waiting[campaign][event]
            if not self._waiting[campaign]:
                del self._waiting[campaign]


Beyond = Mapping[str, Sequence[tuple[float, float]]]
"""When more of a group were impacted than it allows, by group; Unix seconds."""


Key = tuple[Literal["instance", "group"], str]
"""Of whom something was seen."""


@dataclass(frozen=True, slots=True)
class Context:
    """All that the courses and steps work with. Handed in by the wiring; never stored in a workflow."""

    store: Store
    cloud: CloudManager
    systems: Mapping[str, SystemSupport]
    """System Support drivers by name, as `spec.node.driver` names them."""
    clusters: Clusters
    """What nodes carry together with others."""
    vim: VimInterface
    clock: Clock
    launcher: Launcher
    sheet: Sheet
    book: Book
    signals: Signals
    planning: Planning
    leases: Leases
    """Keys that campaigns hold at a lock service."""
    gates: Mapping[str, Gate]
    """Whom campaigns ask before they go on, by name."""
    vetting: Vetting
    commands: Commands
    """The operator's own commands by their names in the settings: hooks and tests."""
    pace: Pace = Pace()
    availability: Availability = Availability()
    staging: StagingPolicy = StagingPolicy()
    out_of_band: OutOfBand = OutOfBand()
    probe_vm: ProbeRules | None = None
    """What is booted on upgraded nodes to prove them; None = nothing."""
    neighbours: tuple[Neighbour, ...] = ()
    """Systems that are told that a host is in maintenance, in this order."""
    budgets_before: dict[tuple[str, float], Beyond] = field(default_factory=dict)
    """What campaigns that are over have cost each group, by name and end: it does not change any more."""
    seen_before: dict[tuple[str, float | None], Mapping[tuple[Key, str], Seen]] = field(default_factory=dict)
    """For how long migrations interrupted whom in campaigns that are over, likewise; by the kind of migration, too."""
    by: str | None = None
    """The operator in whose name something is done now; None where no name is known, and for all that courses and steps do."""
    tasks: dict[str, NodeTask] = field(default_factory=dict)
    """Node tasks under way in this process: each has one writer, its workflow."""
