"""Staleness: what has changed since a plan was made.

The values are compared row by row: fingerprints only say that something has changed.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from migrator.chunks import PAGE, chunks
from migrator.core.cutover.life import SourceChange, SourceChangeCode
from migrator.core.fleet.sims import NO_NEWS, SourceStatus
from migrator.core.fleet.switched_off import SwitchedOff, planned_status
from migrator.core.plan.basis import Uses
from migrator.core.plan.plan import PlanHeader, Reason
from migrator.core.run.states import StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.database.sql import json_at
from migrator.store.inventory.snapshot_rows import plain_number
from migrator.store.inventory.snapshots import in_force
from migrator.store.plans.lookup import CUTOVERS
from migrator.store.plans.rollbacks import overtaken
from migrator.store.plans.switched_off import switched_off_among
from migrator.store.tables.fleet import pairs, snapshots, source_sims
from migrator.store.tables.plans import changes, left_out, plans, steps

__all__ = ["SHOWN", "differences", "shortened", "source_changes"]

SHOWN = 20
"""Number of differences that are shown one by one.

All further differences are only counted.
"""

_sim = source_sims.c
_here = (_sim.snapshot_id == in_force) & (_sim.key == changes.c.source_key)
_VALUES = (  # what a plan uses of a SIM: name in the document, column, words
    ("status", _sim.status_word, "status"),
    ("label", _sim.label, "label"),
    ("data_quota_mb", _sim.data_quota_mb, "booked data volume"),
    ("sms_quota", _sim.sms_quota, "booked SMS volume"),
)
_CODES = {"status": SourceChangeCode.STATUS, "label": SourceChangeCode.LABEL}
_was_switched = (
    select(steps.c.source_key).where(steps.c.plan_no.in_(CUTOVERS), steps.c.source_key == changes.c.source_key).exists()
)
_ANY_CUTOVER = CUTOVERS.where(plans.c.started_at.is_not(None)).limit(1)
_is_selected = changes.c.reason != Reason.NOT_SELECTED
"""Condition for a SIM that the plan selected.

A plan uses nothing of a SIM that it was ordered to leave alone, so changes of such a SIM do not matter.
"""

_VOLUMES = {"data_quota_mb", "sms_quota"}
"""Booked volumes, by their name in the document.

A volume that was not reported to a plan gave no value, unless a rule selects by the volume: an import may lack what a
pull reports.
"""

_LEFT = (  # what is left of a volume: name in the document, column, its reading, words
    ("data_remaining_mb", _sim.data_remaining_mb, _sim.data_reading, "remaining data volume"),
    ("sms_remaining", _sim.sms_remaining, _sim.sms_reading, "remaining SMS volume"),
)
_WITHOUT_LIMITS = (  # why a SIM is left alone before anybody asks for its limits
    Reason.NOT_SELECTED,
    Reason.STATUS_SKIPPED,
    Reason.STATUS_BLOCKED,
    Reason.STATUS_UNKNOWN,
    Reason.NO_PAIRING,
    Reason.ROLLED_BACK,
    Reason.TARGET_ELSEWHERE,
    Reason.TARGET_IN_TEST_MODE,
    Reason.TARGET_RETIRED,
    Reason.TARGET_UNKNOWN_STATE,
    Reason.TARGET_ON_OTHER_PLAN,
)
_RULE = func.coalesce(json_at(changes.c.document, "rule"), "")


def _planned(name: str) -> Any:
    """Return SQL for a source value as the plan used it."""
    return json_at(changes.c.document, f"source.{name}")


def differences(database: Database, plan_no: int, header: PlanHeader, uses: Uses) -> list[str]:
    """Return what has changed since a plan was made.

    There is a line per SIM: at most `SHOWN` lines, then how many more. Reported are SIMs that are gone or new, another
    status, label or booked volume, another pair, SIMs that a rollback took back since, and the remaining volume where
    it gave the limit.

    Returns: nothing, if the plan is as good as new.
    """
    with database.read() as connection:
        return shortened(_all(connection, plan_no, header, uses))


def shortened(lines: Iterable[str]) -> list[str]:
    """Return the first `SHOWN` lines, then how many more."""
    rest = iter(lines)
    shown = list(islice(rest, SHOWN))
    more = sum(1 for _ in rest)
    return [*shown, f"and {more} more"] if more else shown


def source_changes(database: Database, plan_no: int, header: PlanHeader) -> Iterator[SourceChange]:
    """Yield the source SIMs that are not as a plan used them.

    A SIM that is off because a cutover of ours switched it off is no news.

    Args:
        database: where the plan is, and an inventory in force that was read afresh.
        plan_no: the plan.
        header: its header.
    """
    with database.read() as connection:
        yield from _at_source(connection, plan_no, header, Uses())


def _all(connection: Connection, plan_no: int, header: PlanHeader, uses: Uses) -> Iterator[str]:
    for change in _at_source(connection, plan_no, header, uses):
        yield f"{change.iccid}: {change.words}"
    for what, rules in zip(_LEFT, (uses.data_remaining, uses.sms_remaining), strict=True):
        if rules:
            yield from _less_left(connection, plan_no, what, rules)
    if uses.data_limits and _is_another(connection, header):
        yield from _other_limits(connection, plan_no, uses.data_limits)
    if uses.tags and _is_another(connection, header):
        yield from _other_tags(connection, plan_no)
    yield from _other_pairs(connection, plan_no)
    for iccid, cutover_id in overtaken(connection, plan_no):
        yield f"{iccid}: rollback {cutover_id} took it back to its old SIM"


def _at_source(connection: Connection, plan_no: int, header: PlanHeader, uses: Uses) -> Iterator[SourceChange]:
    is_another = _is_another(connection, header)
    if is_another:
        yield from _gone(connection, plan_no)
        if "only" not in header.summary:  # a plan of one SIM says nothing of the others
            yield from _new(connection, plan_no)
    if is_another or connection.scalar(_ANY_CUTOVER):  # a cutover or rollback is no pull, and may be news all the same
        yield from _changed(connection, plan_no, uses)


def _is_another(connection: Connection, header: PlanHeader) -> bool:
    """True if the inventory differs from the plan's."""
    now = connection.scalar(select(snapshots.c.fingerprint).where(snapshots.c.snapshot_id == in_force))
    return bool(now != header.fingerprints.inventory)


