"""Hardware of old and new SIMs, brought together.

The tables are temporary, so that a fleet of any size takes no memory, and nobody is kept out of the store.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.schema import CreateTable, DropTable

from migrator.chunks import PAGE, chunks
from migrator.core.cutover.discovery import CardFinding, CardSight, found, one_digit_off
from migrator.core.cutover.old_use import KeptUse, NewLife
from migrator.core.cutover.rules import moment_s
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import FILLERS, UNASSIGNED, hardware, is_filler
from migrator.core.fleet.sims import LinkState, SourceStatus
from migrator.store.database.database import Database
from migrator.store.database.rows import among, by_page, is_later, json_list, temporary_table
from migrator.store.database.sql import DriverSql, Query
from migrator.store.database.sql import insert as upsert
from migrator.store.inventory.imei_history import body_of, hardware_of_old
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import pairs, snapshots, source_sims, target_links, unit_facts
from migrator.store.tables.plans import proofs
from migrator.store.tables.sightings import old_uses
from migrator.store.tables.types import Integer, Text

__all__ = ["Discovery"]

MOST_NEAR = 10_000
"""Most new SIMs whose IMEI is compared digit by digit."""

NEAR_AT_ONCE = 100

_olds = temporary_table(  # hardware of old SIMs; first_at where the SIM was in other hardware before
    "discovery_olds",
    Column("body", Text, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("imei", Text, nullable=False),
    Column("first_at", Float),
)
_places = temporary_table(  # each hardware, with the number of old SIMs, and one of them
    "discovery_places",
    Column("body", Text, primary_key=True),
    Column("olds", Integer, nullable=False),
    Column("source_key", Text, nullable=False),
)
_news = temporary_table(  # each new SIM
    "discovery_news",
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
    Column("imei", Text),
    Column("body", Text),
    Column("alive_s", Float),
    Column("claimed_s", Float),
)
_crowds = temporary_table(  # the number of new SIMs in each hardware
    "discovery_crowds", Column("body", Text, primary_key=True), Column("news", Integer, nullable=False)
)
_claimants = temporary_table(  # the number of new SIMs in the hardware of each old SIM
    "discovery_claimants", Column("source_key", Text, primary_key=True), Column("news", Integer, nullable=False)
)
_uses = temporary_table(  # the last day of use that a proof noted
    "discovery_uses", Column("source_key", Text, primary_key=True), Column("used_on", Text, nullable=False)
)
_NEW_NAMES = tuple(column.name for column in _news.c)
_PUT_NEWS = DriverSql(insert(_news).values(dict.fromkeys(_NEW_NAMES)), _NEW_NAMES)
_TABLES = (_olds, _places, _news, _crowds, _claimants, _uses)

_of_source, _of_target = pairs.alias("pair_of_source"), pairs.alias("pair_of_target")
_fit = _olds.alias("fit")
_ROWS = (
    select(
        _news.c.key,
        _news.c.iccid,
        _news.c.imei,
        _news.c.body,
        _news.c.alive_s,
        _news.c.claimed_s,
        _places.c.olds,
        _crowds.c.news,
        _places.c.source_key,
        func.coalesce(source_sims.c.iccid, _places.c.source_key),
        _olds.c.imei,
        _olds.c.first_at,
        _claimants.c.news,
        source_sims.c.status,
        _of_target.c.source_key,
        _of_target.c.source_iccid,
        _fit.c.source_key,
        _of_source.c.target_key,
        _of_source.c.target_iccid,
        old_uses.c.asked_from,
        old_uses.c.asked_to,
        old_uses.c.used_on,
        old_uses.c.is_told,
        _uses.c.used_on,
        unit_facts.c.scanned_at,
    )
    .select_from(_news)
    .outerjoin(_places, _places.c.body == _news.c.body)
    .outerjoin(_crowds, _crowds.c.body == _news.c.body)
    .outerjoin(_olds, and_(_olds.c.body == _places.c.body, _olds.c.source_key == _places.c.source_key))
    .outerjoin(_claimants, _claimants.c.source_key == _places.c.source_key)
    .outerjoin(source_sims, and_(source_sims.c.snapshot_id == in_force, source_sims.c.key == _places.c.source_key))
    .outerjoin(_of_target, _of_target.c.target_key == _news.c.key)
    .outerjoin(unit_facts, unit_facts.c.source_key == _of_target.c.source_key)
    .outerjoin(_fit, and_(_fit.c.body == _news.c.body, _fit.c.source_key == _of_target.c.source_key))
    .outerjoin(_of_source, _of_source.c.source_key == _places.c.source_key)
    .outerjoin(old_uses, old_uses.c.source_key == _places.c.source_key)
    .outerjoin(_uses, _uses.c.source_key == _places.c.source_key)
    .where(is_later(_news.c.key))
    .order_by(_news.c.key)
    .limit(PAGE)
)
_NEXT = Query(_ROWS)
_UNKNOWN = (
    select(_news.c.key, _news.c.body)
    .where(_news.c.body.is_not(None), _news.c.alive_s.is_not(None), _news.c.body.not_in(select(_places.c.body)))
    .order_by(_news.c.key)
    .limit(MOST_NEAR)
)
_OLDS_AMONG = (
    select(_olds.c.body, _olds.c.imei, _olds.c.source_key, source_sims.c.iccid)
    .outerjoin_from(
        _olds, source_sims, and_(source_sims.c.snapshot_id == in_force, source_sims.c.key == _olds.c.source_key)
    )
    .where(among(_olds.c.body, bindparam("keys")))
    .order_by(_olds.c.body, _olds.c.source_key)
)
_STATUS: Mapping[str, SourceStatus] = {status.value: status for status in SourceStatus}


class Discovery:
    """Comparison of new SIMs with the hardware of old SIMs.

    Use it in one thread, one at a time.

    Args:
        database: the open store.
        org_id: our organization; None where it is not known, and then every claimed SIM counts as ours.
        units: further hardware of old SIMs, by the key of the old SIM: the customer's own list.
    """

    def __init__(self, database: Database, org_id: int | None, units: Iterable[tuple[str, str]] = ()) -> None:
        self._db = database
        with database.read() as connection:
            for table in _TABLES:
                connection.execute(DropTable(table, if_exists=True))
                connection.execute(CreateTable(table))
            self._inventory_s = connection.scalar(select(snapshots.c.completed_at).where(_is_in_force)) or 0.0
            _fill_olds(connection)
        for chunk in chunks(units):  # whoever lists them may read the store meanwhile
            with database.read() as connection:
                _add_units(connection, chunk)
        with database.read() as connection:
            _fill_places(connection)
            _fill_news(connection, org_id)

    def found(self) -> Iterator[CardFinding]:
        """Yield every new SIM with its bucket, by key."""
        for row in by_page(lambda after: self._db.tuples(_NEXT, after=after)):
            yield found(self._sight(row))

    def near_misses(self) -> dict[str, tuple[Iccid, str]]:
        """Return old SIMs whose IMEI is one digit off.

        They are by the key of the new SIM, with the IMEI. At most `MOST_NEAR` new SIMs are looked at.
        """
        near: dict[str, tuple[Iccid, str]] = {}
        for some in chunks(self._db.rows(_UNKNOWN), NEAR_AT_ONCE):
            meant = {other: row.key for row in some for other in one_digit_off(row.body)}
            for row in self._db.rows(_OLDS_AMONG, keys=json_list(meant)):
                near.setdefault(meant[row.body], (Iccid(row.iccid or row.source_key, row.source_key), row.imei))
        return near

    def keep_uses(self, answers: Mapping[str, KeptUse], now: float) -> None:
        """Keep what 1NCE told of old SIMs' use.

        The answers are by key of the old SIM, and `now` is in UTC seconds. It can be asked again.
        """
        statement = upsert(old_uses)
        names = ("asked_from", "asked_to", "used_on", "is_told", "asked_at")
        new = {name: statement.excluded[name] for name in names}
        kept = statement.on_conflict_do_update(index_elements=["source_key"], set_=new)
        with self._db.write(durable=False) as connection:
            for chunk in chunks(answers.items()):
                connection.execute(
                    kept,
                    [
                        {
                            "source_key": key,
                            "asked_from": one.asked_from.isoformat(),
                            "asked_to": one.asked_to.isoformat(),
                            "used_on": None if one.used_on is None else one.used_on.isoformat(),
                            "is_told": int(one.is_told),
                            "asked_at": now,
                        }
                        for key, one in chunk
                    ],
                )

    def close(self) -> None:
        """Forget the hardware."""
        with self._db.read() as connection:
            for table in _TABLES:
                connection.execute(DropTable(table, if_exists=True))

    def _sight(self, row: tuple[Any, ...]) -> CardSight:
        key, iccid, imei, body, alive_s, claimed_s, olds, news, source_key, source_iccid, *rest = row
        source_imei, first_s, source_news, status, for_key, for_iccid, fits, with_key, with_iccid, *uses = rest
        asked_from, asked_to, used_on, is_told, noted_on, scanned_s = uses
        use = (
            None if asked_from is None else KeptUse(_day(asked_from), _day(asked_to), _some_day(used_on), bool(is_told))
        )
        return CardSight(
            Iccid(iccid, key),
            imei,
            body,
            body is not None and is_filler(body),
            NewLife(alive_s, claimed_s),
            olds or 0,
            news or 0,
            None if source_key is None else Iccid(source_iccid, source_key),
            source_imei,
            first_s,
            source_news or 0,
            None if status is None else _STATUS[status],
            self._inventory_s,
            use,
            _some_day(noted_on),
            None if for_key is None else Iccid(for_iccid, for_key),
            fits is not None,
            None if with_key is None else Iccid(with_iccid, with_key),
            scanned_s,
        )


_is_in_force = snapshots.c.snapshot_id == in_force


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _some_day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _fill_olds(connection: Connection) -> None:
    """Bring the hardware of old SIMs together, without fillers.

    See `hardware_of_old`. Fillers go afterwards, by the key: a test of each SIM costs more.
    """
    connection.execute(insert(_olds).from_select(["body", "source_key", "imei", "first_at"], hardware_of_old()))
    body = _olds.c.body
    connection.execute(delete(_olds).where(or_(body.in_(FILLERS), and_(body >= UNASSIGNED, body <= UNASSIGNED + ":"))))


def _add_units(connection: Connection, units: Iterable[tuple[str, str]]) -> None:
    """Add hardware of old SIMs from the customer's own list."""
    told = [(hardware(imei), key, imei) for key, imei in units]
    values = [{"body": body, "source_key": key, "imei": imei} for body, key, imei in told if body is not None]
    if values:
        statement = upsert(_olds).on_conflict_do_update(index_elements=["body", "source_key"], set_={"first_at": None})
        connection.execute(statement, values)


