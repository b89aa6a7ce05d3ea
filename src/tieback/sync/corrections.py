"""A fact that comes again and says something else: what becomes of it, and the sentence that tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tieback.schema import Table
from tieback.store import DuckDB, Merged, merge, remember_replaced
from tieback.sync.plan import Plan


def taken(store: DuckDB, plan: Plan, facts: str, received_at: datetime) -> tuple[Merged, str]:
    """Merge the SELECT `facts` into the table of `plan`; what came of it, and a notice of conflicts ("" when none).

    A fact with a version is corrected by a later version. An exchange rate has none: there the later import counts.
    Of facts that differ under one key and version, one stays by its content alone, and the notice says how to correct.
    """
    if plan.table.name != "fx_rates":
        merged = merge(store, plan.table, facts, unversioned=plan.unversioned)
        outdone = _outdone(store, plan.table, facts) if plan.unversioned and merged.known else ""
        return merged, outdone or _conflicts(plan, merged)
    store.bring(plan.table, facts)
    corrected = _let_go(store, plan.table, facts, received_at)
    later = f"SELECT 1 FROM fx_rates held WHERE {_same(plan.table)} AND held.received_at > TIMESTAMP '{received_at}'"
    merged = merge(store, plan.table, f"SELECT * FROM ({facts}) given WHERE NOT EXISTS ({later})")
    counted = replace(merged, added=merged.added - corrected, replaced=merged.replaced + corrected)
    return counted, _conflicts(plan, merged)


def _outdone(store: DuckDB, table: Table, facts: str) -> str:
    """What of `facts`, which carry no version, is held and does not count, in a sentence."""
    told = ", ".join(name for name in table.names if name not in ("origin", "received_at", table.version))
    subject = " AND ".join(f"newest.{name} IS NOT DISTINCT FROM given.{name}" for name in table.subject)
    newest = (
        f"SELECT {', '.join(table.subject)}, arg_max(hash({told}), {table.version}) AS says "
        f"FROM {table.name} GROUP BY {', '.join(table.subject)}"
    )
    given = f"SELECT DISTINCT {', '.join(table.subject)}, hash({told}) AS says FROM ({facts})"
    sql = f"SELECT count(*) FROM ({given}) given JOIN ({newest}) newest ON {subject} WHERE newest.says <> given.says"
    count = int(store.execute(sql, building=table.name).fetchall()[0][0])
    if not count:
        return ""
    return (
        f"{count:,} of its facts do not count: others for the same {', '.join(table.subject)} say otherwise, in a "
        f"later import or beside them in the file. To have it your way, give each a {table.version} in a column of "
        "that name."
    )


def _let_go(store: DuckDB, table: Table, facts: str, received_at: datetime) -> int:
    """Take out what an earlier import said and `facts` says otherwise; returns how many that was."""
    content = " AND ".join(f"held.{name} = given.{name}" for name in (*table.key, "rate"))
    gone = store.execute(
        f"DELETE FROM {table.name} held WHERE received_at < TIMESTAMP '{received_at}' "
        f"AND EXISTS (SELECT 1 FROM ({facts}) given WHERE {_same(table)}) "
        f"AND NOT EXISTS (SELECT 1 FROM ({facts}) given WHERE {content})",
        building=table.name,
    )
    corrected = int(gone.fetchall()[0][0])
    remember_replaced(store, table, corrected)
    return corrected


def _same(table: Table) -> str:
    return " AND ".join(f"held.{name} = given.{name}" for name in table.key)


def _conflicts(plan: Plan, merged: Merged) -> str:
    """What was found to differ under one key and version, in a sentence; "" when nothing was."""
    if not merged.conflicts:
        return ""
    table = plan.table
    remedy = {
        "fx_rates": "import the right ones again, in a command of their own",
        "events": "give the right ones an event_id of their own and import them",
    }.get(table.name, f"import the right ones with a later {table.version}")
    key = ", ".join(table.key)
    replaced = f" {merged.replaced:,} that were held are replaced." if merged.replaced else ""
    return (
        f"{merged.conflicts:,} facts of {table.name} say something else than others under the same {key}, held or in "
        f"the file. Which of them stays is settled by their content, not by order.{replaced} "
        f"To have it your way, {remedy}."
    )
