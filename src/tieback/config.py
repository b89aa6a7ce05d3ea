"""tieback.toml, read once into frozen values.

Every name, default and meaning of the file stands here; `tieback init` writes it out commented.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from tieback.errors import ConfigError, WorkspaceError, did_you_mean
from tieback.misfits import misfit

FILE_NAME = "tieback.toml"
SALT_NAME = "tieback.salt"
WAREHOUSE_NAME = "warehouse.duckdb"
RUNS_NAME = "runs"
INTAKE_NAME = "intake.duckdb"
STAGES = ("lead", "mql", "sql", "opportunity", "customer", "lost")
ORDER_KINDS = ("order", "subscription", "renewal", "expansion", "refund")

_ZERO_DECIMALS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
    *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
}
_THREE_DECIMALS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
Days = Annotated[float, Meta(gt=0, le=36_500)]


def currency_decimals(currency: str) -> int:
    """Decimal places of a currency's minor unit, by ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD."""
    return 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


class Warehouse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[warehouse]: the engine that holds facts and opinions, the embedded one's limits, and how many runs it keeps.

    url: of another engine, `${NAME}` in it being an environment variable; empty for the embedded file.
    spill: the folder for what does not fit into `memory`, below the workspace's unless it is absolute.
    """

    url: str = ""
    memory: Annotated[str, Meta(pattern=r"^\d+(\.\d+)? ?([KMGT]i?B|[kmgt]i?b)$")] = "1.5GB"
    threads: NotNegative = 0  # 0: all cores
    spill: str = "spill"
    keep_runs: Positive = 5


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[identity]: how identifiers become people, and people accounts."""

    max_anonymous: Positive = 100  # browsers and devices of one person
    max_email: Positive = 10
    max_phone: Positive = 5
    max_customer: Positive = 5
    max_account_people: Positive = 1000  # above this an e-mail domain is no company
    junk: tuple[str, ...] = ()  # identifiers that must never link, besides the built-in ones
    free_mail: tuple[str, ...] = ()  # e-mail domains that are no company, besides the built-in ones
    phone_region: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "US"  # where a number without country code is dialled


class Touches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[touches]: which events are marketing touches, and how long each kind may earn credit."""

    session_minutes: Positive = 30
    kinds: tuple[str, ...] = (
        "ad_click",
        "email_click",
        "call",
        "chat",
        "text",
        "meeting",
        "webinar",
        "crm_campaign",
        "offline",
    )
    credit_views: bool = False  # ad_view and email_open: kept, shown, but earn nothing unless true
    lookback_days: dict[str, Days] = {}  # by kind of touch


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[traffic]: what is never a referral."""

    own_domains: tuple[str, ...] = ()
    payment_domains: tuple[str, ...] = ()  # besides the built-in ones
    sign_in_domains: tuple[str, ...] = ()  # besides the built-in ones


CONDITIONS = ("source", "medium", "campaign", "referrer", "click_id", "kind")  # of a channel rule


class ChannelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[channels]]: a rule of yours, tried before the built-in ones.

    Every condition given must hold: each is a regular expression (the subset that all engines share)
    that must match the whole value, in lower case.
    """

    channel: str
    source: str = ""
    medium: str = ""
    campaign: str = ""
    referrer: str = ""
    click_id: str = ""
    kind: str = ""  # kind of touch
    is_paid: bool = False


class Conversion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[conversions.KIND]: what counts as a conversion of that kind.

    source: deals (by `stage`), orders (by `order_kind`, the kind's own name unless given) or events
    (by `event`: its name or kind).
    value: amount (deals, orders), value (events), margin (orders), none, or a fixed number in the base currency.
    """

    source: str
    stage: str = ""
    order_kind: str = ""
    event: str = ""
    value: str = ""
    is_revenue: bool = False
    is_sale: bool = False  # makes the subject a customer
    lookback_days: Days = 90.0


