"""What the collector counts, for Prometheus."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tieback.store.ledger import Backlog, Incoming

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True)
class Told:
    """A row on its way in; `bot` says why it is taken for a bot's, "" for people. refused: purposes without consent."""

    row: Incoming
    bot: str = ""
    refused: tuple[str, ...] = ()


class Counts:
    """Counters of one process.

    backlog: what waits in the inbox, asked whenever somebody reads.
    """

    def __init__(self, backlog: Callable[[], Backlog]) -> None:
        self._registry = CollectorRegistry()
        self._seconds_of: dict[str, Histogram] = {}  # by protocol, as each request looks for its own
        self._since_told: Tally[tuple[str, str]] = Tally()
        self._backlog = backlog
        self._events = Counter(
            "tieback_events", "What was sent, by what became of it", ["source", "outcome"], registry=self._registry
        )
        self._refusals = Counter(
            "tieback_refused_requests", "Requests not taken in", ["protocol", "reason"], registry=self._registry
        )
        self._bots = Counter(
            "tieback_bot_events",
            "Accepted events of bots, by their sort",
            ["source", "reason"],
            registry=self._registry,
        )
        self._no_consent = Counter(
            "tieback_no_consent_events",
            "Accepted events that refuse a purpose",
            ["source", "purpose"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "tieback_answer_seconds",
            "From a whole request to its answer",
            ["protocol"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._waiting = Gauge("tieback_inbox_waiting", "Rows that are no facts yet", registry=self._registry)
        self._lag = Gauge("tieback_inbox_lag_seconds", "Age of the oldest of them", registry=self._registry)

    def taken(self, source: str, rows: Sequence[Told], new: Sequence[bool]) -> None:
        """Count `rows` that are safe, the `new` ones and the others.

        Of a bot its sort counts (`search engine` of `search engine: Googlebot`): there are as many names as bots.
        """
        outcomes: dict[str, int] = {}
        for told, is_new in zip(rows, new, strict=True):
            outcome = "duplicate" if not is_new else "quarantined" if told.row.reason else "accepted"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            if outcome != "accepted":
                continue
            if told.bot:
                self._bots.labels(source, told.bot.partition(":")[0]).inc()
            for purpose in told.refused:
                self._no_consent.labels(source, purpose).inc()
        for outcome, events in outcomes.items():
            self._events.labels(source, outcome).inc(events)

    def refused(self, protocol: str, reason: str) -> None:
        """Count a request that was not taken in."""
        self._since_told[protocol, reason] += 1
        self._refusals.labels(protocol, reason).inc()

    def refusals(self) -> dict[tuple[str, str], int]:
        """Requests not taken in since this was asked last, by protocol and reason."""
        told, self._since_told = self._since_told, Tally()
        return dict(told)

    def took(self, protocol: str, seconds: float) -> None:
        """Remember how long an answer took."""
        its = self._seconds_of.get(protocol)
        if its is None:
            its = self._seconds_of[protocol] = self._seconds.labels(protocol)
        its.observe(seconds)

    def exposition(self) -> bytes:
        """All of it, as Prometheus reads it."""
        backlog = self._backlog()
        self._waiting.set(backlog.rows)
        now = datetime.now(UTC).replace(tzinfo=None)
        oldest = backlog.oldest_received_at or now
        self._lag.set(max(0.0, (now - oldest).total_seconds()))
        return generate_latest(self._registry)
