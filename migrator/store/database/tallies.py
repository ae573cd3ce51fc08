"""Tallies: one number over all rows of a plan in a table.

The number is brought up to date with each change of a few rows. The hash of a row is added when the row comes and taken
away when the row goes. So the order does not matter, and a change costs what its own rows cost. The log records the
number with each change; `audit verify` adds the whole table up.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from migrator.chunks import PAGE
from migrator.core.audit.chain import row_line, tally_digest, tally_of
from migrator.store.database.database import Query, driver_sql
from migrator.store.database.rows import among, json_list
from migrator.store.tables.cutovers import switch_steps
from migrator.store.tables.fleet import meta
from migrator.store.tables.plans import steps, verifications

__all__ = ["STEPS", "SWITCH_STEPS", "VERDICTS", "Changing", "TableTally"]


_put = insert(meta).values(name=None, value=None)
_KEEP = driver_sql(
    _put.on_conflict_do_update(index_elements=["name"], set_={"value": _put.excluded.value}), ("name", "value")
)
_KEPT = Query(select(meta.c.value).where(meta.c.name == bindparam("name")))


@dataclass(slots=True)
class Changing:
    """Change of rows that is being made.

    `sha256` is the SHA-256 of the tally once the change is made.
    """

    sha256: str = ""


@dataclass(frozen=True)
class TableTally:
    """Tally of one table.

    `columns` are the columns that count, the key first.
    """

    name: str
    words: str
    number: ColumnElement[int]
    columns: tuple[ColumnElement[Any], ...]
    _among: Query = field(init=False)

    def __post_init__(self) -> None:
        mine = select(*self.columns).where(self.number == bindparam("number"))
        object.__setattr__(self, "_among", Query(mine.where(among(self.columns[0], bindparam("keys")))))

    @contextmanager
    def changing(self, connection: Connection, number: int, keys: Iterable[str]) -> Iterator[Changing]:
        """Change rows of some SIMs of plan `number` within the block.

        The connection is in a transaction that writes.
        """
        told, named = Changing(), json_list(keys)
        before = self._some(connection, number, named)
        total = self._kept(connection, number)
        yield told
        total += tally_of(self._some(connection, number, named)) - tally_of(before)
        told.sha256 = self._keep(connection, number, total)

    def begin(self, connection: Connection, number: int) -> str:
        """Begin the tally of a plan that has no rows yet.

        Returns: the SHA-256 of the tally.
        """
        return self._keep(connection, number, 0)

    def whole(self, connection: Connection, number: int) -> int:
        """Add up the tally from every row of a plan."""
        mine = select(*self.columns).where(self.number == number)
        return tally_of(row_line(list(row)) for row in connection.execute(mine.execution_options(yield_per=PAGE)))

    def digest(self, connection: Connection, number: int) -> str:
        """Return the SHA-256 of the tally over all rows of a plan."""
        return tally_digest(self.whole(connection, number))

    def _some(self, connection: Connection, number: int, keys: str) -> list[str]:
        rows = connection.exec_driver_sql(self._among.sql, self._among.parameters({"number": number, "keys": keys}))
        return [row_line(list(row)) for row in rows]

    def _kept(self, connection: Connection, number: int) -> int:
        """Return the tally as it was last brought up to date.

        The tally of a plan that is older than tallies is added up once.
        """
        parameters = _KEPT.parameters({"name": self._fact(number)})
        kept = connection.exec_driver_sql(_KEPT.sql, parameters).scalar()
        return self.whole(connection, number) if kept is None else int(kept, 16)

    def _keep(self, connection: Connection, number: int, total: int) -> str:
        total = tally_of((), total)
        connection.exec_driver_sql(_KEEP, (self._fact(number), f"{total:x}"))
        return tally_digest(total)

    def _fact(self, number: int) -> str:
        return f"tally:{self.name}:{number}"


_step, _switch, _verdict = steps.c, switch_steps.c, verifications.c
STEPS = TableTally(
    "steps",
    "steps",
    _step.plan_no,
    (_step.source_key, _step.kind, _step.state, _step.attempts, _step.since, _step.code, _step.message),
)
VERDICTS = TableTally(
    "verdicts",
    "verdicts",
    _verdict.plan_no,
    (_verdict.source_key, _verdict.verdict, _verdict.findings, _verdict.verified_at),
)
SWITCH_STEPS = TableTally(
    "switch_steps",
    "steps",
    _switch.switch_no,
    (
        _switch.source_key,
        _switch.kind,
        _switch.state,
        _switch.attempts,
        _switch.since,
        _switch.code,
        _switch.message,
        _switch.before,
        _switch.request_id,
    ),
)
