"""Plans: what was decided comes back exactly, once, and is used once."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate
from migrator.core.fleet.units import Bytes
from migrator.core.plan.document import change_line
from migrator.core.plan.plan import Action, Change, DesiredState, PlanHeader, Reason
from migrator.core.run.states import StepEvent, StepKind
from migrator.errors import InputError, StoreBusy, StoreError
from migrator.store import PlanState, Store
from tests.builders import pair, sim, source_iccid, target, target_iccid
from tests.store.store_kit import NOW, SENT, change, header_for, key, open_store, planned, pulled


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def test_a_draft_is_dropped_in_parts_of_which_each_reads_its_own_rows_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join with a list of rows was the product of both, where the statistics know of no such plan yet."""
    planned(store, [change(number) for number in range(1, 26)])
    monkeypatch.setattr("migrator.store.plans.draft.PAGE", 1)
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with store.plans.draft(NOW) as draft:
            draft.add([change(number) for number in range(1, 24)])
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    dropped = [" ".join(statement.split()) for statement in said if "DELETE FROM changes" in statement]
    assert len(dropped) == 3
    assert not [statement for statement in dropped if "SELECT" in statement]
    (told,) = [one.detail for one in store.audit.events() if one.kind == "plan.discarded"]
    assert told == {"changes": 23}
    assert sum(1 for _ in store.journal.items("p1")) == 25


# --- what the planner is given ------------------------------------------------------------------------------------


def test_candidates_join_what_is_known_of_each_sim(store: Store) -> None:
    pulled(store, map(sim, range(1, 5)))
    store.pairs.add(map(pair, (1, 2, 3)), replace=False, now=NOW)
    store.journal.observed([target(1)], [target_iccid(2)], now=NOW)
    assert list(store.plans.candidates()) == [
        Candidate(sim(1), pair(1), target(1), target_read=True),
        Candidate(sim(2), pair(2), None, target_read=True),
        Candidate(sim(3), pair(3), None, target_read=False),
        Candidate(sim(4), None, None, target_read=False),
    ]


def test_candidates_come_sorted_by_source_iccid_as_text(store: Store) -> None:
    fleet = [sim(number) for number in range(2300)]
    pulled(store, reversed(fleet))
    assert [one.sim.iccid.digits for one in store.plans.candidates()] == [one.iccid.digits for one in fleet]


def test_some_candidates_can_be_asked_for(store: Store) -> None:
    pulled(store, map(sim, range(30)))
    found = store.plans.candidates(where_keys=[key(20), key(3), key(999)])
    assert [one.sim for one in found] == [sim(3), sim(20)]


def test_a_sim_counts_as_migrated_once_a_plan_claimed_for_it(store: Store) -> None:
    """In any plan, and only when the claim is done: a failed one is no migration."""
    pulled(store, [sim(1), sim(2)])
    planned(store, [change(1), change(2)])
    run = store.journal.start_run("p1", "me", NOW)
    store.journal.begin(run, StepKind.CLAIM, [key(1), key(2)], SENT, wave="all", now=NOW)
    store.journal.move("p1", StepKind.CLAIM, StepEvent.CONFIRMED, {key(1): ("", "")}, now=NOW)
    store.journal.move("p1", StepKind.CLAIM, StepEvent.REFUSED_FOR_GOOD, {key(2): ("", "")}, now=NOW)
    assert [one.migrated_before for one in store.plans.candidates()] == [True, False]
    assert store.plans.claimed_before([key(1), key(2), key(3)]) == {key(1)}


def test_a_planner_is_told_when_the_inventory_is_replaced_under_it(store: Store) -> None:
    pulled(store, map(sim, range(1200)))
    reader = store.plans.candidates()
    next(reader)
    pulled(store, [sim(1)])
    with pytest.raises(StoreBusy, match="replaced the inventory"):
        list(reader)


# --- what comes back ----------------------------------------------------------------------------------------------

