"""Notices of a campaign: each cause is told once, by the call, with a command that is not refused."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from migrator import wiring
from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.campaign.notices import Delivery
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Interrupted, LeaseLost, NoStore, StoreError, StoreLost
from migrator.workflows.campaign.make import create_campaign
from migrator.workflows.notices.stopped import telling_failure
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import SimulatedOutside, site_of
from tests.worlds.world import Crash, new_sims

DAY_S = 86_400.0
RECEIVER = """
[[notify]]
to = "command"
command = ["true"]
on = ["stopped", "needs_attention", "spend_80", "silent", "drift"]
"""


UNREACHED = """
[[notify]]
to = "slack"
url_from = "NO_SUCH_VARIABLE"
"""


def began(folder: Path, *, behaviour: HologramBehaviour | None = None, more: str = "", **values: Any) -> CampaignWorld:
    """A campaign with all its pairs in the intake, and somebody who is told."""
    world = CampaignWorld(folder, sims=14, seed=3, behaviour=behaviour or HologramBehaviour())
    world.began(more=more if "[[notify]]" in more else more + RECEIVER, **values)
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    return world


def told(world: CampaignWorld, *events: NoticeEvent) -> list[Delivery]:
    """What was told so far of some events."""
    with site_of(world, world.outside) as site:
        return [one for one in site.store.outbox.newest(99) if one.event in events]


def test_what_stops_the_campaign_and_what_needs_a_person_hide_nothing_of_each_other(tmp_path: Path) -> None:
    world = began(tmp_path, approve=False, more=UNREACHED)
    world.tick()
    for name in ("one.csv", "two.csv"):
        world.hand_in(name, [("colour", "size"), ("red", "9")])
    assert world.tick().exit_code is ExitCode.HALTED
    (stopped,) = told(world, NoticeEvent.STOPPED)
    assert "approval" in stopped.told["reason"]
    (asked,) = told(world, NoticeEvent.NEEDS_ATTENTION)
    (other,) = asked.told["also"]
    assert asked.told["reason"].startswith("one.csv cannot be used")
    assert other.startswith("two.csv cannot be used")
    assert "problems.txt says why" in other
    world.hand_in("three.csv", [("colour", "size"), ("red", "9")])
    world.tick()
    assert len(told(world, NoticeEvent.NEEDS_ATTENTION)) == 2, "a further cause on the same day is told, too"


def test_no_program_runs_for_a_campaign_that_nobody_approved(tmp_path: Path) -> None:
    """Whoever may write a policy would run a program on the machine of the call; other receivers are told."""
    world = began(tmp_path, approve=False, more=RECEIVER + UNREACHED)
    assert world.tick().exit_code is ExitCode.HALTED
    assert [one.name for one in told(world, NoticeEvent.STOPPED)] == ["1:slack"]


def test_an_edit_that_nobody_approved_changes_neither_who_is_told_nor_what_runs(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    world.write_policy(more=RECEIVER.replace('"true"', '"touch", "ran"'))
    assert world.tick().exit_code is ExitCode.HALTED
    (first,) = told(world, NoticeEvent.STOPPED)
    assert first.receiver.command == ("true",)
    world.wait(DAY_S)
    world.write_policy()
    world.tick()
    assert [one.receiver.command for one in told(world, NoticeEvent.STOPPED)] == [("true",)] * 2, "not silenced either"
    world.write_policy(more=RECEIVER.replace('"true"', '"false"'))
    world.approve("ann@desk")
    world.write_policy(more=RECEIVER.replace('"true"', '"false"'), claims_per_day=3)
    world.wait(DAY_S)
    world.tick()
    assert {one.receiver.command for one in told(world, NoticeEvent.STOPPED)} == {("true",), ("false",)}


def test_a_key_that_cannot_be_had_stops_the_campaign_and_a_report_that_cannot_be_written_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = began(tmp_path)
    (tmp_path / "campaign" / "report").write_text("a file in the way")
    assert world.tick().exit_code is ExitCode.INPUT
    (asked,) = told(world, NoticeEvent.NEEDS_ATTENTION)
    assert asked.told["reason"].startswith("report:")
    assert told(world, NoticeEvent.STOPPED) == []
    without = InputError("HOLOGRAM_API_KEY is not set", hint="set it")
    monkeypatch.setattr(SimulatedOutside, "target", mock.Mock(side_effect=without))
    world.wait(DAY_S)
    assert world.tick().exit_code is ExitCode.INPUT
    (stopped,) = told(world, NoticeEvent.STOPPED)
    assert stopped.told["reason"] == "Hologram: HOLOGRAM_API_KEY is not set"


def test_a_plan_that_halts_is_told_once_by_the_call(tmp_path: Path) -> None:
    more = "last_units = 20\nerror_budget = 0.1\n"
    world = began(tmp_path, more=more, behaviour=HologramBehaviour(poison=frozenset(new_sims(3))))
    assert world.tick().exit_code is ExitCode.HALTED
    (stopped,) = told(world, NoticeEvent.STOPPED)
    assert stopped.told["campaign"] == "policy"


def test_cards_that_stay_pending_stop_nothing(tmp_path: Path) -> None:
    world = began(tmp_path, behaviour=HologramBehaviour(stuck=frozenset(new_sims(2))))
    assert world.tick().exit_code is ExitCode.RESUMABLE
    assert told(world, NoticeEvent.STOPPED) == []


def test_a_carrier_that_is_down_is_told_at_the_second_call(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.source.faults = FaultPlan(rates={Fault.HTML: 1.0})
    for calls in range(4):
        assert world.tick().exit_code is not ExitCode.DONE
        assert len(told(world, NoticeEvent.STOPPED)) == min(1, calls), "once a day"
        world.wait(900)


def test_four_fifths_of_the_bounds_over_all_are_told_once(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=8, claims_total=20, spend_per_day="100.00", spend_total="10.00")
    world.tick()
    used = told(world, NoticeEvent.SPEND_80)
    assert [one.told["reason"] for one in used] == ["8.00 of [campaign] spend_total = 10.00 are used"]
    assert "`migrator campaign approve`" in used[0].told["next"]
    world.wait(DAY_S)
    world.tick()
    assert len(told(world, NoticeEvent.SPEND_80)) == 1


def test_cards_that_stay_silent_and_cards_that_were_changed_are_told_once_each(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    old, other = world.on()[:2]
    for seen in (old, other):
        world.swap(seen)
    world.wait(DAY_S)
    world.tick()
    world.target.sims[world.pairs()[old]].overage_limit = 7
    for _ in range(14):
        world.wait(DAY_S)
        world.tick()
    world.wait(900)
    world.tick()
    (drift,) = told(world, NoticeEvent.DRIFT)
    (silent,) = told(world, NoticeEvent.SILENT)
    assert drift.told["counts"] == {"mismatch": 1}
    assert silent.told["counts"] == {"silent": 12}
    assert silent.told["next"] == "`migrator campaign exceptions --code silent` lists them"
    assert len(silent.told["sims"]) == 12, "for a receiver that may know them"


def test_a_later_campaign_of_the_same_name_is_told_of_its_own(tmp_path: Path) -> None:
    world = began(tmp_path, approve=False, more=UNREACHED)
    for folder in ("campaign", "other"):
        world.tick()
        with site_of(world, world.outside) as site:
            if folder == "campaign":
                site.store.campaigns.end(site.store.campaigns.required(), "ann", site.now())
                create_campaign(site, tmp_path / "policy.toml", folder=tmp_path / "other")
    assert len(told(world, NoticeEvent.STOPPED)) == 2


# --- calls that do not end ----------------------------------------------------------------------------------------


def fails(error: BaseException, at: str = "claims") -> Any:
    """A stage in which a call fails."""

    def told_of(event: str, values: Any) -> None:
        if event == "campaign_stage" and values["stage"] == at:
            raise error

    return told_of


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (TypeError("secret-of-somebody"), 1, "an unexpected error: TypeError"),
        (OSError(5, "Input/output error"), 1, "Input/output error"),
        (StoreError("the store is damaged"), 1, "the store is damaged"),
    ],
)
def test_a_call_that_fails_is_told_and_is_over(tmp_path: Path, error: Exception, code: int, words: str) -> None:
    world = began(tmp_path, more=UNREACHED)
    for _ in range(2):
        with pytest.raises(type(error)) as raised:
            world.tick(fails(error))
        assert raised.value is error
    (stopped,) = told(world, NoticeEvent.STOPPED)
    assert (stopped.told["reason"], stopped.told["exit_code"]) == (words, code)
    assert stopped.tries == 1, "it is sent at once"
    with site_of(world, world.outside) as site:
        assert [(one.exit_code, one.reason) for one in site.store.ticks.list()] == [(code, words)] * 2
        assert site.store.lease.holder() is None


@pytest.mark.parametrize("error", [Interrupted("stopped", 130), LeaseLost("another run"), StoreLost("away")])
def test_a_call_that_was_told_to_stop_or_lost_its_store_tells_nobody(tmp_path: Path, error: Exception) -> None:
    world = began(tmp_path, more=UNREACHED)
    with pytest.raises(type(error)):
        world.tick(fails(error))
    assert told(world, NoticeEvent.STOPPED) == []


def test_calls_that_die_again_and_again_are_told_by_the_next_one_as_it_begins(tmp_path: Path) -> None:
    world = began(tmp_path, more=UNREACHED)
    for died in range(1, 6):
        with pytest.raises(Crash):
            world.tick(fails(Crash("claims"), at="1NCE"))
        assert len(told(world, NoticeEvent.STOPPED)) == (died > 3), "the call that tells dies as well"
    (stopped,) = told(world, NoticeEvent.STOPPED)
    began_at = "2026-11-20T00:00:00Z"
    assert stopped.told["reason"] == f"3 calls of `campaign run` in a row did not end, the last one of {began_at}"
    assert stopped.tries == 1, "it is sent at once"
    world.tick()
    world.wait(DAY_S)
    world.tick()
    assert len(told(world, NoticeEvent.STOPPED)) == 1


@pytest.mark.parametrize("error", [NoStore("none"), StoreError("torn")])
def test_trouble_with_the_store_is_told_by_no_least_settings(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    asked = mock.Mock()
    monkeypatch.setattr(wiring, "least_settings", asked)
    with pytest.raises(type(error)), telling_failure(None, mock.Mock()):
        raise error
    asked.assert_not_called()
