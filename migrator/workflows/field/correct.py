"""Corrections of pairs: another card is in the unit than was planned.

The claim stays booked to its card. The next plan gives the card the name and limits of the unit that it is in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from migrator.core.cutover.plan import Direction
from migrator.core.cutover.rules import is_open
from migrator.core.fleet.corrections import Corrected, Correction
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import InputError, Problem
from migrator.inputs.pairing.corrections import read_corrections
from migrator.store import Store
from migrator.workflows.site import Site, holding, named_person, required_inventory

__all__ = ["CorrectedPairs", "correct_pairs", "keep_corrections"]

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CorrectedPairs:
    """Result of `pair correct`.

    Args:
        corrected: what was changed.
        known: lines of a discovery that repeat the pairs of then.
        passed_over: lines of a discovery whose evidence settles nothing.
        unused_columns: titles of the file.
    """

    corrected: Corrected
    known: int
    passed_over: int
    unused_columns: Sequence[str]


def correct_pairs(
    site: Site,
    file: Path | str,
    *,
    by: str | None = None,
    reason: str = "",
    columns: Mapping[str, str] = MappingProxyType({}),
) -> CorrectedPairs:
    """Correct the pairs that a file names, all of them or none.

    Args:
        site: the store, with an inventory.
        file: a CSV of source_iccid, target_iccid and evidence, such as `pair discover --out` writes.
        by: who answers for it; None for the login name.
        reason: for lines that give none.
        columns: title by field, for a file with titles of its own.

    Raises: InputError, naming every problem of the file, an open cutover, or an order in doubt; StoreBusy, while a run
        holds the store.
    """
    store, who = site.store, named_person(by, option="--by")
    required_inventory(store)
    read = read_corrections(Path(file), by=who, reason=reason, sources=store.inventory.iccids, chosen=columns)
    with holding(site):
        corrected = keep_corrections(store, read.corrections, now=site.now())
    return CorrectedPairs(corrected, read.known, read.passed_over, read.unused_columns)


def keep_corrections(store: Store, wanted: Sequence[Correction], *, now: float) -> Corrected:
    """Keep corrections, unless a cutover of a SIM is open.

    The caller holds the lease of the store, so that no cutover begins meanwhile. `now` is in UTC seconds.

    Raises: InputError; then nothing is changed.
    """
    problems = tuple(_open_cutovers(store, store.corrections.concerned(wanted)))
    if problems:
        raise InputError(problems[0].message, code="switch_open", hint=problems[0].hint, problems=problems)
    return store.corrections.keep(wanted, now=now)


def _open_cutovers(store: Store, olds: Mapping[str, Iccid]) -> Iterator[Problem]:
    """Yield problems with begun cutovers of some old SIMs.

    A plan that a later one has overtaken sends nothing any more. Its orders in doubt count all the same.
    """
    for direction in Direction:
        for cutover_id, state in store.cutovers.known(direction).items():
            if state != "started":
                continue
            is_overtaken = store.cutovers.superseded_by(cutover_id) is not None
            found = [
                old
                for key, old in sorted(olds.items())
                if _is_concerned(store, cutover_id, direction, key, is_overtaken=is_overtaken)
            ]
            if found:
                named = ", ".join(map(str, found[:MOST_SHOWN])) + (", ..." if len(found) > MOST_SHOWN else "")
                yield Problem(
                    "switch_open",
                    f"{direction} {cutover_id} was begun and is not through with {len(found)} of these old SIMs "
                    f"({named}); nothing was changed",
                    f"let `migrator {direction} apply {cutover_id}` end first: it leaves an old SIM on whose new SIM "
                    "is in another unit",
                )


def _is_concerned(store: Store, cutover_id: str, direction: Direction, key: str, *, is_overtaken: bool) -> bool:
    try:
        (item,) = store.cutovers.items_by_key(cutover_id, [key])
    except InputError:  # the plan does not hold it
        return False
    if not item.row.action.acts or not is_open(item, direction):
        return False
    return not is_overtaken or any(step.state.is_in_doubt for step in item.steps.values())
