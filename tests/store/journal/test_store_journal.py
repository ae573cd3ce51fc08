"""The journal: intent before, outcome after, and a guard in SQL that no race gets past."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from migrator.core.plan.plan import Action
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import STEP_TRANSITIONS, RunEvent, RunState, StepEvent, StepKind, StepState
from migrator.core.run.steps import RequestOutcome, Step
from migrator.errors import IllegalTransition, InputError, StalePlan, StoreBusy, StoreError
from migrator.ports import MigrationJournal, Request
from migrator.store import PlanState, Store
from migrator.store.tables.plans import events, steps
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, states

CLAIM = StepKind.CLAIM
NOTHING = ("", "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A plan `p1` with four SIMs in wave `all`."""
    with open_store(tmp_path) as opened:
        planned(opened, [change(number) for number in range(1, 5)])
        yield opened


@pytest.fixture
def run(store: Store) -> int:
    return store.journal.start_run("p1", "me", NOW)


def begin(store: Store, run: int, *numbers: int, kind: StepKind = CLAIM, now: float = NOW) -> int:
    return store.journal.begin(run, kind, [key(number) for number in numbers], SENT, wave="all", now=now)


def move(store: Store, event: StepEvent, *numbers: int, now: float = NOW, not_before: float = 0.0) -> None:
    keys = dict.fromkeys((key(number) for number in numbers), NOTHING)
    store.journal.move("p1", CLAIM, event, keys, now=now, not_before=not_before)


def test_the_store_is_the_port(store: Store) -> None:
    port: MigrationJournal = store.journal
    assert port.header("p1").plan_id == "p1"


# --- intent and outcome -------------------------------------------------------------------------------------------


def test_an_intent_puts_steps_in_flight_and_the_request_beside_them(store: Store, run: int) -> None:
    request_id = begin(store, run, 1, 2, now=NOW + 1)
    assert states(store)[key(1)] is StepState.IN_FLIGHT
    assert states(store)[key(3)] is StepState.PENDING
    (record,) = store.journal.requests("p1")
    assert (record.request_id, record.plan_id, record.run_id, record.kind) == (request_id, "p1", run, CLAIM)
    assert (record.method, record.path, record.body) == (SENT.method, SENT.path, SENT.body)
    assert (record.sims, record.wave, record.intent_at) == (2, "all", NOW + 1)
    assert (record.outcome, record.outcome_at) == (RequestOutcome.SENT, None)


def test_an_intent_survives_the_process(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1)])
        begin(store, store.journal.start_run("p1", "me", NOW), 1)
    with open_store(tmp_path) as store:
        assert states(store) == {key(1): StepState.IN_FLIGHT}
        assert len(store.journal.requests("p1")) == 1


def test_an_answer_is_noted_once(store: Store, run: int) -> None:
    """A process that was taken for dead and wakes up must not overwrite what was made of its request."""
    request_id = begin(store, run, 1)
    store.journal.answered(
        request_id, RequestOutcome.REFUSED, now=NOW + 2, status=400, job_id="j7", message="plan \ud83d"
    )
    (record,) = store.journal.requests("p1")
    assert (record.outcome, record.outcome_at, record.status) == (RequestOutcome.REFUSED, NOW + 2, 400)
    assert (record.job_id, record.message) == ("j7", "plan \ufffd")
    with pytest.raises(IllegalTransition):
        store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=NOW + 3)


def test_secrets_never_reach_the_body_of_a_request(store: Store, run: int) -> None:
    outgoing = Request("POST", "/x", {"sims": [{"sim": "1", "pin": "4711"}], "PUK": "4712"})
    store.journal.begin(run, CLAIM, [key(1)], outgoing, wave=None, now=NOW)
    assert store.journal.requests("p1")[0].body == {"sims": [{"sim": "1"}]}


