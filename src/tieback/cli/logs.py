"""The log of a process that goes on: lines of JSON on stderr, or what a person reads where that is a terminal."""

from __future__ import annotations

import sys
from typing import Any


def log() -> Any:
    """A structlog logger. Nothing that it is told may hold a key, an identifier or what somebody sent."""
    import structlog

    is_read = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_read else "iso", utc=not is_read),
            structlog.dev.ConsoleRenderer() if is_read else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return structlog.get_logger()
