"""The first tables.

Revision 0001 follows nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_OCCUPYING = sa.text("state = 'running' OR state = 'paused' OR state = 'suspended' OR state = 'aborting'")


def upgrade() -> None:
    """Make all tables."""
    _releases()
    _vnfms()
    _campaigns()
    _plans()
    _tasks()
    _memos()
    _node_slots()
    _impacts()
    _restorations()
    _notices()
    _replies()
    _events()


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _releases() -> None:
    op.create_table(
        "releases",
        _text("id"),
        _text("digest"),
        _text("document_json"),
        _time("imported_at"),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
    )


def _vnfms() -> None:
    op.create_table("vnfms", _text("name"), _text("spec_json"), sa.PrimaryKeyConstraint("name", name="pk_vnfms"))


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        _text("name"),
        _text("document_json"),
        _text("state"),
        _text("cloud", null=True),
        _text("plan", null=True),
        _text("code"),
        _text("reason"),
        _time("created_at"),
        _time("started_at", null=True),
        _time("ended_at", null=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_campaigns"),
    )
    op.create_index(
        "uq_campaigns_running_cloud", "campaigns", ["cloud"], unique=True, sqlite_where=_OCCUPYING, postgresql_where=_OCCUPYING
    )


def _plans() -> None:
    op.create_table(
        "plans",
        _text("id"),
        _text("campaign"),
        _text("parent", null=True),
        _text("digest"),
        _text("document"),
        _text("inventory"),
        _time("created_at"),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.name"], name="fk_plans_campaign"),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
    )
    op.create_index("ix_plans_campaign", "plans", ["campaign"])


def _tasks() -> None:
    op.create_table(
        "tasks",
        _text("campaign"),
        _text("node"),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        _text("state"),
        _text("step"),
        _text("ladder_json"),
        _text("code"),
        _text("message"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("campaign", "node", "attempt", name="pk_tasks"),
    )


def _memos() -> None:
    op.create_table(
        "memos", _text("task"), _text("key"), _text("value_json"), sa.PrimaryKeyConstraint("task", "key", name="pk_memos")
    )


def _node_slots() -> None:
    op.create_table(
        "node_slots",
        _text("campaign"),
        _text("node"),
        _text("task"),
        _time("since"),
        sa.PrimaryKeyConstraint("campaign", "node", name="pk_node_slots"),
    )


def _impacts() -> None:
    op.create_table(
        "impacts",
        _text("id"),
        _text("campaign"),
        _text("node"),
        _text("instance"),
        _text("kind"),
        _text("groups_json"),
        _text("target", null=True),
        _text("demand_json"),
        _text("cells_json"),
        _time("started_at"),
        _time("ended_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_impacts"),
    )
    op.create_index("ix_impacts_campaign", "impacts", ["campaign"])
    op.create_index("ix_impacts_ended_at", "impacts", ["ended_at"])


def _restorations() -> None:
    op.create_table(
        "restorations",
        _text("id"),
        _text("campaign"),
        _text("kind"),
        _text("object_id"),
        _text("node"),
        _text("found_json"),
        _text("commands_json"),
        _time("created_at"),
        _time("restored_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_restorations"),
    )
    op.create_index("ix_restorations_restored_at", "restorations", ["restored_at"])


def _notices() -> None:
    op.create_table(
        "notices",
        _text("id"),
        _text("type"),
        _text("vnfm"),
        _text("campaign"),
        _text("node", null=True),
        _text("task", null=True),
        _text("resources_json"),
        _text("allowed_actions_json"),
        _time("created_at"),
        _time("reply_by", null=True),
        _time("action_at", null=True),
        _text("state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _time("next_attempt_at"),
        _time("delivered_at", null=True),
        _time("answered_at", null=True),
        _text("reply_json", null=True),
        _text("reply_token", null=True),
        _text("error_code", null=True),
        _text("error", null=True),
        _text("details_json"),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("reply_token", name="uq_notices_reply_token"),
    )
    op.create_index("ix_notices_campaign_created_at", "notices", ["campaign", "created_at"])
    op.create_index("ix_notices_state_next_attempt_at", "notices", ["state", "next_attempt_at"])
    op.create_index("ix_notices_state_reply_by", "notices", ["state", "reply_by"])
    op.create_index("ix_notices_task", "notices", ["task"])


def _replies() -> None:
    op.create_table(
        "replies",
        sa.Column("seq", _number(), nullable=False),
        _text("notice"),
        _time("at"),
        _text("verdict"),
        _text("reply_json"),
        sa.ForeignKeyConstraint(["notice"], ["notices.id"], name="fk_replies_notice"),
        sa.PrimaryKeyConstraint("seq", name="pk_replies"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_replies_notice", "replies", ["notice"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _number(), nullable=False),
        _time("at"),
        _text("action"),
        _text("campaign", null=True),
        _text("node", null=True),
        _text("object_id", null=True),
        _text("step", null=True),
        _text("outcome", null=True),
        _text("code", null=True),
        _text("message"),
        _time("duration_s", null=True),
        _text("data_json"),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_campaign_seq", "events", ["campaign", "seq"])
    op.create_index("ix_events_node_seq", "events", ["node", "seq"])
