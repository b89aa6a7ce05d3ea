"""What `tieback serve` logs: lines of JSON that say how it stands, and nothing of what was sent."""

from __future__ import annotations

import json
import logging
import signal
import socket
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.cli.test_serve import WAIT, comes, made, serving, visit, visits
from tieback.cli.logs import Libraries


def test_a_collector_tells_its_life_in_json(tmp_path: Path) -> None:
    """Start and end, its loader's too, and each sort of refusal once, however often it came; nothing of any request."""
    folder, key = made(tmp_path)
    with serving(folder, key) as served:
        assert served.send(visit(1)).status_code == 200
        assert comes(lambda: visits(folder))
        for _ in range(5):
            body = {"key": "tb_secret-of-nobody", "events": [{"kind": "page", "email": "ann@acme.example"}]}
            assert httpx.post(f"{served.url}/v1/events", json=body, timeout=30).status_code == 401
        host, port = served.url.removeprefix("http://").split(":")
        for _ in range(5):
            with socket.create_connection((host, int(port)), timeout=30) as broken:
                broken.sendall(b"no HTTP of ann@acme.example\r\n\r\n")
                assert b"400" in broken.recv(1000)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=WAIT) == 0
        assert served.process.stderr
        text = served.process.stderr.read()
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(line.keys() >= {"event", "level", "timestamp"} for line in lines)
    events = [line["event"] for line in lines]
    assert {"The loader begins", "Collected: 1 new, 0 already held, 0 in quarantine.", "The loader ends"} <= {*events}
    assert events[-1] == "Stopped; all that was acknowledged is in the inbox."
    refused = [line for line in lines if line["event"] == "Requests refused"]
    assert [(line["protocol"], line["reason"], line["requests"]) for line in refused] == [("tieback", "unknown key", 5)]
    invalid = [line for line in lines if line["event"].startswith("Invalid HTTP request")]
    assert [line.get("again") for line in invalid] == [None, 4]
    assert not any(word in text for word in ("secret-of-nobody", "ann@", key))


def test_what_a_library_says_holds_nothing_that_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """A message's first line as the program has it, an error's kind and place; what is said again is a count."""
    logger, libraries = logging.Logger("some.library"), Libraries()
    logger.addHandler(libraries)
    for _ in range(3):
        logger.info("ann@acme.example came")
        logger.warning("Refused %s\nann@acme.example", "ann@acme.example")
        try:
            raise ValueError("ann@acme.example")
        except ValueError:
            logger.exception("It failed")
    libraries.tell_again()
    libraries.tell_again()
    logger.warning("Refused %s", "ann@acme.example")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"], line.get("again")) for line in lines] == [
        ("Refused %s", "warning", None),
        ("It failed", "error", None),
        ("Refused %s", "warning", 2),
        ("It failed", "warning", 2),
        ("Refused %s", "warning", None),
    ]
    assert {line["library"] for line in lines} == {"some.library"}
    assert lines[1]["error"].startswith(f"ValueError at {__file__}:")
    assert "ann@" not in json.dumps(lines)
