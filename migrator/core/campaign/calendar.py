"""Days and quiet hours of a campaign, in its time zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from migrator.core.policy.policy import QuietHours

__all__ = ["day_began_s", "is_over", "is_quiet", "quiet_in_s"]

LOOKS_AHEAD = 3
"""Days ahead in which quiet hours surely begin."""


def day_began_s(now: datetime, zone: tzinfo) -> float:
    """Return when the day of `now` began, in UTC seconds.

    A day in which the clock is set has 23 or 25 hours.
    """
    return datetime.combine(now.astimezone(zone).date(), time(0), zone).timestamp()


def is_over(now: datetime, last_day: date, zone: tzinfo) -> bool:
    """True if a campaign's last day is over."""
    return now.astimezone(zone).date() > last_day


def is_quiet(now: datetime, hours: QuietHours | None, zone: tzinfo) -> bool:
    """True if nothing may be written to a carrier now."""
    if hours is None:
        return False
    return any(began <= now < ended for began, ended in _around(now, hours, zone))


def quiet_in_s(now: datetime, hours: QuietHours | None, zone: tzinfo) -> float | None:
    """Return the seconds until quiet hours begin; 0 within them.

    None, if there are none.
    """
    if hours is None:
        return None
    if is_quiet(now, hours, zone):
        return 0.0
    return min((began - now).total_seconds() for began, _ in _around(now, hours, zone) if began > now)


def _around(now: datetime, hours: QuietHours, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Yield the quiet hours that begin from yesterday on."""
    today = now.astimezone(zone).date()
    spans = hours.to_minute <= hours.from_minute
    for days in range(-1, LOOKS_AHEAD):
        day = today + timedelta(days=days)
        until = day + timedelta(days=1) if spans else day
        began = datetime.combine(day, _clock(hours.from_minute), zone).astimezone(UTC)
        yield began, datetime.combine(until, _clock(hours.to_minute), zone).astimezone(UTC)


def _clock(minute: int) -> time:
    return time(minute // 60, minute % 60)
