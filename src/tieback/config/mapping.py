"""A mapping file (MAP.toml), read once into frozen values: how a file's columns become facts.

Every key and meaning of the file stands here; docs/reference/mapping.md tells them at length.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tieback.errors import ConfigError, InputError, did_you_mean
from tieback.schema import FACTS, Table

FACT_TABLES: dict[str, Table] = {table.name: table for table in FACTS}
RAW_COLUMNS = {"email": "email_hash", "phone": "phone_hash", "user_agent": "bot_reason"}  # taken raw, never kept raw
_UNMAPPED = ("keep", "refuse", "empty")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one column of a fact comes from, and how it is written there.

    column: the file's column, or a path into JSON ("properties.plan"). const, template ("lead-{mql_id}"): instead.
    default: what an empty cell means. values: their word → ours; unmapped: keep, refuse or empty those not listed.
    format: strptime formats, or epoch_s, epoch_ms. time_zone: IANA name for times that name no zone.
    decimal, thousands: the signs in numbers. skip: the fact goes without this column.
    """

    column: str = msgspec.field(default="", name="from")
    const: str | int | float | bool | None = None
    template: str = ""
    default: str | int | float | bool | None = None
    values: dict[str, str | int | float | bool] = {}
    unmapped: str = "keep"
    format: str | tuple[str, ...] = ()
    time_zone: str = ""
    decimal: str = ""
    thousands: str = ""
    skip: bool = False

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats, however many were given."""
        return ((self.format,) if self.format else ()) if isinstance(self.format, str) else self.format


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only rows whose `column` is empty, is not, or is one of `is_`."""

    column: str
    empty: bool | None = None
    words: tuple[str, ...] = msgspec.field(default=(), name="is")


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[file]: how the whole file is written; a column's own rule comes first."""

    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""
    thousands: str = ""
    time_zone: str = ""
    dates: str | tuple[str, ...] = ()


_EXAMPLES: dict[type, str] = {
    Rule: '{ from = "Column" }',
    When: '{ column = "Column", empty = false }',
    Written: '{ delimiter = ";" }',
}


@dataclass(frozen=True)
class Fact:
    """One fact that each row becomes. keep_rest: columns that nobody wants go to its JSON column, where it has one."""

    table: Table
    rules: dict[str, Rule]
    when: tuple[When, ...] = ()
    keep_rest: bool = True


@dataclass(frozen=True)
class Mapping:
    """A whole mapping; `text` is the TOML it came from, `where` names it in errors."""

    facts: tuple[Fact, ...]
    written: Written = field(default_factory=Written)
    text: str = ""
    where: str = ""


def mapping_for(table: str, file: Path | None = None) -> Mapping:
    """The mapping in `file` for an import into `table`; without a file, columns are taken by name.

    Raises ConfigError that names the key and the nearest known one; InputError when the file cannot be read.
    """
    if file is None:
        return mapping_from("", table)
    if file.exists() and not file.is_file():
        raise InputError(f"The mapping {file} is a folder, a pipe or a device. Name a file.")
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"The mapping {file} cannot be read ({error.strerror}). Check its name and permissions."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"The mapping {file} is not UTF-8. Save it as UTF-8 and try again.") from None
    return mapping_from(text, table, str(file))


