"""A clock that a test turns, and a cloud small enough to reason about."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.document import Metadata
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.model.notice import AffectedResource, Notice, NoticeType
from escalator.model.release import Daemon, Package, Release, ReleaseSpec
from escalator.world.timings import Timings


@dataclass
class TurnedClock:
    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


TIMINGS = Timings(live_base_s=10, live_s_per_gib=0, cold_s=20, stop_s=5, start_s=5, upgrade_s=100, rollback_s=50, reboot_s=40)


def an_instance(number: int, node: str, **more: object) -> Instance:
    fields: dict[str, object] = {"demand": {"pcpu": 4.0}, "numa_cell": 0, "project": "p"}
    return Instance(id=f"vm-{number}", node=node, **(fields | more))


def a_node(name: str, **more: object) -> Node:
    fields: dict[str, object] = {"numa": ({"pcpu": 8.0}, {"pcpu": 8.0})}
    return Node(id=name, **(fields | more))


def small_cloud() -> Inventory:
    """Three nodes a, b, c; vm-1 and vm-2 are an anti-affinity pair on a and b, vm-3 is alone on a, c is empty."""
    return Inventory(
        nodes=(a_node("a"), a_node("b"), a_node("c")),
        instances=(
            an_instance(1, "a", groups=("g",)),
            an_instance(2, "b", groups=("g",)),
            an_instance(3, "a", numa_cell=1),
        ),
        groups=(Group(id="g", policy="anti-affinity", max_impacted=1),),
    )


def a_release(version: str = "2.0.0", **more: object) -> Release:
    spec = ReleaseSpec(
        version=version,
        packages=(Package(name="nfvi-agent", version=version), Package(name="nfvi-tools", version=version)),
        layers={"agent": version},
        daemon=Daemon(url="http://localhost:9/version"),
        **more,
    )
    return Release(metadata=Metadata(name="nfvi-agent"), spec=spec)


def a_notice(number: int = 1, *, kind: NoticeType = NoticeType.HOST_MAINTENANCE_UPCOMING, planned: str = "in-place") -> Notice:
    asks = kind is NoticeType.HOST_MAINTENANCE_UPCOMING
    return Notice(
        id=f"notice-{number}",
        type=kind,
        vnfm="v",
        campaign="c",
        node="a",
        resources=(AffectedResource(resource_id="vm-1", project_id="p", planned_action=planned),),
        allowed_actions=("MOVED", "KEEP", "OWN_ACTION", "MIGRATE", "LIVE_MIGRATE"),
        created_at=1_000_000.0,
        reply_by=1_000_300.0,
        reply_token="token" if asks else None,
    )