def test_a_refused_intent_writes_nothing_at_all(store: Store, run: int) -> None:
    begin(store, run, 2)
    with pytest.raises(IllegalTransition):
        begin(store, run, 1, 2, 3)
    assert states(store) == {
        key(1): StepState.PENDING,
        key(2): StepState.IN_FLIGHT,
        key(3): StepState.PENDING,
        key(4): StepState.PENDING,
    }
    assert len(store.journal.requests("p1")) == 1
    assert len(store.journal.request_items(1)) == 1


@pytest.mark.parametrize("numbers", [(1, 1), (1, 99)])
def test_a_sim_twice_or_of_another_plan_is_refused(store: Store, run: int, numbers: tuple[int, int]) -> None:
    with pytest.raises(IllegalTransition):
        begin(store, run, *numbers)
    assert store.journal.requests("p1") == []


def test_a_run_that_is_not_there_begins_nothing(store: Store) -> None:
    with pytest.raises(StoreError, match="no run 7"):
        begin(store, 7, 1)


# --- the guard ----------------------------------------------------------------------------------------------------


def test_of_two_runs_that_race_the_slower_one_raises_and_writes_nothing(tmp_path: Path) -> None:
    """Both read PENDING; the row decides, so the SIM is claimed once."""
    with open_store(tmp_path) as mine, open_store(tmp_path) as theirs:
        planned(mine, [change(1), change(2)])
        run = mine.journal.start_run("p1", "racer", NOW)
        assert states(mine) == states(theirs) == dict.fromkeys((key(1), key(2)), StepState.PENDING)
        begin(mine, run, 1)
        with pytest.raises(IllegalTransition):
            begin(theirs, run, 2, 1)
        assert states(theirs) == {key(1): StepState.IN_FLIGHT, key(2): StepState.PENDING}
        assert len(mine.journal.requests("p1")) == 1


def test_a_run_that_another_took_for_dead_begins_nothing_more(store: Store, run: int) -> None:
    """Its lease ran out, a second run has begun: whatever the first still wants to send would race with it."""
    store.journal.start_run("p1", "another", NOW)
    with pytest.raises(StoreBusy):
        begin(store, run, 1)
    with pytest.raises(StoreBusy):
        store.journal.end_run(run, RunEvent.STOP, exit_code=7, reason="", now=NOW)
    assert store.journal.requests("p1") == []


def test_a_race_over_a_refused_step_has_one_winner_too(tmp_path: Path) -> None:
    """Its row is there already, and says PENDING: the insert turns into a guarded update."""
    with open_store(tmp_path) as mine, open_store(tmp_path) as theirs:
        planned(mine, [change(1)])
        run = mine.journal.start_run("p1", "racer", NOW)
        begin(mine, run, 1)
        move(mine, StepEvent.REFUSED_FOR_NOW, 1)
        begin(theirs, run, 1)
        with pytest.raises(IllegalTransition):
            begin(mine, run, 1)


def test_one_step_that_may_not_move_holds_all_the_others(store: Store, run: int) -> None:
    begin(store, run, 1, 2)
    move(store, StepEvent.CONFIRMED, 2)
    with pytest.raises(IllegalTransition, match="1 of 2 steps claim cannot take the event lost"):
        move(store, StepEvent.LOST, 1, 2)
    assert [states(store)[key(number)] for number in (1, 2)] == [StepState.IN_FLIGHT, StepState.DONE]


def test_an_operator_may_skip_failed_and_untouched_steps_in_one_go(store: Store, run: int) -> None:
    begin(store, run, 1)
    move(store, StepEvent.REFUSED_FOR_GOOD, 1)
    move(store, StepEvent.OPERATOR_SKIP, 1, 2)
    assert Counter(states(store).values()) == {StepState.SKIPPED: 2, StepState.PENDING: 2}


def test_kinds_and_plans_do_not_touch_each_other(store: Store, run: int) -> None:
    planned(store, [change(1)], plan_id="p2")
    begin(store, run, 1)
    begin(store, run, 1, kind=StepKind.NAME)
    move(store, StepEvent.CONFIRMED, 1)
    assert states(store, StepKind.NAME)[key(1)] is StepState.IN_FLIGHT
    assert states(store, plan_id="p2") == {key(1): StepState.PENDING}
    begin(store, store.journal.start_run("p2", "me", NOW), 1, kind=StepKind.NAME)


