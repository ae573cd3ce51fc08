"""Whose sign of life is newer, by days in a zone that nobody knows."""

from datetime import UTC, date, datetime, timedelta

import pytest

from migrator.core.cutover.old_use import NewLife, OldUse, days_to_ask, use_of_old
from migrator.core.cutover.rules import not_lately_words

TODAY = date(2026, 11, 20)
CLAIMED = datetime(2026, 11, 1, 9, tzinfo=UTC).timestamp()
DAY_S = 86_400.0


def lived(day: int, hour: int = 15) -> NewLife:
    return NewLife(datetime(2026, 11, day, hour, tzinfo=UTC).timestamp(), CLAIMED)


def told(*used: int, first: int = 1, but: int | None = None) -> dict[date, bool]:
    """What 1NCE tells of the days of a month, from one of them until today."""
    return {date(2026, 11, day): day in used for day in range(first, 21) if day != but}


@pytest.mark.parametrize(
    ("new", "used", "expected"),
    [
        (lived(5), told(19, 20), OldUse.IN_USE),  # the unit went back
        (lived(10), told(10), OldUse.IN_USE),  # the day of the swap alone: nobody can tell which came last
        (lived(11), told(2, 10), OldUse.SILENT),  # used in the morning of the swap; the new one lived on
        (lived(11, hour=9), told(10), OldUse.IN_USE),  # the tenth may not have ended yet where 1NCE counts its days
        (lived(11, hour=12), told(10), OldUse.SILENT),
        (lived(20), told(1, 5), OldUse.SILENT),
        (lived(20), told(20), OldUse.IN_USE),
        (NewLife(None, CLAIMED), told(1), OldUse.SILENT),  # what was used on the day of the claim was used before
        (NewLife(None, CLAIMED), told(2), OldUse.IN_USE),
    ],
)
def test_the_last_sign_of_life_of_the_two_decides(new: NewLife, used: dict[date, bool], expected: OldUse) -> None:
    assert use_of_old(new, used=used, today=TODAY).use is expected


@pytest.mark.parametrize(
    ("new", "used"),
    [
        (lived(15), None),
        (lived(15), {}),
        (lived(15), told(but=17)),  # a day that is not told proves nothing
        (lived(20), told(but=19)),  # nor does a reply that knows nothing of yesterday
        (NewLife(None, None), told()),
        (NewLife(None, datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp()), told()),  # claimed today, and never alive
    ],
)
def test_what_1nce_does_not_tell_is_unknown_and_not_silent(new: NewLife, used: dict[date, bool] | None) -> None:
    assert use_of_old(new, used=used, today=TODAY).use is OldUse.UNKNOWN


def test_the_row_of_today_may_be_missing() -> None:
    assert use_of_old(lived(15), used=told(but=20), today=TODAY).use is OldUse.SILENT


def test_what_was_noted_before_counts_until_the_new_sim_lived_on_a_later_day() -> None:
    noted = [date(2026, 11, 12)]
    assert use_of_old(lived(12), used=None, known=noted, today=TODAY, was_asked=False).use is OldUse.IN_USE
    assert use_of_old(lived(13), used=None, known=noted, today=TODAY, was_asked=False).use is OldUse.SILENT
    assert use_of_old(lived(12), used=told(), known=noted, today=TODAY).used_on == noted[0]


def test_no_more_days_are_asked_for_than_may_tell_something() -> None:
    assert days_to_ask(lived(15), TODAY) == (date(2026, 11, 15), TODAY)
    assert days_to_ask(lived(20), TODAY) == (date(2026, 11, 19), TODAY)
    long_ago = NewLife((datetime(2026, 11, 20, tzinfo=UTC) - timedelta(days=400)).timestamp(), 0.0)
    assert days_to_ask(long_ago, TODAY) == (TODAY - timedelta(days=180), TODAY)
    assert days_to_ask(NewLife(None, None), TODAY) is None


@pytest.mark.parametrize(
    ("ago_s", "words"),
    [(0.0, None), (14 * DAY_S, None), (14 * DAY_S + 1, "within 14 d"), (-600.0, None), (-7200.0, "a clock is wrong")],
)
def test_a_sign_of_life_of_long_ago_or_of_the_future_proves_nothing(ago_s: float, words: str | None) -> None:
    told = not_lately_words(1e9 - ago_s, now_s=1e9, within_s=14 * DAY_S)
    assert told is None if words is None else words in (told or "")
