"""The ledger: the operational store beside the warehouse, in a SQLite file or a Postgres schema.

Comes in: what was collected, to be kept before it is acknowledged, and sources with their write keys. Goes out: rows
to load into facts, each at least once, and whom a key belongs to.
"""

from __future__ import annotations

from tieback.store.ledger.group_commit import BusyError, GroupCommit
from tieback.store.ledger.inbox import Backlog, Incoming, Waiting
from tieback.store.ledger.ledger import Ledger, open_ledger
from tieback.store.ledger.sources import Source

__all__ = ["Backlog", "BusyError", "GroupCommit", "Incoming", "Ledger", "Source", "Waiting", "open_ledger"]
