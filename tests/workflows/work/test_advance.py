"""A turn of an account: what it does, what it leaves, and when it wants to go on."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from migrator import import_pairs, plan, pull
from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.accounts.records import Account, TurnOrder
from migrator.core.accounts.turns import AccountState, Turn
from migrator.core.cutover.plan import Require
from migrator.core.cutover.rules import Demand
from migrator.core.plan.approvals import Approval
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.control import Order, OrderKind
from migrator.core.run.results import ExitCode
from migrator.errors import Halted, InputError, Interrupted, StoreLost
from migrator.workflows.apply import Bounds, apply
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.cutover.plan import plan_cutover
from migrator.workflows.notices.stopped import Standstill
from migrator.workflows.work import advance as advancing
from migrator.workflows.work.advance import PENDING_S, Advanced, advance, tell_standstill
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.outside import SimulatedOutside, site_of
from tests.worlds.world import new_sims

SIMS = 12
POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
[status]
disabled = "skip"
[[waves]]
name = "canary"
count = 2
{soak}
[[waves]]
name = "rest"
"""


class Planned:
    """A world with a plan of two waves that nobody began."""

    def __init__(
        self, folder: Path, *, soak: str = "", behaviour: HologramBehaviour | None = None, after: str = ""
    ) -> None:
        self.world = CorrectedWorld(folder, sims=SIMS, seed=3, behaviour=behaviour or HologramBehaviour())
        self.outside = SimulatedOutside(self.world)
        cards = new_sims(SIMS)
        self.world.target.stock(cards)
        (folder / "policy.toml").write_text(POLICY.format(soak=soak) + after)
        with site_of(self.world, self.outside) as site:
            pull(site)
            pairs = "".join(f"{old},{new}\n" for old, new in zip(self.world.on(), cards, strict=False))
            (folder / "pairs.csv").write_text(f"source_iccid,target_iccid\n{pairs}")
            import_pairs(site, folder / "pairs.csv")
            header = plan(site, folder / "policy.toml")
        self.plan_id, self.claims = header.plan_id, header.claims
        assert self.claims > 6

    def turn(self, order: TurnOrder | None = None) -> Advanced:
        """One turn, in a process of its own."""
        with site_of(self.world, self.outside) as site:
            return advance(site, order)

    def order(self, at: float, *, wave: str | None = None, max_sims: int | None = None) -> TurnOrder:
        """An order to begin the plan, with the right number."""
        return TurnOrder(self.plan_id, self.claims, wave=wave, max_sims=max_sims, by="ann", at=at)

    def by_hand(self, **bounds: Any) -> None:
        """A run of the plan that a person makes."""
        with site_of(self.world, self.outside) as site:
            apply(site, self.plan_id, confirm=self.claims, bounds=Bounds(**bounds))

    def paused(self, *, then_resumed: bool = False) -> None:
        """`run pause`, or that and `run resume`."""
        with site_of(self.world, self.outside) as site:
            site.store.steering.give(self.plan_id, Order(OrderKind.PAUSE, "ann", site.now()))
            if then_resumed:
                site.store.steering.withdraw(self.plan_id, by="ann", now=site.now())

    def claimed(self) -> int:
        """How many cards were charged."""
        return len(self.world.target.ledger.charges)


def no_login(*_args: Any, **_options: Any) -> Any:
    """The secret is not on this machine."""
    raise InputError("HOLOGRAM_API_KEY is not set")


