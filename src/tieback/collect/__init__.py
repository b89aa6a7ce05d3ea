"""The front door: what sites, apps and servers send is safe in the durable inbox before it is answered.

Comes in: HTTP requests in the protocols of many clients. Goes out: rows of the inbox, of which `tieback.sync` makes
facts.
"""

from __future__ import annotations

from tieback.collect.addresses import Countries
from tieback.collect.application import application, wires
from tieback.collect.counts import Counts
from tieback.collect.door import Door
from tieback.collect.hooks import Hooks
from tieback.collect.keys import Keys
from tieback.collect.limits import Guesses, Limits
from tieback.collect.links import Links, secret_of
from tieback.collect.requests import Wire

__all__ = [
    "Countries",
    "Counts",
    "Door",
    "Guesses",
    "Hooks",
    "Keys",
    "Limits",
    "Links",
    "Wire",
    "application",
    "secret_of",
    "wires",
]
