"""The kinds of identifiers that name a person, and the column in which facts carry each."""

from __future__ import annotations

# Strongest first: whose a row is, is decided by the first of these that it carries, in every room alike.
IDENTIFIERS = {
    "user": "user_id",
    "contact": "contact_id",
    "email": "email_hash",
    "customer": "customer_id",
    "phone": "phone_hash",
    "anonymous": "anonymous_id",
}
