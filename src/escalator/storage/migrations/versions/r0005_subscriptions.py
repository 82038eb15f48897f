"""Subscriptions of VNF managers.

Revision 0005 follows 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "subscriptions",
        sa.Column("vnfm", sa.Text(), nullable=False),
        sa.Column("callback_uri", sa.Text(), nullable=False),
        sa.Column("filter_json", sa.Text(), nullable=False),
        sa.Column("auth", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("vnfm", name="pk_subscriptions"),
        sa.ForeignKeyConstraint(["vnfm"], ["vnfms.name"], name="fk_subscriptions_vnfm", ondelete="CASCADE"),
    )
