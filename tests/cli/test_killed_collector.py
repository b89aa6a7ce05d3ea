"""Killed again and again while its disk is slow, the collector loses nothing that it acknowledged, and doubles nothing.

KILL_TRIALS=100 (`make killed`) kills it a hundred times, where every day has time for a few.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from pathlib import Path

import duckdb
import httpx2 as httpx

from tests.cli.test_serve import Served, made, serving, tieback, visit

LOG = logging.getLogger(__name__)
logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for each request says nothing
TRIALS = int(os.environ.get("KILL_TRIALS", "3"))
CLIENTS = 6
# The collector as it is, on a disk that takes its time: rows are written, and not yet committed, for up to 60 ms.
SLOWLY = """
import random, sys, time
from tieback.cli import main
from tieback.store.ledger import inbox
put = inbox.put
def slowly(connection, rows):
    told = put(connection, rows)
    time.sleep(random.uniform(0, 0.06))
    return told
inbox.put = slowly
sys.exit(main())
"""


class Sender(threading.Thread):
    """Sends its events, one to five at once, until they are acknowledged; now and then one that was."""

    def __init__(self, served: Served, name: str, left: list[int], seed: int) -> None:
        super().__init__()
        self.served, self.name, self.left = served, name, left
        self.acknowledged: list[int] = []
        self.stopped = threading.Event()
        self.dice = random.Random(seed)

    def run(self) -> None:
        """Send until the collector is gone."""
        with httpx.Client(timeout=10) as client:
            while not self.stopped.is_set():
                batch = self.left[: self.dice.randint(1, 5)]
                again = self.acknowledged[-1:] if self.dice.random() < 0.2 else []
                events = [visit(number) for number in batch + again]
                try:
                    answer = client.post(
                        f"{self.served.url}/v1/events", json={"key": self.served.key, "events": events}
                    )
                except httpx.HTTPError:
                    return
                if answer.status_code == 200:
                    self.acknowledged += batch
                    del self.left[: len(batch)]


def test_nothing_acknowledged_is_lost_and_nothing_counts_twice(tmp_path: Path) -> None:
    """Every acknowledged event is a fact, once; what was never acknowledged is there once or not at all."""
    folder, key = made(tmp_path)
    program = tmp_path / "slowly.py"
    program.write_text(SLOWLY)
    acknowledged: set[int] = set()
    sent = 0
    left: list[list[int]] = [[] for _ in range(CLIENTS)]
    for trial in range(TRIALS):
        with serving(folder, key, "--no-load", program=(str(program),)) as served:
            for waiting in left:
                waiting += range(sent, sent + 2_000)
                sent += 2_000
            senders = [
                Sender(served, f"sender {number}", waiting, 100 * trial + number) for number, waiting in enumerate(left)
            ]
            for sender in senders:
                sender.start()
            time.sleep(random.Random(trial).uniform(0.3, 1.2))
            served.process.send_signal(signal.SIGKILL)
            for sender in senders:
                sender.stopped.set()
                sender.join()
                acknowledged.update(sender.acknowledged)
    assert len(acknowledged) > 10 * TRIALS
    for _ in range(2):
        tieback(folder, "load")
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as door:
        facts = [int(row[0].removeprefix("web:")) for row in door.execute("SELECT event_id FROM events").fetchall()]
    LOG.info("%d kills, %d acknowledged, %d facts", TRIALS, len(acknowledged), len(facts))
    assert len(facts) == len(set(facts))
    assert acknowledged <= set(facts)
