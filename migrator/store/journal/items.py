"""The SIMs of a plan, for the engine and for reports.

Each SIM comes with all that is known of the SIM.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Select, and_, bindparam, select, tuple_

from migrator.chunks import chunks
from migrator.core.plan.document import header_from
from migrator.core.plan.plan import ACTING, PlanHeader
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Item, Step, Verdict
from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.documents import change_of
from migrator.store.database.rows import LINK_COLUMNS, AnyRow, among, json_list, link_from
from migrator.store.plans.lookup import MIGRATIONS, plan_row
from migrator.store.tables.fleet import target_links
from migrator.store.tables.plans import changes, steps, verifications

__all__ = ["Items", "items_of", "items_query"]

ITEMS_PAGE = 500

_CHANGE_END = 4
_KIND: Mapping[str, StepKind] = {kind.value: kind for kind in StepKind}  # a call of an enum costs, per step
_STEP_STATE: Mapping[str, StepState] = {state.value: state for state in StepState}
_order = (changes.c.overage_order, changes.c.sms_order, changes.c.source_iccid)
_link = LINK_COLUMNS


def items_query(*of_verdict: ColumnElement[bool]) -> Select[Any]:
    """Return a query for the SIMs of a plan.

    Its rows are for `items_of`. `of_verdict` are further conditions of the join to verdicts.
    """
    mine = (verifications.c.plan_no == changes.c.plan_no, verifications.c.source_key == changes.c.source_key)
    return (
        select(
            changes.c.source_key,
            changes.c.source_iccid,
            changes.c.target_key,
            changes.c.document,
            *LINK_COLUMNS,
            verifications.c.verdict,
        )
        .outerjoin_from(changes, target_links, target_links.c.key == changes.c.target_key)
        .outerjoin(verifications, and_(*mine, *of_verdict))
        .where(changes.c.plan_no == bindparam("plan_no"))
    )


_NEXT = (
    items_query()
    .add_columns(changes.c.overage_order, changes.c.sms_order)
    .where(tuple_(*_order) > tuple_(bindparam("overage"), bindparam("sms"), bindparam("iccid")))
    .order_by(*_order)
    .limit(ITEMS_PAGE)
)
_OF_WAVE, _OF_NONE = changes.c.wave == bindparam("wave"), changes.c.wave.is_(None)
_NEXT_OF_WAVE, _NEXT_OF_NONE = _NEXT.where(_OF_WAVE), _NEXT.where(_OF_NONE)
"""Pages of a wave, and of no wave.

