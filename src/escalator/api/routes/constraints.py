"""What VNFs declare that they tolerate while the infrastructure under them is maintained."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from escalator.api.actions import VnfdImport
from escalator.api.documents import body, read
from escalator.api.history import write_down
from escalator.api.problems import documented
from escalator.api.services import Here, Services
from escalator.api.views import ConstraintView
from escalator.model.campaign import Migration
from escalator.model.constraint import Constraint, ConstraintKind, MaintenanceInfo
from escalator.model.document import Source, load
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.storage.rules import no_constraint
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.planner.constraints import concerned
from escalator.vim_interface.vnfd import constraints_of

router = APIRouter(tags=["constraints"])


@router.get("/constraints")
async def list_constraints(services: Here) -> Sequence[ConstraintView]:
    """All constraints, each with the number of instances that it is about now."""
    found = await services.ctx.store.constraints.list()
    inventory = await _inventory(services) if found else None
    return [_view(constraint, inventory) for constraint in found]


@router.get("/constraints/{kind}/{object_id}", responses=documented(404, 422))
async def get_constraint(services: Here, kind: ConstraintKind, object_id: str) -> ConstraintView:
    """What is declared for one object."""
    found = await services.ctx.store.constraints.get(kind, object_id)
    if found is None:
        raise no_constraint(kind, object_id)
    return _view(found, await _inventory(services))


@router.put(
    "/constraints/{kind}/{object_id}",
    responses=documented(413, 415, 422),
    openapi_extra=dict(body("MaintenanceInfo")),
)
async def put_constraint(services: Here, kind: ConstraintKind, object_id: str, request: Request) -> Constraint:
    """Declare for one object, in place of what was declared before. A running campaign holds to it from its next step on."""
    spec = await read(request, MaintenanceInfo)
    data = {"kind": kind, "id": object_id, "spec": spec.model_dump(mode="json", exclude_defaults=True)}
    constraint = load(Constraint, Source(data))
    await _put(services, (constraint,))
    return constraint


@router.delete("/constraints/{kind}/{object_id}", status_code=204, responses=documented(404, 422))
async def remove_constraint(services: Here, kind: ConstraintKind, object_id: str) -> Response:
    """Forget what was declared. Limits of groups in the plan of a running campaign hold until it is planned anew."""
    await services.ctx.store.constraints.remove(kind, object_id)
    await write_down(services, "constraint.remove", f"{kind} {object_id}")
    return Response(status_code=204)


@router.post("/constraints/actions/import", responses=documented(413, 415, 422), openapi_extra=dict(body("VnfdImport")))
async def import_constraints(services: Here, request: Request) -> Sequence[Constraint]:
    """Take what a VNF descriptor declares (TOSCA YAML, SOL 001); all of it or, when something does not fit, nothing."""
    action = await read(request, VnfdImport)
    found = constraints_of(action.vnfd, action.vnf, action.map)
    if not action.dry_run:
        await _put(services, found)
    return found


async def _put(services: Services, constraints: Sequence[Constraint]) -> None:
    for constraint in constraints:
        await services.ctx.store.constraints.put(constraint)
        await write_down(services, "constraint.set", f"{constraint.kind} {constraint.id}")


async def _inventory(services: Services) -> Inventory | None:
    """The cloud as it is; None when it does not answer: what is declared can be read all the same."""
    try:
        return await observed.inventory(services.ctx, Migration())
    except EscalatorError:
        return None


def _view(constraint: Constraint, inventory: Inventory | None) -> ConstraintView:
    count = None if inventory is None else concerned(inventory, constraint)
    return ConstraintView(kind=constraint.kind, id=constraint.id, spec=constraint.spec, instances=count)
