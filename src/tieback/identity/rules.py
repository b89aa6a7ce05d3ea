"""What one person may have, and the words in which a breach is told."""

from __future__ import annotations

from tieback.config import Identity

WORDS = {
    "user": ("login", "logins"),
    "contact": ("CRM contact", "CRM contacts"),
    "email": ("e-mail address", "e-mail addresses"),
    "customer": ("customer number", "customer numbers"),
    "phone": ("phone number", "phone numbers"),
    "anonymous": ("browser or device", "browsers or devices"),
}


def limits(identity: Identity) -> dict[str, int]:
    """How many identifiers of each kind one person may have, strongest kind first.

    A login or a CRM contact names exactly one person, so two different ones are two persons, whatever ties them.
    """
    return {
        "user": 1,
        "contact": 1,
        "email": identity.max_email,
        "customer": identity.max_customer,
        "phone": identity.max_phone,
        "anonymous": identity.max_anonymous,
    }


def reason(kind: str, most: int, names: tuple[str, str]) -> str:
    """Why a tie was cut: it would have given one person more than `most` identifiers of `kind`.

    names: the two strong identifiers that it would have joined, told only where `most` is 1 and they are no hashes.
    """
    one, many = WORDS[kind]
    if kind in ("user", "contact"):
        first, second = sorted(names)
        return f"It would have made one person of two {many}: {first} and {second}."
    return f"It would have given one person more than {most} {one if most == 1 else many}."
