"""The public face of the ledger: each call is one transaction, and on disk when it returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection

from tieback.errors import WorkspaceError
from tieback.store.ledger import inbox, sources
from tieback.store.ledger.faults import plain_errors
from tieback.store.ledger.inbox import Backlog, Incoming, Waiting
from tieback.store.ledger.opening import Place, committing, compact, opened, reading
from tieback.store.ledger.sources import Source


def open_ledger(url: str) -> Ledger:
    """The ledger at `url`: sqlite:///PATH, or postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=SCHEMA.

    Its tables are made when missing, and brought up to this release's.
    Raises ConfigError for another URL; WorkspaceError when it is newer than this release, damaged, none of tieback's,
    in use by another, cannot be written or reached, or the disk is full.
    """
    return Ledger(opened(url))


class Ledger:
    """An open ledger, for any number of threads.

    Whatever the database refuses is raised as a WorkspaceError, and then nothing was changed; only where the
    connection to a server is lost, or a file cannot be read any more just after `put` wrote to it, a change may have
    been made all the same. What is put again is known for what it is.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._readers = reading(place.engine)
        self._putters = committing(place.engine)
        self._loading = Lock()

    def close(self) -> None:
        """Let go of the file or server, and of the turn to load."""
        with self._loading:
            self._place.turn.leave()
        self._place.engine.dispose()

    def put(self, rows: Sequence[Incoming]) -> list[bool]:
        """Keep `rows`, all or none; for each, True when it is new, False when its (source, message_id) is held.

        Of two alike in one call, the first is new.
        """
        engine = self._putters if len(rows) <= inbox.PUT_AT_ONCE else self._place.engine
        with plain_errors(self._place.where), engine.begin() as connection:
            return inbox.put(connection, rows)

    def waiting(self, most: int) -> list[Waiting]:
        """The first `most` rows that are not loaded, in order of position: the same again until they are settled.

        One ledger loads at a time: the first that asks, until it is closed or its process ends. To others nothing is
        waiting.
        """
        with self._loading, plain_errors(self._place.where):
            if not self._is_my_turn():
                return []
            with self._readers.begin() as connection:
                return inbox.waiting(connection, most)

    def settle(self, positions: Iterable[int]) -> None:
        """Mark the rows at `positions` as loaded; those that are, or are gone, stay so."""
        with self._writing() as connection:
            inbox.settle(connection, positions)

    def backlog(self) -> Backlog:
        """How many rows are not loaded, and since when the oldest waits, whoever loads them."""
        with self._reading() as connection:
            return inbox.backlog(connection)

    def prune(self, before: datetime) -> int:
        """Remove the rows that are loaded and were received before `before` (UTC); returns how many.

        What is removed is new when it comes again. It goes in small transactions, between which others write.
        """
        removed = 0
        while True:
            with self._writing() as connection:
                some = inbox.prune_some(connection, before)
            if not some:
                return removed
            removed += some

    def erase(self, messages: Sequence[tuple[str, str]], words: Sequence[bytes]) -> int:
        """Empty the loaded rows of these (source, message_id), and the malformed ones that hold any of `words`.

        They stay known, so that the same message is none when it comes again. Afterwards the file or table is written
        anew, so that no byte of them stays. Returns how many rows were emptied.
        """
        with self._writing() as connection:
            emptied = inbox.blank(connection, messages) + inbox.blank_refused(connection, words)
        with plain_errors(self._place.where):
            compact(self._place.engine)
        return emptied

    def add_source(self, name: str, origins: tuple[str, ...] = ()) -> str:
        """Make the source `name`, or a revoked one anew; returns its write key, which is kept only as a digest.

        Raises UsageError for a name that is none, or is in use.
        """
        with self._writing() as connection:
            return sources.add_source(connection, name, origins)

    def sources(self) -> list[Source]:
        """All sources by name, revoked ones too."""
        with self._reading() as connection:
            return sources.sources(connection)

    def revoke(self, name: str) -> None:
        """End the key of the source `name`; one that is revoked stays so. Raises UsageError when there is none."""
        with self._writing() as connection:
            sources.revoke(connection, name)

    def source_of(self, key: str) -> Source | None:
        """The source whose write key it is; None for an unknown or revoked key."""
        with self._reading() as connection:
            return sources.source_of(connection, key)

    def source_named(self, name: str) -> Source | None:
        """The source `name`; None when there is none, or its key was revoked."""
        with self._reading() as connection:
            return sources.source_named(connection, name)

    def _is_my_turn(self) -> bool:
        try:
            return self._place.turn.is_mine()
        except OSError as error:
            raise WorkspaceError(
                f"{self._place.where} cannot be loaded from ({error.strerror}). Mend the permissions of its folder."
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with plain_errors(self._place.where), self._place.engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with plain_errors(self._place.where), self._readers.begin() as connection:
            yield connection
