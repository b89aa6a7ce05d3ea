"""Facts of so many people, written to a new warehouse; in a process of its own, which gives its memory back."""

import sys
from pathlib import Path

from benchmarks.facts import write_facts

write_facts(Path(sys.argv[1]), int(sys.argv[2]))
