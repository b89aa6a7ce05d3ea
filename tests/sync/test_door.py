"""The door reads cells as their columns declare, cuts addresses up, and lets no raw personal data through."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.sync.files import csv_text, facts, taken
from tieback.attribution.rulebook import rulebook
from tieback.config import Settings
from tieback.errors import ConfigError, InputError
from tieback.schema.click_ids import CLICK_IDS
from tieback.store import DuckDB


def one_event(store: DuckDB, tmp_path: Path, column: str, mapping: str = "", **cells: str) -> object:
    """`column` of an event imported with `cells`, or the reason why it was refused."""
    row = {"event_id": "e", "occurred_at": "2025-01-01", "kind": "page"} | cells
    taken(store, tmp_path, "events", csv_text([row]), mapping)
    found = facts(store, "events", column)
    return found[0] if found else store.execute("SELECT reason FROM quarantine").fetchall()[0][0]


@pytest.mark.parametrize(
    ("written", "rule", "meant"),
    [
        ("2025-01-02T10:00:00Z", "", datetime(2025, 1, 2, 10)),
        ("2025-01-02T10:00:00+02:00", "", datetime(2025, 1, 2, 8)),
        ("2025-01-02 10:00:00.5-0800", "", datetime(2025, 1, 2, 18, 0, 0, 500000)),
        ("2025-01-02", "", datetime(2025, 1, 2)),
        (" 2025-01-02 ", "", datetime(2025, 1, 2)),
        ("1735812000", "", datetime(2025, 1, 2, 10)),
        ("1735812000500", "", datetime(2025, 1, 2, 10, 0, 0, 500000)),
        ("2025-07-02 10:00", 'time_zone = "Europe/Berlin"', datetime(2025, 7, 2, 8)),
        ("2025-01-02 10:00", 'time_zone = "Europe/Berlin"', datetime(2025, 1, 2, 9)),
        ("2025-01-02", 'time_zone = "Europe/Berlin"', datetime(2025, 1, 1, 23)),
        ("2025-01-02T10:00:00+00:00", 'time_zone = "Europe/Berlin"', datetime(2025, 1, 2, 10)),
        ("02.01.2025 10:00", 'format = "%d.%m.%Y %H:%M"', datetime(2025, 1, 2, 10)),
        (
            "02.01.2025",
            'format = ["%d.%m.%Y %H:%M", "%d.%m.%Y"], time_zone = "Europe/Berlin"',
            datetime(2025, 1, 1, 23),
        ),
        ("02.01.2025 10:00 +0200", 'format = "%d.%m.%Y %H:%M %z"', datetime(2025, 1, 2, 8)),
    ],
)
def test_times_become_utc_instants(store: DuckDB, tmp_path: Path, written: str, rule: str, meant: datetime) -> None:
    """An offset in the text always counts; a zone in the mapping counts where the text has none."""
    mapping = f'[columns]\noccurred_at = {{ from = "occurred_at", {rule} }}' if rule else ""
    assert one_event(store, tmp_path, "occurred_at", mapping, occurred_at=written) == meant


@pytest.mark.parametrize("written", ["gestern", "2025-02-30", "infinity", "0025-01-01", "03.04.2025"])
def test_what_is_no_time_is_refused(store: DuckDB, tmp_path: Path, written: str) -> None:
    """Nothing is guessed, and no year beyond 1900 to 2199 is believed."""
    assert str(one_event(store, tmp_path, "occurred_at", occurred_at=written)).startswith(f'"{written}" is no time')


@pytest.mark.parametrize(
    ("written", "rule", "meant"),
    [
        ("12.5", "", Decimal("12.5")),
        ("-3", "", Decimal(-3)),
        ("1.234,50", 'decimal = ",", thousands = "."', Decimal("1234.5")),
        ("1 234,50", 'decimal = ",", thousands = " "', Decimal("1234.5")),
        ("1\u00a0234,50", 'decimal = ",", thousands = " "', Decimal("1234.5")),
        ("1,234.50", 'thousands = ","', Decimal("1234.5")),
        ("12,5O0", "", '"12,5O0" is not a number'),
        ("1.234", 'decimal = ","', '"1.234" is not a number'),
        ("1000000000000000", "", '"1000000000000000" is too large'),
        ("nan", "", '"nan" is not a number'),
    ],
)
def test_numbers_are_read_as_they_are_written(
    store: DuckDB, tmp_path: Path, written: str, rule: str, meant: object
) -> None:
    """A sign that the mapping does not explain makes a row wait rather than a number wrong."""
    mapping = f'[columns]\nvalue = {{ from = "value", {rule} }}' if rule else ""
    assert one_event(store, tmp_path, "value", mapping, value=written) == meant


@pytest.mark.parametrize(
    ("url", "column", "meant"),
    [
        ("https://x.example/a/b?utm_source=s#top", "landing_page", "/a/b"),
        ("https://x.example", "landing_page", "/"),
        ("https://x.example?utm_source=s/t", "landing_page", "/"),
        ("/pricing?x=1", "landing_page", "/pricing"),
        ("https://x.example/?a=1&utm_source=big+news%C3%A9&b=2", "utm_source", "big newsé"),
        ("https://x.example/?utm_source=%FF", "utm_source", "%FF"),
        ("https://x.example/?xutm_source=no", "utm_source", None),
        ("https://x.example/?utm_source=", "utm_source", None),
        ("https://x.example/#/app?utm_source=s", "utm_source", "s"),
        ("https://x.example/?utm_source=s#more", "utm_source", "s"),
        ("https://x.example/?fbclid=F&gclid=G", "click_id_kind || click_id", "gclidG"),
        ("https://x.example/?gclid=&msclkid=M", "click_id", None),
        ("https://x.example/?ScCid=S", "click_id_kind || click_id", "sccidS"),
        ("https://x.example/?_kx=K", "click_id_kind || click_id", "_kxK"),
        ("https://x.example/?mail=jane%40acme.example&q=1", "url", "https://x.example/?mail=[e-mail]&q=1"),
    ],
)
def test_a_page_address_is_cut_up(store: DuckDB, tmp_path: Path, url: str, column: str, meant: object) -> None:
    """Path, tags and the most trusted click id come from it, decoded; addresses of people do not stay in it."""
    assert one_event(store, tmp_path, column, url=url) == meant


@pytest.mark.parametrize(
    ("referrer", "meant"),
    [
        ("https://www.Google.com/search?q=x", "google.com"),
        ("android-app://com.google.android.gm/", "com.google.android.gm"),
        ("http://user:pw@www.site.example:8080/x", "site.example"),
        ("news.example", "news.example"),
        ("https://site.example./x", "site.example"),
        ("site.example:8080/x", "site.example"),
        ("http://intranet/x", "intranet"),
        ("/own/page", None),
        ("-", None),
        ("null", None),
        ("(direct)", None),
        ("about:blank", None),
        ("javascript:void(0)//", None),
        ("file:///home/me/page.html", None),
    ],
)
def test_a_referrer_gives_its_host(store: DuckDB, tmp_path: Path, referrer: str, meant: object) -> None:
    """Lower case, without www., port, user or final point; what names no host refers nobody."""
    assert one_event(store, tmp_path, "referrer_domain", referrer=referrer) == meant


def test_columns_that_the_file_gives_are_not_derived(store: DuckDB, tmp_path: Path) -> None:
    """A tag given as a column stands, whatever the address says."""
    url = "https://x.example/?utm_source=address&utm_medium=cpc"
    assert one_event(store, tmp_path, "utm_source", url=url, utm_source="column") == "column"
    assert facts(store, "events", "utm_medium") == ["cpc"]


def test_what_a_row_leaves_empty_is_derived(store: DuckDB, tmp_path: Path) -> None:
    """Row by row: a column that is there and empty says nothing, and must not hide what the address says."""
    columns = ("utm_source", "utm_medium", "click_id_kind", "click_id", "landing_page", "referrer_domain")
    url = "https://x.example/a?utm_source=s&utm_medium=m&gclid=G"
    row = {"occurred_at": "2025-01-01", "kind": "page", "url": url, "referrer": "https://site.example/"}
    given = [
        dict.fromkeys(columns, ""),
        dict.fromkeys(columns, "mine"),
        dict.fromkeys(columns, "") | {"click_id": "G"},
        dict.fromkeys(columns, "") | {"click_id_kind": "gclid"},
        dict.fromkeys(columns, "") | {"click_id": "other"},
        dict.fromkeys(columns, "") | {"click_id_kind": "msclkid"},
    ]
    rows = [row | {"event_id": str(number)} | each for number, each in enumerate(given)]
    taken(store, tmp_path, "events", csv_text(rows))
    found = store.execute(f"SELECT {', '.join(columns)} FROM events ORDER BY event_id").fetchall()
    derived = ("s", "m", "gclid", "G", "/a", "site.example")
    assert found[:4] == [derived, ("mine",) * 6, derived, derived]
    assert [row[2:4] for row in found[4:]] == [(None, "other"), ("msclkid", None)]


def test_robots_are_known_by_their_user_agent(store: DuckDB, tmp_path: Path) -> None:
    """The user agent says robot and device; it is not kept."""
    agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    assert one_event(store, tmp_path, "bot_reason", user_agent=agent)
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 Safari/604.1"
    taken(
        store,
        tmp_path,
        "events",
        csv_text([{"event_id": "f", "occurred_at": "2025-01-01", "kind": "page", "User Agent": phone}]),
    )
    assert store.execute("SELECT bot_reason, device, properties FROM events WHERE event_id = 'f'").fetchall() == [
        (None, "mobile", None)
    ]


def test_addresses_and_numbers_are_normalised_hashed_and_kept_in_the_vault_alone(store: DuckDB, tmp_path: Path) -> None:
    """The hash is that of salt and SHA-256; writing a value differently makes no other person."""
    rows = (
        "contact_id,E-Mail,Mobile,changed_at\n"
        "1, Jane.Doe@Mail.Acme.co.uk ,030 123456,2025-01-01\n"
        "2,jane.doe@mail.acme.co.uk,+49 30 123456,2025-01-01\n"
        "3,n/a,-,2025-01-01\n"
    )
    taken(store, tmp_path, "contacts", rows)
    email, phone = "jane.doe@mail.acme.co.uk", "+4930123456"
    expected = (
        _hash(email),
        "acme.co.uk",
        _hash(phone),
    )
    found = facts(store, "contacts", "contact_id", "email_hash", "email_domain", "phone_hash")
    assert found == [("1", *expected), ("2", *expected), ("3", None, None, None)]
    assert facts(store, "vault", "raw_value") == [phone, email]


def test_a_digest_of_an_address_or_number_is_the_same_person_as_the_address(store: DuckDB, tmp_path: Path) -> None:
    """As sites, ad platforms and lists hand them over; what they stand for is not known, so the vault has nothing."""
    email, phone = (hashlib.sha256(value).hexdigest() for value in (b"jane@acme.example", b"+4930123456"))
    rows = (
        "contact_id,email,phone,changed_at\n"
        f"1, {email.upper()} ,{phone},2025-01-01\n"
        f"2,{email[:-1]},{phone}0,2025-01-01\n"
    )
    taken(store, tmp_path, "contacts", rows)
    expected = ("1", _hash("jane@acme.example"), None, _hash("+4930123456"))
    assert facts(store, "contacts", "contact_id", "email_hash", "email_domain", "phone_hash") == [expected]
    assert facts(store, "vault", "raw_value") == []
    assert len(facts(store, "quarantine", "reason")) == 2
    tie = f"left_kind,left_value,right_kind,right_value,observed_at\nemail,{email},user,u1,2025-01-01\n"
    taken(store, tmp_path, "links", tie)
    assert facts(store, "links", "left_value", "right_value") == [(_hash("jane@acme.example"), "u1")]


def test_personal_data_that_no_column_asks_for_is_left_out(store: DuckDB, tmp_path: Path) -> None:
    """Second e-mail columns go nowhere, addresses in texts are blotted out, a login that is an address is hashed."""
    row = {"event_id": "e", "occurred_at": "2025-01-01", "kind": "page", "user_id": "Jane@acme.example"}
    row |= {
        "note": "ask jane@acme.example please",
        "Work E-Mail": "jane@acme.example",
        "properties": '{"by": "jane@acme.example"}',
    }
    delivery = taken(store, tmp_path, "events", csv_text([row]))
    assert "Work E-Mail" in delivery.notices[0]
    assert "acme" not in str(facts(store, "events"))
    assert facts(store, "events", "user_id") == facts(store, "events", "email_hash")


def test_reasons_do_not_repeat_addresses(store: DuckDB, tmp_path: Path) -> None:
    """Messages hold no raw personal data, even when it stands in the wrong column."""
    row = {"contact_id": "1", "email": "jane at acme", "phone": "call me", "changed_at": "jane@acme.example"}
    taken(store, tmp_path, "contacts", csv_text([row]))
    reasons = " ".join(facts(store, "quarantine", "reason"))
    assert "jane" not in reasons
    assert "no e-mail address" in reasons
    assert "no phone number" in reasons


def test_ties_have_no_direction(store: DuckDB, tmp_path: Path) -> None:
    """A tie written either way round is one tie; addresses in it are hashed."""
    ties = (
        "left_kind,left_value,right_kind,right_value,observed_at\n"
        "user,u1,email,A@x.com,2025-01-01\n"
        "email,a@x.com,User,u1,2025-01-01\n"
        "user,u,user,u,2025-01-01\n"
        "emial,a,user,u,2025-01-01\n"
    )
    taken(store, tmp_path, "links", ties)
    digest = _hash("a@x.com")
    assert facts(store, "links", "left_kind", "left_value", "right_kind", "right_value") == [
        ("email", digest, "user", "u1")
    ]
    reasons = facts(store, "quarantine", "row_number", "reason")
    assert reasons[0] == (4, "it ties an identifier to itself")
    assert reasons[1][1].startswith('"emial" is none of')


def test_what_is_given_back_is_a_positive_amount(store: DuckDB, tmp_path: Path) -> None:
    """Shops write refunds with either sign."""
    rows = (
        "order_id,kind,amount,occurred_at,changed_at\n"
        "1,Refund,-5,2025-01-01,2025-01-01\n"
        "2,refund,5,2025-01-01,2025-01-01\n"
        "3,order,-5,2025-01-01,2025-01-01\n"
    )
    taken(store, tmp_path, "orders", rows)
    assert facts(store, "orders", "order_id", "amount::INT") == [("1", 5), ("2", 5), ("3", -5)]


def test_a_mapping_renames_maps_and_builds(store: DuckDB, tmp_path: Path) -> None:
    """Paths into JSON, templates, words, defaults and constants."""
    mapping = """
