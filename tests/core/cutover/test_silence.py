"""Why a new SIM is silent, by what both sides show."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from migrator.core.cutover.life import KeptProof, Life, silent_as_kept
from migrator.core.cutover.silence import (
    ADVICE,
    IDLE_DAYS,
    MEANING,
    MissingEvidence,
    OldSide,
    Recorded,
    Sessions,
    Silence,
    Silent,
    UnitEvidence,
    sessions_by_record,
    sessions_by_usage,
    silence_of,
    swap_day,
    was_idle_before,
    with_days_before,
)
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import LinkState
from tests.builders import target

CLAIMED = datetime(2026, 11, 10, 9, tzinfo=UTC)
CLAIMED_S = CLAIMED.timestamp()
SEEN_S = CLAIMED_S + 3600
DAY_S = 86_400.0
TODAY = date(2026, 11, 20)
SILENT = UnitEvidence(
    state=LinkState.LIVE, claimed_s=CLAIMED_S, sessions=Sessions.NONE, old=OldSide.SILENT, was_idle_before=False
)
"""Live, asked about on both sides, and nothing came through."""


def why(**values: Any) -> Silent:
    return silence_of(replace(SILENT, **values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Silence.NEVER_ATTACHED),
        ({"seen_s": SEEN_S}, Silence.NO_SESSION),
        ({"seen_s": SEEN_S, "sessions": Sessions.EMPTY}, Silence.ZERO_BYTES),
        ({"seen_s": SEEN_S, "sessions": Sessions.DATA}, Silence.NOT_SILENT),
        ({"was_idle_before": True}, Silence.UNIT_DEAD_BEFORE),
        ({"old": OldSide.TALKS, "used_on": "2026-11-19"}, Silence.OLD_SIM_TALKS),
        ({"state": LinkState.PAUSED_SYSTEM}, Silence.PAUSED_BY_SYSTEM),
        ({"state": LinkState.PAUSED_USER}, Silence.PAUSED),
        ({"state": LinkState.PENDING_LIVE}, Silence.NOT_LIVE),
        ({"state": LinkState.TEST}, Silence.NOT_LIVE),
        ({"state": LinkState.RETIRED}, Silence.NOT_LIVE),
    ],
)
def test_each_silence_is_told_by_its_own_evidence(values: dict[str, Any], expected: Silence) -> None:
    assert why(**values) == Silent(expected)


def test_a_paused_sim_is_paused_whatever_came_through_before() -> None:
    told = why(state=LinkState.PAUSED_SYSTEM, seen_s=SEEN_S, sessions=Sessions.DATA, old=OldSide.TALKS)
    assert told.silence is Silence.PAUSED_BY_SYSTEM


@pytest.mark.parametrize("sessions", [Sessions.DATA, Sessions.EMPTY, Sessions.NONE])
def test_an_old_sim_counts_only_if_it_was_used_on_a_later_day_than_the_new_one_was_seen(sessions: Sessions) -> None:
    same_day = why(seen_s=SEEN_S, sessions=sessions, old=OldSide.TALKS, used_on="2026-11-10")
    assert same_day.silence is not Silence.OLD_SIM_TALKS
    later = why(seen_s=SEEN_S, sessions=sessions, old=OldSide.TALKS, used_on="2026-11-11")
    assert later.silence is Silence.OLD_SIM_TALKS


def test_a_unit_whose_old_sim_was_used_after_the_claim_was_not_dead_before() -> None:
    assert why(was_idle_before=True, used_on="2026-11-11").silence is Silence.NEVER_ATTACHED


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"state": LinkState.UNKNOWN}, MissingEvidence.STATE),
        ({"claimed_s": None}, MissingEvidence.CLAIM_TIME),
        ({"sessions": Sessions.NOT_ASKED}, MissingEvidence.SESSIONS),
        ({"sessions": Sessions.NOT_ASKED, "seen_s": SEEN_S}, MissingEvidence.SESSIONS),
        ({"sessions": Sessions.NOT_OURS}, MissingEvidence.SESSIONS_NOT_OURS),
        ({"sessions": Sessions.UNSIZED, "seen_s": SEEN_S}, MissingEvidence.SESSION_SIZES),
    ],
)
def test_without_evidence_nothing_is_guessed_and_what_is_missing_is_named(
    values: dict[str, Any], missing: MissingEvidence
) -> None:
    assert why(**values) == Silent(Silence.NOT_KNOWN, (missing,))


def test_a_sim_that_never_attached_says_what_was_not_asked_of_the_old_one() -> None:
    assert why(old=None, was_idle_before=None).missing == (MissingEvidence.OLD_USE, MissingEvidence.OLD_USE_BEFORE)
    assert why(old=OldSide.UNKNOWN).missing == (MissingEvidence.OLD_USE,)
    assert why().missing == ()


def test_every_silence_has_its_meaning_and_all_but_one_an_advice() -> None:
    assert set(MEANING) == set(ADVICE) == set(Silence)
    assert [one for one in Silence if not ADVICE[one]] == [Silence.NOT_SILENT]


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (Recorded(), Sessions.NOT_ASKED),
        (Recorded(billed_bytes=0), Sessions.NOT_ASKED),  # no session is in the record: usage may have some
        (Recorded(billed_bytes=7), Sessions.DATA),
        (Recorded(SEEN_S, 7), Sessions.DATA),
        (Recorded(SEEN_S, 0, 0), Sessions.EMPTY),
        (Recorded(SEEN_S, 0), Sessions.NOT_ASKED),  # an earlier session may have had bytes
        (Recorded(SEEN_S, None, 0), Sessions.NOT_ASKED),
        (Recorded(CLAIMED_S - 1, 7), Sessions.NOT_ASKED),  # before the claim
    ],
)
def test_a_record_tells_of_sessions_only_what_it_shows(recorded: Recorded, expected: Sessions) -> None:
    assert sessions_by_record(recorded, CLAIMED_S) is expected


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (None, Sessions.NOT_OURS),
        ([], Sessions.NONE),
        ([0, 0], Sessions.EMPTY),
        ([0, None], Sessions.UNSIZED),
        ([0, None, 5], Sessions.DATA),
    ],
)
def test_usage_tells_whether_any_byte_came_through(sizes: list[int | None] | None, expected: Sessions) -> None:
    assert sessions_by_usage(sizes) is expected


def test_a_unit_was_idle_only_where_every_day_before_the_swap_says_so() -> None:
    days = {TODAY - timedelta(days=back): False for back in range(1, IDLE_DAYS + 1)}
    assert was_idle_before(days, TODAY) is True
    assert was_idle_before({**days, TODAY: True}, TODAY) is True  # the day of the swap itself is not before it
    assert was_idle_before({**days, TODAY - timedelta(days=9): True}, TODAY) is False
    del days[TODAY - timedelta(days=9)]
    assert was_idle_before(days, TODAY) is None
    assert was_idle_before(None, TODAY) is None


def test_the_day_of_the_swap_is_that_of_the_scan_where_one_was_noted() -> None:
    assert swap_day(claimed_s=CLAIMED_S, scanned_s=None) == date(2026, 11, 10)
    assert swap_day(claimed_s=CLAIMED_S, scanned_s=CLAIMED_S + 5 * DAY_S) == date(2026, 11, 15)


def test_the_days_before_the_swap_are_asked_for_with_the_others_and_not_past_what_1nce_keeps() -> None:
    since = (date(2026, 11, 11), TODAY)
    assert with_days_before(since, date(2026, 11, 10), TODAY) == (date(2026, 10, 11), TODAY)
    assert with_days_before(None, TODAY, TODAY) == (TODAY - timedelta(days=IDLE_DAYS), TODAY)
    assert with_days_before(since, date(2026, 1, 1), TODAY) == (TODAY - timedelta(days=180), TODAY)


# --- by what the store has ----------------------------------------------------------------------------------------

PROOF = KeptProof(life=Life.ALIVE, unit=Unit.MATCHED, proved_s=SEEN_S + 60, alive_s=SEEN_S, sessions=Sessions.NONE)


def as_kept(proof: KeptProof | None, *, connected_s: float | None = None, recorded: Recorded | None = None) -> Silent:
    seen = None if connected_s is None else datetime.fromtimestamp(connected_s, UTC).isoformat()
    link = target(1, state=LinkState.LIVE, last_connected_at=seen)
    return silent_as_kept(link, recorded or Recorded(), claimed_s=CLAIMED_S, proof=proof)


def test_what_a_proof_of_life_found_counts_until_the_record_shows_a_newer_connection() -> None:
    assert as_kept(PROOF, connected_s=SEEN_S) == Silent(Silence.NO_SESSION)
    assert as_kept(PROOF, connected_s=SEEN_S + 120) == Silent(Silence.NOT_KNOWN, (MissingEvidence.SESSIONS,))
    assert as_kept(PROOF, recorded=Recorded(SEEN_S, 9, 9)) == Silent(Silence.NOT_SILENT)


def test_without_any_proof_the_record_alone_never_shows_that_a_sim_never_attached() -> None:
    assert as_kept(None) == Silent(Silence.NOT_KNOWN, (MissingEvidence.SESSIONS,))
    assert as_kept(None, connected_s=SEEN_S, recorded=Recorded(SEEN_S, 0, 0)) == Silent(Silence.ZERO_BYTES)
