"""Who is whom: observed ties of identifiers become people, and people become accounts.

Comes in: facts. Goes out: `people` (one row per identifier) and `link_cuts` (the ties that were not believed).
Nothing is remembered between runs: every answer is worked out from the facts, so taking one away restores what was.
"""

from __future__ import annotations

from tieback.identity.accounts import accounts, companies, company_addresses, company_domains
from tieback.identity.identifiers import identifiers, junk_identifiers
from tieback.identity.observed import together
from tieback.identity.people import owned_addresses, owned_claims, people
from tieback.identity.solved import solved

__all__ = [
    "accounts",
    "companies",
    "company_addresses",
    "company_domains",
    "identifiers",
    "junk_identifiers",
    "owned_addresses",
    "owned_claims",
    "people",
    "solved",
    "together",
]