PostgreSQL takes no index for a comparison that serves both.
"""
_NEXT_ACTING_OF_WAVE, _NEXT_ACTING_OF_NONE = (
    page.where(changes.c.action.in_(ACTING)) for page in (_NEXT_OF_WAVE, _NEXT_OF_NONE)
)
_AMONG = items_query().where(among(changes.c.source_key, bindparam("keys")))
_SENT_BEFORE = (
    select(steps.c.source_key)
    .where(steps.c.plan_no.in_(MIGRATIONS), among(steps.c.source_key, bindparam("keys")))
    .where(steps.c.attempts > 0)
    .distinct()
)
_STEPS = (
    select(*(column for column in steps.c if column.name not in {"before", "moved_no"}))
    .where(steps.c.plan_no == bindparam("plan_no"), among(steps.c.source_key, bindparam("keys")))
    .order_by(steps.c.source_key, steps.c.kind)
)


class Items:
    """Reader of items; a part of the journal.

    No iterator holds a transaction.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def header(self, plan_id: str) -> PlanHeader:
        """Return the plan's header.

        Raises: InputError, if there is no such plan.
        """
        return header_from(json.loads(plan_row(self._db, plan_id).header))

    def items(self, plan_id: str, *, wave: str | None = None, acting_only: bool = True) -> Iterator[Item]:
        """Yield the plan's SIMs in the best order for claims.

        Each SIM comes with its steps and its last observation. The order is: waves as the header names them (SIMs
        without a wave last), overage limit with "no limit" last, SMS limit, source ICCID as text. So SIMs of equal
        limits share a claim. Each page is read when the page is reached, so the page has what the caller wrote before.

        Args:
            plan_id: the plan.
            wave: only this wave.
            acting_only: without SIMs that are skipped or blocked.

        Raises: InputError, if there is no such plan or wave.
        """
        row = plan_row(self._db, plan_id)
        waves = header_from(json.loads(row.header)).waves
        if wave is not None and wave not in waves:
            raise InputError(
                f"plan {plan_id} has no wave {wave!r}", code="no_such_wave", hint=f"its waves: {', '.join(waves)}"
            )
        of_wave = _NEXT_ACTING_OF_WAVE if acting_only else _NEXT_OF_WAVE
        for name in waves if wave is None else (wave,):
            yield from self._pages(of_wave, row.plan_no, wave=name)
        if wave is None:
            yield from self._pages(_NEXT_ACTING_OF_NONE if acting_only else _NEXT_OF_NONE, row.plan_no)

    def items_by_key(self, plan_id: str, keys: Sequence[str]) -> Sequence[Item]:
        """Return the items of some SIMs, in the order of `keys`.

        Raises: InputError, if the plan does not hold one of the SIMs.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        found: dict[str, Item] = {}
        for chunk in chunks(keys):
            with self._db.read() as connection:
                rows = connection.execute(_AMONG, {"plan_no": plan_no, "keys": json_list(chunk)}).all()
                found |= {item.key: item for item in items_of(connection, plan_no, rows)}
        missing = [key for key in keys if key not in found]
        if missing:
            raise InputError(f"plan {plan_id} does not hold the SIM {missing[0]}", code="not_in_plan")
        return [found[key] for key in keys]

    def sent_before(self, keys: Sequence[str]) -> frozenset[str]:
        """Return the keys for which any migration sent something, or may have."""
        found = (row for chunk in chunks(keys) for row in self._db.rows(_SENT_BEFORE, keys=json_list(chunk)))
        return frozenset(row.source_key for row in found)

    def _pages(self, statement: Executable, plan_no: int, **which: str) -> Iterator[Item]:
        values = {"plan_no": plan_no, "overage": -1, "sms": -1, "iccid": "", **which}
        while True:
            with self._db.read() as connection:
                rows = connection.execute(statement, values).all()
                page = items_of(connection, plan_no, rows)
            yield from page
            if len(rows) < ITEMS_PAGE:
                return
            last = rows[-1]
            values |= {"overage": last.overage_order, "sms": last.sms_order, "iccid": last.source_iccid}


def items_of(connection: Connection, plan_no: int, rows: Sequence[Any]) -> list[Item]:
    """Return the items of some rows of `items_query`, with their steps.

    The items are in the order of the rows.
    """
    by_key = _steps(connection, plan_no, [row.source_key for row in rows])
    return [_item(row, by_key.get(row.source_key, {})) for row in rows]


def _item(row: AnyRow, taken: dict[StepKind, Step]) -> Item:
    link = row[_CHANGE_END : _CHANGE_END + len(_link)]
    return Item(
        change=change_of(row.document, row.source_key, row.target_key),
        steps=taken,
        target=link_from(link),
        read_at=link[-1],
        verdict=None if row.verdict is None else Verdict(row.verdict),
    )


def _steps(connection: Connection, plan_no: int, keys: Iterable[str]) -> dict[str, dict[StepKind, Step]]:
    found: dict[str, dict[StepKind, Step]] = {}
    rows = connection.execute(_STEPS, {"plan_no": plan_no, "keys": json_list(keys)})
    for _, key, kind_word, state_word, attempts, since, not_before, code, message in rows:
        kind = _KIND[kind_word]
        step = Step(kind, _STEP_STATE[state_word], attempts, since, not_before, code, message)
        found.setdefault(key, {})[kind] = step
    return found
