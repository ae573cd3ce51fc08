"""The simulated 1NCE lists SIMs as its reference says, choice by choice, also while the list moves."""

from collections import Counter

import pytest

from migrator.carriers.onence.simulator import (
    AboveLargestPage,
    BeyondEnd,
    ListOrder,
    OnenceBehaviour,
    OnenceSimulator,
    SimulatedSourceSim,
    TotalsHeaders,
    V1Retired,
)
from tests.carriers.onence.onence_api import fetch, walk


def test_walking_the_pages_of_a_quiet_list_finds_every_sim_once() -> None:
    simulator = OnenceSimulator(sims=25)
    assert sorted(walk(simulator)) == sorted(sim.iccid for sim in simulator.fleet)


def test_totals_come_as_text_in_mixed_case_headers() -> None:
    reply = fetch(OnenceSimulator(sims=25), "v1/sims", params={"page": 3, "pageSize": 10})
    sent = {name: value for name, value in reply.headers.raw if name.startswith((b"X-Total", b"X-Count", b"X-Current"))}
    assert sent == {
        b"X-Total-Count": b"25",
        b"X-Total-Pages": b"3",
        b"X-Current-Page": b"3",
        b"X-Count-Per-Page": b"10",
    }
    assert len(reply.json()) == 5


@pytest.mark.parametrize(
    ("choice", "name"), [(TotalsHeaders.LOWER_CASE, b"x-total-count"), (TotalsHeaders.ABSENT, None)]
)
def test_totals_headers_can_change_case_or_be_absent(choice: TotalsHeaders, name: bytes | None) -> None:
    reply = fetch(OnenceSimulator(behaviour=OnenceBehaviour(totals_headers=choice)), "v1/sims")
    names = [sent for sent, _ in reply.headers.raw if sent.lower() == b"x-total-count"]
    assert names == ([] if name is None else [name])


def test_count_per_page_can_mean_the_rows_of_this_page() -> None:
    simulator = OnenceSimulator(sims=25, behaviour=OnenceBehaviour(count_per_page_is_rows=True))
    reply = fetch(simulator, "v1/sims", params={"page": 3, "pageSize": 10})
    assert reply.headers["X-Count-Per-Page"] == "5"


@pytest.mark.parametrize(
    ("choice", "status", "rows"),
    [(BeyondEnd.EMPTY, 200, 0), (BeyondEnd.NOT_FOUND, 404, None), (BeyondEnd.LAST_AGAIN, 200, 5)],
)
def test_a_page_beyond_the_end_is_as_chosen(choice: BeyondEnd, status: int, rows: int | None) -> None:
    simulator = OnenceSimulator(sims=25, behaviour=OnenceBehaviour(beyond_end=choice))
    reply = fetch(simulator, "v1/sims", params={"page": 4, "pageSize": 10})
    assert (reply.status_code, len(reply.json()) if reply.content else None) == (status, rows)


@pytest.mark.parametrize("choice", BeyondEnd)
def test_an_empty_account_is_an_empty_first_page(choice: BeyondEnd) -> None:
    reply = fetch(OnenceSimulator(sims=0, behaviour=OnenceBehaviour(beyond_end=choice)), "v1/sims")
    assert (reply.status_code, reply.json(), reply.headers["X-Total-Count"]) == (200, [], "0")


@pytest.mark.parametrize(("size", "rows"), [(None, 10), ("101", 100), ("0", 10), ("many", 10)])
def test_a_page_size_out_of_bounds_is_clamped(size: str | None, rows: int) -> None:
    params = {} if size is None else {"pageSize": size}
    assert len(fetch(OnenceSimulator(sims=120), "v1/sims", params=params).json()) == rows


def test_a_page_size_above_100_can_be_refused() -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(above_largest_page=AboveLargestPage.REFUSE))
    assert fetch(simulator, "v1/sims", params={"pageSize": 101}).status_code == 400
    assert fetch(simulator, "v1/sims", params={"pageSize": 100}).status_code == 200


def test_the_list_can_be_wrapped_in_results() -> None:
    body = fetch(OnenceSimulator(behaviour=OnenceBehaviour(results_wrapped=True)), "v1/sims").json()
    assert len(body["results"]) == 10


def test_the_order_is_fixed_yet_neither_by_iccid_nor_by_address() -> None:
    simulator = OnenceSimulator(sims=40)
    first = walk(simulator)
    assert first == walk(simulator)
    addresses = [sim.ip_address for sim in simulator.fleet]
    for values in (first, addresses):
        assert values != sorted(values)
        assert values != sorted(values, reverse=True)


