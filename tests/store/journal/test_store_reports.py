"""What a report is made from: verdicts, requests and one row for every SIM."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.plan import Action
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item, RequestOutcome, Verdict, Verified
from migrator.errors import InputError
from migrator.ports import Request
from migrator.store import Store
from tests.builders import sim, source_iccid, target
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, pulled

CLAIM, NAME = StepKind.CLAIM, StepKind.NAME
WRONG_NAME = Finding(FindingCode.WRONG_NAME, "unit 2", "ünit 2")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A plan `p1`: three SIMs to claim, one of them as a canary, and one that is blocked."""
    with open_store(tmp_path) as opened:
        changes = [change(1, wave="canary"), change(2), change(3), change(4, Action.BLOCK, target_iccid=None)]
        planned(opened, changes)
        yield opened


@pytest.fixture
def run(store: Store) -> int:
    return store.journal.start_run("p1", "me", NOW)


def send(
    store: Store, run: int, numbers: Sequence[int], *, kind: StepKind = CLAIM, job_id: str | None = None, at: float = 0
) -> int:
    """A request that was accepted a second after it was sent."""
    keys = [key(number) for number in numbers]
    request_id = store.journal.begin(run, kind, keys, SENT, wave="all", now=NOW + at)
    store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=NOW + at + 1, job_id=job_id)
    return request_id


def move(store: Store, kind: StepKind, event: StepEvent, *numbers: int) -> None:
    store.journal.move("p1", kind, event, {key(number): ("", "") for number in numbers}, now=NOW + 50)


# --- verdicts -----------------------------------------------------------------------------------------------------


def test_verdicts_are_counted_over_acting_sims_and_by_wave(store: Store) -> None:
    results = [Verified(key(1), Verdict.OK), Verified(key(2), Verdict.MISMATCH, (WRONG_NAME,))]
    store.journal.verified("p1", results, now=NOW)
    assert store.journal.verdicts("p1") == {"ok": 1, "mismatch": 1, "unread": 1}
    assert store.journal.verdicts("p1", "canary") == {"ok": 1}
    assert store.journal.verdicts("p1", "all") == {"mismatch": 1, "unread": 1}


def test_a_verdict_that_nobody_has_counts_as_none(store: Store) -> None:
    assert store.journal.verdicts("p1")["pending"] == 0


def test_the_last_judgement_of_each_sim_is_kept_with_its_findings(store: Store) -> None:
    store.journal.verified("p1", [Verified(key(2), Verdict.MISMATCH, (WRONG_NAME,))], now=NOW)
    store.journal.verified("p1", [Verified(key(1), Verdict.OK)], now=NOW + 5)
    again = Verified(key(2), Verdict.PENDING, (WRONG_NAME, Finding(FindingCode.STATE_PENDING, "LIVE", "LIVE-PENDING")))
    store.journal.verified("p1", [again], now=NOW + 3)
    assert list(store.journal.verified_rows("p1")) == [(Verified(key(1), Verdict.OK), NOW + 5), (again, NOW + 3)]


# --- requests -----------------------------------------------------------------------------------------------------


def test_requests_are_told_by_plan_by_job_and_with_their_sims(store: Store, run: int) -> None:
    claim = send(store, run, [1, 2], job_id="j1")
    name = send(store, run, [1], kind=NAME)
    assert [record.request_id for record in store.journal.requests("p1")] == [claim, name]
    assert [record.request_id for record in store.journal.requests_by_job("j1")] == [claim]
    assert store.journal.requests_by_job("j9") == []
    assert [item.key for item in store.journal.request_items(claim)] == [key(1), key(2)]
    with pytest.raises(InputError, match="no request 99"):
        store.journal.request_items(99)


def test_the_carriers_word_on_a_job_is_kept(store: Store, run: int) -> None:
    send(store, run, [1], job_id="j1")
    send(store, run, [2], job_id="j2")
    store.journal.job_status("j1", "finished ☂")
    assert [record.job_status for record in store.journal.requests("p1")] == ["finished ☂", None]


def test_a_sim_was_claimed_when_the_claim_that_did_it_was_answered(store: Store, run: int) -> None:
    """The first was refused for now; the second lost its answer, and a read showed that it had been heard."""
    send(store, run, [1], at=10)
    move(store, CLAIM, StepEvent.REFUSED_FOR_NOW, 1)
    store.journal.begin(run, CLAIM, [key(1), key(2)], SENT, wave="all", now=NOW + 20)
    move(store, CLAIM, StepEvent.LOST, 1, 2)
    move(store, CLAIM, StepEvent.PROBED_PRESENT, 1)
    assert list(store.journal.claimed_at("p1")) == [(key(1), NOW + 20)]


# --- report rows --------------------------------------------------------------------------------------------------


def test_every_sim_of_the_plan_has_a_row_acting_or_not(store: Store, run: int) -> None:
    refused = send(store, run, [1], at=5)
    move(store, CLAIM, StepEvent.REFUSED_FOR_NOW, 1)
    claim = send(store, run, [1, 2], at=10)
    move(store, CLAIM, StepEvent.CONFIRMED, 1)
    store.journal.observed([target(1)], [], now=NOW + 60)
    store.journal.verified("p1", [Verified(key(1), Verdict.OK)], now=NOW + 61)
    rows = list(store.journal.report_rows("p1"))
    assert [row[0].change for row in rows] == list(store.plans.changes("p1"))
    item, verified, jobs, claimed_at, verified_at = rows[0]
    assert (item.target, item.state_of(CLAIM)) == (target(1), StepState.DONE)
    assert (verified, verified_at) == (Verified(key(1), Verdict.OK), NOW + 61)
    assert (jobs, claimed_at) == ([f"r{refused}", f"r{claim}"], NOW + 11)
    assert rows[1][1:] == (None, [f"r{claim}"], None, None), "its claim is not done"
    assert rows[3][1:] == (None, [], None, None)


def test_report_rows_come_sorted_by_source_iccid_as_text(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(number) for number in range(2100)])
        rows: list[Item] = [row[0] for row in store.journal.report_rows("p1")]
        assert [item.change.source_iccid for item in rows] == [source_iccid(number) for number in range(2100)]


def test_sims_that_the_plan_does_not_hold_are_told(store: Store) -> None:
    pulled(store, map(sim, range(1, 8)))
    assert list(store.journal.unplanned("p1")) == [sim(5), sim(6), sim(7)]


def test_an_empty_request_is_a_request_too(store: Store, run: int) -> None:
    """Making a tag concerns no SIM."""
    store.journal.begin(run, StepKind.TAG, [], Request("POST", "/tags", {"name": "t"}), wave=None, now=NOW)
    assert [record.sims for record in store.journal.requests("p1")] == [0]
    assert store.journal.request_items(1) == []
