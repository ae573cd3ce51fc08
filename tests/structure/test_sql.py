"""SQL: one module knows how SQLite and PostgreSQL differ, and no other one writes what only one of them reads."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.structure.sources import modules

SPELLER = Path("store/database/sql.py")
OPENS = {Path("store/database/database.py"), Path("store/database/postgresql/database.py")}
OF_ONE_DIALECT = {"json_each", "json_extract", "json_set", "json_array", "json_type", "json_valid", "typeof"} | {
    *("instr", "strftime", "julianday", "group_concat", "ifnull", "printf", "char", "glob", "total")
}
"""Functions that SQLAlchemy would hand on, and that PostgreSQL does not have."""

OF_THE_DRIVER = {"lastrowid", "rowcount", "exec_driver_sql"}
"""What drivers tell differently, or take differently."""


def _store() -> Iterator[tuple[Path, ast.Module]]:
    return ((path, tree) for path, tree in modules() if path.parts[0] == "store" and path != SPELLER)


def test_one_module_names_dialects() -> None:
    found = [
        f"{path} {name}"
        for path, tree in modules()
        for node in ast.walk(tree)
        for name in _imported(node)
        if name.startswith(("sqlalchemy.dialects", "sqlalchemy.ext.compiler")) and path != SPELLER
    ]
    assert not found, f"say it in {SPELLER}"


def test_the_store_calls_no_function_of_one_dialect() -> None:
    found = [
        f"{path}:{node.lineno} {node.attr}"
        for path, tree in _store()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (
            (node.attr in OF_THE_DRIVER and path not in OPENS)
            or (isinstance(node.value, ast.Name) and node.value.id == "func" and node.attr in OF_ONE_DIALECT)
        )
    ]
    assert not found, f"use the constructs of {SPELLER}"


def test_no_text_of_the_store_is_of_one_dialect() -> None:
    words = ("OR REPLACE", "OR IGNORE", "GLOB", "NOCASE", "rowid", "char(")
    found = [
        f"{path}:{node.lineno} {node.value}"
        for path, tree in _store()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
        for word in words
        if word in node.value
    ]
    assert not found, f"use the constructs of {SPELLER}"


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield from (f"{node.module}.{name.name}" for name in node.names)
