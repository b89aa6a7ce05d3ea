"""The collector under load, from a process of its own: how fast events are taken in, and how soon they are in the report.

What it is held against is a bare application with the same durability (`benchmarks.bare`), in alternate rounds.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from benchmarks.collectors import Collector, Sent, bare, new_key, new_workspace, serving

RATE, MOST_P99_MS = 2_000, 25.0  # requests a second, each with one event
LEAST_OF_BARE = 0.8
AT_ONCE, LEAST_BATCHED = 50, 15_000  # events in a request; events a second
FEW, MANY, MOST_GROWTH = 100_000, 1_000_000, 0.1  # events, and what of memory may be added from the few to the many
MOST_VISIBLE_SECONDS = 5.0
_SECONDS, _WARM_UP, _LEAST_ROUNDS = 20, 3, 3
_KEPT = 'tieback_events_total{outcome="accepted"'
_GIVEN_UP = 120.0  # seconds until an event should really be in the report


def bench_collect(place: Path, workspace: Path, rounds: int) -> bool:
    """Speed, memory and freshness. place: for files of its own. workspace: with the finished run of `bench_refresh`."""
    print("\nCollector: each event with consent, country, masked network and bots told, acknowledged once on disk")
    folder = place / "collect"
    held = [_by_the_clock(folder), _against_the_bare(folder, max(rounds, _LEAST_ROUNDS)), _batched(folder)]
    held += [_memory(folder, "--no-load"), _memory(folder)]
    return all([*held, _freshness(workspace)])


def _by_the_clock(folder: Path) -> bool:
    with serving(folder, new_workspace(folder), "--no-load") as collector:
        collector.load(seconds=_WARM_UP, rate=RATE)
        sent = collector.load(seconds=_SECONDS, rate=RATE)
        is_kept = _is_all_kept(collector)
    print(f"  {RATE:,} requests a second for {_SECONDS} s, sent by the clock: {_told(sent)}")
    print(f"    of {sent.requests:,} requests {sent.accepted:,} accepted; p99 at most {MOST_P99_MS:.0f} ms")
    return is_kept and sent.accepted == sent.requests and sent.p99_ms <= MOST_P99_MS


def _against_the_bare(folder: Path, rounds: int) -> bool:
    ours: list[Sent] = []
    floor: list[Sent] = []
    for _ in range(rounds):
        with serving(folder, new_workspace(folder), "--no-load") as collector:
            collector.load(seconds=_WARM_UP)
            ours.append(collector.load(seconds=_SECONDS / 2))
        with bare(folder / "bare.sqlite") as collector:
            collector.load(seconds=_WARM_UP)
            floor.append(collector.load(seconds=_SECONDS / 2))
    ratio = statistics.median(a.rate / b.rate for a, b in zip(ours, floor, strict=True))
    print(f"  64 connections, each sends again as soon as it is answered, {rounds} rounds")
    for name, runs in (("tieback serve", ours), ("bare Starlette", floor)):
        for sent in runs:
            print(f"    {name:<15} {sent.rate:7,.0f} requests a second: {_told(sent)}")
    print(f"    ratio {ratio:.2f}, at least {LEAST_OF_BARE}")
    return ratio >= LEAST_OF_BARE


def _batched(folder: Path) -> bool:
    with serving(folder, new_workspace(folder), "--no-load") as collector:
        collector.load(seconds=_WARM_UP, events=AT_ONCE, connections=16)
        sent = collector.load(seconds=_SECONDS, events=AT_ONCE, connections=16)
        is_kept = _is_all_kept(collector)
    events = sent.rate * AT_ONCE
    print(
        f"  {AT_ONCE} events in a request: {events:,.0f} events a second, at least {LEAST_BATCHED:,} · "
        f"{sent.cpu_us / AT_ONCE:.0f} µs of processor for an event"
    )
    return is_kept and events >= LEAST_BATCHED


def _memory(folder: Path, *options: str) -> bool:
    with serving(folder, new_workspace(folder), *options) as collector:
        held = []
        for events in (FEW, MANY - FEW):
            requests = events // AT_ONCE
            collector.load(seconds=3_600, events=AT_ONCE, connections=16, most=requests)
            held.append(collector.memory_mb())
        is_kept = _is_all_kept(collector)
    growth = held[1] / held[0] - 1
    who = "loaded elsewhere" if options else "loading beside"
    print(
        f"  memory, {who}: {held[0]:.0f} MB after {FEW:,} events, {held[1]:.0f} MB after {MANY:,}: {growth:+.0%}, "
        f"at most +{MOST_GROWTH:.0%}"
    )
    return is_kept and growth <= MOST_GROWTH


def _freshness(workspace: Path) -> bool:
    """From the answer to a visit until a report, as a whole process, has its campaign; the first round is not counted."""
    if not (workspace / "runs").exists():
        print("  until it is in the report: not measured, as there is no finished run; run `refresh` before")
        return False
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as door:
        [(touchpoints,)] = door.execute("SELECT count(*) FROM touchpoints").fetchall()
    with serving(workspace, new_key(workspace)) as collector:
        took = [_seconds_until_seen(workspace, collector, number) for number in range(6)][1:]
    print(
        f"  until it is in the report, with {touchpoints:,} touchpoints there: median {statistics.median(took):.1f} s, "
        f"longest {max(took):.1f} s, at most {MOST_VISIBLE_SECONDS:.0f} s"
    )
    return statistics.median(took) <= MOST_VISIBLE_SECONDS


def _seconds_until_seen(workspace: Path, collector: Collector, number: int) -> float:
    campaign = f"seen-{number}-{time.time_ns()}"
    address = f"https://acme.example/?utm_source=google&utm_medium=cpc&utm_campaign={campaign}"
    event = {"kind": "page", "event_id": campaign, "anonymous_id": f"visitor-{campaign}", "url": address}
    body = json.dumps({"key": collector.key, "events": [event]}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{collector.url}/v1/events", body), timeout=30) as answer:
        assert answer.status == 200
    began = time.perf_counter()
    today = datetime.now(UTC).date().isoformat()
    options = ("--by", "campaign", "--metrics", "visits", "--from", today, "--to", today, "--format", "csv")
    command = [sys.executable, "-m", "tieback", "-w", str(workspace), "report", *options]
    while time.perf_counter() - began < _GIVEN_UP:
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if any(row["campaign"] == campaign for row in csv.DictReader(io.StringIO(told))):
            return time.perf_counter() - began
    sys.exit(f"An event was not in the report after {_GIVEN_UP:.0f} s")


def _is_all_kept(collector: Collector) -> bool:
    """True when the collector counts as many new events as were sent: they all have ids of their own."""
    with urllib.request.urlopen(f"{collector.url}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    new = sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(_KEPT))
    if new != collector.sent:
        print(f"    {collector.sent:,} events were sent, and {new:,.0f} kept")
    return new == collector.sent


def _told(sent: Sent) -> str:
    return (
        f"p50 {sent.p50_ms:.1f} ms, p99 {sent.p99_ms:.1f} ms, longest {sent.most_ms:.0f} ms; {sent.cpu_us:.0f} µs of "
        "processor for a request"
    )