def test_nothing_is_begun_without_an_order(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    turn = planned.turn()
    assert (turn.exit_code, turn.did, turn.again_at, planned.claimed()) == (ExitCode.DONE, [], None, 0)


def test_an_order_is_carried_out_and_is_done_with_its_plan(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    with pytest.raises(InputError, match="nothing was sent"):
        planned.turn(TurnOrder(planned.plan_id, planned.claims + 1))
    assert planned.claimed() == 0
    turn = planned.turn(planned.order(1.0))
    assert (turn.exit_code, turn.is_order_done, planned.claimed()) == (ExitCode.DONE, True, planned.claims)
    turn = planned.turn(planned.order(1.0))  # its worker died before it could tell
    assert (turn.exit_code, turn.is_order_done, planned.claimed()) == (ExitCode.DONE, True, planned.claims)


@pytest.mark.parametrize("kind", ["plan", "cutover"])
def test_what_another_process_finished_in_this_very_moment_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A process whose worker died goes on alone; the one that takes over may see the plan a moment before its end."""
    planned = Planned(tmp_path)
    order = planned.order(1.0)
    assert planned.turn(order).is_order_done
    if kind == "cutover":
        planned.world.wait(2 * 86_400)
        demand = Demand(Require.VERIFIED, 0.0, planned.world.now().timestamp())
        with site_of(planned.world, planned.outside) as site:
            made = plan_cutover(site, site.store.plans.header(planned.plan_id), demand)
        order = TurnOrder(made.cutover_id, made.count, at=2.0)
        assert planned.turn(order).is_order_done
    monkeypatch.setattr(advancing, "_state", mock.Mock(side_effect=["started", "finished", "finished"]))
    turn = planned.turn(order)
    assert (turn.exit_code, turn.is_order_done, turn.untold) == (ExitCode.DONE, True, {})


def test_an_order_bounds_its_claims_over_all_its_turns(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    for order, claimed in (
        (planned.order(1.0, max_sims=3), 3),
        (planned.order(1.0, max_sims=3), 3),
        (None, 3),
        (planned.order(2.0, max_sims=2), 5),
        (None, 5),
        (planned.order(3.0), planned.claims),
    ):
        turn = planned.turn(order)
        assert planned.claimed() == claimed
        assert turn.exit_code is (ExitCode.DONE if order and order.at > 2.0 else ExitCode.HALTED)
        assert turn.is_order_done is (order is not None and order.at > 2.0)


@pytest.mark.parametrize("bounds", [{"max_sims": 5}, {"wave": "canary"}])
def test_a_plan_that_was_begun_by_hand_is_left_alone_until_it_is_ordered(
    tmp_path: Path, bounds: dict[str, Any]
) -> None:
    planned = Planned(tmp_path)
    planned.by_hand(**bounds)
    claimed = planned.claimed()
    assert 0 < claimed < planned.claims
    planned.paused(then_resumed=True)
    turn = planned.turn()
    assert (turn.exit_code, list(turn.did), turn.again_at, planned.claimed()) == (ExitCode.DONE, [], None, claimed)
    assert turn.words == f"nobody ordered what is begun: plan {planned.plan_id}"
    assert planned.turn(planned.order(1.0, wave="canary")).exit_code is ExitCode.DONE
    assert planned.turn(planned.order(2.0)).is_order_done
    assert planned.claimed() == planned.claims


def test_an_order_that_could_not_begin_orders_no_later_run_by_hand(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    planned.paused()
    with pytest.raises(Halted):
        planned.turn(planned.order(1.0))
    planned.paused(then_resumed=True)
    planned.by_hand(max_sims=5)
    assert (list(planned.turn().did), planned.claimed()) == ([], 5)


def test_an_order_taken_back_before_it_began_bounds_no_run_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first turn failed after its bounds were kept; `fleet hold` took it back, and a person claims two SIMs."""
    planned = Planned(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(planned.outside, "target", no_login)
        with pytest.raises(InputError):
            planned.turn(planned.order(1.0))
    planned.by_hand(max_sims=2)
    turn = planned.turn()
    assert (list(turn.did), planned.claimed()) == ([], 2)
    assert planned.turn(planned.order(1.0, max_sims=3)).exit_code is ExitCode.HALTED, "it was not taken back"
    assert planned.claimed() == 5


def test_a_cutover_whose_order_was_taken_back_is_left_in_the_hand_that_began_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = Planned(tmp_path)
    planned.turn(planned.order(1.0))
    planned.world.wait(2 * 86_400)
    with site_of(planned.world, planned.outside) as site:
        header = plan_cutover(site, site.store.plans.header(planned.plan_id), Demand(Require.VERIFIED, 0.0, site.now()))
    with monkeypatch.context() as patch:
        patch.setattr(planned.outside, "target", no_login)
        with pytest.raises(InputError):
            planned.turn(TurnOrder(header.cutover_id, header.count, at=2.0))
    with site_of(planned.world, planned.outside) as site:
        carry_out_cutover(site, header, CutoverBounds(wave="canary"))
    off = len(planned.world.off())
    assert (list(planned.turn().did), len(planned.world.off())) == ([], off)


def test_what_an_order_began_goes_on_within_its_bounds_though_it_was_taken_back(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    planned.turn(planned.order(1.0, max_sims=3))
    planned.by_hand(max_sims=1)
    for _ in range(2):
        turn = planned.turn()
        assert (turn.exit_code, planned.claimed()) == (ExitCode.HALTED, 4), turn.words


def test_an_order_that_can_never_be_carried_out_is_over_with_its_reason(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    turn = planned.turn(TurnOrder("p99", 1, at=1.0))
    assert (turn.exit_code, turn.is_order_done, "p99" in turn.words) == (ExitCode.INPUT, True, True)
    one, other = list(planned.world.pairs().items())[:2]
    planned.world.corrected({one[0]: other[1], other[0]: one[1]})
    turn = planned.turn(planned.order(2.0))
    assert (turn.exit_code, turn.is_order_done, planned.claimed()) == (ExitCode.STALE, True, 0)
    assert "its pair was changed" in turn.words
    assert turn.hint


def test_a_cutover_that_was_begun_by_hand_is_left_alone_until_it_is_ordered(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    planned.turn(planned.order(1.0))
    world = planned.world
    world.wait(2 * 86_400)
    with site_of(world, planned.outside) as site:
        header = plan_cutover(site, site.store.plans.header(planned.plan_id), Demand(Require.VERIFIED, 0.0, site.now()))
        carry_out_cutover(site, header, CutoverBounds(wave="canary"))
        assert site.store.cutovers.state(header.cutover_id) == "started"
    off = len(world.off())
    turn = planned.turn()
    assert (list(turn.did), header.cutover_id in turn.words, len(world.off())) == ([], True, off)
    assert planned.turn(TurnOrder(header.cutover_id, header.count, at=2.0)).is_order_done
    assert len(world.off()) > off


def test_a_wave_that_was_ordered_is_not_followed_by_another_without_an_order(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    for order in (planned.order(1.0, wave="canary"), None):
        turn = planned.turn(order)
        assert (turn.exit_code, turn.is_order_done, planned.claimed()) == (ExitCode.DONE, False, 2)
    assert planned.turn(planned.order(2.0)).is_order_done


def test_a_wave_that_rests_ends_the_turn_until_it_has_rested(tmp_path: Path) -> None:
    planned = Planned(tmp_path, soak='soak = "2h"')
    began_at = planned.world.now().timestamp()
    turn = planned.turn(planned.order(1.0))
    assert (turn.exit_code, planned.claimed()) == (ExitCode.RESUMABLE, 2)
    assert turn.again_at is not None
    rests_s = turn.again_at - planned.world.now().timestamp()
    assert 7200 - PENDING_S < rests_s <= 7200
    assert planned.world.now().timestamp() - began_at < PENDING_S
    planned.world.wait(rests_s + 1)
    assert planned.turn(planned.order(1.0)).is_order_done


def test_what_is_pending_for_long_ends_the_turn(tmp_path: Path) -> None:
    planned = Planned(tmp_path, behaviour=HologramBehaviour(claim_pending_s=(5000.0, 5000.0)))
    began_s = planned.world.elapsed_s
    turn = planned.turn(planned.order(1.0))
    assert planned.world.elapsed_s - began_s < PENDING_S + 120.0
    assert turn.exit_code is ExitCode.RESUMABLE
    assert turn.again_at == pytest.approx(planned.world.now().timestamp() + PENDING_S)


def test_a_plan_that_somebody_paused_holds_up_no_other(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    planned.turn(planned.order(1.0, wave="canary"))
    with site_of(planned.world, planned.outside) as site:
        second = plan(site, tmp_path / "policy.toml")
        advance(site, TurnOrder(second.plan_id, second.claims, wave="canary", at=2.0))
        site.store.steering.give(planned.plan_id, Order(OrderKind.PAUSE, "ann", site.now()))
    claimed = planned.claimed()
    turn = planned.turn()
    assert turn.exit_code is ExitCode.HALTED
    assert [one.exit_code for one in turn.did] == [ExitCode.HALTED, ExitCode.DONE]
    assert "ann" in turn.words
    assert planned.claimed() == claimed


def test_a_cutover_that_was_begun_goes_on_and_one_that_was_not_is_left(tmp_path: Path) -> None:
    planned = Planned(tmp_path)
    planned.turn(planned.order(1.0))
    world = planned.world
    for old, new in world.pairs().items():
        world.seen_in(new, old)
    world.wait(2 * 86_400)
    with site_of(world, planned.outside) as site:
        header = plan_cutover(site, site.store.plans.header(planned.plan_id), Demand(Require.TRAFFIC, 0.0, site.now()))
    assert planned.turn().did == []
    turn = planned.turn(TurnOrder(header.cutover_id, header.count, at=2.0))
    assert (turn.exit_code, turn.is_order_done) == (ExitCode.DONE, True)
    assert len(world.off()) >= header.count


def test_a_campaign_comes_first_and_again_after_its_time(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=SIMS, seed=3)
    world.began()
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    with site_of(world, world.outside) as site:
        turn = advance(site, TurnOrder("another", at=1.0), every_s=600.0)
        assert turn.again_at == pytest.approx(site.now() + 600.0)
    assert (turn.exit_code, turn.is_order_done) == (ExitCode.DONE, False)
    assert "waits until the campaign is ended" in turn.words
    assert world.claims() == len(world.on())


# --- who is told --------------------------------------------------------------------------------------------------

RECEIVER = """
[[notify]]
to = "slack"
url_from = "NO_SUCH_VARIABLE"
"""
APPROVALS = "[approvals]\nrequired = 2\n"
ACME = Account(
    name="acme",
    carrier="1nce",
    customer="c1",
    organization=98765,
    turn=Turn(AccountState.READY, 0.0),
    is_held=False,
    order=None,
    every_s=900.0,
    worker="rome/7/a1",
    since=0.0,
    added_at=0.0,
    added_by="ada",
)


class Told(Planned):
    """The same, with a receiver in the policy, as turns of a registered account."""

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, soak=more.pop("soak", ""), after=RECEIVER, **more)
        self.heard: list[str] = []
        self.account = ACME

    def turn(self, order: TurnOrder | None = None) -> Advanced:
        with site_of(self.world, self.outside, progress=lambda event, _values: self.heard.append(event)) as site:
            return advance(replace(site, turn_of=self.account), order)

    def approve(self, name: str) -> None:
        """`plan approve`."""
        with site_of(self.world, self.outside) as site:
            changes = site.store.plans.header(self.plan_id).fingerprints.changes
            site.store.approvals.add(self.plan_id, Approval(name, site.now(), changes))

    def told(self) -> list[Mapping[str, Any]]:
        """What the outbox has."""
        with site_of(self.world, self.outside) as site:
            found = site.store.outbox.newest(99)
        assert not found or found[0].tries, "it is sent at once"
        return [one.told for one in found if one.event in {NoticeEvent.STOPPED, NoticeEvent.NEEDS_ATTENTION}]


def test_an_order_that_cannot_be_carried_out_is_told_once_a_day(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError):
            planned.turn(TurnOrder(planned.plan_id, planned.claims + 1))
    (told,) = planned.told()
    assert "not 13" in told["reason"] or "nothing was sent" in told["reason"]
    assert (told["account"], told["state"], told["machine"]) == ("acme", "attention", "rome/7/a1")
    assert (told["plan_id"], told["exit_code"]) == (planned.plan_id, 2)
    assert told["then"] == "`migrator fleet go acme` lets a worker go on"
    assert planned.heard.count("told") == 2
    planned.world.wait(86_400.0)
    with pytest.raises(InputError):
        planned.turn(TurnOrder(planned.plan_id, planned.claims + 1))
    assert len(planned.told()) == 2


def test_the_same_standstill_is_told_anew_once_a_person_let_the_account_go(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    for standstill, told in ((0, 1), (0, 1), (17, 2), (17, 2), (29, 3)):
        planned.account = replace(ACME, standstill=standstill)
        with pytest.raises(InputError):
            planned.turn(TurnOrder(planned.plan_id, planned.claims + 1))
        assert len(planned.told()) == told


def test_a_run_that_stops_again_after_a_person_spoke_is_told_anew(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    planned.turn(planned.order(1.0, max_sims=2))
    for standstill, told in ((0, 2), (0, 2), (17, 3), (17, 3)):  # it claimed two, and then none
        planned.account = replace(ACME, standstill=standstill)
        assert planned.turn().exit_code is ExitCode.HALTED
        assert len(planned.told()) == told


def test_a_turn_by_hand_tells_the_state_that_the_register_has(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    for no, account, state in (
        (1, replace(ACME, worker=None), "ready, due 1970-01-01T00:00:00Z"),
        (2, replace(ACME, worker=None, is_held=True), "held"),
        (3, replace(ACME, worker=None, turn=Turn(AccountState.ATTENTION)), "attention"),
    ):
        planned.account = replace(account, standstill=no)
        with pytest.raises(InputError):
            planned.turn(TurnOrder(planned.plan_id, planned.claims + 1))
        told = planned.told()[-1]
        assert (told["account"], told["state"], "then" in told) == ("acme", state, state == "attention")


def test_an_order_for_a_plan_that_is_not_there_is_told_to_those_of_the_newest(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    turn = planned.turn(TurnOrder("p123", 7))
    assert (turn.exit_code, turn.is_order_done) == (ExitCode.INPUT, True)
    (told,) = planned.told()
    assert (told["plan_id"], told["state"]) == ("p123", "attention")
    assert "told" in planned.heard


def test_a_policy_that_nobody_approved_names_no_receiver(tmp_path: Path) -> None:
    planned = Told(tmp_path, soak=APPROVALS)
    for order in (planned.order(1.0), TurnOrder("p123", 7)):  # the plan itself, and the newest one in place of another
        with suppress(Halted):
            planned.turn(order)
        assert planned.told() == []
    planned.approve("ann")
    with pytest.raises(Halted):
        planned.turn(planned.order(1.0))
    assert planned.told() == [], "one of two"
    planned.approve("bob")
    planned.turn(TurnOrder("p123", 7))
    (told,) = planned.told()
    assert (told["plan_id"], told["account"]) == ("p123", "acme")


def test_a_plan_that_was_begun_speaks_for_an_order_that_nobody_approved(tmp_path: Path) -> None:
    planned = Told(tmp_path, soak=APPROVALS)
    planned.approve("ann")
    planned.approve("bob")
    planned.turn(planned.order(1.0, max_sims=2))
    (capped,) = planned.told()
    with site_of(planned.world, planned.outside) as site:
        other = plan(site, tmp_path / "policy.toml")
    with pytest.raises(Halted):
        planned.turn(TurnOrder(other.plan_id, other.claims))
    assert [one["plan_id"] for one in planned.told()] == [capped["plan_id"], other.plan_id]


def test_a_key_that_is_lacking_is_told_before_any_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = Told(tmp_path)
    assert planned.turn(planned.order(1.0, max_sims=2)).exit_code is ExitCode.HALTED
    (capped,) = planned.told()
    monkeypatch.setattr(SimulatedOutside, "target", no_login)
    turn = planned.turn()
    assert turn.exit_code is ExitCode.INPUT
    assert [one["reason"] for one in planned.told()] == [capped["reason"], "HOLOGRAM_API_KEY is not set"]


def test_what_a_run_told_itself_is_not_told_again(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    assert planned.turn(planned.order(1.0, max_sims=2)).exit_code is ExitCode.HALTED
    assert len(planned.told()) == 1
    assert "told" in planned.heard


def test_what_nobody_foresaw_is_told_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = Told(tmp_path)

    def defect(*_args: Any, **_options: Any) -> Any:
        raise TypeError("a-secret")

    monkeypatch.setattr(SimulatedOutside, "target", defect)
    with pytest.raises(TypeError):
        planned.turn(planned.order(1.0))
    (told,) = planned.told()
    assert (told["reason"], told["exit_code"]) == ("an unexpected error: TypeError", 1)


def test_a_secret_that_is_known_here_is_told_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = Told(tmp_path)
    planned.turn(planned.order(1.0, max_sims=2))
    monkeypatch.setenv("HOLOGRAM_API_KEY__BOLT", "the-key-of-bolt")
    error = InputError("X is the-key-of-bolt here", hint="unset the-key-of-bolt")
    monkeypatch.setattr(SimulatedOutside, "target", mock.Mock(side_effect=error))
    planned.turn()
    assert [(one["reason"], one["next"]) for one in planned.told()[1:]] == [("X is *** here", "unset ***")]
    with pytest.raises(InputError):
        planned.turn(planned.order(2.0))
    assert "the-key-of-bolt" not in str(planned.told())


def test_a_cutover_that_cannot_begin_is_told_to_those_of_its_plan(tmp_path: Path) -> None:
    planned = Told(tmp_path)
    planned.turn(planned.order(1.0))
    with site_of(planned.world, planned.outside) as site:
        made = plan_cutover(site, site.store.plans.header(planned.plan_id), Demand(Require.VERIFIED, 0.0, site.now()))
    with pytest.raises(InputError):
        planned.turn(TurnOrder(made.cutover_id, made.count + 1))
    (told,) = planned.told()
    assert told["plan_id"] == made.cutover_id


def test_trouble_of_the_store_and_interrupts_are_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = Told(tmp_path)
    for error in (StoreLost("away"), Interrupted("stopped", 130)):
        monkeypatch.setattr(SimulatedOutside, "target", mock.Mock(side_effect=error))
        with pytest.raises(type(error)):
            planned.turn(planned.order(1.0))
    assert planned.told() == []


def test_a_call_of_a_campaign_says_what_becomes_of_its_account(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=SIMS, seed=3)
    world.began(more=RECEIVER, approve=False)
    heard: list[str] = []
    with site_of(world, world.outside, progress=lambda event, _values: heard.append(event)) as site:
        turn = advance(replace(site, turn_of=ACME))
        (told,) = [one.told for one in site.store.outbox.newest(9)]
    assert turn.exit_code is ExitCode.HALTED
    assert (told["account"], told["machine"], told["state"][:11]) == ("acme", "rome/7/a1", "ready, due ")
    assert "then" not in told
    assert heard.count("told") == 1


def test_to_tell_why_a_campaigns_account_stands_is_no_call_of_it(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=2, seed=3)
    world.began(more=RECEIVER, approve=False)
    with site_of(world, world.outside) as site:
        for _ in range(2):
            tell_standstill(replace(site, turn_of=ACME), None, Standstill(ExitCode.ERROR, "its process died"))
        (told,) = [one.told for one in site.store.outbox.newest(9)]
        assert list(site.store.ticks.list()) == []
    assert (told["reason"], told["account"], told["state"]) == ("its process died", "acme", "attention")
