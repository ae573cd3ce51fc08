"""The rules of cutover and rollback, one by one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from migrator.core.cutover.plan import (
    CutoverAction,
    CutoverReason,
    CutoverRow,
    Direction,
    fingerprint_of,
    row_document,
    row_from,
)
from migrator.core.cutover.rules import (
    Overlap,
    Sight,
    Sighting,
    claimed_at_s,
    echo_of,
    lock_obstacle,
    moment_s,
    obstacle_at_source,
    values_changed,
)
from migrator.core.fleet.sims import LinkState, QuotaReading, SourceStatus
from tests.builders import ORG, sim, source_iccid, target, target_iccid

ON = replace(sim(1), status=SourceStatus.ENABLED, status_word="Enabled", label="Unit 1", imei_lock=False)
OFF = replace(ON, status=SourceStatus.DISABLED, status_word="Disabled")
ROW = CutoverRow(source_iccid(1), target_iccid(1), CutoverAction.SWITCH_OFF, CutoverReason.QUALIFIES, wave="all")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1970-01-01 00:01:00", 60.0), ("1970-01-01T00:01:00Z", 60.0), ("1970-01-01T01:01:00+01:00", 60.0)],
)
def test_dates_without_a_zone_are_utc(text: str, seconds: float) -> None:
    assert moment_s(text) == seconds


@pytest.mark.parametrize("text", [None, "", "never", "0000-00-00 00:00:00"])
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert moment_s(text) is None


def test_the_record_says_when_a_sim_was_claimed_and_our_journal_only_where_it_does_not() -> None:
    told = replace(target(1), claimed_at="1970-01-01 00:01:00")
    assert claimed_at_s(told, 5.0) == 60.0
    assert claimed_at_s(replace(told, claimed_at=None), 5.0) == 5.0


@pytest.mark.parametrize("direction", list(Direction))
def test_a_sim_that_is_as_wanted_needs_no_order_unless_an_earlier_one_may_still_come(direction: Direction) -> None:
    seen = Sight(Sighting.SEEN, OFF if direction is Direction.CUTOVER else ON)
    told = obstacle_at_source(seen, direction)
    assert told is not None
    assert told.code == "already"
    assert obstacle_at_source(seen, direction, must_order=True) is None


@pytest.mark.parametrize("sighting", [Sighting.GONE, Sighting.EXPIRED, Sighting.REFUSED])
@pytest.mark.parametrize("direction", list(Direction))
def test_nothing_is_ordered_for_a_sim_that_was_not_seen(sighting: Sighting, direction: Direction) -> None:
    assert obstacle_at_source(Sight(sighting), direction, must_order=True) is not None


def test_nothing_is_ordered_for_a_word_that_we_do_not_know() -> None:
    odd = replace(ON, status=SourceStatus.UNKNOWN, status_word="Dormant")
    told = obstacle_at_source(Sight(Sighting.SEEN, odd), Direction.CUTOVER)
    assert told is not None
    assert "Dormant" in told.words


def test_values_that_an_order_echoes_are_compared_with_what_was_read_before_it() -> None:
    assert values_changed(echo_of(ON), OFF).code == ""
    assert values_changed(echo_of(ON), replace(OFF, label=None)).code == "label_changed"
    assert values_changed(echo_of(ON), replace(OFF, imei_lock=True)).code == "imei_lock_changed"


def test_a_row_travels_through_its_document_and_the_fingerprint_sees_every_value() -> None:
    assert row_from(row_document(ROW)) == ROW
    others = [replace(ROW, wave="rest"), replace(ROW, action=CutoverAction.LEAVE_ON), replace(ROW, proof="x")]
    assert len({fingerprint_of(("p1",), [row]) for row in (ROW, *others)}) == 4


def test_the_overlap_counts_what_is_on_at_both_carriers_and_what_is_left_behind() -> None:
    overlap, live = Overlap(), replace(target(1), state=LinkState.LIVE)
    read = replace(
        ON, data_reading=QuotaReading.READ, data_remaining_mb=Decimal("12.5"), expires_at="1970-01-11 00:00:00"
    )
    for source in (read, OFF, None):
        overlap.add(source, live, org_id=ORG, now_s=0.0, claimed_s=None)
    overlap.add(ON, None, org_id=ORG, now_s=0.0, claimed_s=None)
    told = overlap.told(Decimal("0.90"))
    assert (told["on_both_sides"], told["claimed"], told["hologram_per_day"]) == (1, 3, "0.03")
    assert (told["left_behind_mb"], told["left_behind_days"]) == ("12.5", 10)


def test_what_costs_is_the_new_sim_that_was_never_seen_in_a_unit() -> None:
    """1NCE is paid once for a SIM's lifetime; each period of an idle new SIM is paid at Hologram."""
    overlap = Overlap()
    for seen in (None, "1970-01-01 00:00:50", "1970-01-01 00:02:00"):  # never, by its former owner, since the claim
        link = replace(target(1), state=LinkState.LIVE, claimed_at=None, last_connected_at=seen)
        overlap.add(ON, link, org_id=ORG, now_s=200.0, claimed_s=100.0)
    told = overlap.told(Decimal(30))
    assert (told["claimed"], told["not_seen_in_a_unit"]) == (3, 2)
    assert told["not_seen_in_a_unit_per_day"] == "2.00"


def test_a_price_that_hologram_does_not_show_is_not_guessed() -> None:
    assert Overlap().told(None)["hologram_per_day"] is None


def test_only_an_order_that_carries_the_lock_needs_to_know_it() -> None:
    unread = Sight(Sighting.SEEN, replace(ON, imei_lock=None))
    told = lock_obstacle(unread)
    assert told is not None
    assert told.code == "imei_lock_unknown"
    assert lock_obstacle(Sight(Sighting.SEEN, ON)) is None
    assert obstacle_at_source(unread, Direction.CUTOVER) is None
