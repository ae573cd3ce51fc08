"""Use of an old SIM since its new SIM showed life.

The days of use are those that 1NCE reported. The code is pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from migrator.core.fleet.records import record

__all__ = [
    "LONGEST_DAYS",
    "KeptUse",
    "NewLife",
    "OldUse",
    "UseOfOld",
    "days_to_ask",
    "kept_use",
    "use_by_answer",
    "use_of_old",
]

LONGEST_DAYS = 180
"""Days of usage that 1NCE keeps: six months (reference, section 7)."""

LATEST_ZONE = timedelta(hours=12)
"""Latest end of a day of usage, after midnight UTC.

The time zone in which 1NCE counts its days is not known.
"""

ONE_DAY = timedelta(days=1)


class OldUse(StrEnum):
    """Old SIM's use since its new SIM's last sign of life."""

    SILENT = "silent"  # not used since, as far as 1NCE tells
    IN_USE = "in_use"  # used since, or on the same day: the unit may be back on it
    UNKNOWN = "unknown"  # 1NCE did not tell of every day since


@record
class NewLife:
    """Last sign of life of a new SIM, and its claim.

    Both are UTC seconds; None where nobody knows. The sign of life is since the claim.
    """

    alive_s: float | None
    claimed_s: float | None


@record
class UseOfOld:
    """Known use of an old SIM.

    `used_on` is the last day that counts against the old SIM.
    """

    use: OldUse
    used_on: date | None = None


@record
class KeptUse:
    """Answer on the use of an old SIM, as it is kept.

    Args:
        asked_from: the first day that was asked for.
        asked_to: the last day, on which the question was asked.
        used_on: the last day with use; None for none.
        is_told: whether 1NCE told of every day but the last.
    """

    asked_from: date
    asked_to: date
    used_on: date | None
    is_told: bool


def days_to_ask(new: NewLife, today: date) -> tuple[date, date] | None:
    """Return the first and last day of usage to ask 1NCE for.

    None where nobody knows when the new SIM was claimed. Yesterday is always among the days: a reply without yesterday
    is none, since the row of today may be missing. Any sign of life that turns up later is on one of these days, too.
    """
    since_s = new.claimed_s if new.alive_s is None else new.alive_s
    if since_s is None:
        return None
    return max(min(_first_day_past(since_s), today - ONE_DAY), today - timedelta(days=LONGEST_DAYS)), today


def use_of_old(
    new: NewLife, *, used: Mapping[date, bool] | None, known: Sequence[date] = (), today: date, was_asked: bool = True
) -> UseOfOld:
    """Compare the use of an old SIM with its new SIM's life.

    Usage is by days. A day with use of the old SIM and life of the new SIM counts as use of the old SIM: on the day of
    a swap nobody can tell which came last. Once the new SIM shows life on a later day, the use on that day is history.

    Args:
        new: the last sign of life of the new SIM.
        used: by day, whether the old SIM used anything; None where no usable answer came.
        known: days of the old SIM's use that were noted before.
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


def kept_use(asked: tuple[date, date], used: Mapping[date, bool] | None) -> KeptUse:
    """Return an answer as it is kept.

    Args:
        asked: the first and the last day that were asked for.
        used: by day, whether the old SIM used anything; None where no usable answer came.
    """
    first, last = asked
    days = (first + timedelta(days=number) for number in range((last - first).days))
    used_on = max((day for day, was_used in (used or {}).items() if was_used and day >= first), default=None)
    return KeptUse(first, last, used_on, used is not None and all(day in used for day in days))


def use_by_answer(new: NewLife, answer: KeptUse | None, *, known: Sequence[date] = ()) -> UseOfOld:
    """Compare the use of an old SIM by an earlier answer.

    The answer counts if it covers the day of the new SIM's last sign of life, and the days from then to the question.

    Args:
        new: the last sign of life of the new SIM.
        answer: the last answer; None where nobody asked.
        known: days of the old SIM's use that were noted elsewhere.
    """
    if answer is None and not known:  # as for most of a fleet that nobody asked about yet
        return UseOfOld(OldUse.UNKNOWN)
    first = _first_day(new)
    if first is None:
        return UseOfOld(OldUse.UNKNOWN)
    told = [*known, *([] if answer is None or answer.used_on is None else [answer.used_on])]
    since = [day for day in told if day >= first]
    if since:
        return UseOfOld(OldUse.IN_USE, max(since))
    if answer is None or not answer.is_told or first > answer.asked_to:
        return UseOfOld(OldUse.UNKNOWN)
    return UseOfOld(OldUse.SILENT if answer.asked_from <= min(first, answer.asked_to - ONE_DAY) else OldUse.UNKNOWN)


def _first_day(new: NewLife) -> date | None:
    """Return the first day whose use counts against an old SIM.

    Use of the old SIM on that day may be newer than the new SIM's life. None if nobody can tell.

    Without any sign of life that is the day after the claim: what was used on the day of the claim may have been used
    before the claim.
    """
    if new.alive_s is not None:
        return _first_day_past(new.alive_s)
    return None if new.claimed_s is None else datetime.fromtimestamp(new.claimed_s, UTC).date() + ONE_DAY


def _first_day_past(at_s: float) -> date:
    """Return the first day whose use may be later than a moment.

    This holds in every time zone that 1NCE may count days in.
    """
    return (datetime.fromtimestamp(at_s, UTC) - LATEST_ZONE).date()
