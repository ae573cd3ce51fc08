"""Two spellings: the SQL that SQLite and PostgreSQL write differently.

No other module names a dialect, and none uses a function that only one of the two has. A construct here is spelled for
the database that runs it. What both understand needs no construct.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Dialect,
    Select,
    case,
    func,
    literal_column,
    select,
)
from sqlalchemy import Insert as AnyInsert
from sqlalchemy.dialects.sqlite import Insert, insert, pysqlite
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.functions import FunctionElement

from migrator.errors import StoreError
from migrator.store.tables.types import Integer, Text

__all__ = [
    "TABLE_NAMES",
    "DriverSql",
    "Insert",
    "Query",
    "by_greatest",
    "changed_rows",
    "dialect",
    "elements_of",
    "epoch_s",
    "greater",
    "has_blanks",
    "holds",
    "insert",
    "is_found",
    "json_at",
    "json_number_at",
    "json_with",
    "new_number",
    "only_digits",
    "truncated",
]

TABLE_NAMES: Mapping[str, str] = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()",
}
"""Names of the tables of a store."""

_NONE: ColumnElement[int] = literal_column("0")
_DIGITS: ColumnElement[str] = literal_column("'0123456789'")


# --- statements for the driver ------------------------------------------------------------------------------------


@cache
def dialect(name: str) -> Dialect:
    """Return the dialect by which statements for a driver are spelled."""
    if name == "sqlite":
        return pysqlite.dialect()
    from sqlalchemy.dialects.postgresql import psycopg  # noqa: PLC0415 - a SQLite store needs none of it

    return psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]


class DriverSql:
    """Statement that goes to the driver with its values as they are.

    Rows by the hundred thousand go that way: SQLAlchemy's handling of each row costs more than the write of the row.
    The values are in the order of `columns`, which is the order of the table. A statement that writes no columns has
    its values in the order in which they stand.
    """

    def __init__(self, statement: Select[Any] | AnyInsert | Delete, columns: Sequence[str] = ()) -> None:
        self.statement, self.columns = statement, list(columns)
        self._spelled: dict[str, str] = {}

    def spelled(self, name: str) -> str:
        """Return the text for a dialect, compiled once."""
        if name not in self._spelled:
            compiled = self.statement.compile(dialect=dialect(name), column_keys=self.columns)
            self._spelled[name] = str(compiled)
        return self._spelled[name]

    def run(self, connection: Connection, values: Sequence[Any] = ()) -> CursorResult[Any]:
        """Run the statement for one row, or for a list."""
        return connection.exec_driver_sql(self.spelled(connection.dialect.name), values or None)


class Query:
    """Compiled `select` without `IN`, for readers of whole fleets.

    The `select` is compiled once for a dialect. Its rows are plain tuples.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        self._spelled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def spelled(self, name: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """Return the text for a dialect, and its values."""
        if name not in self._spelled:
            compiled = self.statement.compile(dialect=dialect(name))
            self._spelled[name] = str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params)
        text, names, defaults = self._spelled[name]
        return text, tuple(values[one] if one in values else defaults[one] for one in names)


def changed_rows(result: CursorResult[Any]) -> int:
    """Return the number of rows that a statement changed.

    Guards rest on the number, so a driver that does not tell is refused.
    """
    if result.rowcount < 0:
        raise StoreError("the database does not tell how many rows a statement changed")
    return result.rowcount


def new_number(result: CursorResult[Any]) -> int:
    """Return the number that the database gave to a row."""
    key: Any = result.inserted_primary_key
    return int(key[0])


# --- conflicts ----------------------------------------------------------------------------------------------------


@compiles(OnConflictDoUpdate, "postgresql")
def _updates(element: Any, compiler: Any, **options: Any) -> str:
    element.constraint_target = None  # PostgreSQL could name a constraint; we name columns
    return str(compiler.visit_on_conflict_do_update(element, **options))


@compiles(OnConflictDoNothing, "postgresql")
def _does_nothing(element: Any, compiler: Any, **options: Any) -> str:
    element.constraint_target = None
    return str(compiler.visit_on_conflict_do_nothing(element, **options))


# --- expressions that both write alike ----------------------------------------------------------------------------


