"""The nouns: every table's grain, key, typed columns, units and meaning.

Comes in: nothing of ours. Goes out: `TABLES`, from which DDL, Ibis relations, reference docs and checks are made.
"""

from __future__ import annotations

from tieback.schema.facts import FACTS
from tieback.schema.operations import OPERATIONS
from tieback.schema.opinions import OPINIONS
from tieback.schema.types import Column, Kind, Table, Type

SCHEMA_VERSION = 2

TABLES: dict[str, Table] = {table.name: table for table in (*FACTS, *OPINIONS, *OPERATIONS)}

__all__ = ["FACTS", "OPERATIONS", "OPINIONS", "SCHEMA_VERSION", "TABLES", "Column", "Kind", "Table", "Type"]