[columns]
event_id = { template = "lead-{No}" }
occurred_at = "When"
kind = { const = "form" }
name = "data.plan.name"
country = { from = "Land", values = { Deutschland = "DE" }, unmapped = "empty" }
device = { from = "Gerät", default = "desktop" }
keyword = false
"""
    header, cells = "No,When,data,Land,Gerät,keyword", '7,2025-01-01,"{""plan"": {""name"": ""pro""}}",'
    taken(store, tmp_path, "events", f"{header}\n{cells}Deutschland,,k\n8{cells[1:]}Mars,tablet,k\n", mapping)
    columns = ("event_id", "kind", "name", "country", "device", "keyword", "properties")
    assert facts(store, "events", *columns) == [
        ("lead-7", "form", "pro", "DE", "desktop", None, None),
        ("lead-8", "form", "pro", None, "tablet", None, None),
    ]


def test_words_that_a_mapping_refuses_wait(store: DuckDB, tmp_path: Path) -> None:
    """unmapped = "refuse" keeps unknown words out, and says which."""
    mapping = '[columns]\nname = { from = "name", values = { a = "A" }, unmapped = "refuse" }'
    assert one_event(store, tmp_path, "name", mapping, name="b") == '"b" is not among the values of the mapping'


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("[colums]", "Did you mean 'columns'"),
        ('[columns]\nkindd = "x"', "Did you mean 'kind'"),
        ('[columns]\nkind = { frm = "x" }', "Did you mean 'from'"),
        ('[columns]\nkind = { from = "kind", const = "x" }', "Keep one"),
        ('[columns]\nkind = { from = "kind", unmapped = "drop" }', "unmapped"),
        ('[[facts]]\ntable = "deal"', "Did you mean 'deals'"),
        ('[[facts]]\ntable = "deals"', "makes no events"),
        ('when = { column = "kind" }', "needs either"),
        ('[columns]\noccurred_at = { from = "occurred_at", time_zone = "Mars/Base" }', "IANA"),
        ('[columns]\noccurred_at = { from = "occurred_at", format = "DD.MM" }', "no %"),
        ("[columns", "not valid TOML"),
        ('[columns]\noccurred_at = { from = "occurred_at", format = "%Y-%Q" }', "'%Q' that means nothing"),
        ('[columns]\noccurred_at = { from = "occurred_at", format = "%Y %" }', "means nothing"),
        ('[file]\ndates = ["%Y", "%-Y"]', "'%-' that means nothing"),
        ('[file]\nencoding = "utf-9"', "no encoding 'utf-9'"),
        ('[file]\ndelimiter = ";;"', "delimiter ';;' must be one sign"),
        ('[file]\ndelimiter = "\\n"', "must be one sign"),
        ('[columns]\nvalue = { from = "kind", decimal = "abc" }', "decimal 'abc' must be one sign"),
        ("facts = [1]", r"\[\[facts\]\] 1 must be a table"),
        ('[[facts]]\ntable = ["events"]', "no table"),
        ('keep_rest = "no"', "keep_rest must be true or false"),
        ("when = 3", "column = "),
        ("file = 3", "delimiter = "),
        ("columns = 3", "must be a table"),
        ("[columns]\nkind = 3", "from = "),
    ],
)
def test_a_wrong_mapping_is_told_by_key(store: DuckDB, tmp_path: Path, mapping: str, said: str) -> None:
    """Unknown keys and senseless rules are errors that name the nearest known one."""
    with pytest.raises(ConfigError, match=said):
        one_event(store, tmp_path, "kind", mapping)


def test_a_mapping_that_names_a_missing_column_says_which_there_are(store: DuckDB, tmp_path: Path) -> None:
    """The nearest column of the file is offered."""
    with pytest.raises(InputError, match="Did you mean 'kind'"):
        one_event(store, tmp_path, "kind", '[columns]\nkind = "kinds"')


@pytest.mark.parametrize("kind", CLICK_IDS)
def test_every_click_id_is_cut_out_of_an_address(kind: str, store: DuckDB, tmp_path: Path) -> None:
    """Each kind that the channel rules know is captured at the door, also when it is the only parameter."""
    written = {"sccid": "ScCid"}.get(kind, kind)
    assert one_event(store, tmp_path, "click_id_kind", url=f"https://acme.example/?{written}=Cj0x") == kind
    assert facts(store, "events", "click_id") == ["Cj0x"]


def test_the_channel_rules_know_exactly_the_click_ids_of_the_door() -> None:
    """One list in one order: what an address carries first is what the rules judge by."""
    assert tuple(click.kind for click in rulebook(Settings()).click_ids) == CLICK_IDS


@pytest.mark.parametrize("number", ["000-000-0000", "0000000000", "+49 000 000000", "1111111111", "(999) 999-9999"])
def test_a_number_of_one_digit_is_nobody_s(number: str, store: DuckDB, tmp_path: Path) -> None:
    """Placeholders in a field for phone numbers are taken for nothing: the row goes in and ties nobody to anybody."""
    assert one_event(store, tmp_path, "phone_hash", phone=number) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1.234,50", "1234.50"), ("12,5", "12.5"), ("1234", "1234"), ("-1.234.567", "-1234567"), ("12.50", None)]
    + [(wrong, None) for wrong in ("1.23", "1,234.50", "1..2", "12.3456")],
)
def test_a_number_with_thousands_is_read_as_grouped_or_not_at_all(
    written: str, meant: str | None, store: DuckDB, tmp_path: Path
) -> None:
    """A point that does not part thousands makes the row wait: nobody's 12.50 becomes 1250."""
    mapping = '[file]\ndecimal = ","\nthousands = "."\ndelimiter = ";"\n'
    taken(store, tmp_path, "deals", f"deal_id;amount;changed_at\n1;{written};2025-01-01\n", mapping)
    assert facts(store, "deals", "amount") == ([Decimal(meant)] if meant else [])