def test_a_sim_that_another_plan_claimed_or_may_have_is_not_claimed_again(store: Store, run: int) -> None:
    planned(store, [change(1), change(2)], plan_id="p2")
    begin(store, run, 1)
    other = store.journal.start_run("p2", "me", NOW)
    for event in (StepEvent.LOST, StepEvent.PROBED_PRESENT):
        with pytest.raises(StalePlan, match="under plan p1"):
            begin(store, other, 1)
        move(store, event, 1)
    with pytest.raises(StalePlan):
        begin(store, other, 1, 2)
    begin(store, other, 2)


def test_a_sim_that_another_plan_surely_failed_to_claim_may_be_claimed(store: Store, run: int) -> None:
    planned(store, [change(1), change(2)], plan_id="p2")
    begin(store, run, 1, 2)
    store.journal.move("p1", CLAIM, StepEvent.REFUSED_FOR_GOOD, {key(1): ("claim_refused", "no")}, now=NOW)
    store.journal.move("p1", CLAIM, StepEvent.LOST, {key(2): (Doubt.CLAIMED_UNSEEN, "")}, now=NOW)
    store.journal.move("p1", CLAIM, StepEvent.PROBED_CONFLICT, {key(2): (Doubt.CLAIMED_UNSEEN, "")}, now=NOW)
    other = store.journal.start_run("p2", "me", NOW)
    begin(store, other, 1)
    with pytest.raises(StalePlan):
        begin(store, other, 2)


def test_a_run_begins_nothing_once_a_later_one_is_at_work(store: Store, run: int) -> None:
    planned(store, [change(1)], plan_id="p2")
    later = store.journal.start_run("p2", "me", NOW)
    with pytest.raises(StoreBusy, match="lost the store"):
        begin(store, run, 2)
    store.journal.end_run(later, RunEvent.STOP, exit_code=7, reason="", now=NOW)
    begin(store, run, 2)


def test_an_answer_and_what_it_says_of_each_sim_are_on_disk_together(store: Store, run: int) -> None:
    request = begin(store, run, 1, 2)
    said = {key(1): (Doubt.CLAIMED_UNSEEN, "named"), key(2): ("not_in_reply", "")}
    store.journal.answered(request, RequestOutcome.ACCEPTED, now=NOW, in_doubt=said)
    assert store.journal.reclaim_in_flight("p1", NOW) == 0
    codes = {item.key: item.steps[CLAIM].code for item in store.journal.items_by_key("p1", [key(1), key(2)])}
    assert codes == {key(1): Doubt.CLAIMED_UNSEEN, key(2): "not_in_reply"}


def test_an_answer_about_a_sim_that_is_not_in_flight_is_not_kept_at_all(store: Store, run: int) -> None:
    request = begin(store, run, 1)
    with pytest.raises(IllegalTransition):
        store.journal.answered(request, RequestOutcome.ACCEPTED, now=NOW, in_doubt={key(2): ("", "")})
    assert [record.outcome for record in store.journal.requests("p1")] == [RequestOutcome.SENT]


def test_an_answer_that_proves_a_step_ends_it_in_the_same_commit(store: Store, run: int) -> None:
    request = begin(store, run, 1, 2)
    with pytest.raises(IllegalTransition):
        store.journal.answered(request, RequestOutcome.ACCEPTED, now=NOW, proved=[key(1), key(3)])
    assert [record.outcome for record in store.journal.requests("p1")] == [RequestOutcome.SENT]
    store.journal.answered(request, RequestOutcome.ACCEPTED, now=NOW, proved=[key(1)])
    assert store.journal.step_counts("p1") == {(CLAIM, "done"): 1, (CLAIM, "in_flight"): 1}


