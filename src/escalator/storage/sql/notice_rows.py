"""A notice as a row, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from escalator.model.notice import AffectedResource, Notice, NoticeState, NoticeType, Reply
from escalator.storage import rules

SHORT = 2048
"""Characters of resources that are kept as read: those of a few instances."""
MAX_READ = 2048
"""Texts that are kept as read: a notice is read about five times in its short life, and what it is about does not change."""
_JSON: Mapping[str, Callable[[Any], str | None]] = {
    "resources": lambda found: rules.to_text([resource.model_dump(mode="json") for resource in found]),
    "allowed_actions": rules.to_text,
    "reply": lambda found: None if found is None else found.model_dump_json(),
    "details": lambda found: rules.to_text(dict(found)),
}
"""Fields that are kept as JSON text, in a column named `…_json`."""


def values_of(notice: Notice) -> Mapping[str, Any]:
    """Return the values of all columns."""
    return columns_of({field.name: getattr(notice, field.name) for field in fields(notice)})


def columns_of(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the columns that fields of a notice are kept in."""
    columns = {}
    for name, value in changes.items():
        if name in _JSON:
            columns[f"{name}_json"] = _JSON[name](value)
        else:
            columns[name] = value.value if isinstance(value, Enum) else value
    return columns


def notice_of(row: sa.Row[Any]) -> Notice:
    """Return the notice that a row holds."""
    values = row._asdict()
    resources = values.pop("resources_json")
    reply = values.pop("reply_json")
    return Notice(
        type=NoticeType(values.pop("type")),
        state=NoticeState(values.pop("state")),
        resources=_short(resources) if len(resources) <= SHORT else _resources(resources),
        allowed_actions=_actions(values.pop("allowed_actions_json")),
        reply=None if reply is None else Reply.model_validate_json(reply),
        details=json.loads(values.pop("details_json")),
        **values,
    )


@lru_cache(maxsize=MAX_READ)
def _short(text: str) -> tuple[AffectedResource, ...]:
    return _resources(text)


def _resources(text: str) -> tuple[AffectedResource, ...]:
    return tuple(_resource(found) for found in json.loads(text))


@lru_cache(maxsize=MAX_READ)
def _actions(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _resource(found: Mapping[str, Any]) -> AffectedResource:
    return AffectedResource(**{**found, "group_ids": tuple(found["group_ids"])})