def _fill_places(connection: Connection) -> None:
    """Count the old SIMs of each hardware."""
    placed = select(_olds.c.body, func.count(), func.min(_olds.c.source_key)).group_by(_olds.c.body)
    connection.execute(insert(_places).from_select(["body", "olds", "source_key"], placed))


def _new_row(row: Sequence[Any], at: Callable[[str | None], float | None]) -> tuple[Any, ...]:
    """Return the row of a new SIM, with its dates read.

    A SIM that was seen before its claim was not alive as ours.
    """
    key, iccid, imei, body, connected, claimed = row
    connected_s, claimed_s = at(connected), at(claimed)
    if connected_s is None or claimed_s is None or connected_s < claimed_s:
        return key, iccid, imei, body, None, claimed_s
    return key, iccid, imei, body, connected_s, claimed_s


def _fill_news(connection: Connection, org_id: int | None) -> None:
    """Bring the new SIMs together: claimed, ours, and not deactivated.

    A device that is known under several of its profiles counts once, under the one that is in a pair.
    """
    link, other = target_links.c, target_links.alias("other").c

    def is_new(one: Any) -> ColumnElement[bool]:
        is_ours = or_(one.org_id.is_(None), one.org_id == org_id) if org_id is not None else true()
        return and_(one.present == 1, one.device_id.is_not(None), one.state != LinkState.RETIRED.value, is_ours)

    several = select(link.device_id).where(is_new(link)).group_by(link.device_id).having(func.count() > 1)
    is_paired = select(pairs.c.target_key).where(pairs.c.target_key == other.key).exists()
    of_device = select(other.key).where(other.device_id == link.device_id, is_new(other))
    first = of_device.order_by(~is_paired, other.key).limit(1).scalar_subquery()
    body, is_one = body_of(link.imei)
    listed = select(
        link.key,
        link.iccid,
        link.imei,
        case((is_one, body)),
        link.last_connected_at,
        link.claimed_at,
    ).where(is_new(link), or_(link.device_id.not_in(several), link.key == first))
    at = lru_cache(8192)(moment_s)
    with connection.execute(listed.execution_options(yield_per=PAGE)) as found:
        for part in found.partitions():
            _PUT_NEWS.run(connection, [_new_row(row, at) for row in part])
    crowd = select(_news.c.body, func.count()).where(_news.c.body.is_not(None), _news.c.alive_s.is_not(None))
    connection.execute(insert(_crowds).from_select(["body", "news"], crowd.group_by(_news.c.body)))
    claimed = select(_olds.c.source_key, func.sum(_crowds.c.news)).join_from(
        _crowds, _olds, _olds.c.body == _crowds.c.body
    )
    connection.execute(insert(_claimants).from_select(["source_key", "news"], claimed.group_by(_olds.c.source_key)))
    used = select(proofs.c.source_key, func.max(proofs.c.old_used_on)).where(proofs.c.old_used_on.is_not(None))
    connection.execute(insert(_uses).from_select(["source_key", "used_on"], used.group_by(proofs.c.source_key)))