def _rows(connection: Connection, statement: Select[Any]) -> Iterator[AnyRow]:
    yield from connection.execute(statement.execution_options(yield_per=PAGE))


def _gone(connection: Connection, plan_no: int) -> Iterator[SourceChange]:
    missing = (
        select(changes.c.source_iccid)
        .where(changes.c.plan_no == plan_no, _is_selected, ~select(_sim.key).where(_here).exists())
        .order_by(changes.c.source_key)
    )
    for row in _rows(connection, missing):
        yield SourceChange(row.source_iccid, (SourceChangeCode.GONE,), "no longer in the inventory")


def _new(connection: Connection, plan_no: int) -> Iterator[SourceChange]:
    planned = select(changes.c.plan_no).where(changes.c.plan_no == plan_no, changes.c.source_key == _sim.key)
    known = select(left_out.c.plan_no).where(left_out.c.plan_no == plan_no, left_out.c.source_key == _sim.key)
    added = (
        select(_sim.iccid).where(_sim.snapshot_id == in_force, ~planned.exists(), ~known.exists()).order_by(_sim.key)
    )
    for row in _rows(connection, added):
        yield SourceChange(row.iccid, (SourceChangeCode.NEW,), "new in the inventory")


def _changed(connection: Connection, plan_no: int, uses: Uses) -> Iterator[SourceChange]:
    """Yield the SIMs whose values are not as the plan used them.

    SQLite finds the SIMs whose values may be different. This function decides if the values are different.
    """
    planned = [_planned(name).label(name) for name, _, _ in _VALUES]
    current = [column.label(f"now_{name}") for name, column, _ in _VALUES]
    moved = [was.is_distinct_from(column) for was, (_, column, _) in zip(planned, _VALUES, strict=True)]
    before = _planned("status_before").label("status_before")
    differing = (
        select(changes.c.source_key, changes.c.source_iccid, _RULE.label("rule"), *planned, before, *current)
        .join_from(changes, source_sims, _here)
        .where(changes.c.plan_no == plan_no, _is_selected, or_(*moved, before.is_not(None), _was_switched))
        .order_by(changes.c.source_key)
    )
    for rows in chunks(_rows(connection, differing)):
        off = switched_off_among(connection, [row.source_key for row in rows])
        for row in rows:
            told = list(_told(row, off.get(row.source_key), uses))
            if told:
                codes = tuple(dict.fromkeys(code for code, _ in told))
                yield SourceChange(row.source_iccid, codes, "; ".join(words for _, words in told))


def _told(row: AnyRow, off: SwitchedOff | None, uses: Uses) -> Iterator[tuple[SourceChangeCode, str]]:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to a column by its name
    unheard = _VOLUMES - ({"data_quota_mb"} if row.rule in uses.booked_data else set())
    for name, _, words in _VALUES:
        was, now = values[name], values[f"now_{name}"]
        if name == "status":
            yield from _status_told(was, now, values["status_before"], off, uses)
            continue
        if name in _VOLUMES:
            was, now = plain_number(was), plain_number(now)
        if was == now or (was is None and name in unheard):
            continue
        yield _CODES.get(name, SourceChangeCode.QUOTA), f"its {words} was {_shown(was)} and is {_shown(now)}"


def _status_told(
    was: str, now: str, planned_before: str | None, off: SwitchedOff | None, uses: Uses
) -> Iterator[tuple[SourceChangeCode, str]]:
    """Yield a change if a SIM is now planned by another status.

    The status counts by its meaning: 1NCE's list, its single SIMs and its portal have several words for one status. A
    SIM that a cutover of ours switched off counts as it was before, now as then.
    """
    was_before = None if planned_before is None else SourceStatus(planned_before)
    before = None if off is None else off.planned_by
    then, since = planned_status(was, was_before), planned_status(now, before)
    if then is not since or (then is SourceStatus.UNKNOWN and was != now):
        yield SourceChangeCode.STATUS, f"its status was {_status(was, was_before)} and is {_status(now, before)}"
    elif uses.switched_off and was_before is not before:
        words = "switched on again by a rollback" if off is None or before is None else off.words
        yield SourceChangeCode.STATUS, f"it was {words} since, and a rule of the policy asks for that"


