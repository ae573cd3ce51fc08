"""Two spellings: what the store writes is read by SQLite and by PostgreSQL. No server is asked."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import ClauseElement, Column, MetaData, Table, Text, create_engine, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.schema import CreateIndex, CreateTable

import migrator.store
from migrator.store.database.sql import DriverSql, Query, dialect
from migrator.store.tables import METADATA
from tests.store.two_spellings import also_for_postgresql, must_be_portable, spelled_for_postgresql

THINGS = Table("things", MetaData(), Column("name", Text, primary_key=True), Column("said", Text))


def _values() -> Iterator[tuple[str, object]]:
    """Every value of every module of the store, and the members of its tuples and dictionaries."""
    for module in pkgutil.walk_packages(migrator.store.__path__, "migrator.store."):
        if module.name.endswith("upgrade"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            members = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,)
            yield from ((f"{module.name}.{name}", member) for member in members)


def test_every_statement_for_the_driver_is_spelled_for_postgresql() -> None:
    found = {where: value for where, value in _values() if isinstance(value, DriverSql | Query)}
    assert len(found) > 25
    for value in found.values():
        text = value.spelled("postgresql") if isinstance(value, DriverSql) else value.spelled("postgresql", _Any())[0]
        must_be_portable(text)


def test_every_statement_of_a_module_is_spelled_for_postgresql() -> None:
    found = [value for _, value in _values() if isinstance(value, ClauseElement) and value.is_selectable]
    assert len(found) > 50
    for value in found:
        if not isinstance(value, Table):
            must_be_portable(spelled_for_postgresql(value))


def test_every_table_and_index_is_spelled_for_postgresql() -> None:
    for table in METADATA.sorted_tables:
        must_be_portable(str(CreateTable(table).compile(dialect=dialect("postgresql"))))
        for index in table.indexes:
            must_be_portable(str(CreateIndex(index).compile(dialect=dialect("postgresql"))))


@pytest.mark.parametrize(
    "statement",
    [
        select(func.json_extract(THINGS.c.said, "$.a")),
        select(func.max(THINGS.c.name, THINGS.c.said)),
        select(THINGS.c.said.op("GLOB")("*")),
        insert(THINGS).prefix_with("OR REPLACE").values(name="a"),
    ],
)
def test_a_word_of_sqlite_alone_is_noticed_wherever_it_runs(statement: ClauseElement) -> None:
    engine = create_engine("sqlite://")
    with also_for_postgresql(), engine.connect() as connection:
        THINGS.create(connection)
        with pytest.raises(AssertionError, match=r"does not know|of several values"):
            connection.execute(statement)  # type: ignore[call-overload]
    engine.dispose()


class _Any(dict[str, object]):
    """A value for whatever name is asked for."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return name
