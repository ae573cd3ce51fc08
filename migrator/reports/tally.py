"""Counts of a report, made in one walk over its rows.

Nothing here grows with the fleet.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from migrator.core.cutover.life import Life, OldSide
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.units import BYTES_PER_MB
from migrator.core.run.verify import Bucket
from migrator.reports.model import ReportRow

__all__ = ["ATTENTION", "SAMPLES", "FindingGroup", "LimitBar", "Tally", "limit_words"]

SAMPLES = 5
ATTENTION = (Bucket.FAILED, Bucket.MISMATCH, Bucket.BLOCKED, Bucket.UNPAIRED)
"""Buckets whose SIMs need a person, the most pressing first."""
_ORDER = {name.value: place for place, name in enumerate((*ATTENTION, Bucket.PENDING, Bucket.SKIPPED, Bucket.EXCLUDED))}

EXACT = 12
"""Maximum number of different limits that get a bar each.

More limits are sorted into steps.
"""
STEPS_MB = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
UNLIMITED = -1


@dataclass(slots=True)
class FindingGroup:
    """SIMs of one bucket with one code.

    `sims` is the number of SIMs. `samples` are the first few SIMs as (source ICCID, detail).
    """

    bucket: str
    code: str
    sims: int = 0
    samples: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LimitBar:
    """Number of SIMs that are to get a limit.

    `words` name the limit, or the step of limits.
    """

    words: str
    sims: int


@dataclass(slots=True)
class Tally:
    """Counts of a whole report.

    `claims` has the number of SIMs that were claimed at each moment (ISO 8601, UTC).

    `lives`, `units` and `olds` are the results of proof of life, for the SIMs that were asked for.
    """

    total: int = 0
    buckets: Counter[str] = field(default_factory=Counter)
    waves: dict[str, Counter[str]] = field(default_factory=dict)
    groups: dict[tuple[str, str], FindingGroup] = field(default_factory=dict)
    claims: Counter[str] = field(default_factory=Counter)
    last_verified_at: str | None = None
    lives: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    olds: Counter[str] = field(default_factory=Counter)
    last_proved_at: str | None = None
    _limits: Counter[int] | None = field(default_factory=Counter)
    _steps: Counter[int] = field(default_factory=Counter)

    def counting(self, rows: Iterable[ReportRow]) -> Iterator[ReportRow]:
        """Pass `rows` through, and count each row."""
        for row in rows:
            self.add(row)
            yield row

    def add(self, row: ReportRow) -> None:
        """Count one SIM."""
        self.total += 1
        self.buckets[row.bucket] += 1
        if row.wave is not None:
            self.waves.setdefault(row.wave, Counter())[row.bucket] += 1
        if row.bucket != Bucket.VERIFIED.value:
            self._add_finding(row)
        if row.claimed_at is not None:
            self.claims[row.claimed_at] += 1
        if row.verified_at is not None and (self.last_verified_at is None or row.verified_at > self.last_verified_at):
            self.last_verified_at = row.verified_at
        if row.overage_limit_planned is not None:
            self._add_limit(row.overage_limit_planned)
        if row.new_sim is not None:
            self._add_life(row)

    def _add_life(self, row: ReportRow) -> None:
        self.lives[row.new_sim or ""] += 1
        self.units[row.unit or ""] += 1
        if row.old_sim is not None:
            self.olds[row.old_sim] += 1
        self.last_proved_at = max(self.last_proved_at or "", row.proved_at or "") or None

    def _add_finding(self, row: ReportRow) -> None:
        group = self.groups.get((row.bucket, row.code))
        if group is None:
            group = self.groups[row.bucket, row.code] = FindingGroup(row.bucket, row.code)
        group.sims += 1
        if len(group.samples) < SAMPLES:
            group.samples.append((row.source_iccid, row.detail))

    def _add_limit(self, limit: int) -> None:
        self._steps[_step(limit)] += 1
        if self._limits is not None:
            self._limits[limit] += 1
            if len(self._limits) > EXACT:
                self._limits = None

    def by_bucket(self) -> dict[str, int]:
        """Count the SIMs in each bucket, also in empty buckets."""
        return {name.value: self.buckets[name.value] for name in Bucket}

    def life(self) -> dict[str, int | str | None]:
        """Return the results of proof of life, in numbers of SIMs.

        The time of the last proof of life is in the result. Empty if there never was a proof of life.
        """
        if not self.lives:
            return {}
        return {
            "sims_asked": self.lives.total(),
            "last_asked_at": self.last_proved_at,
            **{f"new_sim_{one.value}": self.lives[one.value] for one in Life},
            **{f"unit_{one.value}": self.units[one.value] for one in Unit},
            **{f"old_sim_{one.value}": self.olds[one.value] for one in OldSide},
        }

    def findings(self) -> list[FindingGroup]:
        """Return every group but the verified SIMs.

        The most pressing bucket comes first, then the largest group.
        """
        return sorted(self.groups.values(), key=lambda group: (_ORDER[group.bucket], -group.sims, group.code))

    def attention(self) -> int:
        """Count the SIMs that need a person."""
        return sum(self.buckets[name.value] for name in ATTENTION)

    def limits(self) -> list[LimitBar]:
        """Return the planned overage limits, smallest first, no limit last."""
        if self._limits is not None:
            return [LimitBar(limit_words(limit), self._limits[limit]) for limit in sorted(self._limits, key=_rank)]
        return [LimitBar(_step_words(step), self._steps[step]) for step in sorted(self._steps, key=_rank)]


def _rank(limit: int) -> tuple[bool, int]:
    return limit == UNLIMITED, limit


def _step(limit: int) -> int:
    """Return the step of a limit.

    A step is named by its upper end in MB. A limit past the last step gets the upper end of the last step plus one.
    """
    if limit in {UNLIMITED, 0}:
        return limit
    return next((mb for mb in STEPS_MB if limit <= mb * BYTES_PER_MB), STEPS_MB[-1] + 1)


def _step_words(step: int) -> str:
    if step in {UNLIMITED, 0}:
        return limit_words(step)
    if step > STEPS_MB[-1]:
        return f"over {STEPS_MB[-1]:,} MB"
    below = [mb for mb in STEPS_MB if mb < step]
    return f"{below[-1]:,} to {step:,} MB" if below else f"up to {step:,} MB"


def limit_words(limit: int) -> str:
    """Return an overage limit in words.

    1 MB is 1,048,576 bytes, and -1 is no limit.
    """
    if limit == UNLIMITED:
        return "no limit"
    megabytes = limit / BYTES_PER_MB
    return f"{limit:,} bytes" if 0 < megabytes < 1 else f"{megabytes:,.2f}".rstrip("0").rstrip(".") + " MB"
