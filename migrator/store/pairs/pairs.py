"""Pairs: one target SIM for each source SIM.

Two unique keys keep the pairs one to one.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    Float,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair, PairValues
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.errors import InputError
from migrator.store.database.database import Database, insert_many
from migrator.store.database.rows import (
    PAIR_COLUMNS,
    among,
    by_page,
    in_iccid_order,
    is_later,
    json_list,
    pair_from,
    temporary_table,
)
from migrator.store.database.sql import DriverSql, Query, changed_rows, insert
from migrator.store.inventory.snapshots import in_force
from migrator.store.inventory.unit_facts import keep_facts
from migrator.store.log import note
from migrator.store.pairs.pairs_in_use import refuse_pairs_in_use, set_aside_stock
from migrator.store.pairs.swaps import swapped
from migrator.store.tables.fleet import pairs, source_sims, target_links, unit_facts
from migrator.store.tables.types import Text

__all__ = ["Pairs"]

_incoming = temporary_table(  # what one call of `add` brings: judged as a whole before any of it counts
    "incoming_pairs", *(Column(column.name, Float if column.name == "paired_at" else Text) for column in pairs.c)
)
_NAMES = tuple(column.name for column in pairs.c)
_INSERT = DriverSql(insert(_incoming).values(dict.fromkeys(_NAMES)), _NAMES)
_FIRST = 3
"""Number of examples in an error."""

_same_source = pairs.c.source_key == _incoming.c.source_key
_contradicts = pairs.c.target_key != _incoming.c.target_key
_ALL = select(*PAIR_COLUMNS)
_PAGE = _ALL.where(is_later(pairs.c.source_key)).order_by(pairs.c.source_key).limit(PAGE)
_NEXT = Query(_PAGE)
_line = pairs.c.source_key.concat("','").concat(pairs.c.target_key).concat("\n")
_LINES_AT_ONCE = 10_000
_LINES = select(_line).order_by(pairs.c.source_key).execution_options(yield_per=_LINES_AT_ONCE)
_TARGETS = (
    select(pairs.c.target_key, pairs.c.target_iccid)
    .where(is_later(pairs.c.target_key))
    .order_by(pairs.c.target_key)
    .limit(PAGE)
)
_NEXT_TARGETS = Query(_TARGETS)
_DROP_PAIRS = delete(pairs).where(among(pairs.c.source_key, bindparam("keys")))
_DROP_FACTS = delete(unit_facts).where(among(unit_facts.c.source_key, bindparam("keys")))


def _in_inventory(key: ColumnElement[str]) -> ColumnElement[bool]:
    sim = source_sims.c
    return select(sim.key).where(sim.snapshot_id == in_force, sim.key == key).exists()


class Pairs:
    """Pairs of the store.

    No iterator holds a transaction: the caller may write while reading.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, new: Iterable[Pair], *, replace: bool, now: float) -> dict[str, int]:
        """Keep some pairs, all or none.

        Args:
            new: may be longer than memory; the same pair twice counts once.
            replace: whether a source may get another target than it had.

        Returns: how many were `added`, `unchanged` and `replaced`.
        Raises: InputError, if a source would have two targets or a target two sources, or if a pair would be replaced
            that a plan has claimed for, or was begun and still has to. An importer that wants to list every violation
            with its line checks before, by `by_source_keys` and `by_target_keys`.
        """
        return self.add_values(map(_values, new), replace=replace, now=now)

    def add_values(
        self,
        new: Iterable[PairValues],
        *,
        replace: bool,
        now: float,
        facts: Iterable[UnitFacts] = (),
        dropped: Sequence[str] = (),
        evidence: Iterable[Mapping[str, Any]] = (),
    ) -> dict[str, int]:
        """Keep pairs that are given as plain values.

        The facts of their units are kept with them. The SIMs of `dropped`, by source key, are left without pair and
        facts: a later scan says that their unit or their card is another one's.

        Args:
            new: may be longer than memory.
            replace: as in `add`.
            now: UTC seconds.
            facts: of the units of the pairs.
            dropped: source keys of SIMs that are left without a pair.
            evidence: how each pair is known, as JSON values for the log; empty for pairs that somebody gives.

        Returns and raises: as `add`.
        """
        with self._db.write() as connection:
            _take_in(connection, new, now)
            _refuse_doubles(connection)
            counts = _counts(connection)
            if counts["replaced"] and not replace:
                _refuse_contradictions(connection)
            if counts["replaced"] or dropped:
                refuse_pairs_in_use(connection, _incoming, dropped)
            gone = _drop(connection, dropped)
            _replace_all(connection)
            set_aside_stock(connection, now)
            connection.execute(delete(_incoming))
            keep_facts(connection, facts, now)
            if counts["added"] or counts["replaced"] or gone:
                for some in chunks(evidence):
                    note(connection, now, "pairs.discovered", None, {"pairs": some})
                note_changed_pairs(connection, counts | ({"dropped": gone} if gone else {}), now)
        self._db.learn(counts["added"] + counts["replaced"], pairs, unit_facts)
        return counts

    def add_first(self, new: Iterable[PairValues], *, now: float) -> int | None:
        """Keep the first pairs of a store, if all are right.

        This takes a third of the time of `add`. The pairs are judged as a whole, so nothing can be said of what is
        wrong. In that case, call `add`.

        Args:
            new: may be longer than memory; an error that it raises is passed on, and nothing is kept.
            now: UTC seconds.

        Returns: the number of pairs. None, if a pair is not plainly right (a source that is not in the inventory in
            force, a target that is, a SIM that is given twice), or if there were pairs already: then nothing is kept.
        """
        with self._db.read() as connection:  # the temporary table keeps nobody out of the store
            _take_in(connection, new, now)
        with self._db.write() as connection:
            try:
                with connection.begin_nested():
                    added = _add_if_right(connection)
            except (IntegrityError, _NotRight):
                added = None
            connection.execute(delete(_incoming))
            if added:
                set_aside_stock(connection, now)
                note_changed_pairs(connection, {"added": added, "unchanged": 0, "replaced": 0}, now)
        self._db.learn(added or 0, pairs)
        return added

    def all(self) -> Iterator[Pair]:
        """Yield every pair, sorted by source ICCID as text."""
        yield from map(pair_from, in_iccid_order(self._pages()))

    def targets(self) -> Iterator[Iccid]:
        """Yield every target ICCID, sorted as text."""
        for key, digits in in_iccid_order(by_page(lambda after: self._db.tuples(_NEXT_TARGETS, after=after))):
            yield Iccid(digits, key)

    def by_source_keys(self, keys: Iterable[str]) -> dict[str, Pair]:
        """Return the pairs of some source SIMs, by source key.

        SIMs without a pair are left out.
        """
        wanted = select(*PAIR_COLUMNS).where(among(pairs.c.source_key, bindparam("keys")))
        return {pair.source.key: pair for pair in self._among(wanted, keys)}

    def swapped(self, keys: Iterable[str]) -> dict[str, float]:
        """Return when the swap of some old SIMs' units was noted.

        See `store.pairs.swaps`.
        """
        return swapped(self._db, keys)

    def by_target_keys(self, keys: Iterable[str]) -> dict[str, Pair]:
        """Return the pairs of some target SIMs, by target key.

        SIMs without a pair are left out.
        """
        wanted = select(*PAIR_COLUMNS).where(among(pairs.c.target_key, bindparam("keys")))
        return {pair.target.key: pair for pair in self._among(wanted, keys)}

    def orphans(self) -> Iterator[Pair]:
        """Yield pairs whose source is not in the inventory in force.

        The pairs are sorted by source key.
        """
        wanted = _PAGE.where(~_in_inventory(pairs.c.source_key))
        yield from map(pair_from, by_page(lambda after: self._db.rows(wanted, after=after)))

    def misplaced(self) -> Iterator[Pair]:
        """Yield pairs whose target is another SIM of the inventory.

        Only the inventory in force counts. The pairs are sorted by source key.
        """
        wanted = _PAGE.where(_in_inventory(pairs.c.target_key), pairs.c.source_key != pairs.c.target_key)
        yield from map(pair_from, by_page(lambda after: self._db.rows(wanted, after=after)))

    def chips(self) -> Iterator[tuple[Pair, dict[str, Any]]]:
        """Yield pairs with an EID whose target was seen.

        Each pair comes with the target carrier's own record.
        """
        wanted = _PAGE.add_columns(target_links.c.raw).join_from(
            pairs, target_links, target_links.c.key == pairs.c.target_key
        )
        wanted = wanted.where(pairs.c.eid.is_not(None), target_links.c.raw.is_not(None))
        for row in by_page(lambda after: self._db.rows(wanted, after=after)):
            yield pair_from(row[:-1]), json.loads(row[-1])

    def unpaired_targets(self) -> int:
        """Count the SIMs seen at the target carrier that no pair names."""
        named = select(pairs.c.target_key).where(pairs.c.target_key == target_links.c.key).exists()
        with self._db.read() as connection:
            return connection.scalar(select(func.count()).where(target_links.c.present == 1, ~named)) or 0

    def count(self) -> int:
        """Count the pairs."""
        with self._db.read() as connection:
            return _count(connection)

    def fingerprint(self) -> str:
        """Return a SHA-256 over the keys of the pairs.

        The same pairs give the same value, wherever the pairs came from.
        """
        with self._db.read() as connection:
            return fingerprint_of_pairs(connection)

    def _pages(self) -> Iterator[tuple[Any, ...]]:
        return by_page(lambda after: self._db.tuples(_NEXT, after=after))

    def _among(self, wanted: Executable, keys: Iterable[str]) -> Iterator[Pair]:
        for chunk in chunks(keys):
            yield from map(pair_from, self._db.rows(wanted, keys=json_list(chunk)))


