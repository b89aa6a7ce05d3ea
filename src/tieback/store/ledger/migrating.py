"""The ledger's schema: made when there is none, brought up when older, refused when newer or foreign."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from tieback.errors import WorkspaceError
from tieback.store.ledger.tables import VERSION_TABLE


def migrate(connection: Connection, where: str) -> None:
    """Bring the schema behind `connection` to this release's, in the transaction that is open.

    where: what the ledger is called in a message. Raises WorkspaceError when it is newer than this release, or there
    are tables that are none of the ledger's.
    """
    config = Config()
    config.set_main_option("script_location", "tieback.store.ledger:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    held = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()
    if not held and inspect(connection).get_table_names():
        raise WorkspaceError(
            f"{where} holds tables, but none of tieback's ledger; nothing was changed. Move it away, or name another."
        )
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    if not known.issuperset(held):
        raise WorkspaceError(
            f"{where} was written by a newer tieback (schema {', '.join(held)}; this release knows "
            f"{scripts.get_current_head()}). Upgrade tieback to open it."
        )
    if held != tuple(scripts.get_heads()):
        command.upgrade(config, "head")
