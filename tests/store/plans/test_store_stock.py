"""Cards in stock: where each one stands, and that no plan claims what another may have claimed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.core.fleet.corrections import Correction
from migrator.core.fleet.pairing import CardState
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.control import Selection
from migrator.core.run.states import PlanKind, StepEvent, StepKind
from migrator.errors import InputError, PairChanged, StalePlan
from migrator.store import Store
from tests.builders import ORG, source_iccid, target_iccid
from tests.store.store_kit import NOW, SENT, change, header_for, open_store, planned

CARD, KEY = target_iccid(1), target_iccid(1).key
CLAIM = StepKind.CLAIM


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with two cards in stock."""
    with open_store(tmp_path) as opened:
        opened.stock.add([(target_iccid(number), f"cards.txt:{number}") for number in (1, 2)], NOW)
        yield opened


def for_stock(store: Store, plan_id: str = "s1") -> PlanHeader:
    """A plan that claims the first card for the stock."""
    changes = [replace(change(1), source_iccid=CARD)]
    with store.plans.draft(NOW, kind=PlanKind.STOCK) as draft:
        draft.add(changes)
        return draft.finish(lambda sha256: header_for(store, changes, sha256, plan_id=plan_id))


def begin(store: Store, plan_id: str, key: str) -> int:
    run = store.journal.start_run(plan_id, "somebody", NOW)
    return store.journal.begin(run, CLAIM, [key], SENT, wave="all", now=NOW)


def state(store: Store) -> CardState:
    return next(card.state for card in store.stock.cards(ORG) if card.iccid == CARD)


@pytest.mark.parametrize("event", [None, StepEvent.LOST, StepEvent.PROBED_PRESENT])
def test_a_card_that_was_claimed_for_the_stock_or_may_have_been_is_claimed_by_no_other_plan(
    store: Store, event: StepEvent | None
) -> None:
    for_stock(store)
    begin(store, "s1", KEY)
    if event is not None:
        store.journal.move("s1", CLAIM, StepEvent.LOST, {KEY: ("", "")}, now=NOW)
    if event is StepEvent.PROBED_PRESENT:
        store.journal.move("s1", CLAIM, event, {KEY: ("", "")}, now=NOW)
    planned(store, [change(1)])
    with pytest.raises(StalePlan, match="claimed for the stock by plan s1, or may have been"):
        begin(store, "p1", source_iccid(1).key)
    assert store.journal.requests("p1") == []


def test_a_card_that_is_no_stock_is_not_claimed_for_it(store: Store) -> None:
    changes = [replace(change(3), source_iccid=target_iccid(3))]
    with store.plans.draft(NOW, kind=PlanKind.STOCK) as draft:
        draft.add(changes)
        draft.finish(lambda sha256: header_for(store, changes, sha256, plan_id="s1"))
    with pytest.raises(PairChanged):
        begin(store, "s1", target_iccid(3).key)


def test_a_card_that_a_pair_names_by_now_is_not_claimed_for_the_stock(store: Store) -> None:
    """Its unit's plan claims it, with the unit's limits."""
    for_stock(store)
    store.pairs.add([Pair(source_iccid(1), CARD, "test")], replace=False, now=NOW)
    with pytest.raises(PairChanged):
        begin(store, "s1", KEY)
    assert state(store) is CardState.PAIRED


def test_a_card_that_a_pair_names_is_set_aside_and_was_not_corrected(store: Store) -> None:
    """Nobody corrected anything: the card goes where it was meant to go."""
    for_stock(store)
    store.pairs.add([Pair(source_iccid(1), CARD, "test")], replace=False, now=NOW)
    (item,) = store.journal.items_by_key("s1", [KEY])
    assert (item.is_set_aside, item.corrected, item.steps[StepKind.CARD].code) == (True, "", "card_paired")


