"""Cutovers and rollbacks share the tables of a migration, and change nothing of what is told of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.core.cutover.plan import Direction
from migrator.core.plan.plan import Action
from migrator.core.run.control import Selection
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import PlanState, RunEvent, StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.errors import InputError, LeaseLost
from migrator.ports import Request
from migrator.store import Store
from tests.builders import ORG, pair, sim
from tests.store.cutovers.test_store_cutovers import added
from tests.store.store_kit import NOW, SENT, change, key, open_store, ordered, planned, pulled

KEYS = [key(number) for number in range(1, 6)]
ORDER = Request("PUT", "/v1/sims/1", {"iccid": "1"})
E = StepEvent

TOLD: dict[str, Callable[[Store], Any]] = {
    "the newest plan": lambda store: store.plans.newest(),
    "the plans": lambda store: store.plans.list(),
    "the runs": lambda store: store.journal.runs("p1"),
    "the requests": lambda store: store.journal.requests("p1"),
    "the steps": lambda store: store.journal.step_counts("p1"),
    "the steps of a wave": lambda store: store.journal.step_counts("p1", "all"),
    "the codes": lambda store: store.journal.step_codes("p1"),
    "the failures": lambda store: store.journal.failures("p1"),
    "their codes": lambda store: store.journal.failure_codes("p1"),
    "the verdicts": lambda store: store.journal.verdicts("p1"),
    "claims that nobody saw": lambda store: store.journal.claims_unseen("p1"),
    "claims of all plans": lambda store: store.journal.claims_made(ORG),
    "the SIMs": lambda store: [(one.key, one.steps) for one in store.journal.items("p1", acting_only=False)],
    "what was sent by any plan": lambda store: store.journal.sent_before(KEYS),
    "what was claimed by any plan": lambda store: store.plans.claimed_before(KEYS),
    "when it was claimed": lambda store: list(store.journal.claimed_at("p1")),
    "the rows of a report": lambda store: [row[2:] for row in store.journal.report_rows("p1")],
    "what no plan holds": lambda store: list(store.journal.unplanned("p1")),
    "jobs of the carrier": lambda store: store.journal.job_ids("p1", "all"),
    "bulk requests": lambda store: list(store.reporting.bulk_requests("p1")),
    "the time of its requests": lambda store: store.reporting.span("p1"),
    "its pace": lambda store: store.reporting.pace("p1", begin=NOW, width_s=60.0, bins=3),
    "its times": lambda store: store.reporting.times("p1"),
    "what belongs on our organization": lambda store: sorted(map(str, store.expectations.put_there("p1"))),
    "what is left alone": lambda store: sorted(map(str, store.expectations.left_alone("p1"))),
    "its tags": lambda store: store.expectations.tags("p1"),
    "who waits": lambda store: store.stuck("p1", NOW + 5000),
    "what a retry would do": lambda store: store.interventions.retry("p1", Selection(), now=NOW, dry_run=True),
    "orders": lambda store: store.steering.ordered_plans(),
    "its requests in the evidence": lambda store: list(store.audit.requests("p1")),
    "what changed": lambda store: store.plans.differences("p1"),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A migration at work: SIM 1 is untouched, 2 is claimed, 3 refused, 4 in doubt; 5 is left alone."""
    with open_store(tmp_path) as opened:
        pulled(opened, map(sim, range(1, 6)))
        opened.pairs.add(map(pair, range(1, 5)), replace=False, now=NOW)
        planned(opened, [*map(change, range(1, 5)), change(5, Action.SKIP)])
        run_id = opened.journal.start_run("p1", "me", NOW)
        request_id = opened.journal.begin(run_id, StepKind.CLAIM, KEYS[1:4], SENT, wave="all", now=NOW)
        opened.journal.answered(request_id, RequestOutcome.ACCEPTED, now=NOW + 1, job_id="j1")
        for at, (event, code) in enumerate(((E.CONFIRMED, ""), (E.REFUSED_FOR_GOOD, "no"), (E.LOST, "lost")), 1):
            opened.journal.move("p1", StepKind.CLAIM, event, {KEYS[at]: (code, "words")}, now=NOW + 2)
        opened.journal.end_run(run_id, RunEvent.STOP, exit_code=7, reason="later", now=NOW + 3)
        yield opened


def cut_over(store: Store, name: str, direction: Direction, at: float) -> None:
    """A cutover or rollback of SIMs 1 to 3: one of each is done, failed and in doubt, and its run is left open."""
    added(store, name, direction, now=at)
    run_id = store.journal.start_run(name, "me", at)
    kinds = (StepKind.SOURCE,) if direction is Direction.CUTOVER else (StepKind.SOURCE, StepKind.PAUSE)
    for kind in kinds:
        request_id = ordered(store, run_id, kind, {one: {"status": "Enabled"} for one in KEYS[:3]}, sent=ORDER, now=at)
        store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=at, job_id=f"job of {name}")
        store.journal.move(name, kind, E.REFUSED_FOR_GOOD, {KEYS[1]: (Doubt.CLAIMED_UNSEEN, "")}, now=at)
        store.journal.move(name, kind, E.LOST, {KEYS[2]: ("lost", "")}, now=at)


