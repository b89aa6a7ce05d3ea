"""Run by Alembic, on the connection that the ledger is being opened with."""

from __future__ import annotations

from alembic import context

from tieback.store.ledger.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
