"""Rows written by the pull's own path, held against the same rows by plain `sqlite3.executemany`."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from bench.measures import Measure
from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import InProcessTransport
from migrator.ports import SourcePage
from migrator.store import Store
from tests.support import run_virtual

__all__ = ["by_sqlite", "pages_of_simulator", "storing"]

SIMS, PAGE, ROUNDS = 20_000, 100, 5
FASTEST = 1e6


def storing(folder: Path) -> Iterator[Measure]:
    """20,000 rows in pages of 100, a commit each; the best of five rounds of either, taken in turns."""
    pages = pages_of_simulator()
    ours, plain = [], []
    for number in range(ROUNDS):
        store = folder / f"ours-{number}.db"
        ours.append(_by_the_store(store, pages))
        plain.append(by_sqlite(folder / f"plain-{number}.db", store, "source_sims", "rowid", commit_every=PAGE))
    yield Measure(
        what="inventory rows written per second by `save_pages`",
        value=SIMS / min(ours),
        against=SIMS / min(plain),
        against_what="plain executemany",
        least=0.5,
    )


def pages_of_simulator() -> list[SourcePage]:
    """Pages as the adapter gives them."""
    simulator = OnenceSimulator(sims=SIMS, behaviour=OnenceBehaviour(rate_limit=None))

    async def body() -> list[SourcePage]:
        base = "https://onence.test/management-api/"
        async with httpx.AsyncClient(transport=InProcessTransport(simulator), base_url=base) as http:
            source = OnenceSource(
                http,
                client_id=simulator.client_id,
                client_secret=simulator.client_secret,
                pacer=Pacer(FASTEST),
            )
            await source.open()
            return [await source.page(number) for number in range(1, SIMS // PAGE + 1)]

    return run_virtual(body)


def _by_the_store(path: Path, pages: Sequence[SourcePage]) -> float:
    """Returns: seconds."""
    with closing(Store.open(f"sqlite:///{path}", now=0.0, create=True)) as store:
        snapshot = store.inventory.open_snapshot("v2", 0.0)
        began = time.perf_counter()
        for page in pages:
            store.inventory.save_pages(snapshot.snapshot_id, 1, [page], 0.0)
        return time.perf_counter() - began


def by_sqlite(path: Path, store: Path, name: str, order: str, *, commit_every: int) -> float:
    """The rows that the store wrote into a table, into the same one in an empty file. Returns: seconds."""
    made, rows = _table_and_rows(store, name, order)
    insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})"  # noqa: S608 - a table of ours
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for statement in made:
            connection.execute(statement)
        began = time.perf_counter()
        for start in range(0, len(rows), commit_every):
            connection.executemany(insert, rows[start : start + commit_every])
            connection.commit()
        return time.perf_counter() - began


def _table_and_rows(store: Path, name: str, order: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The statements that make the table and its indexes, and all of its rows in the order of writing."""
    with closing(sqlite3.connect(store)) as connection:
        told = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC"
        made = [sql for (sql,) in connection.execute(told, (name,))]
        rows = connection.execute(f"SELECT * FROM {name} ORDER BY {order}")  # noqa: S608 - a table of ours
        return made, rows.fetchall()