@pytest.mark.parametrize("what", TOLD)
def test_a_migration_is_told_as_before_whatever_was_cut_over_beside_it(what: str, store: Store) -> None:
    before = TOLD[what](store)
    assert before is not None
    cut_over(store, "c1", Direction.CUTOVER, NOW + 10)
    assert TOLD[what](store) == before
    store.cutovers.finish("c1", NOW + 15)
    assert TOLD[what](store) == before


def test_what_a_cutover_sent_is_no_claim_and_nothing_that_a_migration_sent(store: Store) -> None:
    added(store, "c1", now=NOW + 10)
    run_id = store.journal.start_run("c1", "me", NOW + 10)
    ordered(store, run_id, StepKind.SOURCE, {KEYS[0]: {}}, now=NOW + 10)
    assert store.journal.sent_before(KEYS) == set(KEYS[1:4])
    planned(store, [change(1)], plan_id="p2")
    run_id = store.journal.start_run("p2", "me", NOW + 11)
    assert store.journal.begin(run_id, StepKind.CLAIM, [KEYS[0]], SENT, wave="all", now=NOW + 11)
    assert store.plans.newest() == "p2"
    assert store.cutovers.newest() == "c1"


def test_a_migration_that_is_made_again_after_a_cutover_is_the_newest_migration(store: Store) -> None:
    planned(store, [change(4)], plan_id="p2")
    planned(store, [change(3)], plan_id="p3")
    added(store, "c1", now=NOW + 10)
    planned(store, [change(4)], plan_id="p2")
    assert [plan["plan_id"] for plan in store.plans.list()] == ["p2", "p3", "p1"]
    assert store.cutovers.newest() == "c1"


@pytest.mark.parametrize("ask", ["header", "state", "differences", "policy_json"])
def test_a_command_for_migrations_does_not_know_the_plan_of_a_cutover(ask: str, store: Store) -> None:
    added(store, "c1", now=NOW + 10)
    assert store.plans.exists("c1") is None
    assert store.cutovers.exists("p1") is None
    with pytest.raises(InputError, match="there is no plan 'c1'"):
        getattr(store.plans, ask)("c1")
    with pytest.raises(InputError, match="no cutover or rollback plan 'p1'"):
        store.cutovers.header("p1")
    assert store.cutovers.state("c1") is PlanState.CREATED


# --- a run that was taken for dead --------------------------------------------------------------------------------


def test_a_cutover_that_was_taken_for_dead_sends_nothing_more(store: Store) -> None:
    added(store, "c1", now=NOW + 10)
    first = store.journal.start_run("c1", "first", NOW + 10)
    store.journal.start_run("c1", "second", NOW + 11)
    before = store.audit.head()
    with pytest.raises(LeaseLost, match="sends nothing more"):
        ordered(store, first, StepKind.SOURCE, {KEYS[0]: {}})
    with pytest.raises(LeaseLost, match="sends nothing more"):
        store.journal.end_run(first, RunEvent.FINISH, exit_code=0, reason="", now=NOW + 12)
    assert store.audit.head() == before
    assert store.journal.requests("c1") == []
    assert [run.state for run in store.journal.runs("c1")] == ["stopped", "running"]


def test_a_cutover_sends_nothing_while_a_later_run_of_another_plan_is_at_work(store: Store) -> None:
    """One run holds the store: whoever sees a later one has lost it."""
    added(store, "c1", now=NOW + 10)
    first = store.journal.start_run("c1", "first", NOW + 10)
    store.journal.start_run("p1", "second", NOW + 11)
    with pytest.raises(LeaseLost, match="sends nothing more"):
        ordered(store, first, StepKind.SOURCE, {KEYS[0]: {}})
    assert store.journal.requests("c1") == []


def test_a_cutover_that_was_taken_for_dead_stays_so_when_the_other_run_is_over(store: Store) -> None:
    added(store, "c1", now=NOW + 10)
    first = store.journal.start_run("c1", "first", NOW + 10)
    second = store.journal.start_run("c1", "second", NOW + 11)
    store.journal.end_run(second, RunEvent.STOP, exit_code=7, reason="later", now=NOW + 12)
    with pytest.raises(LeaseLost, match="sends nothing more"):
        ordered(store, first, StepKind.SOURCE, {KEYS[0]: {}})
