"""What the tests of the handover share: a fleet, its exports, and a store that somebody edits."""

import csv
import io
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.cli.conftest import Desk

__all__ = ["edited", "exported", "lines_of", "matched", "rows_of", "swapped_pairs", "unmatched"]


def rows_of(desk: Desk, *words: str) -> list[dict[str, Any]]:
    """The rows of an export to stdout, as JSON values."""
    ended = desk.run("handover", "export", "--format", "jsonl", *words)
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def exported(desk: Desk, name: str, *words: str) -> dict[str, Any]:
    """Export into a file. Returns: the envelope's data."""
    ended = desk.json("handover", "export", "--out", name, *words)
    assert ended.code == 0, ended.err
    return ended.data


def lines_of(name: str) -> list[dict[str, str]]:
    """The rows of a CSV by title."""
    return list(csv.DictReader(io.StringIO(Path(name).read_bytes().decode(), newline="")))


def matched(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of units whose new SIM was seen in them."""
    return [row for row in rows if row["in_service"]]


def unmatched(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The others."""
    return [row for row in rows if not row["in_service"]]


def edited(*statements: tuple[str, Sequence[Any]]) -> None:
    """Change the store as a later version of a command might."""
    with closing(sqlite3.connect("migrator.db")) as store, store:
        for statement, values in statements:
            store.execute(statement, values)


def swapped_pairs(one: str, other: str) -> None:
    """Give two old SIMs each other's new SIM, as a correction after the claim does. Both are old ICCIDs."""
    with closing(sqlite3.connect("migrator.db")) as store:
        read = "SELECT source_key, target_key, target_iccid FROM pairs WHERE source_iccid IN (?, ?)"
        (key, *target), (key_2, *target_2) = store.execute(read, (one, other)).fetchall()
    write = "UPDATE pairs SET target_key = ?, target_iccid = ? WHERE source_key = ?"
    edited((write, ("on its way", "", key)), (write, (*target, key_2)), (write, (*target_2, key)))
