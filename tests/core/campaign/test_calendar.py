"""Days and quiet hours, over midnight and over the days on which clocks are set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from migrator.core.campaign.calendar import day_began_s, is_quiet, quiet_in_s
from migrator.core.policy.policy import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(22 * 60, 6 * 60)


def at(text: str) -> datetime:
    """A moment, as a clock in Berlin shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        ("2027-01-10 21:59", False),
        ("2027-01-10 22:00", True),
        ("2027-01-11 00:30", True),
        ("2027-01-11 05:59", True),
        ("2027-01-11 06:00", False),
    ],
)
def test_quiet_hours_span_midnight(now: str, *, quiet: bool) -> None:
    assert is_quiet(at(now), NIGHT, BERLIN) is quiet
    assert (quiet_in_s(at(now), NIGHT, BERLIN) == 0.0) is quiet


def test_quiet_hours_within_a_day() -> None:
    noon = QuietHours(12 * 60, 13 * 60 + 30)
    assert is_quiet(at("2027-01-10 13:29"), noon, BERLIN)
    assert not is_quiet(at("2027-01-10 13:30"), noon, BERLIN)
    assert quiet_in_s(at("2027-01-10 13:30"), noon, BERLIN) == 22.5 * 3600


def test_none_are_never_near() -> None:
    assert quiet_in_s(at("2027-01-10 13:30"), None, BERLIN) is None


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25), ("2027-06-01", 24)])
def test_a_day_on_which_clocks_are_set_is_shorter_or_longer(day: str, hours: int) -> None:
    began = datetime.fromtimestamp(day_began_s(at(f"{day} 12:00"), BERLIN), UTC)
    next_noon = at(f"{day} 12:00") + timedelta(days=1)
    assert day_began_s(next_noon, BERLIN) - began.timestamp() == hours * 3600


@pytest.mark.parametrize(("evening", "hours"), [("2027-03-27", 7), ("2027-10-30", 9)])
def test_a_night_in_which_clocks_are_set_ends_by_the_clock(evening: str, hours: int) -> None:
    began = at(f"{evening} 22:00")
    assert is_quiet(began + timedelta(hours=hours, seconds=-1), NIGHT, BERLIN)
    assert not is_quiet(began + timedelta(hours=hours), NIGHT, BERLIN)