class _NotRight(Exception):
    """Problem in the incoming pairs that needs a check row by row."""


def _take_in(connection: Connection, new: Iterable[PairValues], now: float) -> None:
    """Fill the table of incoming pairs anew."""
    connection.execute(CreateTable(_incoming, if_not_exists=True))
    connection.execute(delete(_incoming))
    for chunk in chunks(new):
        insert_many(connection, _INSERT, [(*values, now, eid) for *values, eid in chunk])


def _add_if_right(connection: Connection) -> int:
    """Move the incoming pairs into the empty table of pairs.

    Raises: IntegrityError, _NotRight.
    """
    new, sim = _incoming.c, source_sims.c
    wanted = connection.scalar(select(func.count()).select_from(_incoming)) or 0
    is_source = select(sim.key).where(sim.snapshot_id == in_force, sim.key == new.target_key).exists()
    if _count(connection) or connection.scalar(select(new.source_key).where(is_source).limit(1)) is not None:
        raise _NotRight
    columns = [sim.iccid if column.name == "source_iccid" else column for column in new]
    listed = select(*columns).join_from(_incoming, source_sims, sim.key == new.source_key)
    listed = listed.where(sim.snapshot_id == in_force).order_by(new.source_key)
    added = changed_rows(connection.execute(insert(pairs).from_select(list(_NAMES), listed)))
    if added != wanted:
        raise _NotRight
    return added


