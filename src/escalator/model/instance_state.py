"""What an instance's state says of whether anything may be done with it, where nothing else says so."""

from __future__ import annotations

from escalator.model.inventory import Instance, Inventory


def with_reason(instance: Instance) -> Instance:
    """The instance with why nothing may be done with it, as a cloud's API tells it by its states."""
    if instance.blocked is not None:
        return instance
    if instance.task_state is not None:
        why = f"it is busy ({instance.task_state}); wait until that has ended"
    elif instance.state == "error":
        why = "it is in state error; repair or delete it"
    elif instance.state == "resized":
        why = "a cold move of it waits; confirm or revert it"
    else:
        return instance
    return instance.model_copy(update={"blocked": why})


def with_reasons(inventory: Inventory) -> Inventory:
    """The same for all of a written inventory."""
    seen = [with_reason(instance) for instance in inventory.instances]
    if all(now is before for now, before in zip(seen, inventory.instances, strict=True)):
        return inventory
    return inventory.with_instances(seen)
