"""Whether an old SIM is still in use: what 1NCE told of its days, beside the new SIM's last sign of life. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

__all__ = ["LONGEST_DAYS", "NewLife", "OldUse", "UseOfOld", "days_to_ask", "use_of_old"]

LONGEST_DAYS = 180
"""1NCE keeps six months (reference, section 7)."""

LATEST_ZONE = timedelta(hours=12)
"""How long after midnight UTC a day of usage may end: which time zone 1NCE counts its days in is not known."""

ONE_DAY = timedelta(days=1)


class OldUse(StrEnum):
    """Whether an old SIM was used after its new one last lived."""

    SILENT = "silent"  # not used since, as far as 1NCE tells
    IN_USE = "in_use"  # used since, or on the same day: the unit may be back on it
    UNKNOWN = "unknown"  # 1NCE did not tell of every day since


@dataclass(frozen=True, slots=True)
class NewLife:
    """The last sign of life of a new SIM since its claim, and the claim (UTC seconds); None where nobody knows."""

    alive_s: float | None
    claimed_s: float | None


@dataclass(frozen=True, slots=True)
class UseOfOld:
    """What is known of an old SIM: `used_on` is the last day that counts against it."""

    use: OldUse
    used_on: date | None = None


def days_to_ask(new: NewLife, today: date) -> tuple[date, date] | None:
    """The first and last day of usage to ask 1NCE for; None where nobody knows when the new SIM was claimed.

    Yesterday is always among them: a reply without it is none, since the row of today may be missing. Any sign of life
    that turns up later is on one of these days, too.
    """
    since_s = new.claimed_s if new.alive_s is None else new.alive_s
    if since_s is None:
        return None
    return max(min(_first_day_past(since_s), today - ONE_DAY), today - timedelta(days=LONGEST_DAYS)), today


def use_of_old(
    new: NewLife, *, used: Mapping[date, bool] | None, known: Sequence[date] = (), today: date, was_asked: bool = True
) -> UseOfOld:
    """Whose sign of life is newer.

    Usage is by days, so that a day on which both lived counts as use of the old SIM: on the day of a swap nobody can
    tell which came last. Once the new SIM lived on a later day, the old one's use of that day is history.

    Args:
        new: when the new SIM lived last.
        used: by day, whether the old SIM used anything; None where no usable answer came.
        known: days of its use that were noted before.
        today: in UTC.
        was_asked: False where nobody asked, so that only what is known counts.
    """
    first = _first_day(new)
    if first is None:
        return UseOfOld(OldUse.IN_USE, max(known)) if known else UseOfOld(OldUse.UNKNOWN)
    days = [*known, *(day for day, was_used in (used or {}).items() if was_used)]
    last = max((day for day in days if day >= first), default=None)
    if last is not None:
        return UseOfOld(OldUse.IN_USE, last)
    if not was_asked:
        return UseOfOld(OldUse.SILENT)
    asked = days_to_ask(new, today)
    if used is None or asked is None or first > today:
        return UseOfOld(OldUse.UNKNOWN)
    since = max(asked[0], min(first, today - ONE_DAY))
    to_be_told = (since + timedelta(days=number) for number in range((today - since).days))
    return UseOfOld(OldUse.SILENT if all(day in used for day in to_be_told) else OldUse.UNKNOWN)


def _first_day(new: NewLife) -> date | None:
    """The first day on which use of the old SIM may be newer than the new one's life; None if nobody can tell.

    Without any sign of life that is the day after the claim: what was used on its day may have been used before.
    """
    if new.alive_s is not None:
        return _first_day_past(new.alive_s)
    return None if new.claimed_s is None else datetime.fromtimestamp(new.claimed_s, UTC).date() + ONE_DAY


def _first_day_past(at_s: float) -> date:
    """The first day whose use may be later than a moment, in whatever zone 1NCE's days end."""
    return (datetime.fromtimestamp(at_s, UTC) - LATEST_ZONE).date()
