"""The tables. Times are Unix seconds; columns named `…_json` hold JSON text that is written and read as a whole.

JSON is kept as escaped text, not in the database's own JSON type: nothing looks inside it by SQL, and what was written
comes back to the letter from both databases.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from escalator.storage import rules


class Said(TypeDecorator[str]):
    """Text that comes from outside (error messages, outputs): what a database cannot store is replaced."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base class's signature
        """Replace NUL, which PostgreSQL refuses, and lone surrogates, which are no Unicode text."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
metadata = sa.MetaData(naming_convention=NAMES)

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite counts up only columns that are declared INTEGER."""


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, sa.Text, nullable=null)


def _time(name: str, *, null: bool = False) -> Column[float]:
    return Column(name, sa.Double, nullable=null)


def _key(name: str) -> Column[str]:
    return Column(name, sa.Text, primary_key=True)


releases = Table(
    "releases",
    metadata,
    _key("id"),
    _text("digest"),
    _text("document_json"),
    _time("imported_at"),
    _text("envelope", null=True),
    Column("signed_by_json", sa.Text, nullable=False, server_default="{}"),
)

vnfms = Table("vnfms", metadata, _key("name"), _text("spec_json"))

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("vnfm", sa.Text, sa.ForeignKey("vnfms.name", ondelete="CASCADE"), primary_key=True),
    _text("callback_uri"),
    _text("filter_json"),
    _text("auth", null=True),
    _text("sealed", null=True),
    _time("created_at"),
)

constraints = Table("constraints", metadata, _key("kind"), _key("id"), _text("spec_json"))

backups = Table(
    "backups",
    metadata,
    _key("id"),
    Column("campaign", sa.Text, nullable=False, index=True),
    Column("node", sa.Text, nullable=False, index=True),
    _text("operation"),
    _text("driver"),
    _text("release"),
    _time("taken_at"),
    _text("scope_json"),
    Column("size_bytes", _number, nullable=False),
    _text("digest"),
    _text("location"),
    _text("versions_json"),
    _text("missing_json"),
    _text("content_json"),
    _text("state"),
    _time("verified_at", null=True),
    _time("pruned_at", null=True),
    Column("restore", sa.Text, nullable=False, index=True),
    Column("restores", sa.Integer, nullable=False),
    _time("restored_at", null=True),
    _text("code"),
    Column("message", Said, nullable=False),
)

outages = Table(
    "outages",
    metadata,
    _key("campaign"),
    _key("probe"),
    Column("started_at", sa.Double, primary_key=True),
    _time("ended_at", null=True),
    _text("vnf"),
    Column("reason", Said, nullable=False),
)

watches = Table(
    "watches",
    metadata,
    _key("campaign"),
    _key("probe"),
    _text("vnf"),
    _time("interval_s"),
    _time("since"),
    _time("until"),
    Column("sent", sa.BigInteger, nullable=False),
    Column("failed", sa.BigInteger, nullable=False),
)

alarms = Table(
    "alarms",
    metadata,
    _key("id"),
    Column("project", sa.Text, nullable=False, index=True),
    Column("server", sa.Text, nullable=False, index=True),
    _text("fault_action"),
    _text("fault_ids_json"),
    _time("registered_at"),
    _text("notice", null=True),
    _text("turn", null=True),
    _time("told_at", null=True),
    Column("ended_at", sa.Double, nullable=True, index=True),
)

campaigns = Table(
    "campaigns",
    metadata,
    _key("name"),
    _text("document_json"),
    _text("state"),
    _text("cloud", null=True),
    _text("plan", null=True),
    _text("code"),
    Column("reason", Said, nullable=False),
    _time("created_at"),
    _time("started_at", null=True),
    _time("ended_at", null=True),
    Column("revision", sa.Integer, nullable=False),
)
occupying = sa.or_(*(campaigns.c.state == sa.literal_column(f"'{state.value}'") for state in rules.OCCUPYING))
one_running = Index(
    "uq_campaigns_running_cloud", campaigns.c.cloud, unique=True, sqlite_where=occupying, postgresql_where=occupying
)

plans = Table(
    "plans",
    metadata,
    _key("id"),
    Column("campaign", sa.Text, sa.ForeignKey("campaigns.name"), nullable=False, index=True),
    _text("parent", null=True),
    _text("digest"),
    _text("document"),
    _text("inventory"),
    _time("created_at"),
)

tasks = Table(
    "tasks",
    metadata,
    _key("campaign"),
    _key("node"),
    Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    Column("wave", sa.Integer, nullable=False),
    _text("state"),
    _text("step"),
    _text("ladder_json"),
    _text("code"),
    Column("message", Said, nullable=False),
    _time("updated_at"),
    Column("kind", sa.Text, nullable=False, server_default="upgrade"),
)

memos = Table("memos", metadata, _key("task"), _key("key"), _text("value_json"))

node_slots = Table("node_slots", metadata, _key("campaign"), _key("node"), _text("task"), _time("since"))

impacts = Table(
    "impacts",
    metadata,
    _key("id"),
    Column("campaign", sa.Text, nullable=False, index=True),
    _text("node"),
    _text("instance"),
    _text("kind"),
    _text("groups_json"),
    _text("target", null=True),
    _text("demand_json"),
    _text("cells_json"),
    _time("started_at"),
    Column("ended_at", sa.Double, nullable=True, index=True),
)

restorations = Table(
    "restorations",
    metadata,
    _key("id"),
    _text("campaign"),
    _text("kind"),
    _text("object_id"),
    _text("node"),
    _text("found_json"),
    _text("commands_json"),
    _time("created_at"),
    Column("restored_at", sa.Double, nullable=True, index=True),
)

notices = Table(
    "notices",
    metadata,
    _key("id"),
    _text("type"),
    _text("vnfm"),
    _text("campaign"),
    _text("node", null=True),
    Column("task", sa.Text, nullable=True, index=True),
    _text("resources_json"),
    _text("allowed_actions_json"),
    _time("created_at"),
    _time("reply_by", null=True),
    _time("action_at", null=True),
    _text("state"),
    Column("attempts", sa.Integer, nullable=False),
    _time("next_attempt_at"),
    _time("delivered_at", null=True),
    _time("answered_at", null=True),
    _text("reply_json", null=True),
    Column("reply_token", sa.Text, nullable=True, unique=True),
    _text("error_code", null=True),
    Column("error", Said, nullable=True),
    _text("details_json"),
    Index("ix_notices_campaign_created_at", "campaign", "created_at"),
    Index("ix_notices_state_next_attempt_at", "state", "next_attempt_at"),
    Index("ix_notices_state_reply_by", "state", "reply_by"),
)

replies = Table(
    "replies",
    metadata,
    Column("seq", _number, primary_key=True),
    Column("notice", sa.Text, sa.ForeignKey("notices.id"), nullable=False, index=True),
    _time("at"),
    _text("verdict"),
    _text("reply_json"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("seq", _number, primary_key=True),
    _time("at"),
    _text("action"),
    _text("campaign", null=True),
    _text("node", null=True),
    _text("object_id", null=True),
    _text("step", null=True),
    _text("outcome", null=True),
    _text("code", null=True),
    Column("message", Said, nullable=False),
    _time("duration_s", null=True),
    _text("data_json"),
    Index("ix_events_campaign_seq", "campaign", "seq"),
    Index("ix_events_node_seq", "node", "seq"),
    sqlite_autoincrement=True,
)

holds = Table(
    "holds",
    metadata,
    Column("node", sa.Text, primary_key=True),
    Column("reason", Said, nullable=False),
    _time("since"),
)
