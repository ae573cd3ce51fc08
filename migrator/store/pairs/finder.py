"""The one search of the store for SIMs, by any name.

Every name has an index. Only a text that is found nowhere is looked for in all labels and records, by a scan in SQL.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Eid, Imei, NotAnIdentifier
from migrator.core.run.states import PlanKind
from migrator.store.database.database import Database
from migrator.store.database.sql import has_blanks, holds
from migrator.store.inventory.imei_history import body_of
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import pairs, source_sims, target_links, unit_facts
from migrator.store.tables.plans import changes, plans
from migrator.store.tables.sightings import pair_versions, source_imeis

__all__ = ["LOOKED_THROUGH", "MOST_HITS", "Finder", "Found", "Name"]

MOST_HITS = 100
"""Most SIMs that are named for one text.

Of more, the first ones are named, and one more, so that a caller sees that there are more.
"""

_SHORTEST_NUMBER = 6
"""Fewest digits of a subscriber's number.

Shorter numbers would be found in every record.
"""

_MIGRATIONS = select(plans.c.plan_no).where(plans.c.kind == PlanKind.MIGRATE)  # a card in stock is no old SIM


class Name(StrEnum):
    """Kind of name by which a SIM is found."""

    OLD_ICCID = "old ICCID"  # the SIM at 1NCE
    NEW_ICCID = "new ICCID"  # the SIM at Hologram
    EARLIER_NEW_ICCID = "new ICCID of an earlier pair"  # before a correction
    EID = "EID"  # the chip of the new SIM
    IMEI = "IMEI"  # hardware that either SIM was seen in, or that people noted
    DEVICE_ID = "Hologram device id"
    IMSI = "IMSI"
    MSISDN = "MSISDN"
    LABEL = "label of the old SIM"
    DEVICE_NAME = "name at Hologram"
    UNIT = "unit"
    TICKET = "ticket"


LOOKED_THROUGH = (
    "old and new ICCIDs, EIDs, IMEIs, Hologram device ids, IMSIs, MSISDNs, labels, names at Hologram, units and tickets"
)
"""Names that a search goes through, in words."""


@dataclass(frozen=True, slots=True)
class Found:
    """SIM, or pair of SIMs, that a text names.

    `source_key` is None for a new SIM without a pair. `target_key` is None for an old SIM without one. `names` are the
    kinds of names that fit.
    """

    source_key: str | None
    target_key: str | None
    names: tuple[Name, ...]


@dataclass(slots=True)
class _Hits:
    """Keys of old and new SIMs, with the names that fit."""

    olds: dict[str, list[Name]] = field(default_factory=dict)
    news: dict[str, list[Name]] = field(default_factory=dict)

    def add(self, keys: Iterable[str], name: Name, *, is_old: bool) -> None:
        """Note SIMs that were found."""
        side = self.olds if is_old else self.news
        for key in keys:
            names = side.setdefault(key, [])
            if name not in names:
                names.append(name)

    def __bool__(self) -> bool:
        return bool(self.olds or self.news)


class Finder:
    """Search of a store for old and new SIMs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, text: str) -> list[Found]:
        """Return every pair or single SIM that a text can name.

        A new SIM stands with the old SIM that it is paired with now. An ICCID that is known names that SIM alone. Case
        counts only where a label, name, unit or ticket is there in this very spelling. At most `MOST_HITS` and one are
        returned, sorted by key.
        """
        wanted = " ".join(text.split())
        hits = _Hits()
        if not wanted:
            return []
        self._by_iccid(wanted, hits)
        if not hits:
            self._by_number(wanted, hits)
            self._by_words(wanted, hits)
        if not hits:
            self._by_words(wanted, hits, fold=True)
        if not hits:
            self._in_records(wanted, hits)
        return self._paired(hits)

    # --- each kind of name ----------------------------------------------------------------------------------------

    def _by_iccid(self, text: str, hits: _Hits) -> None:
        try:
            key = read_iccid(text).key
        except RefusedIccid:
            return
        sim, pair, link = source_sims.c, pairs.c, target_links.c
        version = pair_versions.c
        olds: list[Select[Any]] = [
            select(sim.key).where(sim.snapshot_id == in_force, sim.key == key),
            select(pair.source_key).where(pair.source_key == key),
            select(changes.c.source_key)
            .where(changes.c.plan_no.in_(_MIGRATIONS), changes.c.source_key == key)
            .distinct(),
            select(unit_facts.c.source_key).where(unit_facts.c.source_key == key),
        ]
        news: list[Select[Any]] = [
            select(pair.target_key).where(pair.target_key == key),
            select(link.key).where(link.key == key),
        ]
        for statement in olds:
            hits.add(self._keys(statement), Name.OLD_ICCID, is_old=True)
        if not hits.olds:
            for statement in news:
                hits.add(self._keys(statement), Name.NEW_ICCID, is_old=False)
        if not self._holders(hits.news):  # no pair of today has it
            was = select(version.source_key).where(version.was_target_key == key).distinct()
            hits.add(self._keys(was), Name.EARLIER_NEW_ICCID, is_old=True)
            if hits.olds:
                hits.news.pop(key, None)

    def _by_number(self, text: str, hits: _Hits) -> None:
        eid = _parsed(Eid.parse, text)
        if eid is not None:
            hits.add(self._keys(select(pairs.c.source_key).where(pairs.c.eid == eid.digits)), Name.EID, is_old=True)
        imei = _parsed(Imei.parse, _without_marks(text))
        if imei is not None:
            self._by_imei(imei.body, hits)
        digits = _without_marks(text).removeprefix("+")
        if not digits.isdecimal() or not digits.isascii():
            return
        sim, link = source_sims.c, target_links.c
        if len(digits) < len(str(2**63)):
            by_id = select(link.key).where(link.device_id == int(digits), link.present == 1)
            hits.add(self._keys(by_id), Name.DEVICE_ID, is_old=False)
        if len(digits) >= _SHORTEST_NUMBER:
            for column, name in ((sim.imsi, Name.IMSI), (sim.msisdn, Name.MSISDN)):
                wanted = select(sim.key).where(sim.snapshot_id == in_force, column.in_((digits, f"+{digits}")))
                hits.add(self._keys(wanted), name, is_old=True)

    def _by_imei(self, body: str, hits: _Hits) -> None:
        """Find SIMs by hardware: seen at any time, or noted."""
        noted, seen, link = unit_facts.c, source_imeis.c, target_links.c
        for table, key, is_old in (
            (unit_facts, noted.source_key, True),
            (source_imeis, seen.source_key, True),
            (target_links, link.key, False),
        ):
            column = table.c.imei
            digits, is_one = body_of(column)
            for may_be in (has_blanks(column), and_(column >= body, column <= body + ":")):  # an index has either
                wanted = select(key).where(may_be, is_one, digits == body).distinct()
                hits.add(self._keys(wanted), Name.IMEI, is_old=is_old)

    def _by_words(self, text: str, hits: _Hits, *, fold: bool = False) -> None:
        sim, link, noted = source_sims.c, target_links.c, unit_facts.c
        kinds: tuple[tuple[ColumnElement[str], ColumnElement[str], Name, bool, bool], ...] = (
            (noted.unit, noted.source_key, Name.UNIT, True, False),
            (noted.ticket, noted.source_key, Name.TICKET, True, False),
            (sim.label, sim.key, Name.LABEL, True, True),
            (link.name, link.key, Name.DEVICE_NAME, False, False),
        )
        for column, key, name, is_old, is_of_snapshot in kinds:
            same = func.lower(func.trim(column)) == func.lower(text) if fold else column == text
            wanted = select(key).where(same)
            wanted = wanted.where(sim.snapshot_id == in_force) if is_of_snapshot else wanted
            hits.add(self._keys(wanted), name, is_old=is_old)

    def _in_records(self, text: str, hits: _Hits) -> None:
        """Find a number in Hologram's own records.

        That is the last resort, where no column has it: every record is read.
        """
        digits = _without_marks(text).removeprefix("+")
        if not digits.isdecimal() or len(digits) < _SHORTEST_NUMBER:
            return
        link = target_links.c
        wanted = select(link.key, link.raw).where(holds(link.raw, digits)).limit(MOST_HITS + 1)
        for row in self._db.rows(wanted):
            for name in _numbers(json.loads(row.raw), digits):
                hits.add([row.key], name, is_old=False)

    # --- pairs ----------------------------------------------------------------------------------------------------

    def _paired(self, hits: _Hits) -> list[Found]:
        holders = self._holders(hits.news)
        named: dict[str | None, dict[str | None, list[Name]]] = {}
        for key, names in hits.olds.items():
            named.setdefault(key, {}).setdefault(None, []).extend(names)
        for key, names in hits.news.items():
            holder = holders.get(key)
            told = named.setdefault(holder, {}).setdefault(None if holder else key, [])
            told.extend(name for name in names if name not in told)
        targets = self._targets(key for key in named if key is not None)
        found = [
            Found(old, targets.get(old) if old is not None else new, tuple(names))
            for old, by_new in named.items()
            for new, names in by_new.items()
        ]
        return sorted(found, key=lambda one: (one.source_key or "", one.target_key or ""))[: MOST_HITS + 1]

    def _holders(self, targets: Iterable[str]) -> dict[str, str]:
        wanted = list(targets)
        rows = self._db.rows(select(pairs.c.target_key, pairs.c.source_key).where(pairs.c.target_key.in_(wanted)))
        return {row.target_key: row.source_key for row in rows}

    def _targets(self, sources: Iterable[str]) -> dict[str, str]:
        wanted = list(sources)
        rows = self._db.rows(select(pairs.c.source_key, pairs.c.target_key).where(pairs.c.source_key.in_(wanted)))
        return {row.source_key: row.target_key for row in rows}

    def _keys(self, statement: Select[Any]) -> Iterator[str]:
        return (row[0] for row in self._db.rows(statement.limit(MOST_HITS + 1)))


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except NotAnIdentifier:
        return None


def _without_marks(text: str) -> str:
    """Return a number without the marks that people put between its digits."""
    return text.translate(str.maketrans("", "", " -/.()"))


_RECORD_KEYS = {"imsi": Name.IMSI, "msisdn": Name.MSISDN, "phonenumber": Name.MSISDN, "sim": Name.NEW_ICCID}
"""Keys of Hologram's records under which a number stands.

"sim" also has the ICCID of a profile that is not in use.
"""


def _numbers(record: Any, digits: str) -> Iterator[Name]:
    """Yield the kinds of numbers under which a record has these digits."""
    if isinstance(record, Mapping):
        for key, value in record.items():
            if isinstance(value, str | int) and str(value).removeprefix("+") == digits and key in _RECORD_KEYS:
                yield _RECORD_KEYS[key]
            else:
                yield from _numbers(value, digits)
    elif isinstance(record, list):
        for one in record:
            yield from _numbers(one, digits)
