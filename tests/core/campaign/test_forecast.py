"""The forecast: of the pace on working days, with a range, and honest where too little is known."""

from datetime import date, timedelta

import pytest

from migrator.core.campaign.forecast import Day, Forecast, forecast

MONDAY = date(2026, 11, 2)


def days(*units: int, begin: date = MONDAY) -> list[Day]:
    """So many cutovers on each working day from a Monday on."""
    working = (day for day in (begin + timedelta(days=ahead) for ahead in range(100)) if day.weekday() < 5)
    return [Day(day.isoformat(), cut_over=done) for day, done in zip(working, units, strict=False)]


def test_a_steady_pace_ends_when_the_arithmetic_says() -> None:
    """Ten working days of 10, 50 to go: from Monday until Friday; weekends count for nothing."""
    told = forecast(days(*[10] * 10), 50, MONDAY + timedelta(days=14))
    assert (told.per_day, told.ends_on, told.earliest, told.latest) == (10.0, "2026-11-20", "2026-11-20", "2026-11-20")
    assert forecast(days(*[10] * 10), 51, MONDAY + timedelta(days=14)).ends_on == "2026-11-23"


def test_an_unsteady_pace_has_a_range_around_the_day() -> None:
    told = forecast(days(*[5, 15] * 5), 100, MONDAY + timedelta(days=14))
    assert told.per_day == 10.0
    assert told.earliest is not None
    assert told.latest is not None
    assert told.earliest < str(told.ends_on) < told.latest


def test_a_pace_that_may_be_none_has_no_latest_day() -> None:
    told = forecast(days(1, 0, 0, 1, 0, 1, 0, 0, 9, 0), 100, MONDAY + timedelta(days=14))
    assert told.latest is None
    assert "nobody can tell" in told.words


@pytest.mark.parametrize("units", [(), (40,), (40, 0, 40)])
def test_too_little_is_no_forecast(units: tuple[int, ...]) -> None:
    told = forecast(days(*units), 50, MONDAY + timedelta(days=7))
    assert told.ends_on is None
    assert "no forecast yet" in told.words


def test_today_does_not_count_as_it_is_not_over() -> None:
    begun = [*days(10, 10, 10, 10, 10), Day("2026-11-09", cut_over=1)]
    assert forecast(begun, 50, date(2026, 11, 9)).per_day == 10.0


def test_only_the_last_days_count() -> None:
    """The first weeks were a canary; the pace is what it is now."""
    slow_then_fast = days(*[1] * 10, *[20] * 10)
    assert forecast(slow_then_fast, 100, MONDAY + timedelta(days=28)).per_day == 20.0


def test_sims_that_were_taken_back_are_no_progress() -> None:
    told = forecast([Day(day.day, cut_over=10, taken_back=4) for day in days(*[10] * 10)], 60, date(2026, 11, 16))
    assert told.per_day == 6.0


def test_a_pace_that_takes_for_ever_is_said() -> None:
    assert forecast(days(*[1] * 10), 10_000_000, date(2026, 11, 16)).ends_on is None


def test_nothing_left_is_said() -> None:
    assert forecast(days(*[10] * 10), 0, date(2026, 11, 16)) == Forecast(0, why_not="nothing is left to cut over")
