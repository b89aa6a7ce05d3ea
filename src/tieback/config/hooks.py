"""A webhook file (hooks/NAME.toml): how what the vendor NAME sends is proved to be its own, and becomes events.

It is a mapping file with two sections more, [signature] and [payload]; docs/how-to/webhooks.md tells them at length.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tieback.config.mapping import Fact, Written, mapping_of
from tieback.errors import ConfigError, did_you_mean

FOLDER_NAME = "hooks"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[signature]: how the vendor signs, with a secret that stands in an environment variable.

    secret: `${NAME}`. preset: a vendor of PRESETS, of which what else is given overrides single keys.
    header: where the signature stands, after `prefix`; or, where it holds pairs (t=1,v1=ab), in the one named `part`.
    signs: what is signed: a text with {body}, {timestamp}, {url}; or `form`: the address and the form's sorted fields.
    timestamp: the header, or with `part` the other one of the pairs, that holds the seconds (or milliseconds) since
    1970 of sending; a request is refused when that is more than `tolerance_seconds` ago or ahead.
    url: the address that the vendor calls, where it is signed; [collect] public_url and the path unless given.
    """

    secret: str
    preset: str = ""
    header: str = ""
    algorithm: Literal["hmac-sha256", "hmac-sha1"] = "hmac-sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    part: str = ""
    signs: str = "{body}"
    timestamp: str = ""
    tolerance_seconds: int = 300
    url: str = ""


class Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[payload]: events, the path to the list of them, where a request holds more than one."""

    events: str = ""


PRESETS: dict[str, dict[str, Any]] = {
    "twilio": {"header": "X-Twilio-Signature", "algorithm": "hmac-sha1", "encoding": "base64", "signs": "form"},
    "typeform": {"header": "Typeform-Signature", "encoding": "base64", "prefix": "sha256="},
    "intercom": {"header": "X-Hub-Signature", "algorithm": "hmac-sha1", "prefix": "sha1="},
    "calendly": {
        "header": "Calendly-Webhook-Signature",
        "part": "v1",
        "timestamp": "t",
        "signs": "{timestamp}.{body}",
    },
    "hubspot": {
        "header": "X-HubSpot-Signature-v3",
        "encoding": "base64",
        "timestamp": "X-HubSpot-Request-Timestamp",
        "signs": "POST{url}{body}{timestamp}",
    },
}


@dataclass(frozen=True)
class Hook:
    """What is sent to /hooks/`source`. signature: None where the sender cannot sign, and gives the write key instead.

    secret, url: what it is signed with, and the address that the sender calls; empty until they are looked up.
    """

    source: str
    fact: Fact
    written: Written
    events: str = ""
    signature: Signature | None = None
    secret: str = ""
    url: str = ""


def hooks_in(folder: Path, variables: Mapping[str, str], public_url: str = "") -> dict[str, Hook]:
    """The webhooks of the workspace in `folder` by source, ready to be called.

    variables: in which secrets are looked up. public_url: where the world reaches the collector.
    Raises ConfigError that names the file, and the key or variable.
    """
    files = sorted((folder / FOLDER_NAME).glob("*.toml"))
    return {file.stem: _ready(hook_in(file, file.stem), file, variables, public_url) for file in files}


def hook_in(file: Path, source: str) -> Hook:
    """The webhook of `source` that `file` describes. Raises ConfigError that names the file and the key."""
    try:
        raw = tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The webhook file {file} cannot be read: {error}. Mend it and try again.") from None
    where = str(file)
    payload = _as(Payload, raw.pop("payload", {}), f"{where}: [payload]")
    signature = _signature(raw.pop("signature"), f"{where}: [signature]") if "signature" in raw else None
    mapping = mapping_of(raw, "events", where)
    if len(mapping.facts) != 1 or mapping.facts[0].table.name != "events":
        raise ConfigError(f"{where}: a webhook makes one event of each thing sent. Leave [[facts]] out.")
    fact = mapping.facts[0]
    if "kind" not in fact.rules:
        raise ConfigError(f'{where}: say of what kind its events are, as in [columns] kind = {{ const = "call" }}.')
    _check_times(fact, mapping.written, where)
    return Hook(source, fact, mapping.written, payload.events, signature)


def _ready(hook: Hook, file: Path, variables: Mapping[str, str], public_url: str) -> Hook:
    """`hook` with its secret and address. Raises ConfigError for what is not set."""
    signature = hook.signature
    if not signature:
        return hook
    name = _VARIABLE.sub(r"\1", signature.secret)
    if not variables.get(name):
        raise ConfigError(
            f"The environment variable {name}, which {file} names as its secret, is not set. Set it and try again: "
            f"export {name}=…"
        )
    url = signature.url or (f"{public_url.rstrip('/')}/{FOLDER_NAME}/{hook.source}" if public_url else "")
    if not url and (signature.signs == "form" or "{url}" in signature.signs):
        raise ConfigError(
            f"{file}: the sender signs the address that it calls. Set [collect] public_url in tieback.toml, or url "
            "under [signature], to what stands there."
        )
    return replace(hook, secret=variables[name], url=url)


def _signature(given: Any, where: str) -> Signature:
    preset = given.get("preset", "") if isinstance(given, dict) else ""
    if preset and preset not in PRESETS:
        raise ConfigError(f"{where}: there is no preset {preset!r}. {did_you_mean(str(preset), PRESETS)}")
    found: Signature = _as(Signature, {**PRESETS.get(preset, {}), **given} if isinstance(given, dict) else given, where)
    if not found.header:
        raise ConfigError(f"{where} needs header, the one in which the signature stands, or a preset.")
    if not _VARIABLE.fullmatch(found.secret):
        raise ConfigError(
            f'{where}: secret names an environment variable, as in "${{CALLS_SECRET}}". A secret itself does not stand '
            "in a file."
        )
    if found.signs != "form" and "{body}" not in found.signs:
        raise ConfigError(f'{where}: signs is "form", or a text that holds {{body}}, as in "{{timestamp}}.{{body}}".')
    if "{timestamp}" in found.signs and not found.timestamp:
        raise ConfigError(f"{where}: signs holds a {{timestamp}}; say with timestamp in which header that stands.")
    return found


def _check_times(fact: Fact, written: Written, where: str) -> None:
    """Raises ConfigError for a format of times that nothing could be written in, or a zone that there is not."""
    files = (written.dates,) if isinstance(written.dates, str) else written.dates
    given = {*files, *(each for rule in fact.rules.values() for each in rule.formats)} - {"", "epoch_s", "epoch_ms"}
    for each in sorted(given):
        try:
            datetime.strptime(datetime.now(UTC).strftime(each), each)  # noqa: DTZ007  # only its form is looked at
        except ValueError:
            raise ConfigError(f"{where}: the time format {each!r} means nothing. Write it as %d.%m.%Y %H:%M.") from None
    for zone in {written.time_zone, *(rule.time_zone for rule in fact.rules.values())} - {""}:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(f"{where}: time_zone {zone!r} is no IANA name such as Europe/Berlin.") from None


def _as(kind: Any, given: Any, where: str) -> Any:
    if isinstance(given, dict):
        for key in given:
            if key not in kind.__struct_fields__:
                raise ConfigError(f"{where}: unknown key {key!r}. {did_you_mean(key, kind.__struct_fields__)}")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}. Mend it and try again.") from None
