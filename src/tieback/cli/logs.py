"""The log of a process that goes on: lines of JSON on stderr, or what a person reads where that is a terminal."""

from __future__ import annotations

import logging
import sys
import traceback
from collections import Counter
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


class Libraries(logging.Handler):
    """What libraries have to say, as lines of this log: at once, and when it is said again no more than how often.

    Of a message the first line stays, unfilled, and of an error its kind and place: the rest may hold what was sent.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._again: Counter[tuple[str, str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        said = (record.name, str(record.msg).partition("\n")[0], _place(record.exc_info[1]) if record.exc_info else "")
        if said in self._again:
            self._again[said] += 1
        else:
            self._again[said] = 0
            _log_said(*said, level=record.levelname)

    def tell_again(self) -> None:
        """Log what was said again since this was called last, and forget it."""
        self.acquire()
        try:
            again, self._again = self._again, Counter()
        finally:
            self.release()
        for said, times in again.items():
            if times:
                _log_said(*said, level="WARNING", again=times)


def _log_said(library: str, text: str, error: str, *, level: str, **more: int) -> None:
    told = log().error if level in ("ERROR", "CRITICAL") else log().warning
    told(text, library=library, **({"error": error} if error else {}), **more)


def _place(error: BaseException | None) -> str:
    """The kind of an error and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    return " at ".join([type(error).__name__, *(f"{each.filename}:{each.lineno}" for each in frames[-1:])])
