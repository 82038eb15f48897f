"""Nodes of the cloud and their turns in campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request

from escalator.api import shapes
from escalator.api.actions import HoldAction, NodeAction, SkipAction
from escalator.api.documents import body, read, read_optional
from escalator.api.problems import documented
from escalator.api.services import Here, Services
from escalator.api.views import HoldView, NodeDetails, NodeView, StagedView, TaskView
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.inventory import Role
from escalator.model.progress import NodeTask
from escalator.upgrade_manager import holding
from escalator.upgrade_manager.engine import observed, staging
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.tries import tries_of

router = APIRouter(tags=["nodes"])
AnyRole = Annotated[Sequence[Role], Query(max_length=4)]


@router.get("/nodes", responses=documented(404, 502, 503))
async def list_nodes(services: Here, campaign: str | None = None, role: AnyRole = ()) -> Sequence[NodeView]:
    """The cloud's nodes, with their turn in the campaign that holds the cloud; or those of the campaign named.

    With `role`, which may be repeated, those that have any of these roles.
    """
    inventory = await observed.inventory(services.ctx, Migration())
    tasks = await _tasks(services, campaign)
    return [
        shapes.node_view(node, len(inventory.instances_by_node.get(node.id, ())), tasks.get(node.id))
        for node in inventory.nodes
        if (campaign is None or node.id in tasks) and (not role or not set(role).isdisjoint(node.roles))
    ]


@router.get("/nodes/{node}", responses=documented(404, 502, 503))
async def get_node(services: Here, node: str, campaign: str | None = None) -> NodeDetails:
    """One node with its instances and its turn."""
    inventory = await observed.inventory(services.ctx, Migration())
    found = inventory.node_by_id.get(node)
    if found is None:
        raise NotFoundError(Code.CLD_NOT_FOUND, f"The cloud has no node {node!r}.", remedy="escalator node list")
    hosted = inventory.instances_by_node.get(node, ())
    task = (await _tasks(services, campaign)).get(node)
    return NodeDetails(
        **shapes.node_view(found, len(hosted), task).model_dump(),
        node_task=await _task_view(services, task) if task else None,
        staged=await _staged(services, node, campaign),
        hosted=hosted,
    )


@router.post(
    "/nodes/{node}/actions/retry",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422),
    openapi_extra=dict(body("NodeAction")),
)
async def retry_node(services: Here, node: str, request: Request) -> TaskView:
    """Give a node that failed or was skipped another turn; a suspended campaign goes on."""
    action = await read(request, NodeAction)
    return await _task_view(services, await services.campaigns.retry(action.campaign, node))


@router.post(
    "/nodes/{node}/actions/skip",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422),
    openapi_extra=dict(body("SkipAction")),
)
async def skip_node(services: Here, node: str, request: Request) -> TaskView:
    """Leave out a node that waits for its turn or has failed; a suspended campaign goes on."""
    action = await read(request, SkipAction)
    return await _task_view(services, await services.campaigns.skip(action.campaign, node, action.reason))


@router.post(
    "/nodes/{node}/actions/hold",
    status_code=202,
    responses=documented(404, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("HoldAction", required=False)),
)
async def hold_node(services: Here, node: str, request: Request) -> HoldView:
    """Let no campaign begin the node; its turn, where it has one, stops before its next step."""
    action = await read_optional(request, HoldAction)
    return shapes.hold_view(await holding.hold(services.ctx, node, action.reason))


@router.post("/nodes/{node}/actions/unhold", status_code=204, responses=documented(409))
async def unhold_node(services: Here, node: str) -> None:
    """Let the node go: it has its turn as any other, or goes on with it."""
    await holding.unhold(services.ctx, node)


async def _staged(services: Services, node: str, campaign: str | None) -> StagedView | None:
    """What came of staging it: in the campaign named, else in the latest that can still go there."""
    rows = [row.name for row in await services.campaigns.list() if row.state in staging.STATES]
    for name in [campaign] if campaign is not None else reversed(rows):
        _, known = await staging.known(services.ctx, name)
        found = next((one for one in known if one.node == node), None)
        if found is not None:
            return shapes.staged_view(found)
    return None


async def _task_view(services: Services, task: NodeTask) -> TaskView:
    tries = await tries_of(services.ctx.store.tasks, task.campaign, (task,))
    return shapes.task_view(task, tries[task.node])


async def _tasks(services: Services, campaign: str | None) -> Mapping[str, NodeTask]:
    """Tasks by node: of the campaign named, else of the one that holds the cloud."""
    if campaign is not None:
        view = await services.campaigns.show(campaign)
        return {task.node: task for task in view.tasks}
    for row in await services.campaigns.list():
        if row.state in ACTIVE:
            return {task.node: task for task in await services.ctx.store.tasks.list(row.name)}
    return {}