def _status(word: str, before: SourceStatus | None) -> str:
    return _shown(word) if before is None else f"{_shown(word)} ({before} before our cutover)"


def _less_left(
    connection: Connection, plan_no: int, what: tuple[str, Any, Any, str], rules: Collection[str]
) -> Iterator[str]:
    """Yield SIMs whose limit came from a remaining volume that changed.

    A volume that was not read since, or could not be read, is no news. A volume that the plan had not read is no news
    either.
    """
    name, column, reading, words = what
    was = _planned(name)
    moved = (
        select(changes.c.source_iccid, was.label("was"), column.label("now"))
        .join_from(changes, source_sims, _here)
        .where(changes.c.plan_no == plan_no, changes.c.reason.not_in(_WITHOUT_LIMITS), _RULE.in_(rules))
        .where(reading.not_in(NO_NEWS), was.is_not(None), was.is_distinct_from(column))
        .order_by(changes.c.source_key)
    )
    for row in _rows(connection, moved):
        before, now = plain_number(row.was), plain_number(row.now)
        if before != now:
            yield f"{row.source_iccid}: its {words} was {_shown(before)} and is {_shown(now)}"


def _other_limits(connection: Connection, plan_no: int, rules: Collection[str]) -> Iterator[str]:
    """Yield SIMs whose own limit at the source changed.

    A limit that was not read since, or that the plan had not read, is no news.
    """
    was_bytes, was_period = _planned("data_limit_bytes"), _planned("data_limit_period")
    bytes_now, period_now = _sim.data_limit_bytes, _sim.data_limit_period
    moved = (
        select(
            changes.c.source_iccid,
            was_bytes.label("was"),
            was_period.label("was_period"),
            bytes_now.label("now"),
            period_now.label("period"),
        )
        .join_from(changes, source_sims, _here)
        .where(changes.c.plan_no == plan_no, changes.c.reason.not_in(_WITHOUT_LIMITS), _RULE.in_(rules))
        .where(was_bytes.is_not(None), or_(bytes_now.is_not(None), _sim.data_reading.not_in(NO_NEWS)))
        .where(or_(was_bytes.is_distinct_from(bytes_now), was_period.is_distinct_from(period_now)))
        .order_by(changes.c.source_key)
    )
    for row in _rows(connection, moved):
        is_now = "not told" if row.now is None else f"{row.now} bytes {row.period}"
        yield f"{row.source_iccid}: its data limit was {row.was} bytes {row.was_period} and is {is_now}"


def _other_tags(connection: Connection, plan_no: int) -> Iterator[str]:
    """Yield SIMs whose tags at the source are others now.

    Tags that are not told now are no news.
    """
    was = _planned("tags")
    moved = (
        select(changes.c.source_iccid, was.label("was"), _sim.tags.label("now"))
        .join_from(changes, source_sims, _here)
        .where(changes.c.plan_no == plan_no, changes.c.reason.not_in(_WITHOUT_LIMITS), _sim.tags.is_not(None))
        .where(was.is_distinct_from(_sim.tags))
        .order_by(changes.c.source_key)
    )
    for row in _rows(connection, moved):
        before, now = (set(json.loads(text or "[]")) for text in (row.was, row.now))
        if before != now or row.was is None:
            yield f"{row.source_iccid}: its tags were {_named(before)} and are {_named(now)}"


def _named(tags: Collection[str]) -> str:
    return ", ".join(map(repr, sorted(tags))) or "none"


def _shown(value: str | Decimal | None) -> str:
    return "not told" if value is None else repr(value)


def _other_pairs(connection: Connection, plan_no: int) -> Iterator[str]:
    """Yield SIMs that have another pair now.

    A SIM that an operator skipped is left out: it gets no order any more, whatever its pair is.
    """
    set_aside = select(steps.c.source_key).where(steps.c.plan_no == plan_no, steps.c.state == StepState.SKIPPED)
    other = (
        select(changes.c.source_iccid, changes.c.target_key, pairs.c.target_iccid)
        .join_from(changes, pairs, pairs.c.source_key == changes.c.source_key, isouter=True)
        .where(changes.c.plan_no == plan_no, _is_selected)
        .where(changes.c.target_key.is_distinct_from(pairs.c.target_key))
        .where(changes.c.source_key.not_in(set_aside))
        .order_by(changes.c.source_key)
    )
    for row in _rows(connection, other):
        if row.target_iccid is None:
            yield f"{row.source_iccid}: its pair was removed"
        elif row.target_key is None:
            yield f"{row.source_iccid}: was paired since, with {row.target_iccid}"
        else:
            yield f"{row.source_iccid}: its pair was changed, to {row.target_iccid}"
