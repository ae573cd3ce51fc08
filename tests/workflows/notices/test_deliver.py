"""Delivery: again after a crash under the same number, each receiver by itself, later and later, not for ever."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from migrator import wiring
from migrator.core.campaign.notices import DeliveryState as State
from migrator.core.policy.outside import NoticeEvent, Receiver, ReceiverKind
from migrator.inputs.settings.settings import load_settings
from migrator.ports import Clock
from migrator.store import Store
from migrator.store.campaigns.outbox import SENDING_S, Outbox
from migrator.workflows.notices.deliver import GIVE_UP_S, deliver, deliver_after_run, next_try_s
from migrator.workflows.site import Site
from tests.store.store_kit import NOW, open_store
from tests.worlds.receiving import Receiving, receiving

GOOD = Receiver(ReceiverKind.WEBHOOK, on=(NoticeEvent.STOPPED,), url_from="GOOD_URL")
BAD = replace(GOOD, url_from="BAD_URL")


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


class SetClock(wiring.SystemClock):
    """The time of deliveries is the last of these."""

    times: ClassVar[list[float]] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.times[-1], UTC)


class AtSetTime(wiring.Outside):
    """All that is outside, at a time of our choice."""

    @property
    def clock(self) -> Clock:
        return SetClock()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of deliveries, to be set."""
    times = [NOW]
    monkeypatch.setattr(SetClock, "times", times)
    return times


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiving]:
    with receiving() as opened:
        monkeypatch.setenv("GOOD_URL", opened.url)
        yield opened


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiving]:
    with receiving() as opened:
        opened.status = 500
        monkeypatch.setenv("BAD_URL", opened.url)
        yield opened


def site_of(store: Store, words: list[str] | None = None) -> Site:
    return Site(store, load_settings({}, None), warn=([] if words is None else words).append, outside=AtSetTime())


def told(store: Store, key: str, *to: Receiver) -> None:
    assert store.outbox.add(NoticeEvent.STOPPED, key, {"reason": key}, NOW, to)


def test_a_crash_between_the_send_and_its_note_sends_again_under_the_same_number(
    store: Store, clock: list[float], good: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(store, "a cap", GOOD)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "delivered", die)
        with pytest.raises(Killed):
            deliver(site_of(store))
    assert deliver(site_of(store)) == {}  # nobody knows whether it is on its way still
    clock.append(NOW + SENDING_S)
    assert deliver(site_of(store)) == {State.DELIVERED: 1}
    first, again = good.got
    assert (again.body, again.headers["idempotency-key"]) == (first.body, first.headers["idempotency-key"])
    clock.append(NOW + 10 * SENDING_S)
    assert deliver(site_of(store)) == {}


def test_a_receiver_in_trouble_holds_up_no_other_and_is_tried_once_a_round(
    store: Store, clock: list[float], good: Receiving, bad: Receiving
) -> None:
    for key in ("one", "two", "three"):
        told(store, key, BAD, GOOD)
    assert deliver(site_of(store)) == {State.DELIVERED: 3, State.WAITING: 1}
    assert (len(good.got), len(bad.got)) == (3, 1)
    words: list[str] = []
    deliver_after_run(site_of(store, words))
    assert words == ["not delivered: 1 notice; `migrator notify list` says why"]
    bad.status = 200
    clock.append(NOW + 60)
    assert deliver(site_of(store)) == {State.DELIVERED: 3}


@pytest.mark.usefixtures("clock")
def test_a_receiver_without_its_secret_is_told_by_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAD_URL", raising=False)
    told(store, "a cap", BAD)
    assert deliver(site_of(store)) == {State.WAITING: 1}
    (one,) = store.outbox.open()
    assert one.last_error.startswith("BAD_URL is not set")


def test_tries_come_later_and_later_for_a_week(store: Store) -> None:
    told(store, "a cap", GOOD)
    (one,) = store.outbox.open()
    assert [next_try_s(replace(one, tries=tries), NOW, None) for tries in (0, 1, 2, 9, 500)] == [
        60,
        120,
        240,
        6 * 3600,
        6 * 3600,
    ]
    assert next_try_s(one, NOW, 7200.0) == 7200
    assert next_try_s(one, NOW + GIVE_UP_S - 60, None) == 60
    assert next_try_s(one, NOW + GIVE_UP_S - 59, None) is None


def test_a_program_neither_sees_nor_repeats_the_secrets_of_receivers_of_which_nothing_is_due(
    store: Store, clock: list[float], bad: Receiving, tmp_path: Path
) -> None:
    told(store, "one", BAD)
    assert deliver(site_of(store)) == {State.WAITING: 1}
    script = f"env > {tmp_path}/env.txt; echo no {bad.url}; exit 1"
    told(store, "two", Receiver(ReceiverKind.COMMAND, on=(NoticeEvent.STOPPED,), command=("/bin/sh", "-c", script)))
    clock.append(NOW + 1)
    assert deliver(site_of(store)) == {State.WAITING: 1}
    assert bad.url not in (tmp_path / "env.txt").read_text()
    assert [one.last_error for one in store.outbox.open() if one.receiver.command] == ["exit 1: no ***"]
