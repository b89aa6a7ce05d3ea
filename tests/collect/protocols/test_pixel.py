from __future__ import annotations

from tests.collect.protocols.asking import PAGE, get, only, refusals
from tieback.collect.protocols.pixel import wire


def test_an_opened_mail_tells_whose_it_was() -> None:
    """Parameters are columns, or properties; the image is never kept by anybody on the way."""
    request = get(
        "/px.gif", "key=k&kind=email_open&contact_id=c-1&name=welcome&utm_campaign=spring&step=2&value=1.5&id=m-1"
    )
    assert only(wire, request) == {
        "occurred_at": "2026-11-27T12:00:00+00:00",
        "kind": "email_open",
        "contact_id": "c-1",
        "name": "welcome",
        "utm_campaign": "spring",
        "value": 1.5,
        "properties": {"step": "2"},
    }
    batch = wire.read(request)
    assert (batch.key, batch.collected[0].message_id) == ("k", "m-1")
    answer = wire.accepted(batch)
    assert (answer.status, answer.content_type, len(answer.body)) == (200, "image/gif", 43)
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_page_without_script_is_the_one_that_asks() -> None:
    """Its address stands in the header; that of a mail program means nothing."""
    assert only(wire, get("/px.gif", "key=k", referer=PAGE)).items() >= {"kind": "page", "url": PAGE}.items()
    assert "url" not in only(wire, get("/px.gif", "key=k&kind=email_open", referer="https://mail.example/"))


def test_a_kind_is_a_word() -> None:
    """Whatever word it is."""
    assert refusals(wire, get("/px.gif", {"key": "k", "kind": "<script>"}))
    assert only(wire, get("/px.gif", "kind=Brochure_Scan"))["kind"] == "brochure_scan"
