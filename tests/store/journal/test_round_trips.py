"""Round trips: what one request asks of the database, which may be a machine away."""

from contextlib import suppress
from pathlib import Path

import pytest

from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import RequestOutcome
from migrator.errors import IllegalTransition
from migrator.store import Owner, Store
from migrator.store.log import note
from tests.store.journal.statements import said
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, states

ME = Owner("rome", 1, NOW)
MANY = 500


def sent(store: Store, run: int, numbers: range) -> None:
    """One request from the looks before its intent and before it leaves to its settled steps, as the engine asks."""
    keys = [key(number) for number in numbers]
    store.signs("p1", ME)
    request = store.journal.begin(run, StepKind.NAME, keys, SENT, wave="all", now=NOW)
    store.signs("p1", ME)
    store.journal.answered(request, RequestOutcome.ACCEPTED, now=NOW, proved=keys)


def test_one_request_asks_no_more_than_it_must(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(number) for number in range(2)])
        store.lease.acquire(ME, NOW, is_gone=lambda _owner: False)
        run = store.journal.start_run("p1", "me", NOW)
        sent(store, run, range(1))
        with said() as found:
            sent(store, run, range(1, 2))
    assert len(found) == 12, "\n".join(found)


def test_the_log_is_one_chain_when_others_write_between_a_holders_events(tmp_path: Path) -> None:
    """The last event is read with the fence: it must be that of this transaction, not of an earlier one."""
    with open_store(tmp_path) as store, open_store(tmp_path) as other:
        planned(store, [change(number) for number in range(2)])
        store.lease.acquire(ME, NOW, is_gone=lambda _owner: False)
        run = store.journal.start_run("p1", "me", NOW)
        for number in range(2):
            sent(store, run, range(number, number + 1))
            other.steering.set_ceiling("hologram", 1.0 + number, by="ann", now=NOW)
            store.steering.set_ceiling("hologram", 2.0 + number, by="me", now=NOW)
        assert list(store.audit.problems()) == []


def test_an_event_that_a_savepoint_takes_back_is_not_the_last_one(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with store._db.write() as connection:
            note(connection, NOW, "one", None, {})
            with suppress(LookupError), connection.begin_nested():
                note(connection, NOW, "taken_back", None, {})
                raise LookupError
            note(connection, NOW, "two", None, {})
        assert list(store.audit.problems()) == []
        assert [event.kind for event in store.audit.events()] == ["one", "two"]


def test_steps_of_many_sims_move_in_one_statement(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(number) for number in range(MANY)])
        store.lease.acquire(ME, NOW, is_gone=lambda _owner: False)
        run = store.journal.start_run("p1", "me", NOW)
        with said() as found:
            sent(store, run, range(MANY))
    of_steps = [text for text in found if text.startswith(("INSERT INTO steps", "UPDATE steps"))]
    assert len(of_steps) == 2
    assert len(found) == 12, "\n".join(found)


def test_one_step_that_stands_elsewhere_keeps_a_whole_list_where_it_is(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(number) for number in range(3)])
        run = store.journal.start_run("p1", "me", NOW)
        keys = [key(number) for number in range(3)]
        store.journal.begin(run, StepKind.CLAIM, keys, SENT, wave="all", now=NOW)
        store.journal.move("p1", StepKind.CLAIM, StepEvent.CONFIRMED, {keys[0]: ("", "")}, now=NOW)
        with pytest.raises(IllegalTransition):
            store.journal.move("p1", StepKind.CLAIM, StepEvent.CONFIRMED, dict.fromkeys(keys, ("", "")), now=NOW)
        assert list(states(store).values()) == [StepState.DONE, StepState.IN_FLIGHT, StepState.IN_FLIGHT]
