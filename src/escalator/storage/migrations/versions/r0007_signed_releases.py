"""Envelopes of signed releases, and whose signatures counted.

Revision 0007 follows 0006. What was imported before has no envelope.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("releases", sa.Column("envelope", sa.Text(), nullable=True))
    op.add_column("releases", sa.Column("signed_by_json", sa.Text(), nullable=False, server_default="{}"))