def test_a_run_that_is_over_sends_nothing_more(store: Store, run: int) -> None:
    store.journal.end_run(run, RunEvent.FINISH, exit_code=0, reason="", now=NOW)
    with pytest.raises(IllegalTransition, match="is over, and sends nothing more"):
        begin(store, run, 1)
    assert store.journal.step_counts("p1") == {}


def test_nothing_to_move_is_no_move(store: Store) -> None:
    store.journal.move("p1", CLAIM, StepEvent.CONFIRMED, {}, now=NOW)
    assert store.journal.step_counts("p1") == {}


# --- what a step remembers ----------------------------------------------------------------------------------------


def test_a_step_remembers_why_since_when_and_how_often(store: Store, run: int) -> None:
    begin(store, run, 1, now=NOW + 1)
    told = {key(1): ("rate_limited", "slow down \ud83d")}
    store.journal.move("p1", CLAIM, StepEvent.REFUSED_FOR_NOW, told, now=NOW + 2, not_before=NOW + 30)
    (item,) = store.journal.items_by_key("p1", [key(1)])
    step = item.steps[CLAIM]
    assert (step.state, step.attempts, step.since, step.not_before) == (StepState.PENDING, 1, NOW + 2, NOW + 30)
    assert (step.code, step.message) == ("rate_limited", "slow down \ufffd")
    begin(store, run, 1, now=NOW + 31)
    (item,) = store.journal.items_by_key("p1", [key(1)])
    step = item.steps[CLAIM]
    assert (step.state, step.attempts, step.since, step.not_before) == (StepState.IN_FLIGHT, 2, NOW + 31, 0.0)
    assert (step.code, step.message) == NOTHING


def test_steps_are_counted_by_kind_state_and_wave(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1, wave="canary"), change(2, wave="rest"), change(3, wave="rest")])
        run = store.journal.start_run("p1", "me", NOW)
        begin(store, run, 1, 2)
        begin(store, run, 1, kind=StepKind.NAME)
        move(store, StepEvent.CONFIRMED, 1)
        whole = {(CLAIM, "done"): 1, (CLAIM, "in_flight"): 1, (StepKind.NAME, "in_flight"): 1}
        assert store.journal.step_counts("p1") == whole
        assert store.journal.step_counts("p1", "rest") == {(CLAIM, "in_flight"): 1}


def test_failures_are_counted_by_code(store: Store, run: int) -> None:
    begin(store, run, 1, 2, 3)
    failed = {key(1): ("claimed_elsewhere", ""), key(2): ("claimed_elsewhere", ""), key(3): ("claim_refused", "")}
    store.journal.move("p1", CLAIM, StepEvent.REFUSED_FOR_GOOD, failed, now=NOW)
    assert store.journal.failure_codes("p1") == {"claimed_elsewhere": 2, "claim_refused": 1}


# --- runs ---------------------------------------------------------------------------------------------------------


def test_a_run_is_told_with_its_end_and_its_requests(store: Store, run: int) -> None:
    begin(store, run, 1)
    store.journal.end_run(run, RunEvent.HALT, exit_code=6, reason="gate", now=NOW + 9)
    second = store.journal.start_run("p1", "you", NOW + 10)
    first, running = store.journal.runs("p1")
    assert (first.state, first.exit_code, first.reason, first.requests) == (RunState.HALTED, 6, "gate", 1)
    assert (first.owner, first.started_at, first.ended_at) == ("me", NOW, NOW + 9)
    assert (running.run_id, running.state, running.ended_at) == (second, RunState.RUNNING, None)


def test_a_run_ends_once(store: Store, run: int) -> None:
    store.journal.end_run(run, RunEvent.FINISH, exit_code=0, reason="", now=NOW)
    with pytest.raises(IllegalTransition):
        store.journal.end_run(run, RunEvent.STOP, exit_code=7, reason="", now=NOW)


