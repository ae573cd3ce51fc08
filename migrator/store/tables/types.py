"""Types of columns, alike in SQLite and in PostgreSQL.

A whole number has 64 bits, as in SQLite. Text is sorted and compared by its bytes, whatever the language of the
database: keys are paged in that order, and fingerprints are taken in it.
"""

from typing import Any

import sqlalchemy as sa

__all__ = ["Integer", "Text", "only_where"]

Integer = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def only_where(condition: str, on_postgresql: str = "") -> dict[str, Any]:
    """Return the options of an index over some rows only.

    `on_postgresql` is the same condition there, where it is spelled differently.
    """
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(on_postgresql or condition)}
