"""Corrections of pairs: the new SIMs that are really in units."""

from dataclasses import dataclass, field

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.records import record

__all__ = ["Corrected", "Correction", "PairVersion"]


@record
class Correction:
    """New SIM that somebody found in an old SIM's unit.

    Args:
        source: the old SIM.
        target: the new SIM that is in its unit.
        origin: where the correction was written: a file and line.
        evidence: how that is known, such as the IMEI and the time of a session.
        by: the person who answers for it.
        reason: why a card that was paid for may be left without a unit; empty for none.
    """

    source: Iccid
    target: Iccid
    origin: str
    evidence: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PairVersion:
    """Version of a pair that a correction made.

    `was` is the new SIM before, and `now` the one from then on; None for none. `at_s` is in UTC seconds.
    """

    source: Iccid
    version: int
    was: Iccid | None
    now: Iccid | None
    origin: str
    evidence: str
    reason: str
    by: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Corrected:
    """Result of corrections that were kept.

    Args:
        versions: the new versions, in the order of the old SIMs' keys.
        unchanged: corrections that say what the pairs said already.
        left_without: old SIMs whose new SIM was given to another, and that have none now.
        without_unit: cards that were claimed, or were ours, and that no old SIM has now.
        set_aside: SIMs of begun plans that get no order under their plan any more.
    """

    versions: tuple[PairVersion, ...] = ()
    unchanged: int = 0
    left_without: tuple[Iccid, ...] = ()
    without_unit: tuple[Iccid, ...] = ()
    set_aside: int = 0
    plans: tuple[str, ...] = field(default=())
