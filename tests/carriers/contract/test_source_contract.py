"""The contract of a source: what pull, plan, cutover and rollback rely on, whatever carrier it is."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from migrator.core.cutover.plan import Direction
from migrator.core.cutover.rules import Sighting, obstacle_at_source
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceStatus, source_status
from migrator.engine.pull.pull import Pulling
from migrator.engine.run.context import Stopper
from migrator.errors import InputError, Interrupted, NotAuthorised, Outdated, Transient
from migrator.ports import SetSourceState, SourceSimState
from migrator.store import Store
from tests.carriers.contract.subject import (
    DAY,
    Controller,
    Known,
    OnenceSubject,
    OnomondoSubject,
    Reader,
    Subject,
    fleet_of,
)
from tests.carriers.contract.third_source import ThirdSubject
from tests.support import run_virtual
from tests.worlds.world import empty_store

T = TypeVar("T")
Making = Callable[[list[Known]], Subject]
SOURCES: dict[str, Making] = {
    "1nce v1": lambda known: OnenceSubject(known, "v1"),
    "1nce v2": lambda known: OnenceSubject(known, "v2"),
    "onomondo": OnomondoSubject,
    "made up": ThirdSubject,
}
EPOCH = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(params=SOURCES)
def making(request: pytest.FixtureRequest) -> Making:
    return SOURCES[request.param]


def reading(subject: Subject, use: Callable[[Reader], Awaitable[T]]) -> T:
    async def main() -> T:
        async with subject.reader() as source:
            await source.open()
            return await use(source)

    return run_virtual(main)


def controlling(subject: Subject, use: Callable[[Controller], Awaitable[T]]) -> T:
    async def main() -> T:
        async with subject.controller() as control:
            await control.open()
            return await use(control)

    return run_virtual(main)


async def ordered(control: Controller, iccids: Sequence[str], *, enabled: bool) -> SetSourceState:
    """The order as the engine makes it: of what was read just now."""
    sims = []
    for text in iccids:
        sim = (await control.look(Iccid.parse(text))).sim
        assert sim is not None
        sims.append(SourceSimState(sim.iccid, enabled=enabled, label=sim.label, imei_lock=bool(sim.imei_lock)))
    return SetSourceState(sims)


# --- reading ------------------------------------------------------------------------------------------------------


def test_pages_bring_every_sim_once_and_end_with_an_empty_one(making: Making) -> None:
    subject = making(fleet_of(250))

    async def use(source: Reader) -> list[Any]:
        return [await source.page(number) for number in range(1, 5)]

    *pages, past = reading(subject, use)
    assert not past.rows
    assert [row.sim.iccid.digits for page in pages for row in page.rows] == subject.iccids
    assert {page.total_sims for page in pages} <= {None, 250}
    assert all(row.raw["iccid"] == row.sim.iccid.digits for page in pages for row in page.rows)


def test_a_new_process_goes_on_at_any_page(making: Making) -> None:
    subject = making(fleet_of(250))
    again = reading(subject, lambda source: source.page(3))
    assert [row.sim.iccid.digits for row in again.rows if row.sim] == subject.iccids[200:]


def test_a_list_may_be_read_anew_from_its_first_page(making: Making) -> None:
    subject = making(fleet_of(101))

    async def use(source: Reader) -> list[int]:
        return [len((await source.page(number)).rows) for number in (1, 2, 3, 1, 2, 3)]

    assert reading(subject, use) == [100, 1, 0, 100, 1, 0]


def test_status_and_label_are_the_carriers_own_in_our_words(making: Making) -> None:
    known = fleet_of(12)
    page = reading(making(known), lambda source: source.page(1))
    told = [(row.sim.status, row.sim.label) for row in page.rows if row.sim is not None]
    assert told == [(SourceStatus.ENABLED if one.on else SourceStatus.DISABLED, one.label) for one in known]
    assert not any(row.problem or row.label_trouble for row in page.rows)
    words = [(row.sim.status_word, row.sim.status) for row in page.rows if row.sim is not None]
    assert all(source_status(word) is status for word, status in words), "plans and journals keep the word alone"


def test_what_the_list_lacks_is_read_of_each_sim_and_a_failure_is_told_as_one(making: Making) -> None:
    subject = making(fleet_of(2))
    ours, nobodys = Iccid.parse(subject.iccids[0]), Iccid.parse(subject.stranger)

    async def use(source: Reader) -> list[Any]:
        told = [await source.reading(ours), await source.reading(nobodys)]
        subject.fall_silent()
        return [*told, await source.reading(ours)]

    told, strange, lost = reading(subject, use)
    assert told.iccid == ours
    assert told.data.reading in {QuotaReading.READ, QuotaReading.NO_RECORD}
    assert lost.data.reading is QuotaReading.FAILED
    assert (strange.data.volume, lost.data.volume) == (None, None)


def test_credentials_that_are_revoked_under_way_end_every_read_and_make_no_sim_a_failure(making: Making) -> None:
    """Else a whole fleet would be noted as one whose SIMs cannot be read."""
    subject = making(fleet_of(1))
    ours = Iccid.parse(subject.iccids[0])

    async def use(control: Controller) -> None:
        subject.revoke()
        for ask in (control.look(ours), control.session(ours), control.used_days(ours, DAY, DAY)):
            with pytest.raises(NotAuthorised):
                await ask

    async def read(source: Reader) -> None:
        subject.revoke()
        with pytest.raises(NotAuthorised):
            await source.reading(ours)

    controlling(subject, use)
    subject = making(fleet_of(1))
    reading(subject, read)


def test_caps_of_the_account_are_asked_for_and_none_is_an_answer(making: Making) -> None:
    assert isinstance(reading(making(fleet_of(1)), lambda source: source.account_limits()), AccountLimits)


def test_a_day_of_use_is_told_from_a_silent_one_and_no_answer_from_both(making: Making) -> None:
    subject = making([Known(is_used=True), Known(is_used=False)])
    used, silent, nobodys = map(Iccid.parse, [*subject.iccids, subject.stranger])

    async def use(source: Reader) -> list[Any]:
        told = [await source.used_days(iccid, DAY - timedelta(days=1), DAY) for iccid in (used, silent, nobodys)]
        subject.fall_silent()
        return [*told, await source.used_days(used, DAY, DAY)]

    before = DAY - timedelta(days=1)
    assert reading(subject, use) == [{before: False, DAY: True}, {before: False, DAY: False}, None, None]


def test_whoever_insists_on_usage_learns_that_no_answer_came(making: Making) -> None:
    subject = making(fleet_of(1))

    async def use(control: Controller) -> None:
        subject.fall_silent()
        await control.used_days(Iccid.parse(subject.iccids[0]), DAY, DAY, insists=True)

    with pytest.raises(Transient):
        controlling(subject, use)


def test_credentials_that_are_not_taken_end_the_opening_and_are_shown_to_nobody(making: Making) -> None:
    subject = making(fleet_of(1))

    async def shown(source: Reader) -> str:
        return f"{source!r} {source}"

    assert subject.secret not in reading(subject, shown)
    subject.lock_out()
    with pytest.raises(NotAuthorised) as refused:
        reading(subject, shown)
    assert refused.value.is_about_login
    assert subject.secret not in f"{refused.value!r} {refused.value} {refused.value.hint}"


def test_reading_writes_nothing(making: Making) -> None:
    subject = making(fleet_of(3))

    async def use(control: Controller) -> None:
        for text in subject.iccids:
            await control.look(Iccid.parse(text))
            await control.session(Iccid.parse(text))
            await control.used_days(Iccid.parse(text), DAY, DAY)

    controlling(subject, use)
    assert not subject.writes()


# --- pulling ------------------------------------------------------------------------------------------------------


class Epoch:
    """A clock that stands still."""

    def now(self) -> datetime:
        return EPOCH


def pulled(subject: Subject, path: Path, *, stop_at: int = 0, quotas: bool = False) -> Any:
    """One `inventory pull`; it is told to stop once `stop_at` pages came."""

    async def body() -> Any:
        stopper = Stopper()
        pulling: Pulling

        def watch(event: str, told: Any) -> None:
            if event == "one_by_one":
                assert told["requests"] == told["sims"] * pulling.source.calls_per_reading
            if event == "page" and told["page"] == stop_at:
                stopper.stop("enough")

        async with subject.reader() as source:
            pulling = Pulling(source, store.inventory, Epoch(), stopper, watch, quotas=quotas)
            return await pulling.run()

    with Store.open(f"sqlite:///{path}", now=EPOCH.timestamp()) as store:
        result = run_virtual(body)
        return result, {sim.iccid.digits: sim for sim in store.inventory.sims()}


def test_a_pull_that_was_stopped_is_taken_up_where_it_stood(making: Making, tmp_path: Path) -> None:
    subject, path = making(fleet_of(350)), tmp_path / "state.db"
    path.write_bytes(empty_store())
    with pytest.raises(Interrupted):
        pulled(subject, path, stop_at=2)
    result, kept = pulled(subject, path, quotas=True)
    assert (result.sims, result.passes, result.settled, result.resumed) == (350, 1, True, True)
    assert set(kept) == set(subject.iccids)
    assert (result.quotas_read, result.quotas_failed) == (350, 0)
    assert QuotaReading.NOT_READ not in {sim.data_reading for sim in kept.values()}


# --- switching ----------------------------------------------------------------------------------------------------


def test_a_look_shows_the_sim_as_it_is_and_that_it_is_gone_where_nobody_knows_it(making: Making) -> None:
    known = fleet_of(6)
    subject = making(known)

    async def use(control: Controller) -> list[Any]:
        return [await control.look(Iccid.parse(text)) for text in [*subject.iccids, subject.stranger]]

    *seen, gone = controlling(subject, use)
    assert gone.sighting is Sighting.GONE
    assert {sight.sighting for sight in seen} == {Sighting.SEEN}
    assert [sight.sim.label for sight in seen] == [one.label for one in known]
    can_go_off = [obstacle_at_source(sight, Direction.CUTOVER) is None for sight in seen]
    assert can_go_off == [one.on for one in known]


def test_a_look_that_gets_no_answer_says_nothing_of_the_sim(making: Making) -> None:
    subject = making(fleet_of(1))

    async def use(control: Controller) -> None:
        subject.fall_silent()
        await control.look(Iccid.parse(subject.iccids[0]))

    with pytest.raises(Transient):
        controlling(subject, use)


@pytest.mark.parametrize("enabled", [False, True])
def test_an_order_changes_the_status_of_its_sims_and_nothing_else(making: Making, *, enabled: bool) -> None:
    subject = making([Known(not enabled, "  Zähler 7  "), Known(not enabled), Known(not enabled, "not ordered")])
    before = [subject.rest(iccid) for iccid in subject.iccids]

    async def use(control: Controller) -> list[Any]:
        ours = subject.iccids[:2]
        for some in [ours[at : at + control.most] for at in range(0, 2, control.most)]:
            await control.send(await ordered(control, some, enabled=enabled))
        await anyio.sleep(60)
        return [(await control.look(Iccid.parse(text))).sim for text in subject.iccids]

    on, off = SourceStatus.ENABLED, SourceStatus.DISABLED
    wanted, other = (on, off) if enabled else (off, on)
    assert [sim.status for sim in controlling(subject, use)] == [wanted, wanted, other]
    assert [subject.is_on(iccid) for iccid in subject.iccids] == [enabled, enabled, not enabled]
    assert [subject.rest(iccid) for iccid in subject.iccids] == before


def test_what_is_announced_is_what_arrives(making: Making) -> None:
    subject = making(fleet_of(2))

    async def use(control: Controller) -> Any:
        order = await ordered(control, subject.iccids[:1], enabled=False)
        announced = control.request(order)
        assert not subject.writes()
        await control.send(order)
        return announced

    announced = controlling(subject, use)
    ((method, path, body),) = subject.writes()
    assert (announced.method, announced.body) == (method, body)
    assert path.endswith(announced.path)


def test_an_order_of_nobody_or_of_too_many_never_leaves(making: Making) -> None:
    subject = making([Known()] * 60)

    async def use(control: Controller) -> None:
        whole = await ordered(control, subject.iccids[: control.most], enabled=False)
        assert control.request(whole)
        for sims in ([], [*whole.sims, *whole.sims[:1]]):
            with pytest.raises(InputError):
                control.request(SetSourceState(sims))
            with pytest.raises(InputError):
                await control.send(SetSourceState(sims))

    controlling(subject, use)
    assert not subject.writes()


def test_an_order_that_nobody_vouches_for_does_not_leave(making: Making) -> None:
    subject = making(fleet_of(1))

    def too_old() -> None:
        raise Outdated("what it rests on is too old")

    async def use(control: Controller) -> None:
        await control.send(await ordered(control, subject.iccids, enabled=False), vouch=too_old)

    with pytest.raises(Outdated):
        controlling(subject, use)
    assert not subject.writes()
