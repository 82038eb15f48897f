"""What a node's turn is for: an upgrade, a rollback, a restore; and a campaign that goes back has its cloud to itself, too.

Revision 0009 follows 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_STATES = (
    "running",
    "paused",
    "suspended",
    "aborting",
    "rolling_back",
    "rollback_paused",
    "rollback_failed",
    "restoring",
)
_OCCUPYING = sa.text(" OR ".join(f"state = '{state}'" for state in _STATES))


def upgrade() -> None:
    """Add the column, every turn so far was an upgrade's; and let the index know the states of a rollback."""
    op.add_column("tasks", sa.Column("kind", sa.Text(), nullable=False, server_default="upgrade"))
    op.drop_index("uq_campaigns_running_cloud", table_name="campaigns")
    op.create_index(
        "uq_campaigns_running_cloud", "campaigns", ["cloud"], unique=True, sqlite_where=_OCCUPYING, postgresql_where=_OCCUPYING
    )