def _count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(pairs)).scalar_one()


def note_changed_pairs(connection: Connection, counts: Mapping[str, int], now: float) -> None:
    """Log a change of the pairs, and what they are now."""
    told = {**counts, "pairs": _count(connection), "fingerprint": fingerprint_of_pairs(connection)}
    note(connection, now, "pairs.changed", None, told)


def fingerprint_of_pairs(connection: Connection) -> str:
    """Return a SHA-256 over the keys of every pair, in key order."""
    digest = hashlib.sha256()
    for some in connection.scalars(_LINES).partitions():
        digest.update("".join(some).encode())
    return digest.hexdigest()


def _values(pair: Pair) -> PairValues:
    eid = None if pair.eid is None else pair.eid.digits
    return pair.source.key, pair.source.digits, pair.target.key, pair.target.digits, pair.origin, eid


def _refuse_doubles(connection: Connection) -> None:
    """Refuse incoming pairs that contradict each other.

    Raises: InputError.
    """
    new = _incoming.c
    for one, other, role in ((new.source_key, new.target_key, "source"), (new.target_key, new.source_key, "target")):
        doubled = (
            select(func.min(new.source_iccid if role == "source" else new.target_iccid))
            .group_by(one)
            .having(func.count(other.distinct()) > 1)
            .limit(_FIRST)
        )
        found = connection.execute(doubled).scalars().all()
        if found:
            raise InputError(
                f"{role} SIMs that are given twice, differently: {', '.join(found)}",
                code=f"{role}_twice",
                hint="every source SIM has one target, and every target one source; nothing was kept",
            )


