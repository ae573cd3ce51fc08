"""A store as an older release would have it: the same plans, SIMs and journals, in that release's tables.

Its tables are made by the revisions themselves. Cutovers and rollbacks had tables of their own with numbers of their
own, and the log named those.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic.command import upgrade
from sqlalchemy import create_engine

from migrator.core.audit.chain import GENESIS, digest_of
from migrator.store.database.schema import migrations_folder
from migrator.store.database.upgrade import alembic_config

__all__ = ["BEFORE_ONE_JOURNAL", "make_older"]

BEFORE_ONE_JOURNAL = ("0004", "0005", "0006", "0007")
"""Releases whose stores may hold cutovers in tables of their own."""

_OF_PLANS = ("changes", "runs", "requests", "steps", "request_items")
Row = dict[str, Any]


def make_older(file: Path, revision: str) -> None:
    """Replace a store by one of an older release that holds the same."""
    old = file.with_name("older.db")
    engine = create_engine(f"sqlite:///{old}")
    with engine.begin() as connection:
        config = alembic_config(migrations_folder())
        config.attributes["connection"] = connection
        upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(old)) as then:
        now.row_factory = sqlite3.Row
        for row in _rows(now, "meta", "name NOT LIKE 'audited_after%'"):
            then.execute("INSERT OR REPLACE INTO meta VALUES (:name, :value)", row)
        _keep_common(now, then)
        _keep_cutovers(now, then)
        then.commit()
        assert then.execute("PRAGMA foreign_key_check").fetchall() == []
    for left in file.parent.glob(f"{file.name}-*"):
        left.unlink()
    old.replace(file)


def _rows(plain: sqlite3.Connection, table: str, where: str = "1 = 1") -> list[Row]:
    return [dict(row) for row in plain.execute(f"SELECT * FROM {table} WHERE {where}")]  # noqa: S608 - our own names


def _put(plain: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    """Insert rows; what the table does not have is left out."""
    known = [row[1] for row in plain.execute(f"PRAGMA table_info({table})")]
    for row in rows:
        names = [name for name in row if name in known]
        marks = ", ".join(f":{name}" for name in names)
        plain.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", row)  # noqa: S608 - the same


def _keep_common(now: sqlite3.Connection, then: sqlite3.Connection) -> None:
    tables = [row[0] for row in then.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    of_migration = "plan_no IN (SELECT plan_no FROM plans WHERE kind = 'migrate')"
    for table in tables:
        if table.startswith("switch_") or table in {"meta", "events", "alembic_version"}:
            continue
        where = "kind = 'migrate'" if table == "plans" else of_migration if table in _OF_PLANS else "1 = 1"
        _put(then, table, _rows(now, table, where))


def _keep_cutovers(now: sqlite3.Connection, then: sqlite3.Connection) -> None:
    plans = _rows(now, "plans", "kind <> 'migrate' ORDER BY plan_no")
    switch_no = {plan["plan_no"]: number for number, plan in enumerate(plans, 1)}
    some = f"plan_no IN ({', '.join(map(str, switch_no)) or '0'})"
    runs, requests = (
        _rows(now, "runs", f"{some} ORDER BY run_id"),
        _rows(now, "requests", f"{some} ORDER BY request_id"),
    )
    run_id = {run["run_id"]: number for number, run in enumerate(runs, 1)}
    request_id = {request["request_id"]: number for number, request in enumerate(requests, 1)}
    for plan in plans:
        told = {"switch_no": switch_no[plan["plan_no"]], "switch_id": plan["plan_id"], "direction": plan["kind"]}
        _put(then, "switch_plans", [plan | told | {"plan_no": plan["of_plan_no"]}])
    for table, rows in (("switch_items", _rows(now, "changes", some)), ("switch_runs", runs)):
        for row in rows:
            number = {"run_id": run_id[row["run_id"]]} if "run_id" in row else {}
            _put(then, table, [row | {"switch_no": switch_no[row["plan_no"]]} | number])
    for request in requests:
        ids = {"request_id": request_id[request["request_id"]], "run_id": run_id[request["run_id"]]}
        _put(then, "switch_requests", [request | {"switch_no": switch_no[request["plan_no"]]} | ids])
    for step in _rows(now, "steps", some):
        last = now.execute(
            "SELECT max(request_id) FROM request_items JOIN requests USING (request_id, plan_no) "
            "WHERE plan_no = ? AND source_key = ? AND kind = ?",
            (step["plan_no"], step["source_key"], step["kind"]),
        ).fetchone()[0]
        which: Row = {"switch_no": switch_no[step["plan_no"]], "request_id": request_id.get(last)}
        _put(then, "switch_steps", [step | which])
    if then.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
        _put(then, "events", _log(now, run_id, request_id))


def _log(now: sqlite3.Connection, run_id: dict[int, int], request_id: dict[int, int]) -> Iterator[Row]:
    """The log, with the former numbers in the events of cutovers."""
    before = GENESIS
    for row in _rows(now, "events", "1 = 1 ORDER BY seq"):
        detail = json.loads(row["detail"])
        if row["kind"].startswith("switch."):
            if "run_id" in detail:
                detail["run_id"] = run_id[detail["run_id"]]
            if "request_id" in detail:
                detail["request_id"] = request_id[detail["request_id"]]
            if row["kind"] == "switch.run_took_over":
                detail["requests"] = [request_id[one] for one in detail["requests"]]
            detail.pop("wave", None)
        before = digest_of(before, row | {"detail": detail})
        text = json.dumps(detail, sort_keys=True, separators=(",", ":"))
        yield row | {"detail": text, "digest": before}
