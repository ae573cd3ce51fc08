"""What is used up of `[caps]`, as `plan create`, `apply`, `status` and `report` tell it."""

import json
from dataclasses import replace
from decimal import Decimal

from tests.cli.conftest import POLICY, Desk


def test_every_command_tells_what_other_plans_have_of_the_caps(desk: Desk) -> None:
    first = desk.planned()
    assert desk.run("apply", "--confirm", str(first["claims"]), "--max-sims", "3").code == 6
    capped = desk.write("capped.toml", POLICY + "\n[caps]\nmax_sims = 5\nmax_spend_now = 30.00\n")
    shown = desk.run("plan", "create", "--policy", capped)
    assert shown.code == 0
    assert "over all plans of the organization" in shown.out
    assert "with 3 that other plans have claimed for 3.00" in shown.err
    second = desk.json("plan", "show").data
    caps = {name: second["caps"][name] for name in ("scope", "max_sims", "used_sims", "left_sims", "left_spend")}
    assert caps == {"scope": "organization", "max_sims": 5, "used_sims": 3, "left_sims": 2, "left_spend": "27.00"}
    ended = desk.run("apply", "--confirm", str(second["claims"]))
    assert ended.code == 6
    assert f"other plans 3 for 3.00 ({first['plan_id']}: 3)" in ended.err
    assert len(desk.rehearsal.hologram.ledger.charges) == 3
    assert desk.run("apply", "--max-sims", "2").code == 6
    assert desk.json("status").data["caps"]["left_sims"] == 0
    assert "over all plans of the organization" in desk.run("status").out
    desk.run("report", "--format", "json,md", "--out", "told")
    money = json.loads((desk.folder / "told" / "reconciliation.json").read_text())["money"]
    assert (money["caps_scope"], money["caps_max_sims"], money["caps_used_sims"]) == ("organization", "5", "5")
    assert "caps scope: organization" in (desk.folder / "told" / "reconciliation.md").read_text()


def test_a_plan_by_itself_is_told_as_such(desk: Desk) -> None:
    plan = desk.planned(POLICY + '\n[caps]\nscope = "plan"\n')
    assert plan["caps"]["scope"] == "plan"
    assert "of this plan alone" in desk.run("plan", "show").out


def test_a_price_that_rose_ends_with_exit_5_and_both_prices(desk: Desk) -> None:

    plan = desk.planned()
    hologram = desk.rehearsal.hologram
    hologram.behaviour = replace(hologram.behaviour, price_times=Decimal("12.5"))
    for words in (["--dry-run"], ["--confirm", str(plan["claims"])]):
        ended = desk.run("apply", *words)
        assert ended.code == 5
        assert "costs 12.50 now, and cost 1.00 when the plan was made" in ended.err
    hologram.behaviour = replace(hologram.behaviour, amount_shown="USD 90.00")
    ended = desk.run("plan", "create", "--policy", "policy.toml")
    assert ended.code == 6
    assert "USD 90.00" in ended.err
    assert hologram.ledger.charges == {}
