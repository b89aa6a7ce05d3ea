"""The door: raw text becomes typed facts, or a reason why not. All of it is SQL for the embedded engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tieback.config import ORDER_KINDS
from tieback.schema import Column
from tieback.schema.ddl import COLUMN_TYPES
from tieback.sync import cells, web
from tieback.sync.cells import Reading
from tieback.sync.lookups import hashed, is_nothing
from tieback.sync.plan import Plan
from tieback.sync.readers import Source, sql_text

_LINK_KINDS = ("anonymous", "user", "email", "phone", "contact", "customer", "group", "account")
# Often an e-mail address, which must not stay raw; each is the same value in every table that it ties to others.
_LOGINS = ("user_id", "customer_id", "contact_id", "anonymous_id", "group_id", "account_id")
_IDS = ("event_id", "session_key", "deal_id", "order_id", "sale_id")
_ONE_OF = {("orders", "kind"): ORDER_KINDS, ("links", "left_kind"): _LINK_KINDS, ("links", "right_kind"): _LINK_KINDS}

# Never true. An expression that is not the same each time stays where it is written: the optimiser would otherwise put
# the filter below the typed columns, and read every cell twice.
_HERE = "random() < 0"


@dataclass(frozen=True)
class Problem:
    """What can be wrong with a row: SQL of the condition (never NULL) and of the sentence."""

    column: str
    condition: str
    reason: str


@dataclass
class Door:
    """The facts of one plan, as SQL.

    facts: a SELECT of the table's columns, of the good rows. faults: a SELECT of row_number, column_name, reason, raw.
    words: for each kind of lookup, SELECTs of the distinct words that it must know before either runs.
    """

    facts: str = ""
    faults: str = ""
    words: dict[str, list[str]] = field(default_factory=dict)


def door(plan: Plan, source: Source, origin: str, received_at: datetime) -> Door:
    """What `source` becomes under `plan`. `received_at` stands in for a version that the file does not give."""
    built = _Build(plan, source)
    layers, derived = web.derived(plan.cells) if plan.table.name == "events" else ([], {})
    ok = " AND ".join(f"NOT ({problem.condition})" for problem in built.problems) or "true"
    finals = built.finals(derived, origin, received_at)
    facts = f"SELECT * FROM (SELECT *, ({ok}) OR {_HERE} AS is_good FROM ({built.read(numbered=False)})) WHERE is_good"
    for layer in layers:
        facts = f"SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in layer.items())} FROM ({facts})"
    chosen = ", ".join(f"{finals[name]} AS {name}" for name in plan.table.names if name in finals)
    facts = f"SELECT {chosen} FROM ({facts})"
    if "event_id" in plan.table.names and "event_id" not in plan.cells:
        facts = f"SELECT {_content_id(plan)}, * FROM ({facts})"
    return Door(facts, built.faults(), built.words)


class _Build:
    """The parts of a door, gathered column by column."""

    def __init__(self, plan: Plan, source: Source) -> None:
        self.plan, self.source = plan, source
        self.problems: list[Problem] = []
        self.words: dict[str, list[str]] = {}
        self.joins: list[str] = []
        self.typed: dict[str, str] = {}
        if source.flaw:
            self.problems.append(Problem("", "is_flawed", "''"))
        for name, cell in plan.cells.items():
            self._refuse_unmapped(name)
            if name in ("email", "phone", "user_agent"):
                continue
            column = plan.table.column(name)
            self._take(column, cells.reading(plan.table.name, column, cell.rule, plan.written))
        self._raw_columns()
        if plan.table.name == "links":
            self._links()

    def read(self, *, numbered: bool) -> str:
        """A SELECT of every raw column r_x and typed column t_x, of all rows that the plan is about."""
        raw = [f"{cell.text} AS r_{name}" for name, cell in self._cleaned().items()]
        if self.plan.rest:
            raw.append(f"{self.plan.rest} AS r_rest")
        if numbered:
            flaw = self.source.flaw or "false"
            raw += ["row_number", f"{self.source.row_json} AS raw", f"{flaw} AS is_flawed"]
        elif self.source.flaw:
            raw.append(f"{self.source.flaw} AS is_flawed")
        where = f" WHERE {self.plan.where}" if self.plan.where else ""
        if where and self.source.flaw:
            where += f" OR {self.source.flaw}"
        first = f"SELECT {', '.join(raw)} FROM {self.source.numbered if numbered else self.source.scan}{where}"
        typed = "".join(f", {sql} AS t_{name}" for name, sql in self.typed.items())
        return f"SELECT given.*{typed} FROM ({first}) given {' '.join(self.joins)}"

    def faults(self) -> str:
        """A SELECT of what is wrong, one row for each reason."""
        one = ", ".join(
            f"CASE WHEN {each.condition} THEN {{'column_name': {sql_text(each.column)}, 'reason': {each.reason}}} END"
            for each in self.problems
            if each.column
        )
        whole = f"[{{'column_name': '', 'reason': {sql_text(self.source.flaw_reason)}}}]"
        found = f"CASE WHEN is_flawed THEN {whole} ELSE list_filter([{one}], lambda x: x IS NOT NULL) END"
        bad = " OR ".join(f"({each.condition})" for each in self.problems) or "false"
        return (
            "SELECT row_number, fault.column_name AS column_name, fault.reason AS reason, raw FROM ("
            f"SELECT row_number, raw, unnest({found}) AS fault FROM ({self.read(numbered=True)}) WHERE {bad})"
        )

    def finals(self, derived: dict[str, str], origin: str, received_at: datetime) -> dict[str, str]:
        """SQL of each column over the last layer, but for an event id that has to be made of the others."""
        table = self.plan.table
        made: dict[str, str] = {}
        for column in table.columns:
            name = column.name
            if name == "event_id" and name not in self.plan.cells:
                continue
            if name in derived:
                made[name] = derived[name]
            elif name in self.typed:
                made[name] = f"t_{name}"
            elif column.type == "json" and self.plan.rest:
                made[name] = "r_rest"
            else:
                made[name] = f"NULL::{COLUMN_TYPES['duckdb'][column.type]}"
        if self.plan.unversioned:
            made[table.version] = f"TIMESTAMP '{received_at}'"
        for column in table.columns:
            if column.type == "json":
                made[column.name] = self._json(column.name)
        if table.name == "orders":
            for name in ("amount", "margin"):
                made[name] = f"CASE WHEN t_kind = 'refund' THEN abs({made[name]}) ELSE {made[name]} END"
        return made | _in_order(table.name) | {"origin": sql_text(origin), "received_at": f"TIMESTAMP '{received_at}'"}

    def _cleaned(self) -> dict[str, cells.Named]:
        """The cells, with words that mean "nothing" taken for nothing where an address or number is due."""
        cleaned = {}
        for name, cell in self.plan.cells.items():
            text = cell.text
            if name in ("email", "phone"):
                text = f"CASE WHEN NOT {is_nothing(name, text)} THEN {text} END"
            cleaned[name] = cells.Named(name, text)
        return cleaned

    def _take(self, column: Column, reading: Reading) -> None:
        self.typed[column.name] = reading.value
        raw = f"r_{column.name}"
        if reading.reason:
            doubt = f" OR t_{column.name} {reading.doubt}" if reading.doubt else ""
            unread = f"{raw} IS NOT NULL AND (t_{column.name} IS NULL{doubt})"
            self._refuse(column.name, unread, reading.reason)
        allowed = _ONE_OF.get((self.plan.table.name, column.name))
        if allowed:
            names = ", ".join(sql_text(each) for each in allowed)
            said = cells.quoted(raw) + sql_text(f" is none of {', '.join(allowed)}")
            self._refuse(column.name, f"coalesce(t_{column.name} NOT IN ({names}), false)", said)
        if column.required:
            said = sql_text(f"it is empty, and every row of {self.plan.table.name} needs it")
            self._refuse(column.name, f"{raw} IS NULL", said)

    def _refuse_unmapped(self, name: str) -> None:
        if self.plan.cells[name].rule.unmapped == "refuse":
            said = cells.quoted(f"substr(r_{name}, 2)") + sql_text(" is not among the values of the mapping")
            self.problems.append(Problem(name, _is_unmapped(name), said))

    def _refuse(self, name: str, condition: str, reason: str) -> None:
        """Refuse rows that meet `condition`; a word refused as unmapped needs no second reason."""
        if self.plan.cells[name].rule.unmapped == "refuse":
            condition = f"NOT {_is_unmapped(name)} AND ({condition})"
        self.problems.append(Problem(name, condition, reason))

    def _raw_columns(self) -> None:
        """Addresses, numbers and browsers: looked up, never kept."""
        columns = self.plan.table.names
        if "email" in self.plan.cells:
            self._look_up("email", "r_email", "k_email")
            self.typed |= {"email_hash": "k_email.hash", "email_domain": "k_email.domain"}
            unread = "r_email IS NOT NULL AND t_email_hash IS NULL"
            self._refuse("email", unread, sql_text("it is no e-mail address"))
        if "phone" in self.plan.cells:
            self._look_up("phone", "r_phone", "k_phone")
            self.typed["phone_hash"] = "k_phone.hash"
            said = sql_text(
                "it is no phone number (one without country code is taken for one of phone_region in tieback.toml)"
            )
            self._refuse("phone", "r_phone IS NOT NULL AND t_phone_hash IS NULL", said)
        if "user_agent" in self.plan.cells:
            self._look_up("user_agent", "r_user_agent", "k_agent")
            self.typed["bot_reason"] = "k_agent.reason"
            if "device" not in self.plan.cells:
                self.typed["device"] = "k_agent.device"
        if self.plan.table.name == "accounts" and "domain" in self.plan.cells:
            self._look_up("domain", "r_domain", "k_domain")
            self.typed["domain"] = f"coalesce(k_domain.normal, lower({cells.without_addresses('r_domain')}))"
        for name in {*_IDS, *self.plan.table.key} & set(self.typed) - set(_LOGINS):
            if self.plan.table.column(name).type == "string":  # blotted out, two keys might become one
                named = f"CASE WHEN {cells.has_address(f'r_{name}')} THEN {hashed(f'lower(r_{name})')}"
                self.typed[name] = f"{named} ELSE {self.typed[name]} END"
        for name in _LOGINS:
            if name in self.plan.cells:
                address = _is_address(f"r_{name}")
                self.typed[name] = f"CASE WHEN {address} THEN {hashed(f'lower(r_{name})')} ELSE r_{name} END"
                if name == "user_id" and "email_hash" in columns and "email_hash" not in self.typed:
                    self.typed["email_hash"] = f"CASE WHEN {address} THEN {hashed(f'lower(r_{name})')} END"

    def _links(self) -> None:
        for side in ("left", "right"):
            value, kind = f"r_{side}_value", f"lower(r_{side}_kind)"
            for each in ("email", "phone"):
                raw = f"CASE WHEN {kind} = '{each}' THEN {value} END"
                self._look_up(each, raw, f"k_{side}_{each}")
            personal = f"CASE {kind} WHEN 'email' THEN k_{side}_email.hash ELSE k_{side}_phone.hash END"
            login = f"CASE WHEN {_is_address(value)} THEN {hashed(f'lower({value})')} ELSE {value} END"
            self.typed[f"{side}_value"] = f"CASE WHEN {kind} IN ('email', 'phone') THEN {personal} ELSE {login} END"
            unread = f"{value} IS NOT NULL AND t_{side}_value IS NULL"
            said = f"'it is no ' || CASE t_{side}_kind WHEN 'email' THEN 'e-mail address' ELSE 'phone number' END"
            self._refuse(f"{side}_value", unread, said)
        same = "coalesce(t_left_kind = t_right_kind AND t_left_value = t_right_value, false)"
        self.problems.append(Problem("right_value", same, sql_text("it ties an identifier to itself")))

    def _look_up(self, kind: str, raw: str, alias: str) -> None:
        """Join the lookup `kind` on SQL `raw` (over the raw columns r_x)."""
        cleaned = ", ".join(f"{cell.text} AS r_{name}" for name, cell in self._cleaned().items())
        where = f" WHERE {self.plan.where}" if self.plan.where else ""
        first = f"SELECT {cleaned} FROM {self.source.scan}{where}"
        self.words.setdefault(kind, []).append(f"SELECT DISTINCT {raw} AS raw FROM ({first})")
        self.joins.append(f"LEFT JOIN door_{kind} {alias} ON {alias}.raw = {raw}")

    def _json(self, name: str) -> str:
        given, rest = name in self.plan.cells, bool(self.plan.rest)
        if given and rest:
            merged = f"json_merge_patch(r_rest, t_{name}::JSON)"
        elif given or rest:
            merged = f"json_merge_patch('{{}}', {f't_{name}::JSON' if given else 'r_rest'})"
        else:
            return "NULL::VARCHAR"
        return f"nullif({cells.without_addresses(f'{merged}::VARCHAR')}, '{{}}')"


def _is_unmapped(name: str) -> str:
    """SQL that is true of a cell that its rule refuses: it then begins with a NUL, which no cell does."""
    return f"coalesce(starts_with(r_{name}, chr(0)), false)"


def _is_address(text: str) -> str:
    """SQL that is true of an id that is an e-mail address, or holds one."""
    return f"((contains({text}, '@') AND contains(split_part({text}, '@', 2), '.')) OR {cells.has_address(text)})"


def _in_order(table: str) -> dict[str, str]:
    """A tie has no direction: its smaller end is the left one."""
    if table != "links":
        return {}
    first = "(t_left_kind < t_right_kind OR (t_left_kind = t_right_kind AND t_left_value <= t_right_value))"
    return {
        f"{side}_{part}": f"CASE WHEN {first} THEN t_{side}_{part} ELSE t_{other}_{part} END"
        for side, other in (("left", "right"), ("right", "left"))
        for part in ("kind", "value")
    }


def _content_id(plan: Plan) -> str:
    """An event id made of everything that the file says of the event."""
    given = [
        name for name in plan.table.names if name in plan.cells or (name == "email_hash" and "email" in plan.cells)
    ]
    given += ["phone_hash"] if "phone" in plan.cells else []
    given += ["properties"] if plan.rest and "properties" not in given else []
    parts = ", ".join(f"coalesce({name}::VARCHAR, chr(30))" for name in given)
    return f"md5(concat_ws(chr(31), {parts})) AS event_id"
