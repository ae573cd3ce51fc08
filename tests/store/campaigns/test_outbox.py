"""The outbox: a happening is told once, a delivery is taken up by one process, and a crash loses none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from migrator.core.campaign.notices import DeliveryState, Notice
from migrator.core.policy.outside import NoticeEvent, Receiver, ReceiverKind
from migrator.store import Store
from migrator.store.campaigns.outbox import SENDING_S
from migrator.store.notices import add_notices
from migrator.store.tables.outbox import deliveries
from tests.server import MISSING, kept_there, running
from tests.store.store_kit import NOW, open_store

HOOK = Receiver(ReceiverKind.WEBHOOK, on=(NoticeEvent.STOPPED, NoticeEvent.DAILY), url_from="MIGRATOR_NOTIFY_URL")
DESK = Receiver(ReceiverKind.COMMAND, on=(NoticeEvent.STOPPED,), command=("tell", "me"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def stopped(store: Store, key: str = "k", now: float = NOW) -> bool:
    return store.outbox.add(NoticeEvent.STOPPED, key, {"reason": "a cap"}, now, (HOOK, DESK))


def aged(store: Store, seconds: float) -> None:
    """Let so much time pass for what waits, by whichever clock."""
    with store._db.write() as connection:
        connection.execute(update(deliveries).values(next_at=deliveries.c.next_at - seconds))


def test_the_same_happening_is_one_notice(store: Store) -> None:
    assert stopped(store)
    assert not stopped(store, now=NOW + 1)
    assert stopped(store, "other")
    due = list(store.outbox.due(NOW))
    assert [(one.name, one.receiver) for one in due] == [("1:webhook", HOOK), ("2:command", DESK)] * 2
    first, also_first, second, also_second = (one.number for one in due)
    assert first == also_first < second == also_second


def test_who_did_not_ask_is_not_told_and_nothing_is_kept_that_nobody_asked_for(store: Store) -> None:
    assert store.outbox.add(NoticeEvent.DAILY, "day", {}, NOW, (HOOK, DESK))
    assert not store.outbox.add(NoticeEvent.DRIFT, "drift", {}, NOW, (HOOK, DESK))
    assert [one.name for one in store.outbox.open()] == ["1:webhook"]


def test_a_notice_is_there_exactly_when_what_it_tells_is(store: Store) -> None:
    """A transaction that is undone takes its notice along."""
    told = [Notice(NoticeEvent.STOPPED, "k", {}, (HOOK,))]

    def undone() -> None:
        with store._db.write() as connection:
            assert add_notices(connection, told, NOW) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert store.outbox.open() == []
    with store._db.write() as connection:
        add_notices(connection, told, NOW)
    assert len(store.outbox.open()) == 1


def test_one_delivery_is_taken_up_by_one_process(store: Store) -> None:
    stopped(store)
    first, *_ = store.outbox.due(NOW)
    assert store.outbox.take_up(first, NOW)
    assert not store.outbox.take_up(first, NOW)
    assert [one.name for one in store.outbox.due(NOW)] == ["2:command"]


def test_a_delivery_whose_process_died_comes_again_under_its_number(store: Store) -> None:
    stopped(store)
    first, *_ = store.outbox.due(NOW)
    assert store.outbox.take_up(first, NOW)
    aged(store, SENDING_S)
    (again, _) = store.outbox.due(NOW)
    assert (again.number, again.name, again.state, again.tries) == (1, "1:webhook", DeliveryState.SENDING, 1)
    assert store.outbox.take_up(again, NOW + SENDING_S)
    assert not store.outbox.take_up(again, NOW + SENDING_S)  # a third process saw what the second one saw
    store.outbox.delivered(first, NOW + SENDING_S)  # the first process was asleep: its word counts no more
    assert store.outbox.counts() == {DeliveryState.SENDING: 1, DeliveryState.WAITING: 1}
    store.outbox.delivered(again, NOW + SENDING_S)
    assert store.outbox.counts() == {DeliveryState.DELIVERED: 1, DeliveryState.WAITING: 1}


@pytest.mark.server
@pytest.mark.skipif(running() is None, reason=MISSING)
def test_what_another_machine_has_on_its_way_is_not_taken_up_by_the_clock_of_this_one(tmp_path: Path) -> None:
    """Their clocks differ by more than a delivery may take: the database's clock judges both."""
    with kept_there(), open_store(tmp_path) as store:
        stopped(store)
        first, *_ = store.outbox.due(NOW)
        assert store.outbox.take_up(first, NOW)
        ahead = NOW + 10 * SENDING_S
        assert [one.name for one in store.outbox.due(ahead)] == ["2:command"]
        aged(store, SENDING_S)
        assert [one.name for one in store.outbox.due(NOW - 20 * SENDING_S)] == ["1:webhook"]


def test_a_failed_try_waits_for_its_time_and_one_given_up_is_over(store: Store) -> None:
    stopped(store)
    first, second = store.outbox.due(NOW)
    for one in (first, second):
        store.outbox.take_up(one, NOW)
    store.outbox.failed(first, NOW, "answered 503", NOW + 60)
    store.outbox.failed(second, NOW, "no such program", None)
    assert store.outbox.due(NOW + 59) == []
    (again,) = store.outbox.due(NOW + 60)
    assert (again.name, again.tries, again.last_error) == ("1:webhook", 1, "answered 503")
    assert store.outbox.counts() == {DeliveryState.WAITING: 1, DeliveryState.GAVE_UP: 1}
    assert list(store.audit.problems()) == []
