"""The inbox, and the sources with their write keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "inbox",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("message_id", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.LargeBinary, nullable=False),
        sa.Column("is_loaded", sa.Boolean, nullable=False, server_default=sa.false()),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "inbox_waiting",
        "inbox",
        ["position", "received_at"],
        sqlite_where=sa.text("is_loaded = 0"),
        postgresql_where=sa.text("NOT is_loaded"),
    )
    op.create_index(
        "inbox_loaded",
        "inbox",
        ["received_at"],
        sqlite_where=sa.text("is_loaded = 1"),
        postgresql_where=sa.text("is_loaded"),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("origins", sa.JSON, nullable=False),
        sa.Column("key_digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("key_ending", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
    )
