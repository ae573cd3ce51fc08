"""Comparison of two plans, line by line: memory holds neither plan whole."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

from migrator.core.fleet.identifiers import ICCID_SHORTEST, Iccid
from migrator.errors import InputError

__all__ = [
    "DiffTally",
    "DifferenceKind",
    "PlanLine",
    "SimDifference",
    "Values",
    "compared",
    "flat",
    "header_differences",
]

Values: TypeAlias = Mapping[str, tuple[Any, Any]]
"""Values that differ: dotted names with the old and new values.

None stands for no value.
"""


class DifferenceKind(StrEnum):
    """Kind of a SIM's difference from one plan to another."""

    ADDED = "added"  # only the second plan holds it
    REMOVED = "removed"  # only the first plan holds it
    CHANGED = "changed"  # both hold it, with different values


class PlanLine(NamedTuple):
    """SIM of a plan: ICCID digits and line of the plan's file.

    The lines of a plan are sorted.
    """

    source_iccid: str
    text: str


@dataclass(frozen=True, slots=True)
class SimDifference:
    """Difference of one SIM between two plans."""

    source_iccid: str
    kind: DifferenceKind
    fields: Values

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        fields = {name: {"before": before, "after": after} for name, (before, after) in self.fields.items()}
        return {"source_iccid": self.source_iccid, "kind": self.kind.value, "fields": fields}


@dataclass(slots=True)
class DiffTally:
    """Counter of differences as they pass by.

    The counts are by kind, by the value that changed, and by the change of action.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)

    def counting(self, differences: Iterable[SimDifference]) -> Iterator[SimDifference]:
        """Pass `differences` through, and count each."""
        for difference in differences:
            self.kinds[difference.kind.value] += 1
            if difference.kind is DifferenceKind.CHANGED:
                self.fields.update(difference.fields.keys())
            if "action" in difference.fields:
                before, after = difference.fields["action"]
                self.actions[f"{before or 'nothing'} -> {after or 'nothing'}"] += 1
            yield difference


def compared(before: Iterable[PlanLine], after: Iterable[PlanLine]) -> Iterator[SimDifference]:
    """Yield the differences between the SIMs of two plans, sorted by ICCID.

    A SIM is the same in both plans with or without its check digit. Equal lines are not parsed.

    Raises: InputError, if a plan is not sorted.
    """
    for was, now in _matched(before, after):
        if was is None or now is None or was.text != now.text:
            yield _difference(was, now)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names, without values that are None."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[prefix + name] = value
    return found


def header_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Values:
    """Return the values that differ between two headers or two policies.

    The plans' ids and the hashes of their changes do not count.
    """
    return {
        name: values
        for name, values in _differing(flat(before), flat(after)).items()
        if name not in {"plan_id", "fingerprints.changes"}
    }


def _difference(was: PlanLine | None, now: PlanLine | None) -> SimDifference:
    before = {} if was is None else flat(json.loads(was.text))
    after = {} if now is None else flat(json.loads(now.text))
    kind = DifferenceKind.ADDED if was is None else DifferenceKind.REMOVED if now is None else DifferenceKind.CHANGED
    shown = now or was
    assert shown is not None  # noqa: S101 - one of them is there
    return SimDifference(shown.source_iccid, kind, _differing(before, after))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


Match: TypeAlias = tuple[PlanLine | None, PlanLine | None]


def _matched(before: Iterable[PlanLine], after: Iterable[PlanLine]) -> Iterator[Match]:
    """Yield the lines of both plans, paired where the SIM is equal."""
    left, right = _runs(before), _runs(after)
    was, now = next(left, None), next(right, None)
    while was is not None or now is not None:
        if now is None or (was is not None and was[0] < now[0]):
            yield from ((line, None) for line in (was or ("", []))[1])
            was = next(left, None)
        elif was is None or now[0] < was[0]:
            yield from ((None, line) for line in now[1])
            now = next(right, None)
        else:
            yield from _matched_run(was[1], now[1])
            was, now = next(left, None), next(right, None)


def _runs(lines: Iterable[PlanLine]) -> Iterator[tuple[str, list[PlanLine]]]:
    """Group the lines by the digits that every ICCID has.

    Both forms of one SIM are in one group, and each group is short.
    """
    last = ""
    for digits, run in groupby(lines, key=lambda line: line.source_iccid[:ICCID_SHORTEST]):
        if digits <= last:
            raise InputError(f"the plan is not sorted: {digits}... comes after {last}...", code="not_sorted")
        last = digits
        yield digits, list(run)


def _matched_run(before: list[PlanLine], after: list[PlanLine]) -> Iterator[Match]:
    if len(before) == len(after) == 1 and before[0].source_iccid == after[0].source_iccid:
        yield before[0], after[0]
        return
    was = {Iccid.parse(line.source_iccid).key: line for line in before}
    now = {Iccid.parse(line.source_iccid).key: line for line in after}
    matched = [(was.get(key), now.get(key)) for key in was.keys() | now.keys()]
    yield from sorted(matched, key=lambda match: (match[0] or match[1] or PlanLine("", "")).source_iccid)
