"""Check of a customer's records against the units that have moved."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from migrator.chunks import chunks
from migrator.core.cutover.handover import Stage, has_moved
from migrator.core.fleet.secrets import shown_title
from migrator.core.fleet.units import counted
from migrator.errors import InputError
from migrator.files import placed_text
from migrator.inputs.files.problems import spelled
from migrator.inputs.files.sim_records import SimRecord, read_sim_records
from migrator.reports.handover.row import HandoverRow
from migrator.store import Store
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.handover.rows import HandoverRows
from migrator.workflows.site import Site

__all__ = ["HandoverCheck", "Holds", "check_handover"]

KEPT = 1000
"""Most findings that are kept in memory; a file takes all."""


class Holds(StrEnum):
    """Contents of a record of the customer's.

    Each record counts once, under the first that fits.
    """

    UNREADABLE = "unreadable"  # a value that a spreadsheet spoiled, or that is no ICCID
    STILL_OLD = "still_old"  # the old ICCID of a unit that has moved
    BACK_TO_OLD = "back_to_old"  # the new ICCID of a unit that a rollback took back
    NEW = "new"  # the new ICCID
    NOT_YET = "not_yet"  # the old ICCID of a unit that has not moved
    UNKNOWN = "unknown"  # only ICCIDs that no pair of ours names
    WITHOUT = "without"  # no ICCID at all

    @property
    def is_finding(self) -> bool:
        """True if a person should change the record."""
        return self in {Holds.UNREADABLE, Holds.STILL_OLD, Holds.BACK_TO_OLD}


@dataclass(slots=True)
class HandoverCheck:
    """Result of a check.

    Args:
        records: records in the file.
        counts: records by what they hold; they sum to `records`.
        findings: the first records to change, as JSON values.
        missing: the first of our old ICCIDs whose unit is in no record.
        units_missing: how many units are in no record.
    """

    records: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    units_missing: int = 0

    @property
    def to_change(self) -> int:
        """Number of records that a person should change."""
        return sum(self.counts[holds.value] for holds in Holds if holds.is_finding)


def check_handover(
    site: Site, against: Path | str, *, columns: Sequence[str] = (), out: Path | str | None = None
) -> HandoverCheck:
    """Compare a customer's records with the units that have moved.

    A record is out of date if it holds the old ICCID of a unit that is in service with its new SIM, or whose old SIM is
    off, and not the new one beside it.

    Args:
        site: the store; nothing is sent, and nothing in it changes.
        against: the records, as CSV or JSON lines.
        columns: titles of the columns that hold ICCIDs; empty: those with known titles.
        out: a file for all findings, as JSON lines.

    Raises: InputError.
    """
    result = HandoverCheck()
    with collecting_rarely(), ExitStack() as places:
        write = None if out is None else places.enter_context(placed_text(Path(out)))
        seen: set[str] = set()
        for finding in _findings(site.store, read_sim_records(Path(against), columns), seen, result):
            _keep(result.findings, finding, write)
        _refuse_blank(result, Path(against), columns)
        for pair in site.store.pairs.all():
            if pair.source.key not in seen:
                result.units_missing += 1
                told = {"holds": "no_record", "old_iccid": pair.source.body, "new_iccid": pair.target.body}
                if len(result.missing) < KEPT:
                    result.missing.append(pair.source.body)
                if write is not None:
                    write(json.dumps(told) + "\n")
    return result


def _refuse_blank(result: HandoverCheck, against: Path, columns: Sequence[str]) -> None:
    """Refuse a file of which no record holds an ICCID.

    Other columns were meant.

    Raises: InputError.
    """
    if result.counts[Holds.WITHOUT.value] == result.records:
        where = f"column {spelled(map(shown_title, columns))}" if columns else "the columns that are read"
        words = f"{against}: none of {counted(result.records, 'record')} holds an ICCID in {where}"
        raise InputError(words, code="no_iccids", hint="name the column that does: --column iccid=TITLE")


def _keep(kept: list[dict[str, Any]], finding: dict[str, Any], write: Callable[[str], object] | None) -> None:
    if len(kept) < KEPT:
        kept.append(finding)
    if write is not None:
        write(json.dumps(finding) + "\n")


def _findings(
    store: Store, records: Iterable[SimRecord], seen: set[str], result: HandoverCheck
) -> Iterator[dict[str, Any]]:
    """Yield the records to change, and count all of them.

    `seen` gets the keys of the units that a record names.
    """
    rows = HandoverRows(store)
    for chunk in chunks(records):
        keys = {iccid.key for record in chunk for iccid in record.iccids}
        olds, by_new = store.pairs.by_source_keys(keys), store.pairs.by_target_keys(keys)
        of_new = {key: pair.source.key for key, pair in by_new.items()}
        known = rows.among(olds.keys() | set(of_new.values()))
        seen.update(known)
        for record in chunk:
            holds, row, words = _held(record, known, of_new)
            result.records += 1
            result.counts[holds.value] += 1
            if holds.is_finding:
                yield _told(record, holds, row, words)


def _held(
    record: SimRecord, known: dict[str, HandoverRow], of_new: dict[str, str]
) -> tuple[Holds, HandoverRow | None, str]:
    """Return what a record holds, and the unit that decides.

    The last value has words for what cannot be read.
    """
    lost = [iccid for iccid in record.rounded if iccid.key not in known and iccid.key not in of_new]
    if record.unread or lost:
        words = record.unread[0] if record.unread else f"{lost[0]} ends in zeros, as a spreadsheet rounds it"
        return Holds.UNREADABLE, None, words
    new = {of_new[iccid.key]: known[of_new[iccid.key]] for iccid in record.iccids if iccid.key in of_new}
    old = {i.key: known[i.key] for i in record.iccids if i.key in known and i.key not in new}
    stale = next((row for row in old.values() if has_moved(row.status)), None)
    if stale is not None:
        return Holds.STILL_OLD, stale, ""
    back = next((row for key, row in new.items() if row.status is Stage.ROLLED_BACK and not _names(record, key)), None)
    if back is not None:
        return Holds.BACK_TO_OLD, back, ""
    if new:
        return Holds.NEW, next(iter(new.values())), ""
    if old:
        return Holds.NOT_YET, next(iter(old.values())), ""
    return (Holds.UNKNOWN if record.iccids else Holds.WITHOUT), None, ""


def _names(record: SimRecord, key: str) -> bool:
    return any(iccid.key == key for iccid in record.iccids)


def _told(record: SimRecord, holds: Holds, row: HandoverRow | None, words: str) -> dict[str, Any]:
    if row is None:
        return {"line": record.line, "holds": holds.value, "words": words}
    names = ("iccid", "iccid_with_luhn", "device_id", "link_id", "imsi", "msisdn", "ip", "name")
    return {
        "line": record.line,
        "holds": holds.value,
        "status": row.status.value,
        "unit": row.unit,
        "old_iccid": row.old["iccid"],
        **{name if name in {"device_id", "link_id"} else f"new_{name}": row.new[name] for name in names},
    }
