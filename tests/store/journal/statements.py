"""Statements that go to the database: each is a way there and back, where it is a machine away."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

__all__ = ["said"]


@contextmanager
def said() -> Iterator[list[str]]:
    """The statements that go to the database, without the frame of a transaction; each of a list counts."""
    found: list[str] = []

    def heard(*asked: object) -> None:
        text, values, is_many = str(asked[2]), asked[3], asked[5]
        if not text.startswith("BEGIN"):
            found.extend([text] * (len(values) if is_many and isinstance(values, list) else 1))

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
