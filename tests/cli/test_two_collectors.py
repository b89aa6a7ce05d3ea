"""Two collectors on one ledger: whatever reaches either, however often, counts once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx

from tests.cli.test_serve import made, serving, tieback, visit, visits
from tests.store.ledgers import new_place

EVENTS = 600
AT_ONCE = 20


def test_a_day_replayed_three_times_to_both_counts_once(tmp_path: Path) -> None:
    """Shuffled, in batches that differ each time, at the same moment: the totals are exact."""
    folder, _ = made(tmp_path)
    with (folder / "tieback.toml").open("a") as file:
        file.write(f'\n[collect]\nledger = "{new_place("postgres", tmp_path)}"\n')
    key = tieback(folder, "source", "add", "web").strip()
    dice = random.Random(7)
    batches: list[list[int]] = []
    for _ in range(3):
        day = dice.sample(range(EVENTS), EVENTS)
        batches += [day[place : place + AT_ONCE] for place in range(0, EVENTS, AT_ONCE)]
    with serving(folder, key, "--no-load") as one, serving(folder, key, "--no-load") as other:

        def send(place: int) -> int:
            collector = (one, other)[place % 2]
            return collector.send(*(visit(number) for number in batches[place])).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(send, dice.sample(range(len(batches)), len(batches)))) == {200}
        counted = [httpx.get(f"{each.url}/metrics").text for each in (one, other)]
    accepted = sum(counted_as(text, "accepted") for text in counted)
    assert (accepted, sum(counted_as(text, "duplicate") for text in counted)) == (EVENTS, 2 * EVENTS)
    tieback(folder, "load")
    assert visits(folder) == {"Direct": EVENTS}


def counted_as(exposition: str, outcome: str) -> int:
    """How many events had that outcome."""
    lines = [line for line in exposition.splitlines() if line.startswith(f'tieback_events_total{{outcome="{outcome}"')]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)
