"""A webhook file (hooks/NAME.toml): how what the vendor NAME sends is proved to be its own, and becomes events.

It is a mapping file with two sections more, [signature] and [payload]; docs/how-to/webhooks.md tells them at length.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from tieback.config.mapping import Fact, Written, mapping_of
from tieback.errors import ConfigError, did_you_mean

FOLDER_NAME = "hooks"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[signature]: how the vendor signs, with a secret that stands in an environment variable.

    secret: `${NAME}`. preset: a vendor of PRESETS, of which what else is given overrides single keys.
    header: where the signature stands, after `prefix`; or, where it holds pairs (t=1,v1=ab), in the one named `part`.
    signs: what is signed: a text with {body} and {timestamp}, or `form`: the address and the sorted fields of the form.
    timestamp: the header, or with `part` the other one of the pairs, that holds the seconds since 1970 of sending; a
    request is refused when that is more than `tolerance_seconds` ago or ahead.
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
}


@dataclass(frozen=True)
class Hook:
    """What is sent to /hooks/`source`. signature: None where the sender cannot sign, and gives the write key instead.

    secret: empty until the variable is looked up.
    """

    source: str
    fact: Fact
    written: Written
    events: str = ""
    signature: Signature | None = None
    secret: str = ""


def hooks_in(folder: Path, variables: Mapping[str, str]) -> dict[str, Hook]:
    """The webhooks of the workspace in `folder` by source, secrets looked up in `variables`. Raises ConfigError."""
    files = sorted((folder / FOLDER_NAME).glob("*.toml"))
    return {file.stem: hook_in(file, file.stem, variables) for file in files}


def hook_in(file: Path, source: str, variables: Mapping[str, str] | None = None) -> Hook:
    """The webhook of `source` that `file` describes; without `variables` its secret is left out.

    Raises ConfigError that names the key or the variable.
    """
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
    _check_formats(fact, mapping.written, where)
    secret = _secret(signature, variables, where) if signature and variables is not None else ""
    return Hook(source, fact, mapping.written, payload.events, signature, secret)


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


def _secret(signature: Signature, variables: Mapping[str, str], where: str) -> str:
    name = _VARIABLE.sub(r"\1", signature.secret)
    if not variables.get(name):
        raise ConfigError(
            f"The environment variable {name}, which {where} names as its secret, is not set. Set it and try again: "
            f"export {name}=…"
        )
    return variables[name]


def _check_formats(fact: Fact, written: Written, where: str) -> None:
    """Raises ConfigError for a format of times that nothing could be written in."""
    files = (written.dates,) if isinstance(written.dates, str) else written.dates
    for each in {*files, *(each for rule in fact.rules.values() for each in rule.formats)} - {"epoch_s", "epoch_ms"}:
        try:
            datetime.strptime(datetime.now(UTC).strftime(each), each)  # noqa: DTZ007  # only its form is looked at
        except ValueError:
            raise ConfigError(f"{where}: the time format {each!r} means nothing. Write it as %d.%m.%Y %H:%M.") from None


def _as(kind: Any, given: Any, where: str) -> Any:
    if isinstance(given, dict):
        for key in given:
            if key not in kind.__struct_fields__:
                raise ConfigError(f"{where}: unknown key {key!r}. {did_you_mean(key, kind.__struct_fields__)}")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}. Mend it and try again.") from None
