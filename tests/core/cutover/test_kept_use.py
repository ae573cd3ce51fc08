"""Kept answers on an old SIM's use: what they prove of a new SIM's life, and from when on they prove nothing."""

from datetime import UTC, date, datetime, timedelta

import pytest

from migrator.core.cutover.old_use import KeptUse, NewLife, OldUse, UseOfOld, days_to_ask, kept_use, use_by_answer

SWAP = datetime(2026, 11, 20, 15, tzinfo=UTC)
LIFE = NewLife(SWAP.timestamp(), SWAP.timestamp() - 86_400)
SWAPPED_ON, TODAY = date(2026, 11, 20), date(2026, 11, 24)


def answer(
    used_on: date | None = None, *, asked_from: date = SWAPPED_ON, to: date = TODAY, told: bool = True
) -> KeptUse:
    return KeptUse(asked_from, to, used_on, told)


@pytest.mark.parametrize(
    ("kept", "known", "expected"),
    [
        (answer(), (), UseOfOld(OldUse.SILENT)),
        (answer(SWAPPED_ON - timedelta(days=1)), (), UseOfOld(OldUse.SILENT)),
        (answer(SWAPPED_ON), (), UseOfOld(OldUse.IN_USE, SWAPPED_ON)),
        (answer(TODAY), (), UseOfOld(OldUse.IN_USE, TODAY)),
        (answer(), (SWAPPED_ON,), UseOfOld(OldUse.IN_USE, SWAPPED_ON)),
        (None, (TODAY,), UseOfOld(OldUse.IN_USE, TODAY)),
        (None, (), UseOfOld(OldUse.UNKNOWN)),
        (answer(told=False), (), UseOfOld(OldUse.UNKNOWN)),
        (answer(asked_from=SWAPPED_ON + timedelta(days=1)), (), UseOfOld(OldUse.UNKNOWN)),
        (answer(to=SWAPPED_ON - timedelta(days=1)), (), UseOfOld(OldUse.UNKNOWN)),  # asked before the swap
    ],
)
def test_an_answer_counts_for_the_days_that_it_tells_of(
    kept: KeptUse | None, known: tuple[date, ...], expected: UseOfOld
) -> None:
    assert use_by_answer(LIFE, kept, known=known) == expected


def test_without_a_claim_nothing_is_known() -> None:
    assert use_by_answer(NewLife(None, None), answer()).use is OldUse.UNKNOWN


def test_what_was_asked_today_settles_todays_swap_as_a_plan_of_a_cutover_does() -> None:
    """The day of the swap itself, and yesterday, are told; the row of today may be missing."""
    days = days_to_ask(LIFE, SWAPPED_ON)
    assert days is not None
    kept = kept_use(days, {SWAPPED_ON - timedelta(days=1): False})
    assert kept.is_told
    assert use_by_answer(LIFE, kept).use is OldUse.SILENT


def test_a_missing_day_makes_an_answer_untold() -> None:
    days = (SWAPPED_ON, TODAY)
    told = {SWAPPED_ON + timedelta(days=number): False for number in (0, 1, 3)}
    assert not kept_use(days, told).is_told
    assert not kept_use(days, None).is_told
    assert kept_use(days, {**told, SWAPPED_ON + timedelta(days=2): True}).used_on == SWAPPED_ON + timedelta(days=2)
