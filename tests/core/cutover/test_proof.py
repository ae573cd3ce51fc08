"""When a new SIM is alive, an old one silent, and a unit the same."""

from datetime import date

import pytest

from migrator.core.cutover.life import Life, OldSide, Proof, asked_days, life, old_side
from migrator.core.fleet.imei import Unit, unit
from migrator.core.plan.plan import DesiredState
from tests.builders import target
from tests.store.store_kit import change

CLAIMED_S = 1_700_000_000.0
TODAY, YESTERDAY, BEFORE = date(2026, 11, 20), date(2026, 11, 19), date(2026, 11, 18)
ASKED = (date(2026, 11, 10), TODAY)


@pytest.mark.parametrize(
    ("session_s", "may_read", "expected"),
    [
        (CLAIMED_S + 1, True, Life.ALIVE),
        (CLAIMED_S - 1, True, Life.SILENT),
        (None, True, Life.SILENT),
        (None, False, Life.UNKNOWN),
    ],
)
def test_only_a_session_since_the_claim_is_a_sign_of_life(
    session_s: float | None,
    may_read: bool,  # noqa: FBT001 - a parameter of the test
    expected: Life,
) -> None:
    told, _ = life(change(1), target(1), claimed_s=CLAIMED_S, session_s=session_s, may_read_usage=may_read)
    assert told is expected


def test_without_the_time_of_the_claim_no_session_proves_life() -> None:
    told, _ = life(change(1), target(1), claimed_s=None, session_s=CLAIMED_S, may_read_usage=True)
    assert told is Life.UNKNOWN


def test_a_sim_that_the_plan_pauses_is_to_be_silent() -> None:
    paused = change(1, state=DesiredState.PAUSE)
    told, _ = life(paused, target(1), claimed_s=CLAIMED_S, session_s=None, may_read_usage=True)
    assert told is Life.PAUSED


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("3520990017614823", "352099001761481", Unit.MATCHED),  # IMEISV and IMEI of one modem
        ("3520990017614823f", "3520990017614801", Unit.MATCHED),  # another software version
        ("3520990017614823", "490154203237518", Unit.MOVED),
        (None, "490154203237518", Unit.NEVER_SEEN),
        ("3520990017614823", None, Unit.NEVER_SEEN),
        ("unknown", "490154203237518", Unit.NEVER_SEEN),
    ],
)
def test_a_unit_is_known_by_its_modem(old: str | None, new: str | None, expected: Unit) -> None:
    assert unit(old, new) is expected


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({TODAY: False, YESTERDAY: False, BEFORE: True}, OldSide.SILENT),
        ({YESTERDAY: False}, OldSide.SILENT),  # the row of today may be late
        ({TODAY: False, YESTERDAY: True}, OldSide.TALKS),
        ({TODAY: True}, OldSide.TALKS),
        ({TODAY: False, BEFORE: False}, OldSide.UNKNOWN),  # a day that is missing proves nothing
        ({}, OldSide.UNKNOWN),  # as for dates that make no sense
        (None, OldSide.UNKNOWN),
    ],
)
def test_an_old_sim_is_silent_only_where_a_whole_day_says_so(used: dict[date, bool] | None, expected: OldSide) -> None:
    assert old_side(used, ASKED)[0] is expected


def test_what_was_used_up_to_the_day_of_the_claim_says_nothing() -> None:
    assert asked_days(TODAY, TODAY) is None
    assert old_side({YESTERDAY: True, TODAY: False}, asked_days(YESTERDAY, TODAY)) == (OldSide.UNKNOWN, None)


def test_the_last_day_of_use_is_told() -> None:
    assert old_side({TODAY: False, YESTERDAY: False, BEFORE: True}, ASKED) == (OldSide.SILENT, "2026-11-18")


@pytest.mark.parametrize(
    ("is_alive", "old", "expected"),
    [(Life.ALIVE, OldSide.TALKS, True), (Life.PAUSED, OldSide.TALKS, False), (Life.ALIVE, OldSide.SILENT, False)],
)
def test_an_old_sim_that_talks_beside_a_living_new_one_needs_attention(
    is_alive: Life,
    old: OldSide,
    expected: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert Proof("1", "2", is_alive, Unit.MATCHED, old=old).needs_attention is expected
