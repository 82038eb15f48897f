"""Moves that ended while nobody looked: the history has their beginning, and gets their end when it is seen."""

from __future__ import annotations

from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.model.progress import Event
from escalator.upgrade_manager.engine.job import Job

MOVE = "instance.move"
ENDS = ("done", "failed")
LATE = "seen only now: it ended before"
PAGE = 1000


async def untold(job: Job) -> frozenset[str]:
    """Instances of which the history says that a move off this node began, and not how it ended."""
    began: set[str] = set()
    after = 0
    while page := await job.ctx.store.events.read(after, campaign=job.ref.campaign, node=job.node, action=MOVE, limit=PAGE):
        for event in page:
            if event.object_id is not None and event.outcome == "started":
                began.add(event.object_id)
            elif event.object_id is not None and event.outcome in ENDS:
                began.discard(event.object_id)
        after = page[-1].seq
    return frozenset(began)


async def tell_end(job: Job, order: MoveOrder, status: MoveStatus) -> None:
    """Write down how such a move ended."""
    good = status.state is MoveState.DONE and status.healthy
    await tell_move(job, order, ENDS[0] if good else ENDS[1], "; ".join(filter(None, (status.message, LATE))))


async def tell_move(job: Job, order: MoveOrder, outcome: str, message: str) -> None:
    """One line of the history about a move."""
    event = Event(
        at=job.ctx.clock.now(),
        action=MOVE,
        campaign=job.ref.campaign,
        node=job.node,
        object_id=order.instance,
        outcome=outcome,
        message=message,
        data={"from": order.origin, "to": order.target, "kind": order.kind},
    )
    await job.ctx.store.events.append((event,))