def test_the_first_run_puts_the_plan_to_use(store: Store) -> None:
    assert store.plans.state("p1") is PlanState.CREATED
    store.journal.start_run("p1", "me", NOW)
    assert store.plans.state("p1") is PlanState.STARTED
    with pytest.raises(InputError):
        store.journal.start_run("p9", "me", NOW)


def test_what_a_dead_process_left_in_flight_becomes_uncertain(store: Store, run: int) -> None:
    """It is read before anything is sent again. What had an answer on disk is not touched."""
    answered = begin(store, run, 1)
    store.journal.answered(answered, RequestOutcome.ACCEPTED, now=NOW)
    move(store, StepEvent.CONFIRMED, 1)
    begin(store, run, 2, 3)
    assert store.journal.reclaim_in_flight("p1", NOW + 100) == 2
    assert Counter(states(store).values()) == {StepState.DONE: 1, StepState.UNCERTAIN: 2, StepState.PENDING: 1}
    (item,) = store.journal.items_by_key("p1", [key(2)])
    assert (item.steps[CLAIM].code, item.steps[CLAIM].since) == ("process_died", NOW + 100)
    outcomes = [(record.outcome, record.outcome_at) for record in store.journal.requests("p1")]
    assert outcomes == [(RequestOutcome.ACCEPTED, NOW), (RequestOutcome.LOST, NOW + 100)]
    assert store.journal.reclaim_in_flight("p1", NOW + 200) == 0


def test_each_move_of_a_step_notes_the_event_that_tells_it(store: Store, run: int) -> None:
    """Numbers of the log only grow, which the machine's time may not."""

    def told() -> int:
        (row,) = store._db.rows(select(steps.c.moved_no).where(steps.c.source_key == key(1)))
        (last,) = store._db.rows(select(func.max(events.c.seq)))
        assert row[0] == last[0]
        return int(row[0])

    begin(store, run, 1)
    numbers = [told()]
    for event in (StepEvent.LOST, StepEvent.PROBED_ABSENT):
        move(store, event, 1)
        numbers.append(told())
    begin(store, run, 1)
    numbers.append(told())
    assert store.journal.reclaim_in_flight("p1", NOW) == 1
    numbers.append(told())
    assert numbers == sorted(set(numbers))


def test_a_reclaim_leaves_other_plans_alone(store: Store, run: int) -> None:
    planned(store, [change(1)], plan_id="p2")
    begin(store, run, 1)
    assert store.journal.reclaim_in_flight("p2", NOW) == 0
    assert states(store)[key(1)] is StepState.IN_FLIGHT
    assert store.journal.requests("p1")[0].outcome is RequestOutcome.SENT


# --- against a model ----------------------------------------------------------------------------------------------

SIMS = (1, 2, 3)
KINDS = (StepKind.CLAIM, StepKind.NAME)
Steps = dict[tuple[StepKind, int], StepState]
some_sims = st.lists(st.sampled_from(SIMS), min_size=1, unique=True)
some_kind = st.sampled_from(KINDS)


@lru_cache(maxsize=1)
def template() -> Path:
    """A store with a plan of three SIMs, to be copied: making one takes as long as a hundred moves."""
    folder = Path(tempfile.mkdtemp(prefix="journal-model-"))
    with open_store(folder) as store:
        planned(store, [change(number) for number in SIMS] + [change(9, Action.BLOCK)])
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_template_left() -> Iterator[None]:
    yield
    if template.cache_info().currsize:
        shutil.rmtree(template())


