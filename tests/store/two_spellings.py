"""Every statement that a test of the store runs, as PostgreSQL would get it. No server is asked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.schema import DDLElement
from sqlalchemy.sql.elements import ClauseElement, TextClause

from migrator.store.database.sql import dialect

__all__ = ["also_for_postgresql", "must_be_portable", "spelled_for_postgresql"]

KNOWN = {"array_agg", "coalesce", "count", "distinct", "excluded", "extract", "json_array_elements_text"} | {
    *("jsonb_set", "length", "lower", "ltrim", "max", "min", "nullif", "replace", "row_number", "rtrim", "strpos"),
    *("substr", "sum", "to_jsonb", "trim", "trunc"),
}
"""Functions that PostgreSQL has."""

OF_SQLITE = re.compile(r"\b(GLOB|NOCASE|OR REPLACE|OR IGNORE|rowid|PRAGMA|sqlite_\w+)\b")
_FUNCTION = re.compile(r"\b([a-z_][a-z0-9_]*)\(")
_ONE_VALUE = re.compile(r"\b(max|min)\(")
_compiled: set[Any] = set()


@contextmanager
def also_for_postgresql() -> Iterator[None]:
    """Compile whatever any engine is asked to run for PostgreSQL, too: each form of a statement once."""

    def look(_connection: Any, statement: Any, _many: Any, _values: Any, _options: Any) -> None:
        if not isinstance(statement, ClauseElement) or isinstance(statement, TextClause | DDLElement):
            return
        made = statement._generate_cache_key()
        form = None if made is None else made.key
        if form is None or form not in _compiled:
            must_be_portable(spelled_for_postgresql(statement))
            _compiled.add(form)

    event.listen(Engine, "before_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_execute", look)


def spelled_for_postgresql(statement: ClauseElement) -> str:
    """A statement as PostgreSQL gets it."""
    return str(statement.compile(dialect=dialect("postgresql")))


def must_be_portable(text: str) -> None:
    """Fail for words and functions that PostgreSQL does not know."""
    bare = re.sub(r"'[^']*'", "''", text)
    words = {found.group() for found in OF_SQLITE.finditer(bare)}
    unknown = {name for name in _FUNCTION.findall(bare) if name not in KNOWN}
    assert not words | unknown, f"PostgreSQL does not know {sorted(words | unknown)}: {text}"
    for found in _ONE_VALUE.finditer(bare):
        assert "," not in _arguments(bare[found.end() :]), f"{found.group()}...) of several values: {text}"


def _arguments(rest: str) -> str:
    """The arguments of a function, without those of functions within."""
    depth, shown = 1, ""
    for char in rest:
        depth += (char == "(") - (char == ")")
        if not depth:
            break
        shown += char if depth == 1 else ""
    return shown
