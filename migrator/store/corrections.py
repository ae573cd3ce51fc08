"""Corrections of pairs, also after the claim.

A claim stays booked to its card. The pair gets a new version, and SIMs of begun plans whose pair is another now get no
order under these plans any more. Each call is one transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Column, Connection, Float, bindparam, delete, func, insert, select
from sqlalchemy.schema import CreateTable

from migrator.chunks import chunks
from migrator.core.fleet.corrections import Corrected, Correction, PairVersion
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.states import IN_DOUBT, PlanState, StepEvent, StepKind
from migrator.core.run.steps import PAIR_CORRECTED
from migrator.errors import InputError, Problem
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow, among, json_list, temporary_table
from migrator.store.journal.retry_skip import LEFT_TO_DO, Moves, move_all, steps_of
from migrator.store.log import note
from migrator.store.pairs.paid_pairs import STOCK_PLANS, is_paid
from migrator.store.pairs.pairs import note_changed_pairs
from migrator.store.pairs.pairs_in_use import refuse_planned, set_aside_stock
from migrator.store.plans.lookup import MIGRATIONS
from migrator.store.tables.fleet import pairs, target_links
from migrator.store.tables.plans import changes, plans, steps
from migrator.store.tables.sightings import pair_versions
from migrator.store.tables.types import Text

__all__ = ["Corrections"]

IN_DOUBT_S = 86_400.0
"""Seconds in which a setting in doubt may take effect."""

_FIRST = 3
_BEGUN = (PlanState.STARTED, PlanState.FINISHED)
_incoming = temporary_table(  # the old SIMs whose new SIM changes, with the new one; NULL for none
    "corrected_pairs", *(Column(column.name, Float if column.name == "paired_at" else Text) for column in pairs.c)
)
_BY_SOURCE = select(pairs).where(among(pairs.c.source_key, bindparam("keys")))
_BY_TARGET = select(pairs).where(among(pairs.c.target_key, bindparam("keys")))
_LAST_VERSIONS = (
    select(pair_versions.c.source_key, func.max(pair_versions.c.version).label("version"))
    .where(among(pair_versions.c.source_key, bindparam("keys")))
    .group_by(pair_versions.c.source_key)
)
_other = pair_versions.alias("other")
_is_newest = (
    ~select(_other.c.version)
    .where(_other.c.source_key == pair_versions.c.source_key, _other.c.version > pair_versions.c.version)
    .exists()
)
_NEWEST = (
    select(pair_versions)
    .where(among(pair_versions.c.source_key, bindparam("keys")), _is_newest)
    .order_by(pair_versions.c.source_key)
)
_TAKEN_AWAY = (
    select(pair_versions.c.source_key, pair_versions.c.was_target_key)
    .outerjoin_from(pair_versions, pairs, pairs.c.source_key == pair_versions.c.source_key)
    .where(among(pair_versions.c.source_key, bindparam("keys")), pair_versions.c.was_target_key.is_not(None))
    .where(pair_versions.c.was_target_key.is_distinct_from(pairs.c.target_key))
)


class Corrections:
    """Corrections of the store's pairs, and the versions that they made."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count(self) -> int:
        """Count the versions that corrections made."""
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(pair_versions)).scalar_one())

    def taken_away(self, keys: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the new SIMs that corrections took from old SIMs.

        The keys of the new SIMs are by the key of the old one. The new SIM that an old one has now does not count.
        """
        found: defaultdict[str, set[str]] = defaultdict(set)
        for chunk in chunks(keys):
            for row in self._db.rows(_TAKEN_AWAY, keys=json_list(chunk)):
                found[row.source_key].add(row.was_target_key)
        return {key: frozenset(taken) for key, taken in found.items()}

    def concerned(self, wanted: Sequence[Correction]) -> dict[str, Iccid]:
        """Return every old SIM that corrections would give another new SIM.

        The old SIMs are by key. Old SIMs that would lose their new SIM are among them.
        """
        with self._db.read() as connection:
            draft = _Draft.of(connection, wanted)
        return {key: draft.olds[key] for key in draft.now}

    def keep(self, wanted: Sequence[Correction], *, now: float) -> Corrected:
        """Correct pairs, all of them or none.

        Two old SIMs may swap their new SIMs, and more of them in a ring. An old SIM whose new SIM is given to another,
        and that gets none, is left without.

        Args:
            wanted: the corrections; each old and each new SIM at most once.
            now: UTC seconds.

        Raises: InputError, if a SIM is named twice, if the outcome of an order for one of the SIMs is unknown, or if a
            paid card would be left without a unit for no reason; PairInUse, if a begun plan still has to claim for one
            of them. Then nothing is changed.
        """
        _refuse_doubles(wanted)
        with self._db.write() as connection:
            draft = _Draft.of(connection, wanted)
            if not draft.now:
                return Corrected(unchanged=len(wanted))
            _take_in(connection, draft, now)
            moved = select(_incoming.c.source_key)
            _refuse_doubt(connection, now)
            refuse_planned(connection, _incoming, moved)
            without_unit = _without_unit(connection, draft)
            _refuse_without_reason(draft, without_unit)
            versions = _add_versions(connection, draft, now)
            _replace_pairs(connection)
            set_aside_stock(connection, now)
            aside, plan_ids = _set_aside(connection, draft, now)
            _note(connection, versions, now)
            connection.execute(delete(_incoming))
            left = tuple(draft.olds[key] for key, target in sorted(draft.now.items()) if target is None)
            unchanged = len(wanted) - len(draft.now) + len(left)
            return Corrected(tuple(versions), unchanged, left, tuple(without_unit.values()), aside, plan_ids)


@dataclass(slots=True)
class _Draft:
    """Pairs of the SIMs that corrections name, before and after.

    Attributes:
        olds: old SIMs by key.
        was: the row of the pair of each old SIM that has one.
        now: the new SIM of each old SIM that gets another one; None for none.
        chips: the EID that belongs to a new SIM, by its key.
        by_source: the correction of each old SIM that one names.
        by_target: the correction of each new SIM.
    """

    olds: dict[str, Iccid] = field(default_factory=dict)
    was: dict[str, AnyRow] = field(default_factory=dict)
    now: dict[str, Iccid | None] = field(default_factory=dict)
    chips: dict[str, str | None] = field(default_factory=dict)
    by_source: dict[str, Correction] = field(default_factory=dict)
    by_target: dict[str, Correction] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection, wanted: Sequence[Correction]) -> Self:
        """Compare corrections with the pairs that there are."""
        draft = cls(
            by_source={one.source.key: one for one in wanted}, by_target={one.target.key: one for one in wanted}
        )
        for statement, keys in ((_BY_SOURCE, draft.by_source), (_BY_TARGET, draft.by_target)):
            for chunk in chunks(keys):
                for row in connection.execute(statement, {"keys": json_list(chunk)}):
                    draft.was[row.source_key] = row
                    draft.chips[row.target_key] = row.eid
                    draft.olds[row.source_key] = Iccid(row.source_iccid, row.source_key)
        for key, one in draft.by_source.items():
            draft.olds.setdefault(key, one.source)
            if key not in draft.was or draft.was[key].target_key != one.target.key:
                draft.now[key] = one.target
        for key, row in draft.was.items():
            if key not in draft.by_source and row.target_key in draft.by_target:
                draft.now[key] = None
        return draft

    def cause(self, key: str) -> Correction:
        """Return the correction by which an old SIM gets another new SIM.

        An old SIM that none names loses its new SIM to the one that this correction names.
        """
        return self.by_source.get(key) or self.by_target[self.was[key].target_key]

    def freed(self) -> Iterator[tuple[str, AnyRow]]:
        """Yield the old pairs whose new SIM no old SIM has afterwards."""
        for key in sorted(self.now):
            row = self.was.get(key)
            if row is not None and row.target_key not in self.by_target:
                yield key, row


def _version(row: AnyRow) -> PairVersion:
    return PairVersion(
        source=Iccid(row.source_iccid, row.source_key),
        version=row.version,
        was=None if row.was_target_key is None else Iccid(row.was_target_iccid, row.was_target_key),
        now=None if row.target_key is None else Iccid(row.target_iccid, row.target_key),
        origin=row.origin,
        evidence=row.evidence,
        reason=row.reason,
        by=row.corrected_by,
        at_s=row.corrected_at,
    )


# --- refusals -----------------------------------------------------------------------------------------------------


def _refuse_doubles(wanted: Sequence[Correction]) -> None:
    """Refuse corrections that name a SIM twice.

    Raises: InputError.
    """
    olds, news = {one.source.key for one in wanted}, {one.target.key for one in wanted}
    if len(olds) < len(wanted) or len(news) < len(wanted):
        raise InputError("a SIM is named in two corrections; nothing was changed", code="named_twice")


def _refuse_doubt(connection: Connection, now: float) -> None:
    """Refuse SIMs with an order in doubt.

    Such an order may still take effect, and would then be for the unit of another old SIM. An order of limits, state,
    tag or name that is older than a day may not: the next plan reads what it left, and mends it. A card whose claim for
    the stock is in doubt neither comes nor goes: what its unit has cost is not known yet.

    Raises: InputError.
    """
    may_come = (steps.c.kind == StepKind.CLAIM) | (steps.c.since > now - IN_DOUBT_S)
    open_ = (
        select(plans.c.plan_id, func.count(steps.c.source_key.distinct()).label("sims"))
        .add_columns(func.min(_incoming.c.source_iccid).label("first"))
        .join_from(_incoming, steps, steps.c.source_key == _incoming.c.source_key)
        .join(plans, plans.c.plan_no == steps.c.plan_no)
        .where(steps.c.plan_no.in_(MIGRATIONS), steps.c.state.in_(IN_DOUBT), may_come)
        .group_by(plans.c.plan_no)
        .order_by(plans.c.plan_no)
    )
    was = select(pairs.c.target_key).join_from(pairs, _incoming, _incoming.c.source_key == pairs.c.source_key)
    cards = was.union(select(_incoming.c.target_key).where(_incoming.c.target_key.is_not(None)))
    stocked = (
        select(plans.c.plan_id, func.count().label("sims"), func.min(changes.c.source_iccid).label("first"))
        .join_from(steps, plans, plans.c.plan_no == steps.c.plan_no)
        .join(changes, (changes.c.plan_no == steps.c.plan_no) & (changes.c.source_key == steps.c.source_key))
        .where(steps.c.plan_no.in_(STOCK_PLANS), steps.c.source_key.in_(cards))
        .where(steps.c.kind == StepKind.CLAIM, steps.c.state.in_(IN_DOUBT))
        .group_by(plans.c.plan_no)
        .order_by(plans.c.plan_no)
    )
    problems = tuple(
        Problem(
            "in_doubt",
            f"plan {row.plan_id} has orders whose outcome is not known yet for {row.sims} of these SIMs, the first for "
            f"{row.first}; nothing was changed",
            f"`migrator apply {row.plan_id}` reads what became of them; where that plan is stale, `migrator plan "
            "create` reads what became of its claims",
        )
        for row in (*connection.execute(open_), *connection.execute(stocked))
    )
    if problems:
        raise InputError(problems[0].message, code="in_doubt", hint=problems[0].hint, problems=problems)


def _without_unit(connection: Connection, draft: _Draft) -> dict[str, Iccid]:
    """Return paid cards that no old SIM would have any more.

    A card that Hologram showed as a device counts as paid, whoever claimed it. The cards are by the key of the old SIM
    that loses them.
    """
    freed = dict(draft.freed())
    found: dict[str, Iccid] = {}
    is_device = (
        select(target_links.c.key)
        .where(target_links.c.key == pairs.c.target_key, target_links.c.device_id.is_not(None))
        .exists()
    )
    paid = select(pairs.c.source_key).where(among(pairs.c.source_key, bindparam("keys")))
    paid = paid.where(is_paid(pairs.c.source_key, pairs.c.target_key) | is_device)
    for chunk in chunks(freed):
        for key in connection.scalars(paid, {"keys": json_list(chunk)}):
            found[key] = Iccid(freed[key].target_iccid, freed[key].target_key)
    return dict(sorted(found.items()))


def _refuse_without_reason(draft: _Draft, without_unit: Mapping[str, Iccid]) -> None:
    """Refuse to leave a paid card without a unit for no reason.

    Its old SIM would have cost two cards.

    Raises: InputError.
    """
    problems = tuple(
        Problem(
            "two_cards",
            f"{draft.cause(key).origin}: {draft.olds[key]} would have cost two cards: {card} is claimed, or may be, "
            "and no other old SIM gets it; nothing was changed",
            "name the old SIM whose unit it is in, in a line of its own; or say why none is: a column `reason`, or "
            "--reason TEXT",
        )
        for key, card in without_unit.items()
        if not draft.cause(key).reason
    )
    if problems:
        raise InputError(problems[0].message, code="two_cards", problems=problems)


# --- writing ------------------------------------------------------------------------------------------------------


def _take_in(connection: Connection, draft: _Draft, now: float) -> None:
    """Fill the table of old SIMs whose new SIM changes."""
    connection.execute(CreateTable(_incoming, if_not_exists=True))
    connection.execute(delete(_incoming))
    for chunk in chunks(sorted(draft.now)):
        connection.execute(insert(_incoming), [_incoming_row(draft, key, now) for key in chunk])


def _incoming_row(draft: _Draft, key: str, now: float) -> dict[str, Any]:
    target, cause = draft.now[key], draft.cause(key)
    return {
        "source_key": key,
        "source_iccid": draft.olds[key].digits,
        "target_key": None if target is None else target.key,
        "target_iccid": None if target is None else target.digits,
        "origin": cause.origin,
        "paired_at": now,
        "eid": None if target is None else draft.chips.get(target.key),
    }


def _add_versions(connection: Connection, draft: _Draft, now: float) -> list[PairVersion]:
    """Add a version for each old SIM whose new SIM changes."""
    made: list[PairVersion] = []
    for chunk in chunks(sorted(draft.now)):
        last = {row.source_key: row.version for row in connection.execute(_LAST_VERSIONS, {"keys": json_list(chunk)})}
        rows = [_version_row(draft, key, last.get(key, 1) + 1, now) for key in chunk]
        connection.execute(insert(pair_versions), rows)
        made += map(_version, connection.execute(_NEWEST, {"keys": json_list(chunk)}))
    return made


def _version_row(draft: _Draft, key: str, version: int, now: float) -> dict[str, Any]:
    target, cause, was = draft.now[key], draft.cause(key), draft.was.get(key)
    return {
        "source_key": key,
        "version": version,
        "source_iccid": draft.olds[key].digits,
        "was_target_key": None if was is None else was.target_key,
        "was_target_iccid": None if was is None else was.target_iccid,
        "was_origin": None if was is None else was.origin,
        "target_key": None if target is None else target.key,
        "target_iccid": None if target is None else target.digits,
        "origin": cause.origin,
        "evidence": cause.evidence,
        "reason": cause.reason,
        "corrected_by": cause.by,
        "corrected_at": now,
    }


def _replace_pairs(connection: Connection) -> None:
    """Drop the pairs that change, then add what they become."""
    connection.execute(delete(pairs).where(pairs.c.source_key.in_(select(_incoming.c.source_key))))
    new = select(*_incoming.c).where(_incoming.c.target_key.is_not(None))
    connection.execute(insert(pairs).from_select([column.name for column in pairs.c], new))


def _set_aside(connection: Connection, draft: _Draft, now: float) -> tuple[int, tuple[str, ...]]:
    """Set the SIMs aside in begun plans that name another new SIM.

    Such a plan must not give the name and limits of one unit to a card that is another's. A plan that was not begun is
    refused as stale.

    Returns: the number of SIMs, and the plans.
    """
    sims, ids = set[str](), dict[str, None]()
    held = (
        select(changes.c.plan_no, plans.c.plan_id, plans.c.of_plan_no, changes.c.source_key)
        .join_from(changes, plans, plans.c.plan_no == changes.c.plan_no)
        .join(_incoming, _incoming.c.source_key == changes.c.source_key)
        .where(changes.c.plan_no.in_(MIGRATIONS), plans.c.state.in_(_BEGUN))
        .where(changes.c.target_key.is_not(None), changes.c.target_key.is_distinct_from(_incoming.c.target_key))
        .order_by(changes.c.plan_no, changes.c.source_key)
    )
    by_plan: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(held):
        by_plan[row.plan_no].append(row)
    for rows in by_plan.values():
        for some in chunks(rows):
            set_now = _set_aside_some(connection, rows[0], draft, [row.source_key for row in some], now)
            sims |= set_now
            ids |= dict.fromkeys([rows[0].plan_id] if set_now else [])
    return len(sims), tuple(ids)


def _set_aside_some(connection: Connection, plan: AnyRow, draft: _Draft, keys: Sequence[str], now: float) -> set[str]:
    moves: Moves = defaultdict(dict)
    aside = set[str]()
    for key, taken in steps_of(connection, plan.plan_no, keys).items():
        for step in taken:
            if step.state in LEFT_TO_DO:
                moves[StepKind(step.kind)][key] = (step.code, step.message)
        if all(step.kind != StepKind.PAIR for step in taken):
            aside.add(key)
            moves[StepKind.PAIR][key] = (PAIR_CORRECTED, _aside_words(draft.now[key]))
    move_all(connection, plan, StepEvent.OPERATOR_SKIP, moves, now)
    return aside


def _aside_words(target: Iccid | None) -> str:
    if target is None:
        return "a correction gave its new SIM to another old SIM, and it has none now: this plan leaves both alone"
    words = f"a correction gave it another new SIM, {target}: this plan leaves both alone"
    return f"{words}, and a new one sets them up"


def _note(connection: Connection, versions: Sequence[PairVersion], now: float) -> None:
    """Log each correction with its evidence, and what the pairs are now."""
    for chunk in chunks(versions):
        told = [
            {
                "source": one.source.digits,
                "version": one.version,
                "was": None if one.was is None else one.was.digits,
                "is": None if one.now is None else one.now.digits,
                "origin": one.origin,
                "evidence": one.evidence,
                "reason": one.reason,
                "by": one.by,
            }
            for one in chunk
        ]
        note(connection, now, "pairs.corrected", None, {"corrections": told})
    note_changed_pairs(connection, {"added": 0, "unchanged": 0, "replaced": len(versions)}, now)
