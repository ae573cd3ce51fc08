"""Notices of `apply` and `cutover apply`: each happening once, in the transaction that makes it true."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.campaign.notices import Delivery, masked
from migrator.core.policy.outside import NoticeEvent as Event
from migrator.core.run.results import ExitCode
from migrator.engine.run.around import Veto
from migrator.engine.run.context import ApplyOptions
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import POLICY, World

QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))
ALL = '", "'.join(event for event in Event if event is not Event.TEST)
NOTIFY = f'[[notify]]\nto = "webhook"\nurl_from = "OUR_URL"\non = ["{ALL}"]\n'
TWO = POLICY.replace('name = "all"', 'name = "canary"\ncount = 4\n[[waves]]\nname = "rest"')


def told(world: World) -> list[Delivery]:
    """What waits in the outbox, oldest first."""
    with world.store() as store:
        assert list(store.audit.problems()) == []
        return store.outbox.open()


def events(world: World) -> list[Event]:
    return [one.event for one in told(world)]


def world_of(folder: Path, policy: str = POLICY + NOTIFY) -> World:
    world = World(folder, behaviour=QUICK, policy_text=policy)
    world.ready()
    world.ref = "CHG0042"
    return world


def test_each_wave_is_told_once_however_often_the_plan_is_run(tmp_path: Path) -> None:
    world = world_of(tmp_path, TWO + NOTIFY)
    assert world.apply().exit_code is ExitCode.DONE
    assert world.apply().exit_code is ExitCode.DONE
    first, second = told(world)
    assert [one.told["wave"] for one in (first, second)] == ["canary", "rest"]
    assert {one.event for one in (first, second)} == {Event.WAVE_DONE}
    assert first.told["reason"] == "wave 'canary' is done: 4 of 4 SIMs are verified"
    assert (first.told["ref"], first.told["next"]) == ("CHG0042", f"migrator apply {first.plan_id}")
    assert first.told["money"]["used_spend"] == "4.00"


def test_a_stop_is_told_with_counts_money_and_the_way_on_once_a_day(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    for _ in range(2):
        world.apply(options=ApplyOptions(max_sims=5))
        world.apply(options=ApplyOptions(max_sims=0))
    stops = [one for one in told(world) if one.event is Event.STOPPED]
    assert [one.told["reason"] for one in stops] == ["--max-sims 5 is reached", "--max-sims 0 is reached"]
    first = stops[0].told
    assert (first["exit_code"], first["counts"]["claimed"], first["ref"]) == (6, 5, "CHG0042")
    assert first["money"] == {"used_sims": 5, "max_sims": 100_000, "used_spend": "5.00", "max_spend_now": "5000.00"}
    assert first["next"] == f"migrator apply {stops[0].plan_id}"
    world.wait(86_400)
    world.apply(options=ApplyOptions(max_sims=0))
    assert events(world).count(Event.STOPPED) == 3


def test_the_words_of_a_hook_or_a_carrier_make_no_new_notice_of_the_same_stop(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    answers = iter([("08:00, closed", "closed"), ("08:05, closed", "closed"), ("gone", "no answer")])

    async def ask(_told: Mapping[str, Any]) -> Veto | None:
        return Veto(*next(answers))

    world.ask = ask
    for _ in range(3):
        assert world.apply().exit_code is ExitCode.HALTED
    assert [one.told["reason"] for one in told(world)] == ["08:00, closed", "gone"]

    world.ask, world.target.balance = None, Decimal(1)
    for request in ("7f3a", "81bc"):
        text = f"insufficient funds (request {request})"
        world.target.behaviour = replace(QUICK, balance_forbidden=True, insufficient_text=text)
        stopped = world.apply()
        assert request in stopped.reason
    assert len(told(world)) == 3


def test_sims_that_need_a_person_are_told(tmp_path: Path) -> None:
    world = world_of(tmp_path, POLICY + NOTIFY + "[caps]\nmax_sims = 13\n")
    for link in list(world.target.sims.values())[:2]:
        link.org_id = 7  # they are somebody else's by now
        link.device_id = 1
    assert world.apply_until_quiet().exit_code is ExitCode.ATTENTION
    (one,) = (one for one in told(world) if one.event is Event.NEEDS_ATTENTION)
    assert one.told["next"] == f"migrator report {one.plan_id}"
    assert sum(one.told["failed"].values()) == 2


def test_four_fifths_of_a_cap_are_told_once_for_each_value_of_it(tmp_path: Path) -> None:
    world = world_of(tmp_path, POLICY + NOTIFY + "[caps]\nmax_sims = 15\nmax_spend_now = 12.01\n")
    world.apply(options=ApplyOptions(max_sims=9))
    assert Event.SPEND_80 not in events(world)
    world.apply(options=ApplyOptions(max_sims=1))
    spent = [one.told["reason"] for one in told(world) if one.event is Event.SPEND_80]
    assert spent == ["10.00 of [caps] max_spend_now = 12.01 are used"]
    world.apply()
    world.apply()
    spent = [one.told["reason"] for one in told(world) if one.event is Event.SPEND_80]
    assert spent[1:] == ["12 of [caps] max_sims = 15 are used"]


def test_without_a_receiver_nothing_is_kept(tmp_path: Path) -> None:
    world = world_of(tmp_path, POLICY)
    world.apply(options=ApplyOptions(max_sims=5))
    assert told(world) == []


def test_a_run_whose_end_was_not_written_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notice and the end stand in one transaction: an end that is undone takes its notice along."""
    world = world_of(tmp_path)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("migrator.store.journal.journal.add_notices", broken)
        with pytest.raises(ZeroDivisionError):
            world.apply(options=ApplyOptions(max_sims=5))
    with world.store() as store:
        assert [run.ended_at for run in store.journal.runs(store.plans.newest() or "")] == [None]
    assert Event.STOPPED not in events(world)


