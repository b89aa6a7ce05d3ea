"""A mapping laid over a file: for every fact, the SQL text of each column as the file gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tieback.config.mapping import RAW_COLUMNS, Fact, Mapping, Rule, When, Written, wanted
from tieback.errors import ConfigError, InputError, did_you_mean
from tieback.schema import Table
from tieback.sync.readers import Source, json_path, sql_text

_SAME_AS = {
    "emailaddress": "email",
    "mail": "email",
    "phonenumber": "phone",
    "telephone": "phone",
    "mobile": "phone",
    "mobilephone": "phone",
    "useragent": "user_agent",
}
_PERSONAL = re.compile(r"e-?mail|phone|mobile|telefon", re.IGNORECASE)
REASON_COLUMNS = ("_file", "_row", "_table", "_column", "_reason")  # what `quarantine export` adds to a row
_MADE_AT_THE_DOOR = {"event_id", "referrer_domain", "landing_page", "email_domain"}


@dataclass(frozen=True)
class Cell:
    """One column of a fact: `text` is SQL over the file's cells, `rule` says how to read it."""

    text: str
    rule: Rule


@dataclass(frozen=True)
class Plan:
    """One fact of each row. cells: by column. where: SQL of the rows it is made of ("" for all).

    rest: SQL of a JSON object of the columns that nobody wants, or "". unversioned: the file gives no version.
    """

    table: Table
    cells: dict[str, Cell]
    where: str
    rest: str
    written: Written

    @property
    def unversioned(self) -> bool:
        """True when the moment of import has to serve as the version."""
        return bool(self.table.version) and self.table.version not in self.cells


def plans(mapping: Mapping, source: Source) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    """The plan of every fact in `mapping` for `source`, and notices on columns that are left out.

    Raises InputError naming the columns that are missing and the ones there are.
    """
    named = _Names(source, mapping.where)
    cells = [_cells(fact, named) for fact in mapping.facts]
    used = named.used
    rest = [index for index, name in enumerate(source.columns) if index not in used and name not in REASON_COLUMNS]
    personal = [source.columns[index] for index in rest if _PERSONAL.search(source.columns[index])]
    kept = [index for index in rest if source.columns[index] not in personal]
    made = []
    for fact, chosen in zip(mapping.facts, cells, strict=True):
        _check_required(fact.table, chosen, source)
        where = " AND ".join(f"({_condition(each, named)})" for each in fact.when)
        made.append(Plan(fact.table, chosen, where, _rest(fact, source, kept), mapping.written))
    notices = []
    if personal:
        notices.append(
            f"{source.file}: {_list(personal)} looks like personal data that no column asks for; it was left out."
        )
    if kept and not any(plan.rest for plan in made):
        notices.append(
            f"{source.file}: no column wants {_list([source.columns[index] for index in kept])}; it was left out."
        )
    return tuple(made), tuple(notices)


class _Names:
    """The file's column names, and which of them somebody asked for."""

    def __init__(self, source: Source, where: str) -> None:
        self.source = source
        self.where = where
        self.used: set[int] = set()
        self._exact = {name: index for index, name in enumerate(source.columns)}
        self._loose: dict[str, int] = {}
        for index, name in enumerate(source.columns):
            self._loose.setdefault(_loose(name), index)

    def matching(self, column: str) -> str:
        """SQL of the file's column that has the name of `column`, letter case, spaces and signs aside; "" if none."""
        names = [_loose(column), *(theirs for theirs, ours in _SAME_AS.items() if ours == column)]
        index = next((self._loose[name] for name in names if name in self._loose), None)
        return "" if index is None else self._cell(index)

    def at(self, path: str) -> str:
        """SQL of a column by its own name, or of a path into a column that holds JSON. Raises InputError."""
        if path in self._exact:
            return self._cell(self._exact[path])
        if _loose(path) in self._loose:
            return self._cell(self._loose[_loose(path)])
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            head = ".".join(parts[:length])
            if head in self._exact:
                cell = self._cell(self._exact[head])
                inner = "".join(json_path(part) for part in parts[length:])
                return f"(CASE WHEN json_valid({cell}) THEN json_extract_string({cell}, {sql_text(inner)}) END)"
        file, place = self.source.file, self.where or "the mapping"
        raise InputError(
            f"{file} has no column {path!r}, which {place} asks for. {did_you_mean(path, self.source.columns)}"
        )

    def _cell(self, index: int) -> str:
        self.used.add(index)
        return f"c{index}"


