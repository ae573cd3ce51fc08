"""Items: the order in which they are best claimed, and what is known of each, while the caller writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import Action, Change
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.errors import InputError
from migrator.store import Store
from tests.builders import ORG, source_iccid, target, target_iccid
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


# --- order --------------------------------------------------------------------------------------------------------

WAVES = ("canary", "all", None)
limits = st.none() | st.sampled_from([-1, 0, 1_048_576, 2**40]).map(Bytes)
acting = st.builds(
    change,
    st.integers(0, 10**5),
    st.sampled_from([action for action in Action if action.acts]),
    wave=st.sampled_from(WAVES),
    overage_limit_bytes=limits,
    sms_limit=st.none() | st.sampled_from([-1, 0, 100]),
)
left_alone = st.builds(change, st.integers(10**5, 10**6), st.sampled_from([Action.SKIP, Action.BLOCK]))
fleets = st.lists(acting | left_alone, max_size=25, unique_by=lambda one: one.source_iccid.key)


def place(one: Change) -> tuple[int, tuple[bool, bool, int], tuple[bool, bool, int], str]:
    """Wave, overage limit, SMS limit, ICCID; what is unlimited comes late, what is left alone last."""
    return WAVES.index(one.wave), limit(one.overage_limit_bytes), limit(one.sms_limit), one.source_iccid.digits


def limit(value: int | None) -> tuple[bool, bool, int]:
    return value is None, value == -1, value or 0


@given(fleets)
@settings(max_examples=80, deadline=None)
def test_items_come_in_the_order_in_which_they_are_best_claimed(shared: Store, fleet: list[Change]) -> None:
    """SIMs of equal limits share a claim, and a claim carries the smallest: so the largest come last."""
    plan_id = f"p{len(shared.plans.list())}"
    planned(shared, fleet, plan_id=plan_id, waves=("canary", "all"))
    acts = sorted((one for one in fleet if one.action.acts), key=place)
    assert [item.change for item in shared.journal.items(plan_id)] == acts
    everything = [item.change for item in shared.journal.items(plan_id, acting_only=False)]
    assert everything == sorted(fleet, key=place)


def test_the_order_holds_over_many_pages(store: Store) -> None:
    fleet = [change(number, overage_limit_bytes=Bytes(number % 3), sms_limit=number % 2) for number in range(1700)]
    planned(store, fleet)
    assert [item.change for item in store.journal.items("p1")] == sorted(fleet, key=place)


def test_one_wave_can_be_asked_for_and_an_unknown_one_is_told(store: Store) -> None:
    planned(store, [change(1, wave="canary"), change(2, wave="rest"), change(3, Action.BLOCK)])
    assert [item.key for item in store.journal.items("p1", wave="rest")] == [key(2)]
    with pytest.raises(InputError, match="no wave 'nope'") as caught:
        list(store.journal.items("p1", wave="nope"))
    assert "canary, rest" in caught.value.hint


def test_the_caller_writes_between_items_and_later_ones_show_it(store: Store) -> None:
    """A run claims while it goes through them; none comes twice, none is left out."""
    planned(store, [change(number) for number in range(1200)])
    run = store.journal.start_run("p1", "me", NOW)
    seen = []
    for item in store.journal.items("p1"):
        if item.key == key(0):
            store.journal.begin(run, StepKind.CLAIM, [key(1100)], SENT, wave="all", now=NOW)
            store.journal.observed([target(1101)], [], now=NOW)
        seen.append(item)
    assert [item.change.source_iccid for item in seen] == [source_iccid(number) for number in range(1200)]
    assert seen[1100].state_of(StepKind.CLAIM) is StepState.IN_FLIGHT
    assert seen[1101].target == target(1101)


# --- what is known ------------------------------------------------------------------------------------------------


def test_items_by_key_keep_the_order_of_the_keys(store: Store) -> None:
    planned(store, [change(number) for number in range(1300)])
    wanted = [key(number) for number in (1250, 3, 77, 3)]
    assert [item.key for item in store.journal.items_by_key("p1", wanted)] == wanted
    assert store.journal.items_by_key("p1", []) == []


def test_a_sim_that_the_plan_does_not_hold_is_told(store: Store) -> None:
    planned(store, [change(1)])
    with pytest.raises(InputError, match=f"does not hold the SIM {key(2)}"):
        store.journal.items_by_key("p1", [key(1), key(2)])


def test_an_item_shows_its_steps_and_its_target(store: Store) -> None:
    planned(store, [change(1), change(2)])
    run = store.journal.start_run("p1", "me", NOW)
    store.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)
    store.journal.move("p1", StepKind.CLAIM, StepEvent.CONFIRMED, {key(1): ("", "")}, now=NOW)
    store.journal.begin(run, StepKind.NAME, [key(1)], SENT, wave="all", now=NOW)
    store.journal.observed([target(1)], [target_iccid(2)], now=NOW + 1)
    first, second = store.journal.items("p1")
    assert {kind: step.state for kind, step in first.steps.items()} == {
        StepKind.CLAIM: StepState.DONE,
        StepKind.NAME: StepState.IN_FLIGHT,
    }
    assert (first.target, first.read_at) == (target(1), NOW + 1)
    assert (second.steps, second.target, second.read_at) == ({}, None, NOW + 1)


def test_a_target_comes_back_as_it_was_shown(store: Store) -> None:
    planned(store, [change(1), change(2), change(3)])
    others = (Iccid.parse("8944500999999999991"), Iccid.parse("89445009999999999923"))
    shown = [
        target(
            1,
            tags=frozenset({"b", "a"}),
            other_iccids=others,
            claimed_at="2026-01-01",
            last_connected_at="x",
            imei="352099001761481",
        ),
        target(2, tags=None, name=None, overage_limit_bytes=Bytes(-1), sms_limit=-1, zone=None, data_plan_id=None),
        target(3, state="LIVE-PENDING", device_id=None, link_id=None, org_id=None, tags=frozenset()),
    ]
    store.journal.observed(shown, [], now=NOW)
    found = [item.target for item in store.journal.items("p1")]
    assert found == shown
    assert [one.iccid.digits for one in found if one] == [one.iccid.digits for one in shown]
    assert found[0] is not None
    assert [str(iccid) for iccid in found[0].other_iccids] == [str(iccid) for iccid in others]


def test_only_the_latest_look_counts(store: Store) -> None:
    """Also where it tells less: tags of an earlier reply would be held against a SIM that has got its tag since."""
    planned(store, [change(1)])
    store.journal.observed([target(1, name="old")], [], now=NOW)
    store.journal.observed([target(1, tags=None)], [], now=NOW + 1)
    assert next(store.journal.items("p1")).target == target(1, tags=None)
    store.journal.observed([], [target_iccid(1)], now=NOW + 2)
    gone = next(store.journal.items("p1"))
    assert (gone.target, gone.read_at) == (None, NOW + 2)
    store.journal.observed([target(1, org_id=ORG)], [], now=NOW + 3)
    assert next(store.journal.items("p1")).target == target(1)


@pytest.mark.files
def test_pin_and_puk_of_a_device_never_reach_the_file(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        raw = {"links": {"cellular": [{"sim": "1", "pin1": "4711-secret", "puk": "4711-secret"}]}}
        store.journal.observed([target(1, raw=raw)], [], now=NOW)
        log = (tmp_path / "state.db-wal").read_bytes()
    assert b"4711-secret" not in log
    assert b"4711-secret" not in (tmp_path / "state.db").read_bytes()
    assert b"cellular" in (tmp_path / "state.db").read_bytes()