class JournalMachine(RuleBasedStateMachine):
    """The guarded SQL beside a dictionary, through two connections that take turns.

    `taken` counts the moves of the transition table over all examples.
    """

    taken: ClassVar[Counter[tuple[StepState, StepEvent]]] = Counter()

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        shutil.copy(template() / "state.db", self.folder)
        self.stores = [open_store(self.folder), open_store(self.folder)]
        self.run = self.stores[0].journal.start_run("p1", "machine", NOW)
        self.steps: Steps = {(kind, number): StepState.PENDING for kind in KINDS for number in SIMS}
        self.attempts: Counter[tuple[StepKind, int]] = Counter()
        self.requests = 0
        self.turn = 0

    def teardown(self) -> None:
        for store in getattr(self, "stores", ()):
            store.close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _store(self) -> Store:
        self.turn += 1
        return self.stores[self.turn % 2]

    def _expect(self, act: Callable[[], object], kind: StepKind, event: StepEvent, numbers: list[int]) -> bool:
        """Act; the table says whether it goes through. All move, or none."""
        to = {(kind, number): STEP_TRANSITIONS.get((self.steps[kind, number], event)) for number in numbers}
        if None in to.values():
            with pytest.raises(IllegalTransition):
                act()
            return False
        act()
        self.taken.update((self.steps[place], event) for place in to)
        self.steps |= {place: state for place, state in to.items() if state is not None}
        return True

    @rule(kind=some_kind, numbers=some_sims)
    def begin(self, kind: StepKind, numbers: list[int]) -> None:
        store = self._store()
        if self._expect(lambda: begin(store, self.run, *numbers, kind=kind), kind, StepEvent.BEGIN, numbers):
            self.requests += 1
            self.attempts.update((kind, number) for number in numbers)

    @rule(kind=some_kind, numbers=some_sims, event=st.sampled_from([e for e in StepEvent if e is not StepEvent.BEGIN]))
    def move(self, kind: StepKind, numbers: list[int], event: StepEvent) -> None:
        store = self._store()
        keys = dict.fromkeys((key(number) for number in numbers), NOTHING)
        moved = self._expect(lambda: store.journal.move("p1", kind, event, keys, now=NOW), kind, event, numbers)
        if moved and event is StepEvent.OPERATOR_RETRY:  # what is known of it begins anew
            self.attempts.update({(kind, number): -self.attempts[kind, number] for number in numbers})
        if moved and event is StepEvent.MORE:  # the rest of the same attempt follows
            self.attempts.subtract((kind, number) for number in numbers)

    @rule(kind=some_kind, number=st.sampled_from(SIMS), choice=st.integers(0, len(StepEvent)))
    def follow_the_table(self, kind: StepKind, number: int, choice: int) -> None:
        """Some event that the step may take, as blind choice seldom finds one; a set-aside step has none."""
        legal = [event for was, event in STEP_TRANSITIONS if was is self.steps[kind, number]]
        if legal:
            event = legal[choice % len(legal)]
            self.begin(kind, [number]) if event is StepEvent.BEGIN else self.move(kind, [number], event)

    @precondition(lambda self: StepState.IN_FLIGHT in self.steps.values())
    @rule()
    def die(self) -> None:
        flying = [place for place, state in self.steps.items() if state is StepState.IN_FLIGHT]
        assert self._store().journal.reclaim_in_flight("p1", NOW) == len(flying)
        self.taken[StepState.IN_FLIGHT, StepEvent.LOST] += len(flying)
        self.steps |= dict.fromkeys(flying, StepState.UNCERTAIN)

    @invariant()
    def both_connections_show_the_model(self) -> None:
        for store in self.stores:
            items = {item.key: item for item in store.journal.items("p1")}
            shown = {(kind, number): items[key(number)].state_of(kind) for kind, number in self.steps}
            assert shown == self.steps
            tries = Counter({place: _attempts(items[key(place[1])].steps, place[0]) for place in self.steps})
            assert tries == self.attempts
            assert len(store.journal.requests("p1")) == self.requests


def _attempts(steps: Mapping[StepKind, Step], kind: StepKind) -> int:
    return steps[kind].attempts if kind in steps else 0


@pytest.mark.files
def test_the_journal_does_what_the_model_does() -> None:
    JournalMachine.taken.clear()
    thorough = settings(max_examples=25, stateful_step_count=50, deadline=None, derandomize=True)
    run_state_machine_as_test(JournalMachine, settings=thorough)
    assert set(JournalMachine.taken) == set(STEP_TRANSITIONS), "a move of the table was never tried"