def greater(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the greater of two values, neither of which is NULL."""
    return case((one >= other, one), else_=other)


def is_found(wanted: Select[Any]) -> ColumnElement[bool]:
    """Return SQL that is true if a row's query finds any.

    For pages: of an `EXISTS` beside an `OR`, PostgreSQL may bring all that could be found together, once for each page.

    Args:
        wanted: a query of one column without NULL, which looks up by an index.
    """
    return wanted.limit(literal_column("1")).scalar_subquery().is_not(None)


def only_digits(text: ColumnElement[str]) -> ColumnElement[bool]:
    """Return SQL that is true for ASCII digits alone."""
    return func.ltrim(text, _DIGITS) == literal_column("''")


# --- expressions with two spellings -------------------------------------------------------------------------------


class _Spelled(FunctionElement[Any]):
    """Function of ours that is spelled for each dialect.

    Args:
        sqlite: its text there, with the numbers of its arguments.
        postgresql: the same for PostgreSQL.
    """

    inherit_cache = True
    sqlite: ClassVar[str]
    postgresql: ClassVar[str]


@compiles(_Spelled, "sqlite")
def _by_sqlite(element: _Spelled, compiler: Any, **options: Any) -> str:
    return element.sqlite.format(*_parts(element, compiler, options))


@compiles(_Spelled, "postgresql")
def _by_postgresql(element: _Spelled, compiler: Any, **options: Any) -> str:
    return element.postgresql.format(*_parts(element, compiler, options))


def _parts(element: _Spelled, compiler: Any, options: Mapping[str, Any]) -> list[str]:
    return [compiler.process(part, **options) for part in element.clauses]


class _Position(_Spelled):
    """Place of a text within another; 0 for none."""

    type = Integer
    inherit_cache = True
    sqlite, postgresql = "instr({0}, {1})", "strpos({0}, {1})"


def holds(text: ColumnElement[Any], part: Any) -> ColumnElement[bool]:
    """Return SQL that is true if a text holds another."""
    return _Position(text, part) > _NONE


def has_blanks(text: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return SQL that is true if a text has blanks.

    It is spelled as the condition of an index.
    """
    return _Position(text, literal_column("' '")) > _NONE


class _Elements(_Spelled):
    """Rows of a JSON list."""

    inherit_cache = True
    sqlite, postgresql = "json_each({0})", "json_array_elements_text(CAST({0} AS JSON))"


def elements_of(parameter: ColumnElement[str]) -> Select[tuple[str]]:
    """Select the texts of a JSON list."""
    return select(_Elements(parameter).table_valued("value").c.value)


class _At(_Spelled):
    """Value at a path of a JSON text."""

    type = Text
    inherit_cache = True
    sqlite, postgresql = "json_extract({0}, {1})", "(CAST({0} AS JSON) #>> {2})"


class _NumberAt(_Spelled):
    """Whole number at a path of a JSON text."""

    type = Integer
    inherit_cache = True
    sqlite, postgresql = _At.sqlite, f"CAST({_At.postgresql} AS BIGINT)"


def json_at(document: ColumnElement[Any], path: str) -> ColumnElement[Any]:
    """Return the value at a path of a JSON text.

    A path is such as `source.label`.
    NULL if there is none, or a JSON null. To be compared with text or NULL: only SQLite tells numbers as numbers. The
    path stands in the statement as it is.
    """
    return _At(document, *_paths(path))


def json_number_at(document: ColumnElement[Any], path: str) -> ColumnElement[Any]:
    """Return the whole number at a path, or NULL."""
    return _NumberAt(document, *_paths(path))


def _paths(path: str) -> tuple[ColumnClause[Any], ColumnClause[Any]]:
    """Return a path as SQLite writes it, and as PostgreSQL does."""
    return literal_column(f"'$.{path}'"), literal_column(f"'{{{path.replace('.', ',')}}}'")


class _With(_Spelled):
    """JSON text of an object, with one more value."""

    type = Text
    inherit_cache = True
    sqlite = "json_set({0}, {1}, {3})"
    postgresql = "CAST(jsonb_set(CAST({0} AS JSONB), {2}, to_jsonb({3})) AS TEXT)"


def json_with(document: ColumnElement[Any], name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the JSON text of an object with a text under `name`."""
    return _With(document, *_paths(name), value)


class _Truncated(_Spelled):
    """Number without its fraction."""

    type = Integer
    inherit_cache = True
    sqlite, postgresql = "CAST({0} AS INTEGER)", "CAST(trunc({0}) AS BIGINT)"  # a cast alone rounds in PostgreSQL


def truncated(number: ColumnElement[Any]) -> ColumnElement[int]:
    """Return a number without its fraction."""
    return _Truncated(number)


class _EpochS(_Spelled):
    """UTC seconds of a moment's text."""

    type = Integer
    inherit_cache = True
    sqlite = "CAST(strftime('%s', {0}) AS INTEGER)"
    postgresql = (
        "CASE WHEN {0} ~ {1} "
        "THEN CAST(extract(epoch FROM CAST(substr({0}, 1, 19) || '+00' AS TIMESTAMPTZ)) AS BIGINT) END"
    )


_PLAIN_MOMENT: ColumnElement[str] = literal_column(
    "'^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?Z?$'"
)
"""Moments that PostgreSQL may be asked for.

A text that is none would end the transaction.
"""


def epoch_s(text: ColumnElement[Any]) -> ColumnElement[int]:
    """Return the UTC seconds of a moment's text, without its fraction.

    NULL for what is no moment. PostgreSQL leaves a few moments out, too, so callers judge NULL by themselves.
    """
    return _EpochS(text, _PLAIN_MOMENT)


class _ByGreatest(_Spelled):
    """Value of the row in which another value is the greatest."""

    inherit_cache = True
    sqlite, postgresql = "{0}", "(array_agg({0} ORDER BY {1} DESC NULLS LAST))[1]"


def by_greatest(value: ColumnElement[Any], by: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the value of the row in which `by` is greatest.

    The same `select` has `max(by)`, and no other aggregate: SQLite takes bare columns from the row with the maximum.
    """
    found = _ByGreatest(value, by)
    found.type = value.type
    return found
