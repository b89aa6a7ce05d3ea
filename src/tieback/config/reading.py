"""The text of a tieback.toml becomes settings, or a sentence that names the line or key that is wrong."""

from __future__ import annotations

import re
import tomllib
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tieback.config.settings import (
    DEFAULT_CONVERSIONS,
    DEFAULT_STAGES,
    ORDER_KINDS,
    PURPOSES,
    SIGNALS,
    STAGES,
    ChannelRule,
    Collect,
    Consent,
    Conversion,
    Exclude,
    Identity,
    Report,
    Retention,
    Settings,
    Touches,
    Traffic,
    Warehouse,
)
from tieback.errors import ConfigError, did_you_mean
from tieback.misfits import misfit

FILE_NAME = "tieback.toml"


def settings_from(text: str, where: str = FILE_NAME) -> Settings:
    """The settings that a tieback.toml's `text` holds; `where` names it in errors.

    [stages], [conversions.KIND] add to the defaults; [models] names exactly the models to run, when it is given.
    Raises ConfigError that names the line or key, and the nearest known one.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}. Mend that place and try again.") from None
    whole = _with_defaults(raw)
    try:
        settings = msgspec.convert(whole, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {misfit(error, whole, _SECTIONS)}") from None
    _check(settings, where)
    return settings


def _with_defaults(raw: dict[str, Any]) -> dict[str, Any]:
    """`raw` with the default stages, and the default conversions under those given."""
    stages, given = raw.get("stages", {}), raw.get("conversions", {})
    if not isinstance(stages, dict) or not isinstance(given, dict):
        return raw
    conversions: dict[str, Any] = {
        kind: msgspec.structs.asdict(default) for kind, default in DEFAULT_CONVERSIONS.items()
    }
    for kind, chosen in given.items():
        default = conversions.get(kind)
        same_source = (
            default and isinstance(chosen, dict) and chosen.get("source", default["source"]) == default["source"]
        )
        conversions[kind] = {**default, **chosen} if default and same_source else chosen
    return {**raw, "stages": {**DEFAULT_STAGES, **stages}, "conversions": conversions}


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    **{"": Settings, "warehouse": Warehouse, "identity": Identity, "touches": Touches, "traffic": Traffic},
    **{
        "channels": ChannelRule,
        "conversions": Conversion,
        "exclude": Exclude,
        "consent": Consent,
        "retention": Retention,
        "report": Report,
        "collect": Collect,
    },
}


def _check(settings: Settings, where: str) -> None:
    if not re.fullmatch(r"[A-Z]{3}", settings.currency):
        raise ConfigError(f"{where}: currency {settings.currency!r} is no ISO 4217 code such as EUR or USD.")
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"{where}: time_zone {settings.time_zone!r} is no IANA name such as Europe/Berlin.") from None
    model, models = settings.report.model, settings.models
    if not models:
        raise ConfigError(f"{where}: [models] names no model. Name one, as in [models.linear], or leave [models] out.")
    for name in models:
        if name in ("", "all") or "," in name or name != name.strip():
            raise ConfigError(
                f"{where}: a model cannot be called {name!r}: `--model` takes names separated by commas, or `all`."
            )
    if model not in models and model != Report().model:
        raise ConfigError(f"{where}: [report] model {model!r} is none of [models]. {did_you_mean(model, models)}")
    for stage in settings.stages:
        if stage not in STAGES:
            raise ConfigError(f"{where}: unknown stage {stage!r} in [stages]. {did_you_mean(stage, STAGES)}")
    for number, rule in enumerate(settings.channels, start=1):
        if rule.channel.strip().lower() in ("", "unattributed"):
            raise ConfigError(
                f"{where}: [[channels]] number {number} cannot be called {rule.channel!r}: give the channel a name, "
                "and not that of the revenue that no touch explains."
            )
    for purpose in PURPOSES:
        for signal in getattr(settings.consent, purpose):
            if signal not in SIGNALS:
                raise ConfigError(
                    f"{where}: [consent] {purpose} names {signal!r}, no signal. {did_you_mean(signal, SIGNALS)}"
                )
    for kind, conversion in settings.conversions.items():
        _check_conversion(kind, conversion, where)


def _check_conversion(kind: str, conversion: Conversion, where: str) -> None:
    place = f"{where}: [conversions.{kind}]"
    if conversion.source not in ("deals", "orders", "events"):
        raise ConfigError(f"{place} source {conversion.source!r} is none of deals, orders, events.")
    if conversion.source == "deals" and conversion.stage not in STAGES:
        raise ConfigError(f"{place} stage {conversion.stage!r} is unknown. {did_you_mean(conversion.stage, STAGES)}")
    if conversion.source == "orders" and (conversion.order_kind or kind) not in ORDER_KINDS:
        raise ConfigError(f"{place} needs order_kind, one of {', '.join(ORDER_KINDS)}.")
    if conversion.source == "events" and not conversion.event:
        raise ConfigError(f"{place} needs event: the name or kind of the events that count.")
    allowed = {"deals": ("amount",), "orders": ("amount", "margin"), "events": ("value",)}[conversion.source]
    number = r"[0-9]{1,12}(\.[0-9]{1,6})?"
    if conversion.value not in ("", "none", *allowed) and not re.fullmatch(number, conversion.value):
        raise ConfigError(
            f'{place} value {conversion.value!r} is none of none, {", ".join(allowed)} or a number such as "120" '
            "(of at most 12 digits, and 6 behind the point)."
        )
