"""tieback ties every dollar of revenue back to the marketing that earned it, and explains why."""

__version__ = "0.1.0.dev0"
