"""Whose an instance is: what operators are told who is hit."""

from __future__ import annotations

from escalator.model.inventory import Instance


def owner_of(instance: Instance) -> str:
    """Its VNF, or the project of an instance that belongs to none."""
    return owner_named(instance.vnf, instance.project)


def owner_named(vnf: str | None, project: str) -> str:
    """The same by the names of both."""
    return vnf or f"project {project}"