def test_a_card_whose_claim_is_open_is_not_free(store: Store) -> None:
    assert state(store) is CardState.FREE
    for_stock(store)
    begin(store, "s1", KEY)
    assert (state(store), store.stock.claimed(ORG), store.stock.claimed(ORG + 1)) == (CardState.UNCERTAIN, 1, 0)
    assert [card.iccid for card in store.stock.free(ORG)] == [target_iccid(2)]
    assert store.stock.unfinished() == "s1"


def test_a_plan_for_the_stock_is_not_the_newest_migration_and_leaves_no_fleet_out(store: Store) -> None:
    planned(store, [change(1)])
    for_stock(store)
    assert store.plans.newest() == "p1"
    assert {plan["plan_id"]: plan["kind"] for plan in store.plans.list()} == {"s1": "stock", "p1": "migrate"}
    assert store.cutovers.newest() is None
    assert list(store.audit.problems()) == []


def refused(store: Store, plan_id: str, key: str) -> None:
    """The carrier refused this plan's claim."""
    begin(store, plan_id, key)
    store.journal.move(plan_id, CLAIM, StepEvent.REFUSED_FOR_GOOD, {key: ("sim_refused", "no")}, now=NOW)


def claimed(store: Store, plan_id: str, key: str) -> None:
    begin(store, plan_id, key)
    store.journal.move(plan_id, CLAIM, StepEvent.CONFIRMED, {key: ("", "")}, now=NOW)


def test_a_retry_leaves_a_card_that_its_unit_claimed_meanwhile(store: Store) -> None:
    """It would count twice in the caps, and its own plan would never settle it."""
    for_stock(store)
    refused(store, "s1", KEY)
    store.pairs.add([Pair(source_iccid(1), CARD, "test")], replace=False, now=NOW)
    planned(store, [change(1)])
    claimed(store, "p1", source_iccid(1).key)
    assert store.interventions.retry("s1", Selection(), now=NOW).sims == 0
    assert sum(one.sims for one in store.journal.claims_made(ORG)) == 1


def test_a_retry_leaves_a_card_that_the_stock_claimed_meanwhile(store: Store) -> None:
    """Its pair was taken back after the refusal."""
    store.pairs.add([Pair(source_iccid(1), CARD, "test")], replace=False, now=NOW)
    planned(store, [change(1)])
    refused(store, "p1", source_iccid(1).key)
    store.pairs.add([Pair(source_iccid(1), target_iccid(9), "test")], replace=True, now=NOW)
    for_stock(store)
    claimed(store, "s1", KEY)
    assert store.interventions.retry("p1", Selection(), now=NOW).sims == 0
    assert sum(one.sims for one in store.journal.claims_made(ORG)) == 1


def test_a_retry_takes_a_card_that_nobody_else_claimed(store: Store) -> None:
    for_stock(store)
    refused(store, "s1", KEY)
    assert store.interventions.retry("s1", Selection(), now=NOW).sims == 1


@pytest.mark.parametrize("event", [None, StepEvent.LOST])
@pytest.mark.parametrize("reason", ["", "it fell into the sea"])
def test_no_correction_while_the_claim_of_a_card_for_the_stock_is_in_doubt(
    store: Store, event: StepEvent | None, reason: str
) -> None:
    """Whether its old SIM has cost a card is not known yet."""
    for_stock(store)
    begin(store, "s1", KEY)
    if event is not None:
        store.journal.move("s1", CLAIM, event, {KEY: ("", "")}, now=NOW)
    store.pairs.add([Pair(source_iccid(1), CARD, "test")], replace=False, now=NOW)
    other = Correction(source_iccid(1), target_iccid(2), "found.csv:2", "IMEI", "ann@desk", reason)
    with pytest.raises(InputError, match="plan s1 has orders whose outcome is not known yet for 1 of these SIMs"):
        store.corrections.keep([other], now=NOW + 1)
    assert [pair.target for pair in store.pairs.all()] == [CARD]
