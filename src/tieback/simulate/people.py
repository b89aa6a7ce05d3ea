"""Who lives in the world: people, the companies they work for, their devices, addresses and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieback.simulate.world import FREE_MAIL, WEEKS, Bools, Floats, Ints, rng

_FIRST = (
    "ana",
    "ben",
    "chen",
    "dina",
    "emil",
    "fatou",
    "goran",
    "hana",
    "ivan",
    "jun",
    "kofi",
    "lena",
    "marco",
    "nadia",
    "omar",
    "priya",
)
_LAST = (
    "abara",
    "berg",
    "costa",
    "dubois",
    "evans",
    "fischer",
    "garcia",
    "haddad",
    "ito",
    "jensen",
    "kim",
    "lopez",
    "moreau",
    "novak",
    "okafor",
    "patel",
)
_COMPANY = (
    "alder",
    "basalt",
    "cobalt",
    "delta",
    "ember",
    "fjord",
    "granite",
    "harbor",
    "indigo",
    "juniper",
    "krypton",
    "lumen",
    "maple",
    "nimbus",
)
_TRADE = (
    "analytics",
    "logistics",
    "foods",
    "energy",
    "software",
    "clinics",
    "mobility",
    "textiles",
    "finance",
    "media",
)
INDUSTRIES = ("Software", "Logistics", "Retail", "Health", "Finance", "Media")
SIZES = ("1-50", "51-250", "251-1000", "1000+")
# Numbers 555-0100 to 555-0199 of each area code are set aside for made-up people.
# fmt: off
_AREA_CODES = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231,
    234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307,
    308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 334, 336, 337, 347, 351, 352,
    360, 361, 385, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 424, 425,
    430, 432, 434, 435, 440, 443, 469, 478, 479, 480, 484, 501,
)
# fmt: on


@dataclass(frozen=True)
class People:
    """One entry per person (arrays of length `count`) and per company (length `companies`).

    company: the person's, or -1 for those with a private address. buyer: the company, or else the person alone.
    intent: lasting interest in the product, standard normal.
    enters, leaves: weeks between which the person is in the market.
    is_subscribed: gets the newsletter from the start. devices: how many browsers the person uses, 1 to 3.
    """

    company: Ints
    buyer: Ints
    companies: int
    buyers: int
    intent: Floats
    enters: Ints
    leaves: Ints
    offset: Ints  # days between the world's first day and the person's first week
    is_subscribed: Bools
    devices: Ints
    fit: Floats  # per buyer: how well the product suits, standard normal
    is_european: Bools  # per buyer
    size: Ints  # per buyer: index of SIZES

    @property
    def count(self) -> int:
        """How many people."""
        return len(self.company)

    @property
    def has_company(self) -> Bools:
        """Whether the person buys for a company."""
        return self.company >= 0


def people(count: int, seed: int) -> People:
    """A population of `count` people; about three in four work for a company that may buy."""
    dice = rng(seed, "people")
    companies = max(1, round(count * 0.75 / 2.6))
    employed = dice.random(count) < 0.75
    company = np.where(employed, (companies * dice.random(count) ** 1.3).astype(np.int64), -1)
    alone = np.cumsum(~employed) - 1
    buyer = np.where(employed, company, companies + alone)
    buyers = companies + int((~employed).sum())
    enters = dice.integers(-20, WEEKS - 2, count)
    return People(
        company=company,
        buyer=buyer,
        companies=companies,
        buyers=buyers,
        intent=dice.standard_normal(count),
        enters=enters,
        leaves=enters + 4 + dice.geometric(1 / 12, count),
        offset=dice.integers(0, 7, count),
        is_subscribed=dice.random(count) < 0.15,
        devices=1 + (dice.random(count) < 0.45).astype(np.int64) + (dice.random(count) < 0.15),
        fit=dice.standard_normal(buyers),
        is_european=dice.random(buyers) < 0.3,
        size=dice.choice(4, buyers, p=[0.4, 0.3, 0.2, 0.1]),
    )


def names(person: Ints) -> pa.Array:
    """First and last name of people, as `ana berg`."""
    first = pa.array(_FIRST).take(pa.array(person % len(_FIRST)))
    last = pa.array(_LAST).take(pa.array(person // len(_FIRST) % len(_LAST)))
    return joined(first, " ", last)


def emails(world: People, person: Ints) -> pa.Array:
    """The one address of each person, at the company's domain or at a free-mail provider; all domains are reserved."""
    local = joined(pc.replace_substring(names(person), " ", "."), numbered("", person, 1))
    provider = pa.array(FREE_MAIL).take(pa.array(person % len(FREE_MAIL)))
    company = world.company[person]
    domain = pc.if_else(pa.array(company >= 0), domains(np.maximum(company, 0)), provider)
    return joined(local, "@", domain)


def phones(person: Ints) -> pa.Array:
    """The number of each person, spelled in one of three ways; empty where no made-up number is left."""
    area = pa.array(np.array(_AREA_CODES)[person // 100 % len(_AREA_CODES)]).cast(pa.string())
    line = numbered("01", person % 100, 2)
    spelled = [joined("+1", area, "555", line), joined("(", area, ") 555-", line), joined("1-", area, "-555-", line)]
    given = pc.choose(pa.array(person % 3), *spelled)
    return pc.if_else(pa.array(person < 100 * len(_AREA_CODES)), given, pa.scalar(None, pa.string()))


def domains(company: Ints) -> pa.Array:
    """Web domain of each company."""
    return joined(pc.replace_substring(_company_words(company), " ", "-"), "-", numbered("", company, 1), ".example")


def company_names(company: Ints) -> pa.Array:
    """Name of each company, as in its CRM record."""
    return joined(pc.utf8_title(_company_words(company)), " ", numbered("", company, 1))


def _company_words(company: Ints) -> pa.Array:
    first = pa.array(_COMPANY).take(pa.array(company % len(_COMPANY)))
    return joined(first, " ", pa.array(_TRADE).take(pa.array(company // len(_COMPANY) % len(_TRADE))))


def numbered(prefix: str, number: Ints, width: int) -> pa.Array:
    """Ids such as `P00042`: a prefix and a number padded to `width` digits."""
    return joined(prefix, pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0"))


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts put together row by row."""
    return pc.binary_join_element_wise(*parts, "")
