"""Group commit: what many callers put at once goes to disk together, and none is told of success before it is there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread

from tieback.errors import TiebackError
from tieback.store.ledger.inbox import Incoming
from tieback.store.ledger.ledger import Ledger

_ROWS_A_COMMIT = 5_000
_BYTES_A_COMMIT = 16 * 2**20
_MOST_BYTES_WAITING = 128 * 2**20
_RETRY_WHEN_FULL = 1  # seconds
_RETRY_WHEN_FAILING = 5


class BusyError(Exception):
    """Nothing of a call was acknowledged: it is to be made again, `retry_after_seconds` from now at the earliest."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"busy; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, eq=False)
class _Call:
    rows: tuple[Incoming, ...]
    size: int
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[list[bool]]


_Told = tuple[_Call, list[bool] | None]  # a call, and the answer to it; None to come again


class GroupCommit:
    """The way into the ledger's inbox for asyncio; the only writer of its process.

    most_waiting: how many rows may wait for the disk; 128 MB of them at most. A call alone is always taken in.
    trouble: why the last commit failed, in a sentence; empty when all is well.
    """

    def __init__(self, ledger: Ledger, most_waiting: int = 20_000) -> None:
        self.trouble = ""
        self._ledger = ledger
        self._most_waiting = most_waiting
        self._calls: deque[_Call] = deque()
        self._rows = 0  # taken in, and neither on disk nor refused
        self._bytes = 0
        self._is_closing = False
        self._changed = Condition()
        self._writer = Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()

    async def put(self, rows: Sequence[Incoming]) -> list[bool]:
        """Return once `rows` are on disk: for each, True when it is new, False when it is held already.

        Raises BusyError when too many wait, the ledger fails, or this is closed: then the caller is to come again.
        A caller that is cancelled does not know what became of its rows.
        """
        if not rows:
            return []
        loop = asyncio.get_running_loop()
        size = sum(len(row.payload) + len(row.message_id) for row in rows)
        call = _Call(tuple(rows), size, loop, loop.create_future())
        with self._changed:
            if self._is_closing or not self._has_room(call):
                raise BusyError(_RETRY_WHEN_FULL)
            self._calls.append(call)
            self._rows += len(rows)
            self._bytes += size
            self._changed.notify()
        return await call.answer

    async def close(self) -> None:
        """Take nothing in any more, and return when all that was is on disk or refused."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        await asyncio.to_thread(self._writer.join)

    def _has_room(self, call: _Call) -> bool:
        if not self._rows:
            return True
        return self._rows + len(call.rows) <= self._most_waiting and self._bytes + call.size <= _MOST_BYTES_WAITING

    def _write(self) -> None:
        while group := self._next_group():
            try:
                answers = self._committed(group)
            except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear, and others follow
                self.trouble = str(error) if isinstance(error, TiebackError) else _unforeseen(error)
                self._end([(call, None) for call in group + self._taken_out()])
            else:
                self.trouble = ""
                self._end(list(zip(group, answers, strict=True)))

    def _committed(self, group: list[_Call]) -> list[list[bool]]:
        """What to answer each call of `group`, all of which is on disk."""
        told = iter(self._ledger.put([row for call in group for row in call.rows]))
        return [[next(told) for _ in call.rows] for call in group]

    def _next_group(self) -> list[_Call]:
        """What is to be committed next, at least a call, in the order of coming; empty once closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._is_closing)
            group: list[_Call] = []
            rows = size = 0
            while self._calls and (not group or self._fits(rows, size)):
                call = self._calls.popleft()
                group.append(call)
                rows += len(call.rows)
                size += call.size
            return group

    def _fits(self, rows: int, size: int) -> bool:
        call = self._calls[0]
        return rows + len(call.rows) <= _ROWS_A_COMMIT and size + call.size <= _BYTES_A_COMMIT

    def _taken_out(self) -> list[_Call]:
        """All who still wait: what failed now would keep each of them waiting to fail again."""
        with self._changed:
            left = list(self._calls)
            self._calls.clear()
            return left

    def _end(self, told: Sequence[_Told]) -> None:
        """Tell callers what to make of their rows; with no answer, to come again."""
        with self._changed:
            self._rows -= sum(len(call.rows) for call, _ in told)
            self._bytes -= sum(call.size for call, _ in told)
        by_loop: dict[asyncio.AbstractEventLoop, list[_Told]] = {}
        for call, answer in told:
            by_loop.setdefault(call.loop, []).append((call, answer))
        for loop, its in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody is there to hear
                loop.call_soon_threadsafe(_tell, its)


def _tell(told: list[_Told]) -> None:
    for call, answer in told:
        if call.answer.done():  # its caller went away
            continue
        if answer is None:
            call.answer.set_exception(BusyError(_RETRY_WHEN_FAILING))
        else:
            call.answer.set_result(answer)


def _unforeseen(error: Exception) -> str:
    return f"The ledger failed for a reason that is a defect of tieback ({type(error).__name__}). Please report it."