def mapping_from(text: str, table: str, where: str = "mapping") -> Mapping:
    """The mapping that TOML `text` holds, for an import into `table`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}. Mend that place and try again.") from None
    return mapping_of(raw, table, where, text)


def mapping_of(raw: dict[str, Any], table: str, where: str, text: str = "") -> Mapping:
    """The mapping that the parsed TOML `raw` holds, for an import into `table`; `text` is what it came from."""
    _known(raw, ("file", "columns", "when", "keep_rest", "facts"), where)
    written = _as(Written, raw.get("file", {}), f"{where}: [file]")
    _check_signs(written, f"{where}: [file]")
    facts = []
    extra = raw.get("facts", [])
    if not isinstance(extra, list):
        raise ConfigError(f"{where}: write [[facts]] with two brackets, one for each fact.")
    if "columns" in raw or not extra:
        facts.append(_fact({**raw, "table": table}, where))
    facts += [_fact(each, f"{where}: [[facts]] {number}") for number, each in enumerate(extra, 1)]
    if table not in {fact.table.name for fact in facts}:
        raise ConfigError(f"{where} makes no {table}. Add [columns] for {table}, or import into {facts[0].table.name}.")
    return Mapping(tuple(facts), written, text, where)


def wanted(table: Table) -> tuple[str, ...]:
    """The columns that a file may give for `table`: its own and, where it has their hash, the raw ones."""
    own = [name for name in table.names if name not in ("origin", "received_at")]
    return (*own, *(raw for raw, made in RAW_COLUMNS.items() if made in own))


def _fact(raw: Any, where: str) -> Fact:
    if not isinstance(raw, dict):
        raise ConfigError(f"{where} must be a table with a name and columns, not {raw!r}.")
    _known(raw, ("table", "columns", "when", "keep_rest", "facts", "file"), where)
    name = raw.get("table")
    if not isinstance(name, str) or name not in FACT_TABLES:
        raise ConfigError(
            f"{where}: there is no table {name!r} to take facts in. {did_you_mean(str(name), FACT_TABLES)}"
        )
    table = FACT_TABLES[name]
    columns = raw.get("columns", {})
    if not isinstance(columns, dict):
        raise ConfigError(f"{where}: [columns] must be a table of names.")
    rules = {}
    for column, given in columns.items():
        if column not in wanted(table):
            raise ConfigError(f"{where}: {name} has no column {column!r}. {did_you_mean(column, wanted(table))}")
        rules[column] = _rule(given, f"{where}: {column}")
    when = raw.get("when", [])
    conditions = tuple(_as(When, each, f"{where}: when") for each in (when if isinstance(when, list) else [when]))
    for each in conditions:
        if (each.empty is None) == (not each.words):
            raise ConfigError(f'{where}: when {each.column!r} needs either empty = true/false or is = ["word", …].')
    keep_rest = raw.get("keep_rest", True)
    if not isinstance(keep_rest, bool):
        raise ConfigError(f"{where}: keep_rest must be true or false, not {keep_rest!r}.")
    return Fact(table, rules, conditions, keep_rest)


def _rule(given: Any, where: str) -> Rule:
    if isinstance(given, str):
        return Rule(column=given)
    if given is False:
        return Rule(skip=True)
    rule: Rule = _as(Rule, given, where)
    _check_signs(rule, where)
    sources = [bool(rule.column), rule.const is not None, bool(rule.template)]
    if sum(sources) > 1:
        raise ConfigError(f"{where} has more than one of from, const and template. Keep one.")
    if rule.unmapped not in _UNMAPPED:
        raise ConfigError(f"{where}: unmapped {rule.unmapped!r} is unknown. {did_you_mean(rule.unmapped, _UNMAPPED)}")
    return rule


def _as(kind: Any, given: Any, where: str) -> Any:
    if not isinstance(given, dict):
        raise ConfigError(f"{where} must be a table such as {_EXAMPLES[kind]}, not {given!r}.")
    _known(given, kind.__struct_encode_fields__, where)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}. Mend it and try again.") from None


def _check_signs(given: Rule | Written, where: str) -> None:
    """Raises ConfigError for a delimiter, decimal or thousands sign that cannot be one."""
    for name in ("delimiter", "decimal", "thousands"):
        sign = getattr(given, name, "")
        if len(sign) > 1 or sign in ('"', "\n", "\r", "\0") or (sign.isdigit() and name != "delimiter"):
            raise ConfigError(f"{where}: {name} {sign!r} must be one sign, such as a comma.")


def _known(given: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in names:
            raise ConfigError(f"{where}: unknown key {key!r}. {did_you_mean(key, names)}")