def _cells(fact: Fact, named: _Names) -> dict[str, Cell]:
    cells = {}
    for column in wanted(fact.table):
        rule = fact.rules.get(column, Rule())
        if rule.skip:
            named.matching(column)
            continue
        text = _text(column, rule, named)
        if text:
            cells[column] = Cell(text, rule)
    for raw, made in RAW_COLUMNS.items():
        if raw in cells and raw != "user_agent" and made in cells:
            raise InputError(
                f"{named.source.file} gives both {raw} and {made}. "
                f"Keep one: `{raw} = false` or `{made} = false` in a mapping."
            )
    return cells


def _text(column: str, rule: Rule, named: _Names) -> str:
    """SQL of the words that `rule` gives for `column`, trimmed, NULL when empty; "" when it gives none."""
    if rule.const is not None:
        return _word(rule.const)
    if rule.template:
        text = _template(rule.template, named)
    elif rule.column:
        text = named.at(rule.column)
    else:
        text = named.matching(column)
    if not text:
        return _word(rule.default) if rule.default is not None else ""
    text = f"nullif({_trimmed(text)}, '')"
    if rule.values:
        cases = " ".join(f"WHEN {sql_text(theirs.lower())} THEN {_word(ours)}" for theirs, ours in rule.values.items())
        other = {"keep": text, "empty": "NULL", "refuse": f"chr(0) || {text}"}[rule.unmapped]
        text = f"CASE lower({text}) {cases} ELSE {other} END"
    return f"coalesce({text}, {_word(rule.default)})" if rule.default is not None else text


def _trimmed(text: str) -> str:
    """SQL of `text` without blanks around it; looking whether there are any costs a tenth of trimming."""
    if not text.isalnum():
        return f"trim({text})"
    return f"CASE WHEN starts_with({text}, ' ') OR ends_with({text}, ' ') THEN trim({text}) ELSE {text} END"


def _template(template: str, named: _Names) -> str:
    parts = re.split(r"\{([^{}]+)\}", template)
    if len(parts) == 1:
        raise ConfigError(
            f'{named.where}: template {template!r} names no column. Write one in braces, as in "lead-{{id}}".'
        )
    words = [sql_text(part) if number % 2 == 0 else named.at(part) for number, part in enumerate(parts)]
    return "(" + " || ".join(words) + ")"  # NULL when a part is


def _condition(when: When, named: _Names) -> str:
    text = f"nullif(trim({named.at(when.column)}), '')"
    if when.empty is not None:
        return f"{text} IS {'' if when.empty else 'NOT '}NULL"
    return f"coalesce(lower({text}) IN ({', '.join(sql_text(word.lower()) for word in when.words)}), false)"


def _rest(fact: Fact, source: Source, kept: list[int]) -> str:
    has_json = any(column.type == "json" for column in fact.table.columns)
    if not (fact.keep_rest and has_json and kept):
        return ""
    in_order = sorted(kept, key=lambda index: source.columns[index])  # the order of columns is no difference of facts
    pairs = ", ".join(f"{sql_text(source.columns[index])}, {source.json_cell(index)}" for index in in_order)
    return f"json_object({pairs})"


def _check_required(table: Table, cells: dict[str, Cell], source: Source) -> None:
    made = _MADE_AT_THE_DOOR | {table.version, "origin", "received_at"}
    missing = [
        column.name for column in table.columns if column.required and column.name not in cells | dict.fromkeys(made)
    ]
    if not missing:
        return
    near = " ".join(
        dict.fromkeys(did_you_mean(name, source.columns) for name in missing if _is_near(name, source.columns))
    )
    raise InputError(
        f"{source.file} has no {_list(missing)}, which every row of {table.name} needs; "
        f"it has {_list(list(source.columns))}. "
        f"{near + ' ' if near else ''}Say in a mapping where to find it, and give it with --map MAP.toml."
    )


def _is_near(name: str, columns: tuple[str, ...]) -> bool:
    return did_you_mean(name, columns).startswith("Did you mean")


def _loose(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _word(value: str | float | bool) -> str:
    """SQL of a word that a mapping gives; none at all is an empty cell."""
    word = str(value).lower() if isinstance(value, bool) else str(value).strip()
    return sql_text(word) if word else "NULL::VARCHAR"


def _list(names: list[str]) -> str:
    # A file without a header has a row of people where the names should be.
    shown = ", ".join("…" if "@" in name or sum(map(str.isdigit, name)) > 6 else name for name in names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"
