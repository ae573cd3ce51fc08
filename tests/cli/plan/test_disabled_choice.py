"""`[status] disabled` is a choice of money: a policy that does not make it plans no fleet with disabled SIMs."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator import SimStatus
from migrator.inputs.policy.file import parse_policy
from tests.cli.conftest import POLICY, Desk, Ended

STATED = '[status]\ndisabled = "pause"\n'
SILENT = POLICY.replace(STATED, "")


def disabled(desk: Desk) -> int:
    return sum(sim.status == SimStatus.DISABLED for sim in desk.rehearsal.onence.fleet)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with a fleet in which every fourth SIM is disabled."""
    return some_off(make_desk())


def some_off(desk: Desk) -> Desk:
    for sim in list(desk.rehearsal.onence.fleet)[::4]:
        sim.status = SimStatus.DISABLED
    return desk


def made(desk: Desk, text: str, *words: str) -> Ended:
    return desk.run("plan", "create", "--policy", desk.write("policy.toml", text), *words)


def test_a_policy_that_is_silent_about_disabled_sims_makes_no_plan_and_is_told_what_a_pause_costs(desk: Desk) -> None:
    assert STATED in POLICY
    desk.paired()
    sims = disabled(desk)
    assert sims > 0
    ended = made(desk, SILENT)
    assert ended.code == 2
    assert (
        f"policy.toml: [status] disabled is missing, and the inventory has disabled SIMs for this plan: {sims}"
        in ended.err
    )
    assert f"{Decimal(sims):.2f} a month" in ended.err
    for choice in ("skip", "pause", "live", "block"):
        assert f'"{choice}"' in ended.err
    assert desk.json("plan", "list").data["plans"] == []
    reads = [entry.path for entry in desk.rehearsal.hologram.ledger.entries]
    assert not any("links/cellular" in path for path in reads), "nothing is read of SIMs that are not planned"


@pytest.mark.parametrize("choice", ["skip", "pause", "live", "block"])
def test_any_choice_will_do(desk: Desk, choice: str) -> None:
    desk.paired()
    assert made(desk, POLICY.replace('disabled = "pause"', f'disabled = "{choice}"')).code == 0


def test_a_fleet_without_disabled_sims_needs_no_choice(desk: Desk) -> None:
    for sim in desk.rehearsal.onence.fleet:
        if sim.status == SimStatus.DISABLED:
            sim.status = SimStatus.ENABLED
    desk.paired()
    assert made(desk, SILENT).code == 0


def test_a_choice_is_asked_for_where_the_plan_acts_and_not_for_the_sims_that_it_leaves_out(desk: Desk) -> None:
    desk.paired()
    assert made(desk, SILENT, "--where", 'status == "enabled"').code == 0
    assert made(desk, SILENT, "--where", 'status == "disabled"').code == 2


def test_a_rule_may_make_the_choice_for_its_sims(desk: Desk) -> None:
    desk.paired()
    rule = '[[rule]]\nname = "off"\nwhen = { status = "disabled" }\n[rule.status]\ndisabled = "skip"\n'
    assert made(desk, SILENT + rule).code == 0
    other = rule.replace('[rule.status]\ndisabled = "skip"', "[rule.sms_limit]\nmaximum = 5")
    assert made(desk, SILENT + other).code == 2


def test_where_no_price_is_shown_the_choice_is_asked_for_all_the_same(make_desk: Callable[..., Desk]) -> None:
    desk = some_off(make_desk(behaviour=HologramBehaviour(plan_prices_shown=False)))
    desk.paired()
    ended = made(desk, SILENT)
    assert ended.code == 2
    assert "Hologram shows no price" in ended.err


def test_a_plan_of_an_older_tool_whose_policy_is_silent_is_carried_out_as_it_was_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.paired()
    with monkeypatch.context() as older:
        older.setattr("migrator.workflows.plans.make.must_have_chosen", lambda *_args, **_more: None)
        ended = made(desk, SILENT)
    assert ended.code == 0, ended.err
    plan = desk.json("plan", "show").data
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    assert desk.run("verify").code == 0
    assert desk.run("plan", "show", "--action", "CLAIM").code == 0


def test_a_silent_policy_has_the_fingerprint_that_it_always_had() -> None:
    """Else a policy that nobody touched would make its plans stale."""
    said, silent = (parse_policy(text, name="p") for text in (POLICY, SILENT))
    assert said.fingerprint == silent.fingerprint
    assert (said.says_disabled, silent.says_disabled) == (True, False)


@pytest.mark.parametrize("name", sorted(path.name for path in Path(__file__).parents[3].glob("plans/*.toml")))
def test_every_policy_that_we_offer_makes_the_choice(name: str) -> None:
    path = Path(__file__).parents[3] / "plans" / name
    assert parse_policy(path.read_text(encoding="utf-8"), name=name, folder=path.parent).says_disabled
