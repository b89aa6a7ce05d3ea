"""The OpenAPI document says what the collector does: asked whatever it allows, a running one answers as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.cli.test_serve import made, serving
from tieback.collect.openapi import document
from tieback.collect.protocols import own
from tieback.collect.requests import Request
from tieback.schema.facts import EVENTS

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EPOCH = datetime(2026, 3, 31, 12)
HOOK = 'keep_rest = false\n[columns]\nkind = { const = "form" }\nemail = "email"\n'


@dataclass(frozen=True)
class Running:
    """A collector that runs, and its write key."""

    url: str
    key: str

    def counted(self) -> float:
        """How many events it has counted, whatever became of them."""
        text = httpx.get(f"{self.url}/metrics").text
        return sum(float(number) for number in re.findall(r"^tieback_events_total\{.*\} (\S+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One with a source `web`, that has a webhook."""
    folder, key = made(tmp_path_factory.mktemp("openapi"))
    (folder / "hooks").mkdir()
    (folder / "hooks" / "web.toml").write_text(HOOK)
    with serving(folder, key, "--no-load") as served:
        yield Running(served.url, key)


SCHEMA = schemathesis.openapi.from_dict(document())
SCHEMA.config.phases.coverage.enabled = False  # every mix of the pixel's thirty parameters would take a minute


@SCHEMA.parametrize()
@settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_collector_answers_as_its_document_says(case: schemathesis.Case, running: Running) -> None:
    """Whatever is asked: no fault of its own, answers of the form described, and what a 200 counts was counted."""
    if isinstance(case.body, dict):
        case.body.pop("key", None)  # else hardly a request would come past the door
    if case.path == "/hooks/{source}":
        case.path_parameters["source"] = "web"
    before = running.counted()
    answer = case.call(
        base_url=running.url, headers={"authorization": f"Bearer {running.key}"}, params={"key": running.key}
    )
    case.validate_response(answer, checks=CHECKS)
    told = answer.json() if answer.status_code == 200 and case.method == "POST" else {"taken": 0, "refused": 0}
    if case.path == "/px.gif" and answer.status_code == 200:
        told["taken"] = 1
    assert running.counted() - before == told["taken"] + told["refused"]


def test_the_document_is_the_one_in_the_docs(running: Running) -> None:
    """Whoever reads either reads the same."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
    assert httpx.get(f"{running.url}/openapi.json").json() == document() == json.loads(page.read_text())


@pytest.mark.parametrize(
    "name", sorted({*EVENTS.names, "email", "phone", "user_agent", "consent", "gpc", "event_id", "colour"})
)
def test_a_field_is_described_exactly_when_it_is_taken(name: str) -> None:
    """Columns that the door works out itself, and unknown ones, are neither."""
    value = {"ad_storage": "granted"} if name in ("properties", "consent") else "2026-03-31T12:00:00Z"
    body = json.dumps({"key": "k", "events": [{"kind": "page", name: value}]}).encode()
    read = own.wire.read(Request("POST", "/v1/events", {}, {}, body, EPOCH))
    assert (name in document()["components"]["schemas"]["Event"]["properties"]) is bool(read.collected)
