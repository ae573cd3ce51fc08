"""Types of columns, alike in SQLite and in PostgreSQL.

A whole number has 64 bits, as in SQLite. Text is sorted and compared by its bytes, whatever the language of the
database: keys are paged in that order, and fingerprints are taken in it.
"""

from typing import Any

import sqlalchemy as sa

__all__ = ["Integer", "Text", "filled_with_user", "only_where"]

Integer = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def filled_with_user(table: sa.Table, column: str) -> None:
    """Let PostgreSQL fill a column with the user who logged in.

    A row that names no value gets the user; a file leaves the column empty. A tool that was not given the right to
    write that column cannot say another one.
    """
    told = sa.DDL(f"ALTER TABLE %(table)s ALTER COLUMN {column} SET DEFAULT SESSION_USER")  # type: ignore[no-untyped-call]
    sa.event.listen(table, "after_create", told.execute_if(dialect="postgresql"))


def only_where(condition: str, on_postgresql: str = "") -> dict[str, Any]:
    """Return the options of an index over some rows only.

    `on_postgresql` is the same condition there, where it is spelled differently.
    """
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(on_postgresql or condition)}
