"""What projects declare for groups stands beside one another: its id names the project.

Revision 0010 follows 0009.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_CONSTRAINTS = sa.table("constraints", sa.column("kind"), sa.column("id"), sa.column("spec_json"))


def upgrade() -> None:
    """Name the project in the id of each group that one has declared; the operator's stay as they are."""
    connection = op.get_bind()
    rows = connection.execute(sa.select(_CONSTRAINTS).where(_CONSTRAINTS.c.kind == "group")).all()
    for row in rows:
        project = json.loads(row.spec_json).get("declared_by")
        if project is not None:
            same = (_CONSTRAINTS.c.kind == "group") & (_CONSTRAINTS.c.id == row.id)
            connection.execute(_CONSTRAINTS.update().where(same).values(id=f"{row.id}@{project}"))