def test_sort_has_no_effect_unless_it_is_honoured() -> None:
    plain, honoured = (OnenceSimulator(sims=40, behaviour=OnenceBehaviour(sort_honoured=on)) for on in (False, True))
    assert walk(plain, sort="ip_address") == walk(plain)
    addresses = {sim.iccid: sim.ip_address for sim in honoured.fleet}
    for sort, falling in (("ip_address", False), ("-ip_address", True)):
        in_order = [addresses[iccid] for iccid in walk(honoured, sort=sort)]
        assert in_order == sorted(in_order, reverse=falling)


def test_a_filter_leaves_only_the_sims_with_that_address() -> None:
    simulator = OnenceSimulator(sims=40)
    wanted = simulator.fleet[17]
    assert walk(simulator, q=f"ip_address:{wanted.ip_address}") == [wanted.iccid]


def test_a_list_that_is_reshuffled_in_every_call_repeats_and_misses_sims() -> None:
    simulator = OnenceSimulator(sims=100, behaviour=OnenceBehaviour(list_order=ListOrder.RESHUFFLED))
    seen = walk(simulator)
    assert len(seen) == 100
    assert len(set(seen)) < 100


def test_a_sim_that_appears_between_pages_makes_a_duplicate() -> None:
    simulator = OnenceSimulator(sims=30, behaviour=OnenceBehaviour(insert_every_pages=1, drift_at_most=1))
    before = walk(OnenceSimulator(sims=30))
    seen = walk(simulator)
    assert [iccid for iccid, times in Counter(seen).items() if times == 2] == [before[9]]
    assert set(seen) == set(before), "the newcomer stands on a page that was read already"


def test_a_sim_that_goes_between_pages_makes_a_silent_gap() -> None:
    simulator = OnenceSimulator(sims=30, behaviour=OnenceBehaviour(remove_every_pages=1, drift_at_most=1))
    before = walk(OnenceSimulator(sims=30))
    assert set(before) - set(walk(simulator)) == {before[10]}


def test_one_gone_and_one_come_leave_the_total_and_the_pages_as_they_were() -> None:
    """The count agrees, nothing repeats, and still the list that was read is not the list that is."""
    behaviour = OnenceBehaviour(insert_every_pages=1, remove_every_pages=1, drift_at_most=2)
    simulator = OnenceSimulator(sims=30, behaviour=behaviour)
    seen = walk(simulator)
    assert len(set(seen)) == len(simulator.fleet) == 30
    assert set(seen) != {sim.iccid for sim in simulator.fleet}


def test_a_newcomer_never_bears_the_iccid_of_a_given_sim() -> None:
    next_iccid = OnenceSimulator(sims=1).fleet[0].iccid
    simulator = OnenceSimulator.from_fleet(
        [SimulatedSourceSim(next_iccid)], behaviour=OnenceBehaviour(insert_every_pages=1)
    )
    walk(simulator)
    assert len({sim.iccid for sim in simulator.fleet}) == len(simulator.fleet) == 2


def test_drift_without_a_bound_goes_on_for_ever() -> None:
    simulator = OnenceSimulator(sims=30, behaviour=OnenceBehaviour(insert_every_pages=1))
    pages = [len(walk(simulator)) for _ in range(3)]
    assert pages[0] < pages[1] < pages[2]


def test_v1_can_hide_platform_2_sims_without_a_word() -> None:
    simulator = OnenceSimulator(sims=40, behaviour=OnenceBehaviour(v1_hides_platform2=True))
    newer = {sim.iccid for sim in simulator.fleet if sim.platform2}
    everything = {sim.iccid for sim in simulator.fleet}
    assert newer
    assert set(walk(simulator, version="v1")) == everything - newer
    assert set(walk(simulator, version="v2")) == everything
    hidden = min(newer)
    assert not fetch(simulator, f"v1/sims/{hidden}").content
    assert fetch(simulator, f"v2/sims/{hidden}").json()["iccid"] == hidden


def test_both_versions_list_the_same_by_default() -> None:
    simulator = OnenceSimulator(sims=40)
    assert walk(simulator, version="v1") == walk(simulator, version="v2")


@pytest.mark.parametrize(("choice", "status"), [(V1Retired.GONE, 410), (V1Retired.NOT_FOUND, 404)])
def test_a_retired_v1_leaves_v2_working(choice: V1Retired, status: int) -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(v1_retired=choice))
    assert fetch(simulator, "v1/sims").status_code == status
    assert fetch(simulator, "v2/sims").status_code == 200


def test_a_service_without_v2_answers_404_there() -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(v2_available=False))
    assert fetch(simulator, "v2/sims").status_code == 404
    assert fetch(simulator, "v1/sims").status_code == 200


def test_the_prefix_of_the_base_url_may_be_left_out() -> None:
    simulator = OnenceSimulator()
    reply = fetch(simulator, "https://simulated.example/v1/sims")
    assert reply.status_code == 200
    assert {entry.path for entry in simulator.ledger.entries} == {"/oauth/token", "/v1/sims"}
