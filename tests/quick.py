"""Work that every test would repeat, done once for each process: compiling SQL, the tables of a new store."""

from typing import Any

from sqlalchemy import Connection, Engine, event

from migrator.store.tables import METADATA

__all__ = ["compile_once", "share_compiled", "spell_tables_once"]

_compiled: dict[Any, Any] = {}
_dialects: dict[str, Any] = {}
_spelled: dict[str, list[str]] = {}


def compile_once() -> None:
    """Let whatever this process connects share what was compiled."""
    event.listen(Engine, "engine_connect", share_compiled)


def share_compiled(connection: Connection) -> None:
    """Let a connection share what was compiled. SQLAlchemy's cache belongs to one engine and one dialect object."""
    if connection.dialect.name == "sqlite":
        dialect = _dialects.setdefault("sqlite", connection.dialect)
        connection.engine.dialect = connection.dialect = dialect
        connection.execution_options(compiled_cache=_compiled)


def spell_tables_once() -> None:
    """Let each new store run the statements that the first one ran: most of the time goes into spelling them."""
    create_all = METADATA.create_all

    def create(bind: Connection, **options: Any) -> None:
        name = bind.dialect.name
        if name in _spelled:
            for statement in _spelled[name]:
                bind.exec_driver_sql(statement)
            return
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            seen.append(statement)

        event.listen(bind, "before_cursor_execute", note)
        try:
            create_all(bind, **options)
        finally:
            event.remove(bind, "before_cursor_execute", note)
        _spelled[name] = [statement for statement in seen if statement.lstrip().startswith(("CREATE", "ALTER"))]

    METADATA.create_all = create  # type: ignore[method-assign,assignment]