class Exclude(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[exclude]: what never counts. Patterns are globs, letter case ignored."""

    bots: bool = True
    email_domains: tuple[str, ...] = ()  # staff and partners, by the domain that is registered: acme.com
    user_ids: tuple[str, ...] = ()
    anonymous_ids: tuple[str, ...] = ()
    deals: tuple[str, ...] = ("test*", "*(test)*")  # by name or id
    accounts: tuple[str, ...] = ()  # by id or name


DEFAULT_STAGES: dict[str, tuple[str, ...]] = {
    "lead": ("lead", "new"),
    "mql": ("mql", "marketing qualified lead"),
    "sql": ("sql", "sales qualified lead"),
    "opportunity": ("opportunity", "proposal", "negotiation"),
    "customer": ("customer", "won", "closed won", "closedwon"),
    "lost": ("lost", "closed lost", "closedlost"),
}

DEFAULT_CONVERSIONS: dict[str, Conversion] = {
    "lead": Conversion(source="deals", stage="lead", value="none", lookback_days=90),
    "mql": Conversion(source="deals", stage="mql", value="none", lookback_days=90),
    "sql": Conversion(source="deals", stage="sql", value="none", lookback_days=180),
    "opportunity": Conversion(source="deals", stage="opportunity", value="amount", lookback_days=180),
    "customer": Conversion(
        source="deals", stage="customer", value="amount", is_revenue=True, is_sale=True, lookback_days=365
    ),
    "order": Conversion(source="orders", value="amount", is_revenue=True, is_sale=True, lookback_days=90),
    "subscription": Conversion(source="orders", value="amount", is_revenue=True, is_sale=True, lookback_days=90),
    "renewal": Conversion(source="orders", value="amount", is_revenue=True, lookback_days=365),
    "expansion": Conversion(source="orders", value="amount", is_revenue=True, lookback_days=365),
    "refund": Conversion(source="orders", value="amount", is_revenue=True, lookback_days=365),
}

DEFAULT_MODELS: dict[str, dict[str, Any]] = {
    name: {}
    for name in (
        "first_touch",
        "last_touch",
        "last_non_direct",
        "last_paid",
        "linear",
        "position_based",
        "time_decay",
        "u_shaped",
        "w_shaped",
        "full_path",
        "j_shaped",
        "inverse_j",
    )
}


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[report]: what a report shows unless told otherwise."""

    model: str = "linear"
    few_conversions: NotNegative = 30  # below this, "too few to say"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole tieback.toml. Currency is ISO 4217, time_zone an IANA name."""

    name: str = "workspace"
    currency: str = "USD"
    time_zone: str = "UTC"
    warehouse: Warehouse = Warehouse()
    identity: Identity = Identity()
    touches: Touches = Touches()
    traffic: Traffic = Traffic()
    channels: tuple[ChannelRule, ...] = ()
    stages: dict[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: dict(DEFAULT_STAGES))
    conversions: dict[str, Conversion] = msgspec.field(default_factory=lambda: dict(DEFAULT_CONVERSIONS))
    exclude: Exclude = Exclude()
    models: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: dict(DEFAULT_MODELS))
    report: Report = Report()

    @property
    def decimals(self) -> int:
        """Decimal places of the base currency's minor unit."""
        return currency_decimals(self.currency)


@dataclass(frozen=True)
class Workspace:
    """A folder with a tieback.toml: its settings and where its files lie. salt: empty when its file is lost."""

    folder: Path
    settings: Settings
    salt: str

    @property
    def warehouse(self) -> Path:
        """The embedded warehouse's file."""
        return self.folder / WAREHOUSE_NAME

    @property
    def runs(self) -> Path:
        """The folder of the finished runs that readers see."""
        return self.folder / RUNS_NAME

    @property
    def intake(self) -> Path:
        """The embedded file that files are read through: the warehouse, unless that is another engine."""
        return self.folder / INTAKE_NAME if self.settings.warehouse.url else self.warehouse


def open_workspace(folder: Path) -> Workspace:
    """The workspace in `folder`.

    Raises WorkspaceError if there is none, ConfigError if its tieback.toml is not right.
    """
    file = folder / FILE_NAME
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        where = "the current folder" if folder == Path() else str(folder)
        raise WorkspaceError(
            f"There is no {FILE_NAME} in {where}. Make one with `tieback init`, or name its folder with -w."
        ) from None
    except NotADirectoryError:
        raise WorkspaceError(f"{folder} is a file. Name the workspace's folder with -w.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{file} cannot be read ({error}). Mend the file or its permissions.") from None
    return Workspace(folder, settings_from(text, str(file)), _salt(folder))


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
    **{"channels": ChannelRule, "conversions": Conversion, "exclude": Exclude, "report": Report},
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


def write_new(file: Path, text: str, mode: int = 0o666) -> None:
    """Make `file` with `text`, whole or not at all: nobody ever sees half of it, and of two processes one makes it.

    Raises FileExistsError when it is there already, other OSErrors when it cannot be made.
    """
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        try:
            os.link(aside, file)
        except OSError:  # it is there already, or nothing can be linked here: then whoever claims the name makes it
            file.touch(mode, exist_ok=False)
            aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _salt(folder: Path) -> str:
    """The workspace's salt; made on first use, for its owner alone. Empty where it is lost and facts are not."""
    file = folder / SALT_NAME
    try:
        if not file.exists() and any((folder / name).exists() for name in (WAREHOUSE_NAME, INTAKE_NAME)):
            return ""
        if not file.exists():
            with suppress(FileExistsError):
                write_new(file, os.urandom(32).hex() + "\n", 0o600)
        salt = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(
            f"{file} cannot be made or read ({error}). Check the folder's permissions and free space."
        ) from None
    if not re.fullmatch(r"[0-9a-f]{64}", salt):
        raise WorkspaceError(
            f"{file} does not hold a salt of 64 hexadecimal digits. Restore it from a backup: with another one, nobody "
            "who was imported before would be known again."
        )
    return salt
