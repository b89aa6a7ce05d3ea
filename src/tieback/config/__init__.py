"""tieback.toml, read once into frozen values, and the workspace that it stands in.

Comes in: a folder. Goes out: its settings, its salt, and where its files lie.
"""

from tieback.config.reading import FILE_NAME, settings_from
from tieback.config.settings import (
    CONDITIONS,
    DEFAULT_CONVERSIONS,
    DEFAULT_MODELS,
    ORDER_KINDS,
    SIGNALS,
    STAGES,
    ChannelRule,
    Collect,
    Consent,
    Conversion,
    Exclude,
    Identity,
    Report,
    Settings,
    Touches,
    Traffic,
    Warehouse,
    currency_decimals,
)
from tieback.config.workspace import (
    INTAKE_NAME,
    LEDGER_NAME,
    RUNS_NAME,
    SALT_NAME,
    WAREHOUSE_NAME,
    Workspace,
    open_workspace,
    write_new,
)

__all__ = [
    "CONDITIONS",
    "DEFAULT_CONVERSIONS",
    "DEFAULT_MODELS",
    "FILE_NAME",
    "INTAKE_NAME",
    "LEDGER_NAME",
    "ORDER_KINDS",
    "RUNS_NAME",
    "SALT_NAME",
    "SIGNALS",
    "STAGES",
    "WAREHOUSE_NAME",
    "ChannelRule",
    "Collect",
    "Consent",
    "Conversion",
    "Exclude",
    "Identity",
    "Report",
    "Settings",
    "Touches",
    "Traffic",
    "Warehouse",
    "Workspace",
    "currency_decimals",
    "open_workspace",
    "settings_from",
    "write_new",
]