def _counts(connection: Connection) -> dict[str, int]:
    def count(statement: Executable) -> int:
        return int(connection.execute(statement).scalar_one())

    sources = func.count(_incoming.c.source_key.distinct())
    known = select(sources).join_from(_incoming, pairs, _same_source)
    replaced = count(known.where(_contradicts))
    unchanged = count(known.where(~_contradicts))
    return {"added": count(select(sources)) - replaced - unchanged, "unchanged": unchanged, "replaced": replaced}


def _refuse_contradictions(connection: Connection) -> None:
    shown = select(pairs.c.source_iccid, pairs.c.target_iccid).join_from(_incoming, pairs, _same_source)
    found = connection.execute(shown.where(_contradicts).limit(_FIRST)).all()
    raise InputError(
        "source SIMs that have another target already: "
        + ", ".join(f"{row.source_iccid} ({row.target_iccid})" for row in found),
        code="pair_contradiction",
        hint="give the same target, or say --replace; nothing was kept",
    )


def _drop(connection: Connection, keys: Sequence[str]) -> int:
    """Remove the pairs and facts of some source SIMs.

    Returns: the number of pairs.
    """
    gone = 0
    for chunk in chunks(keys):
        listed = {"keys": json_list(chunk)}
        gone += changed_rows(connection.execute(_DROP_PAIRS, listed))
        connection.execute(_DROP_FACTS, listed)
    return gone


def _replace_all(connection: Connection) -> None:
    """Drop the replaced pairs, then add the new pairs.

    In this order, two sources may swap their targets.
    """
    replaced = select(pairs.c.source_key).join_from(_incoming, pairs, _same_source).where(_contradicts)
    connection.execute(delete(pairs).where(pairs.c.source_key.in_(replaced)))
    _refuse_taken_targets(connection)
    is_known = select(pairs.c.source_key).where(_same_source).exists()
    key, *others = _incoming.c  # a pair that is given twice is the same one: see `_refuse_doubles`
    new = select(key, *map(func.min, others)).where(~is_known).group_by(key)
    connection.execute(insert(pairs).from_select(list(_NAMES), new))
    chips = update(pairs).values(eid=_incoming.c.eid).where(_same_source, _incoming.c.eid.is_not(None))
    connection.execute(chips.where(pairs.c.eid.is_distinct_from(_incoming.c.eid)))


def _refuse_taken_targets(connection: Connection) -> None:
    taken = (
        select(pairs.c.target_iccid, pairs.c.source_iccid)
        .join_from(_incoming, pairs, pairs.c.target_key == _incoming.c.target_key)
        .where(pairs.c.source_key != _incoming.c.source_key)
        .limit(_FIRST)
    )
    found = connection.execute(taken).all()
    if found:
        raise InputError(
            "target SIMs that belong to another source already: "
            + ", ".join(f"{row.target_iccid} ({row.source_iccid})" for row in found),
            code="target_taken",
            hint="every target SIM has one source; nothing was kept",
        )