words = st.text(max_size=12)
json_values = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | words
numbered = partial(
    st.builds,
    Change,
    action=st.sampled_from(Action),
    reason=st.sampled_from(Reason),
    detail=words,
    wave=st.none() | words,
    name=st.none() | words,
    state=st.none() | st.sampled_from(DesiredState),
    overage_limit_bytes=st.none() | st.integers(-1, 2**40).map(Bytes),
    sms_limit=st.none() | st.integers(-1, 100),
    data_plan_id=st.none() | st.integers(1, 9999),
    zone=st.none() | words,
    tag=st.none() | words,
    source=st.dictionaries(words, json_values, max_size=3),
    before=st.dictionaries(words, json_values, max_size=3),
)
changes = st.integers(0, 10**6).flatmap(
    lambda number: numbered(
        source_iccid=st.just(source_iccid(number)),
        target_iccid=st.none() | st.just(target_iccid(number)),
    )
)
"""One pair for each source: the store holds the pairs of all examples."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@given(st.lists(changes, max_size=6, unique_by=lambda one: one.source_iccid.key))
@settings(max_examples=60, deadline=None)
def test_changes_come_back_exactly_sorted_by_source(shared: Store, made: list[Change]) -> None:
    plan_id = f"p{len(shared.plans.list())}"
    planned(shared, made, plan_id=plan_id)
    found = list(shared.plans.changes(plan_id))
    assert found == sorted(made, key=lambda one: one.source_iccid.digits)
    assert [digits(one) for one in found] == sorted(map(digits, made))


def digits(one: Change) -> tuple[str, str]:
    """Its ICCIDs as they were given; equal ones may be written differently."""
    return str(one.source_iccid), str(one.target_iccid)


def test_a_header_comes_back_exactly(store: Store) -> None:
    summary = {"money": {"now": "12.50"}, "warnings": ["é"], "calls": 3}
    header = planned(store, [change(1), change(2, Action.SKIP)], waves=("canary", "all"), summary=summary)
    assert store.plans.header("p1") == header
    assert store.journal.header("p1") == header
    assert header.waves == ("canary", "all")
    assert header.summary == summary


def test_the_fingerprint_of_the_changes_is_that_of_their_lines_in_a_plan_file(store: Store) -> None:
    """So that `apply FILE` can tell an edited file."""
    made = [change(number, name=f"ünit {number}") for number in range(1500)]
    header = planned(store, made)
    lines = "".join(f"{change_line(one)}\n" for one in made)
    assert header.fingerprints.changes == hashlib.sha256(lines.encode()).hexdigest()
    assert "".join(f"{line.text}\n" for line in store.plans.lines(header.plan_id)) == lines


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.dictionaries(st.text(max_size=5), st.none() | st.integers())
)
@settings(max_examples=50, deadline=None)
def test_a_line_has_one_spelling_whoever_writes_it(text: str, before: dict[str, int | None]) -> None:
    """The store writes lines with a quicker encoder than the files: not a byte may differ, or files look edited."""
    before = {name.encode("utf-8", "ignore").decode(): value for name, value in before.items()}
    one = change(1, name=text, detail=text, source={"status": text, "label": None}, before=before)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        header = planned(store, [one])
        assert [line.text for line in store.plans.lines(header.plan_id)] == [change_line(one)]


def test_a_search_without_a_list_is_for_the_targets_paired_with_the_inventory(store: Store) -> None:
    pulled(store, map(sim, range(1, 4)))
    store.pairs.add(map(pair, (1, 2, 9)), replace=False, now=NOW)
    with closing(store.journal.search(None)) as search:
        assert len(search) == 2
        assert set(search.missing()) == {target_iccid(1), target_iccid(2)}


def test_what_was_not_seen_is_absent_and_what_was_seen_later_stays(store: Store) -> None:
    pulled(store, map(sim, range(1, 4)))
    store.pairs.add(map(pair, (1, 2, 3)), replace=False, now=NOW)
    store.journal.observed([target(1)], [], now=NOW - 10)
    store.journal.observed([target(2)], [], now=NOW + 10)
    with closing(store.journal.search(None)) as search:
        search.drop([target_iccid(3).key])
        search.note_absent(now=NOW)
    assert [(one.target is not None, one.target_read) for one in store.plans.candidates()] == [
        (False, True),
        (True, True),
        (False, False),
    ]


def test_a_look_that_was_asked_for_earlier_replaces_none_that_was_asked_for_later(store: Store) -> None:
    """Answers overtake one another on their way, and `verify` reads beside `apply`."""
    pulled(store, [sim(1)])
    store.pairs.add([pair(1)], replace=False, now=NOW)
    store.journal.observed([target(1)], [], now=NOW)
    store.journal.observed([], [target_iccid(1)], now=NOW - 10)
    assert [one.target is not None for one in store.plans.candidates()] == [True]
    store.journal.observed([], [target_iccid(1)], now=NOW + 10)
    assert [one.target is not None for one in store.plans.candidates()] == [False]


def test_looks_of_a_clock_that_is_ahead_count_as_old_ones_for_what_is_sought(store: Store) -> None:
    pulled(store, map(sim, range(1, 3)))
    store.pairs.add(map(pair, (1, 2)), replace=False, now=NOW)
    store.journal.observed([], [target_iccid(1), target_iccid(2)], now=NOW + 3600)
    with closing(store.journal.search([target_iccid(1)])) as search:
        search.forget_later_looks(NOW)
    store.journal.observed([target(1), target(2)], [], now=NOW)
    assert [one.target is not None for one in store.plans.candidates()] == [True, False]


def test_the_policy_is_kept_letter_by_letter_and_as_values(store: Store) -> None:
    text = '# ours\n[claim]\nzone = "global"  # the only one\n'
    with store.plans.draft(NOW, policy_text=text, policy={"claim": {"zone": "global"}}) as draft:
        draft.finish(lambda sha256: header_for(store, [], sha256, plan_id="p1"))
    assert store.plans.policy_text("p1") == text
    assert store.plans.policy_json("p1") == {"claim": {"zone": "global"}}


def test_changes_are_chosen_by_action_wave_and_reason(store: Store) -> None:
    made = [
        change(1, wave="canary"),
        change(2),
        change(3, Action.BLOCK, reason=Reason.NO_PAIRING),
        change(4, Action.SKIP, reason=Reason.STATUS_SKIPPED),
    ]
    planned(store, made)
    assert list(store.plans.changes("p1", wave="canary")) == [made[0]]
    assert list(store.plans.changes("p1", actions=[Action.CLAIM, Action.SKIP])) == [made[0], made[1], made[3]]
    assert list(store.plans.changes("p1", reasons=[Reason.NO_PAIRING])) == [made[2]]


def test_a_change_is_found_by_its_source_iccid(store: Store) -> None:
    planned(store, [change(1), change(2)])
    assert store.plans.change("p1", Iccid.parse(source_iccid(2).digits)) == change(2)
    assert store.plans.change("p1", source_iccid(3)) is None


@pytest.mark.parametrize("ask", ["header", "state", "changes", "policy_text", "differences"])
def test_a_plan_that_is_not_there_is_told_so(store: Store, ask: str) -> None:
    with pytest.raises(InputError) as caught:
        list(getattr(store.plans, ask)("p9"))
    assert caught.value.code == "no_such_plan"
    assert store.plans.exists("p9") is None


# --- once, and used once ------------------------------------------------------------------------------------------


def test_a_plan_is_not_there_before_it_is_finished(store: Store) -> None:
    with store.plans.draft(NOW) as draft:
        draft.add([change(1)])
        assert store.plans.list() == []
        assert store.plans.newest() is None


def test_a_draft_that_is_left_is_dropped(store: Store) -> None:
    def broken() -> Iterator[Change]:
        yield from map(change, range(1500))
        raise RuntimeError

    with pytest.raises(RuntimeError), store.plans.draft(NOW) as draft:
        draft.add(broken())
    with store._db.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM changes").scalar_one() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM plans").scalar_one() == 0


def test_a_draft_of_a_process_that_died_is_dropped_by_a_later_one(store: Store) -> None:
    dead = store.plans.draft(NOW)
    dead.__enter__().add([change(1)])
    with store.plans.draft(NOW + 10):
        assert _plans(store) == 2, "it may still be at work"
    with store.plans.draft(NOW + 4000):
        assert _plans(store) == 1


def _plans(store: Store) -> int:
    with store._db.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM plans").scalar_one())


def test_the_same_plan_is_not_stored_twice_and_is_the_newest_again(store: Store) -> None:
    first = planned(store, [change(1)], plan_id="p1")
    planned(store, [change(2)], plan_id="p2")
    again = planned(store, [change(1)], plan_id="p1", summary={"made": "again"})
    assert again == first
    assert [plan["plan_id"] for plan in store.plans.list()] == ["p1", "p2"]
    assert store.plans.newest() == "p1"
    assert list(store.plans.changes("p1")) == [change(1)]


def test_a_plan_that_was_started_is_not_made_again(store: Store) -> None:
    planned(store, [change(1)])
    store.journal.start_run("p1", "me", NOW)
    with pytest.raises(StoreError) as caught:
        planned(store, [change(1)])
    assert caught.value.code == "plan_used"


def test_the_maker_of_a_header_may_ask_which_ids_are_taken(store: Store) -> None:
    planned(store, [change(1)])
    store.journal.start_run("p1", "me", NOW)

    def another_id(sha256: str) -> PlanHeader:
        plan_id = "p1" if store.plans.exists("p1") in {None, PlanState.CREATED} else "p1-2"
        return header_for(store, [change(1)], sha256, plan_id=plan_id)

    with store.plans.draft(NOW) as draft:
        draft.add([change(1)])
        assert draft.finish(another_id).plan_id == "p1-2"


def test_a_plan_is_created_then_started_then_finished(store: Store) -> None:
    planned(store, [change(1)])
    assert store.plans.state("p1") is PlanState.CREATED
    store.journal.start_run("p1", "me", NOW + 1)
    assert store.plans.state("p1") is PlanState.STARTED
    store.plans.finish("p1", NOW + 2)
    store.plans.finish("p1", NOW + 3)
    store.journal.start_run("p1", "me", NOW + 4)
    assert store.plans.exists("p1") is PlanState.FINISHED
    (listed,) = store.plans.list()
    assert (listed["created_at"], listed["started_at"], listed["finished_at"]) == (NOW, NOW + 1, NOW + 2)
    assert (listed["claims"], listed["counts"]["CLAIM"]) == (1, 1)


def test_a_wave_that_the_header_does_not_name_is_a_defect(store: Store) -> None:
    """Its SIMs would never be applied, and nobody would notice."""
    with pytest.raises(StoreError, match="does not name its waves"):
        planned(store, [change(1, wave="forgotten")], waves=("all",))
    assert store.plans.newest() is None


def test_a_plan_can_be_empty(store: Store) -> None:
    planned(store, [])
    assert list(store.plans.changes("p1")) == []
    assert list(store.journal.items("p1")) == []
    assert store.plans.differences("p1") == []
