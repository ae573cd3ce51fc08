"""Units for the handover: each pair with all known facts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, select

from migrator.chunks import PAGE, chunks
from migrator.core.cutover.life import Life
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import Pair, SourceSim, TargetLink
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.run.states import StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import (
    LINK_COLUMNS,
    PAIR_COLUMNS,
    SIM_COLUMNS,
    among,
    is_later,
    json_list,
    link_from,
    pair_from,
    sim_from,
)
from migrator.store.inventory.snapshots import in_force
from migrator.store.inventory.unit_facts import facts_from
from migrator.store.journal.proofs import life_in
from migrator.store.pairs.swaps import swapped
from migrator.store.tables.fleet import pairs, source_sims, target_links, unit_facts
from migrator.store.tables.plans import changes, plans, proofs, steps

__all__ = ["HandoverUnit", "HandoverUnits", "ProvedSight"]

_FACT_COLUMNS = tuple(unit_facts.c)
_COLUMNS = (*PAIR_COLUMNS, *SIM_COLUMNS, *LINK_COLUMNS, target_links.c.raw, *_FACT_COLUMNS)


def _units(*, of_page: bool) -> Select[Any]:
    """Select units with what is known of each.

    `of_page` tells if only the next page is wanted.
    """
    mine = [source_sims.c.snapshot_id == in_force, source_sims.c.key == pairs.c.source_key]
    facts = [unit_facts.c.source_key == pairs.c.source_key]
    if of_page:
        mine.append(is_later(source_sims.c.key))
        facts.append(is_later(unit_facts.c.source_key))
    return (
        select(*(column.label(f"c{number}") for number, column in enumerate(_COLUMNS)))
        .select_from(pairs)
        .outerjoin(source_sims, and_(*mine))
        .outerjoin(target_links, target_links.c.key == pairs.c.target_key)
        .outerjoin(unit_facts, and_(*facts))
        .order_by(pairs.c.source_key)
    )


_NEXT = _units(of_page=True).where(is_later(pairs.c.source_key)).limit(PAGE)
_AMONG = _units(of_page=False).where(among(pairs.c.source_key, bindparam("keys")))

_SIM_AT = len(PAIR_COLUMNS)
_LINK_AT = _SIM_AT + len(SIM_COLUMNS)
_RAW_AT = _LINK_AT + len(LINK_COLUMNS)

_SIGHTS = (
    select(
        proofs.c.source_key,
        changes.c.target_key,
        proofs.c.proved_at,
        proofs.c.life,
        proofs.c.alive_at,
        proofs.c.unit,
        proofs.c.target_imei,
    )
    .join_from(proofs, changes, (changes.c.plan_no == proofs.c.plan_no) & (changes.c.source_key == proofs.c.source_key))
    .where(proofs.c.plan_no.in_(select(plans.c.plan_no)))  # known few: with them, the index finds a SIM at once
    .where(among(proofs.c.source_key, bindparam("keys")))
    .order_by(proofs.c.source_key, proofs.c.proved_at, proofs.c.plan_no)
)
_CLAIMS = (
    select(steps.c.source_key, changes.c.target_key, steps.c.since)
    .join_from(steps, changes, (changes.c.plan_no == steps.c.plan_no) & (changes.c.source_key == steps.c.source_key))
    .where(steps.c.kind == StepKind.CLAIM, steps.c.state == StepState.DONE)
    .where(among(steps.c.source_key, bindparam("keys")))
    .order_by(steps.c.source_key, steps.c.since)
)


@dataclass(frozen=True, slots=True)
class ProvedSight:
    """Proof of life of one new SIM by one plan (UTC seconds)."""

    proved_s: float
    life: Life
    alive_s: float | None
    unit: Unit
    target_imei: str | None


@dataclass(frozen=True, slots=True)
class HandoverUnit:
    """Pair with all that the store knows of its two SIMs.

    Args:
        pair: the pair as it is now.
        sim: the old SIM by the inventory in force; None if the inventory does not hold it.
        link: the new SIM by the last read; None if it was not seen.
        raw: the new SIM's record as JSON text.
        facts: notes of people about the unit.
        sights: proofs of life of this new SIM, oldest first; those of a card that was paired before do not count.
        claim_noted_s: when our journal noted the claim of this new SIM (UTC seconds).
        swapped_s: when the swap was noted (UTC seconds); None if nobody noted any.
    """

    pair: Pair
    sim: SourceSim | None
    link: TargetLink | None
    raw: str | None
    facts: UnitFacts | None
    sights: tuple[ProvedSight, ...]
    claim_noted_s: float | None
    swapped_s: float | None


class HandoverUnits:
    """Every pair of the store, with what is known of its unit.

    No iterator holds a transaction.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def pages(self) -> Iterator[list[HandoverUnit]]:
        """Yield all units, some at a time.

        The units are sorted by the key of the old SIM.
        """
        after = ""
        while page := self._units(_NEXT, after=after):
            yield page
            if len(page) < PAGE:
                return
            after = page[-1].pair.source.key

    def among(self, keys: Iterable[str]) -> Iterator[list[HandoverUnit]]:
        """Yield the units of some old SIMs, some at a time."""
        for chunk in chunks(keys):
            yield self._units(_AMONG, keys=json_list(chunk))

    def _units(self, statement: Any, **values: Any) -> list[HandoverUnit]:
        with self._db.read() as connection:
            rows = connection.execute(statement, values).all()
            wanted = {"keys": json_list(row[0] for row in rows)}
            sights: dict[tuple[str, str], list[ProvedSight]] = {}
            for key, target, proved, life, alive, unit, imei in connection.execute(_SIGHTS, wanted):
                sight = ProvedSight(proved, life_in(life), alive, Unit(unit), imei)
                sights.setdefault((key, target), []).append(sight)
            claims = {(row.source_key, row.target_key): row.since for row in connection.execute(_CLAIMS, wanted)}
        swaps = swapped(self._db, [row[0] for row in rows])
        return [_unit(row, sights, claims, swaps) for row in rows]


def _unit(
    row: Sequence[Any],
    sights: dict[tuple[str, str], list[ProvedSight]],
    claims: dict[tuple[str, str], float],
    swaps: dict[str, float],
) -> HandoverUnit:
    pair = pair_from(row[:_SIM_AT])
    sim, link, raw = row[_SIM_AT:_LINK_AT], row[_LINK_AT:_RAW_AT], row[_RAW_AT]
    facts, both = row[_RAW_AT + 1 :], (pair.source.key, pair.target.key)
    return HandoverUnit(
        pair=pair,
        sim=None if sim[0] is None else sim_from(sim),
        link=link_from(link),
        raw=raw,
        facts=None if facts[0] is None else facts_from(facts),
        sights=tuple(sights.get(both, ())),
        claim_noted_s=claims.get(both),
        swapped_s=swaps.get(pair.source.key),
    )
