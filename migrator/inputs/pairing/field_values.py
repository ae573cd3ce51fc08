"""Values of a technician's row.

The old SIM may be known by its names. The other values are facts of its unit.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from migrator.core.fleet.identifiers import Iccid, Imei, NotAnIdentifier
from migrator.core.fleet.imei import hardware
from migrator.core.fleet.secrets import shown
from migrator.errors import Problem
from migrator.inputs.files.problems import spelled
from migrator.inputs.pairing.list_columns import NAMES_OF_OLD

__all__ = ["NameLookup", "NamedBy", "NotATime", "imei_of", "old_sim", "scan_time"]

CLEAR_TIME = (
    "write it as 2026-04-03T14:05:00+02:00; or leave the column out: `migrator pair import FILE --column scanned_at=`"
)
LONGEST_AHEAD = timedelta(days=1)
"""Time that the clock of a scanner may be ahead."""


class NamedBy(Protocol):
    """Old SIMs of one name."""

    @property
    def sims(self) -> int: ...  # noqa: D102
    @property
    def first(self) -> Iccid: ...  # noqa: D102
    @property
    def last(self) -> Iccid: ...  # noqa: D102


NameLookup = Callable[[str, Sequence[str]], Mapping[str, NamedBy]]
"""Field and its values -> the old SIMs, by value."""


class NotATime(ValueError):
    """Text that is not one moment for everybody.

    Args:
        code: the kind of error, for programs.
    """

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def scan_time(text: str, now: float) -> float:
    """Read a time as UTC seconds.

    Raises: NotATime, for a time without a zone, in any form but ISO 8601, or to come: a guess may turn the order of
        two scans around.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise NotATime("time_unclear", f"scanned_at {_time_shown(text)} is not a time as ISO 8601 has it") from None
    if read.tzinfo is None:
        raise NotATime("time_without_zone", f"scanned_at {_time_shown(text)} has no zone")
    seconds = read.timestamp()
    if seconds > now + LONGEST_AHEAD.total_seconds():
        here = datetime.fromtimestamp(now, UTC).isoformat(timespec="minutes")
        raise NotATime("time_to_come", f"scanned_at {_time_shown(text)} is still to come (it is {here})")
    return seconds


def _time_shown(text: str) -> str:
    return repr(text) if len(text) < 40 and set(text) <= set("0123456789/.:-+TZ ") and len(text) > 8 else shown(text)  # noqa: PLR2004 - no PIN is so long


def imei_of(text: str) -> tuple[str | None, str]:
    """Read the digits of an IMEI, and say what is odd."""
    try:
        imei = Imei.parse(text)
    except NotAnIdentifier as error:
        return None, f"{error}; it is not kept"
    if hardware(text) is None:
        return None, ""  # a filler, which names nobody
    if len(imei.digits) == 15 and imei.imei != imei.digits:  # noqa: PLR2004 - with its check digit
        return imei.digits, f"IMEI {imei.digits} ends in {imei.digits[-1]}, its check digit would be {imei.imei[-1]}"
    return imei.digits, ""


def old_sim(texts: Mapping[str, str], found: Mapping[str, Mapping[str, NamedBy]]) -> Iccid | Problem:
    """Return the one old SIM that a row names, or the problem.

    An IMEI counts only where nothing else names one SIM: the new SIM may have been put into another unit.

    Args:
        texts: the row's values by field.
        found: for each field the SIMs by value.
    """
    named = {name: found.get(name, {}).get(texts[name]) for name in NAMES_OF_OLD if name in texts}
    single = {name: sims.first for name, sims in named.items() if sims is not None and sims.sims == 1}
    firm = {name: iccid for name, iccid in single.items() if name != "imei"} or single
    if len(set(firm.values())) > 1:
        words = spelled(f"{name} names {iccid}" for name, iccid in firm.items())
        return Problem("old_sims_differ", words, "keep the one that is right, or give the old ICCID")
    if firm:
        return next(iter(firm.values()))
    for name, sims in named.items():
        if sims is not None:
            words = f"{name} is that of {sims.sims} old SIMs, such as {sims.first} and {sims.last}"
            return Problem("several_old_sims", words, "give the old ICCID")
    if not named:
        return Problem("empty_source", "no old SIM", "fill in its ICCID, or remove the line")
    words = f"no old SIM of the inventory has this {' or '.join(named)}"
    return Problem("unknown_source", words, "check it, give the old ICCID, or read the source again: `inventory pull`")