def test_decimal_and_thousands_need_signs_of_their_own(store: DuckDB, tmp_path: Path) -> None:
    """One sign for both is a mistake in the mapping."""
    with pytest.raises(ConfigError, match="both ','"):
        taken(store, tmp_path, "deals", "deal_id,amount,changed_at\n", '[file]\ndecimal = ","\nthousands = ","\n')


def test_each_format_of_a_list_has_its_own_zone(store: DuckDB, tmp_path: Path) -> None:
    """A format with an offset does not take the mapping's time zone away from the others."""
    mapping = (
        '[columns]\nchanged_at = { from = "at", format = ["%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"], '
        'time_zone = "Europe/Berlin" }\n'
    )
    text = "deal_id,at\n1,05.03.2025 10:00\n2,2025-03-05T10:00:00+03:00\n"
    taken(store, tmp_path, "deals", text, mapping)
    assert facts(store, "deals", "changed_at") == [datetime(2025, 3, 5, 7), datetime(2025, 3, 5, 9)]


def test_seconds_since_1970_may_have_decimals(store: DuckDB, tmp_path: Path) -> None:
    """The digits before the point tell seconds from milliseconds."""
    assert one_event(store, tmp_path, "occurred_at", occurred_at="1735812000.25") == datetime(
        2025, 1, 2, 10, 0, 0, 250000
    )


def test_a_hash_that_is_none_is_refused(store: DuckDB, tmp_path: Path) -> None:
    """An address given for its hash does not lie raw in a fact."""
    assert "no SHA-256 hash" in str(one_event(store, tmp_path, "email_hash", email_hash="jane@acme.com"))


@pytest.mark.parametrize("column", ["anonymous_id", "group_id", "user_id"])
def test_an_address_for_an_id_is_hashed(column: str, store: DuckDB, tmp_path: Path) -> None:
    """Whatever identifies somebody by an e-mail address is kept as a hash."""
    assert len(str(one_event(store, tmp_path, column, **{column: "jane@acme.com"}))) == 64


def _hash(normal: str) -> str:
    digest = hashlib.sha256(normal.encode()).hexdigest()
    return hashlib.sha256(f"salt{digest}".encode()).hexdigest()
