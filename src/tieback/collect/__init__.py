"""The front door: what sites, apps and servers send is safe in the durable inbox before it is answered.

Comes in: HTTP requests in the protocols of many clients. Goes out: rows of the inbox, of which `tieback.sync` makes
facts.
"""

from __future__ import annotations

from tieback.collect.application import application, wires
from tieback.collect.counts import Counts
from tieback.collect.door import Door
from tieback.collect.keys import Keys

__all__ = ["Counts", "Door", "Keys", "application", "wires"]
