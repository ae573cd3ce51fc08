"""Two spellings: what the store writes is read by SQLite and by PostgreSQL. No server is asked."""

import importlib
import json
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import ClauseElement, Column, MetaData, Table, Text, create_engine, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.schema import CreateIndex, CreateTable

import migrator.store
from migrator.store.database.documents import raw_text
from migrator.store.database.schema import migrations_folder
from migrator.store.database.sql import DriverSql, Query, dialect
from migrator.store.tables import METADATA
from tests.store.two_spellings import also_for_postgresql, must_be_portable, spelled_for_postgresql

pytestmark = pytest.mark.files

THINGS = Table("things", MetaData(), Column("name", Text, primary_key=True), Column("said", Text))


def values_of_modules() -> Iterator[tuple[str, object]]:
    """Every value of every module of the store, and the members of its tuples and dictionaries."""
    for module in pkgutil.walk_packages(migrator.store.__path__, "migrator.store."):
        if module.name.endswith("upgrade"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            members = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,)
            yield from ((f"{module.name}.{name}", member) for member in members)


def test_every_statement_for_the_driver_is_spelled_for_postgresql() -> None:
    found = {where: value for where, value in values_of_modules() if isinstance(value, DriverSql | Query)}
    assert len(found) > 25
    for value in found.values():
        text = value.spelled("postgresql") if isinstance(value, DriverSql) else value.spelled("postgresql", _Any())[0]
        must_be_portable(text)


def test_every_statement_of_a_module_is_spelled_for_postgresql() -> None:
    found = [value for _, value in values_of_modules() if isinstance(value, ClauseElement) and value.is_selectable]
    assert len(found) > 50
    for value in found:
        if not isinstance(value, Table):
            must_be_portable(spelled_for_postgresql(value))


def test_every_table_and_index_is_spelled_for_postgresql() -> None:
    for table in METADATA.sorted_tables:
        must_be_portable(str(CreateTable(table).compile(dialect=dialect("postgresql"))))
        for index in table.indexes:
            must_be_portable(str(CreateIndex(index).compile(dialect=dialect("postgresql"))))


def test_whole_numbers_have_64_bits_and_text_is_compared_by_its_bytes() -> None:
    made = [*METADATA.sorted_tables, *(value for _, value in values_of_modules() if isinstance(value, Table))]
    types = {column.type.compile(dialect("postgresql")) for table in made for column in table.c}
    types.discard("BOOLEAN")  # in the register alone, which only PostgreSQL has
    assert types == {"BIGINT", 'TEXT COLLATE "C"', "FLOAT"}


def test_an_index_over_some_rows_is_one_everywhere() -> None:
    for table in METADATA.sorted_tables:
        for index in table.indexes:
            options = index.dialect_options
            assert (options["sqlite"]["where"] is None) == (options["postgresql"]["where"] is None), index.name


def test_revisions_say_types_and_conditions_by_the_same_words() -> None:
    for path in sorted((migrations_folder() / "versions").glob("[0-9]*.py")):
        text = path.read_text(encoding="utf-8")
        found = [word for word in ("sa.Integer", "sa.Text", "sa.BigInteger", "sqlite_where=") if word in text]
        assert not found, f"{path.name}: take them from `store.tables.types`"


@pytest.mark.parametrize("text", ['{"a":"\\u0000"}', '{"a":["\\ud83d"]}', '{"\\u0000":{"b":"\\udc00"}}'])
def test_json_holds_no_text_that_postgresql_cannot_read(text: str) -> None:
    kept = raw_text(json.loads(text))
    assert "ufffd" in kept
    assert "u0000" not in kept
    assert "ud" not in kept
    assert json.loads(raw_text({"a": "\U0001f6b0"})) == {"a": "\U0001f6b0"}


def test_a_number_of_any_size_stays_exact() -> None:
    assert raw_text({"iccid": 89445000000000005000, "pin": "9500"}) == '{"iccid":89445000000000005000}'


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
