"""Deliveries: files become facts, and what cannot be taken in waits in a quarantine.

Comes in: files or rows of the inbox, a mapping, a store. Goes out: facts merged by key, deliveries, quarantine, vault.
"""

from __future__ import annotations

from tieback.config.mapping import FACT_TABLES, Mapping, mapping_for, mapping_from
from tieback.sync.delivery import Delivery, Personal, Preview, import_file, now, preview
from tieback.sync.inbox import Loaded, take_in_inbox

__all__ = [
    "FACT_TABLES",
    "Delivery",
    "Loaded",
    "Mapping",
    "Personal",
    "Preview",
    "import_file",
    "mapping_for",
    "mapping_from",
    "now",
    "preview",
    "take_in_inbox",
]