def test_a_cutover_tells_its_waves_and_its_end(tmp_path: Path) -> None:
    world = CutoverWorld(tmp_path, sims=8, policy_text=POLICY + NOTIFY)
    world.migrated(silent=1)
    with world.store() as store:
        before = len(store.outbox.open())
    header = world.cutover_plan(waves=(3,))
    world.cut_over()
    done = told(world)[before:]
    assert [one.event for one in done] == [Event.WAVE_DONE, Event.CUTOVER_DONE]
    assert done[1].told["counts"]["proved"] == header.count
    assert (done[1].told["switch_id"], done[1].plan_id) == (header.cutover_id, header.plan_id)
    assert done[1].told["next"] == f"migrator cutover show {header.cutover_id}"


def test_no_iccid_is_left_in_what_is_masked() -> None:
    words = "of 8988228066614000017, 89 8822 8066 6140 0001 7F and 8944500-00000-0000001 one is off since 2026-11-29"
    assert masked({"reason": words, "sims": ["8988228066614000017"], "counts": {"8988228066614000017": 2}}) == {
        "reason": "of [a SIM], [a SIM] and [a SIM] one is off since 2026-11-29",
        "counts": {"[a SIM]": 2},
    }


@pytest.mark.parametrize(
    "written",
    [
        "89049032123451234512345678901235",  # an EID
        "8904 9032 1234 5123 4512 3456 7890 1235",
        "8988.2280.6661.4000.017",
        "8988 - 2280 - 6661 - 4000 - 017",
        "8988\u00a02280\u202f6661\u20094000\u2007017",
        "8988\u20132280\u20116661\u20124000_017",
        "89/88/22806661400001/7F",
        "\u0668\u0669882280666140000\u0661\u0667",  # Arabic digits
        "98882208661604001",
    ],
)
def test_an_iccid_or_eid_is_masked_however_it_is_written(written: str) -> None:
    assert masked(f"the card {written}, in unit 12") == "the card [a SIM], in unit 12"


@pytest.mark.parametrize(
    "words",
    [
        "4000.00 of [caps] max_spend_now = 5000.00 are used, 2026-11-29 20:15:03 to 2026-12-01 08:00",
        "plan p694d7d44d8, run 4, 100000 SIMs, 500 500 500, 192.168.100.101:8787",
        "2026-11-29 2026-12-01",
    ],
)
def test_days_amounts_and_addresses_are_not_masked(words: str) -> None:
    assert masked(words) == words
