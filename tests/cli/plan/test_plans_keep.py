"""A plan never changes, is used once, and knows when the world it was made from is another."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator.model import SimStatus, SimulatedSourceSim
from tests.cli.conftest import POLICY, Desk

REMAINING = POLICY + '[data_limit]\nbasis = "remaining"\nwhen_zero = "pause"\n[sms_limit]\nbasis = "remaining"\n'


def writes(desk: Desk) -> int:
    return sum(entry.method != "GET" for entry in desk.rehearsal.hologram.ledger.entries)


def enabled(desk: Desk) -> SimulatedSourceSim:
    return next(sim for sim in desk.rehearsal.onence.fleet if sim.status == SimStatus.ENABLED)


def _set(**values: Any) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        for name, value in values.items():
            setattr(enabled(desk), name, value)

    return change


def _gone(desk: Desk) -> None:
    desk.rehearsal.onence.fleet.remove(enabled(desk))


CHANGES: dict[str, tuple[Callable[[Desk], None], str]] = {
    "status": (_set(status=SimStatus.DISABLED), "its status was"),
    "label": (_set(label="another unit"), "its label was"),
    "booked data": (_set(data_quota_mb=Decimal(1500)), "its booked data volume was"),
    "booked SMS": (_set(sms_quota=Decimal(1)), "its booked SMS volume was"),
    "presence": (_gone, "no longer in the inventory"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_plan_is_refused_with_what_changed_and_nothing_is_sent(desk: Desk, what: str) -> None:
    change, words = CHANGES[what]
    plan = desk.planned()
    change(desk)
    assert desk.run("inventory", "pull").code == 0
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 5
    assert words in ended.err
    assert writes(desk) == 0


def test_a_pair_that_was_changed_makes_it_stale(desk: Desk) -> None:
    plan = desk.planned()
    spare = "8944500000000099999"
    desk.rehearsal.hologram.stock([spare])
    source = enabled(desk).iccid
    pairs = desk.write("other.csv", f"source_iccid,target_iccid\n{source},{spare}\n")
    assert desk.run("pair", "import", pairs, "--replace").code == 0
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 5
    assert f"its pair was changed, to {spare}" in ended.err
    assert writes(desk) == 0


def test_a_policy_of_another_content_makes_it_stale_and_another_spelling_does_not(desk: Desk) -> None:
    plan = desk.planned()
    desk.write("policy.toml", "# reviewed\n" + POLICY.replace("count = 3", "count = 0x3"))
    assert desk.run("apply", "--dry-run").code == 0
    desk.write("policy.toml", POLICY.replace("count = 3", "count = 4"))
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 5
    assert "policy.toml was changed" in ended.err
    assert writes(desk) == 0


def test_volumes_that_are_used_up_and_a_pull_of_the_same_leave_it_fresh(desk: Desk) -> None:
    assert desk.run("inventory", "pull", "--quotas").code == 0
    desk.run("pair", "pool", desk.pool())
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", REMAINING)).data
    for sim in desk.rehearsal.onence.fleet:
        sim.data_remaining_mb /= 2
        sim.sms_remaining -= 1
    assert desk.run("inventory", "pull", "--quotas").code == 0
    assert desk.run("inventory", "pull").code == 0
    assert desk.run("apply", "--confirm", str(plan["claims"])).code in {0, 3}
    assert len(desk.rehearsal.hologram.ledger.charges) == plan["claims"]


def test_old_plans_can_always_be_shown_exported_and_compared(desk: Desk) -> None:
    first = desk.planned()["plan_id"]
    assert desk.run("plan", "export", "--plan", first, "before.jsonl").code == 0
    second = desk.json("plan", "create", "--policy", desk.write("policy.toml", REMAINING)).data["plan_id"]
    _gone(desk)
    enabled(desk).label = "another unit"
    desk.run("inventory", "pull")
    third = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    desk.run("apply", "--confirm", str(third["claims"]))
    for plan_id, state in ((first, "created"), (second, "created"), (third["plan_id"], "finished")):
        shown = desk.json("plan", "show", plan_id)
        assert shown.code == 0
        assert (shown.data["plan_id"], shown.data["state"]) == (plan_id, state)
        assert desk.run("plan", "diff", first, plan_id).code == 0
    assert desk.run("plan", "export", "--plan", first, "after.jsonl").code == 0
    assert Path("after.jsonl").read_bytes() == Path("before.jsonl").read_bytes()
    assert len(desk.json("plan", "list").data["plans"]) == 3


def test_a_plan_is_used_once_and_made_again_under_another_name(desk: Desk) -> None:
    first = desk.applied()["plan_id"]
    before = writes(desk)
    assert desk.run("apply", first).code == 0
    assert writes(desk) == before
    again = desk.json("plan", "create", "--policy", "policy.toml").data
    assert again["plan_id"] != first
    assert again["claims"] == 0


def test_a_plan_file_is_shown_and_explained_as_the_plan_that_it_is(desk: Desk) -> None:
    first = desk.planned()["plan_id"]
    desk.run("plan", "export", "first.jsonl")
    desk.write("policy.toml", REMAINING)
    assert desk.json("plan", "create", "--policy", "policy.toml").data["plan_id"] != first
    iccid = enabled(desk).iccid
    shown, explained = desk.json("plan", "show", "first.jsonl"), desk.json("plan", "explain", iccid, "first.jsonl")
    assert [one.data["plan_id"] for one in (shown, explained)] == [first, first]
    assert shown.data == desk.json("plan", "show", first).data


def test_a_file_that_is_no_plan_of_this_store_is_told_as_what_it_is(desk: Desk) -> None:
    desk.planned()
    desk.run("plan", "export", "plan.jsonl")
    edited = Path("plan.jsonl").read_text(encoding="utf-8").replace('"claims":', '"claims":1', 1)
    desk.write("edited.jsonl", edited)
    iccid = enabled(desk).iccid
    for name, words in (("edited.jsonl", "was changed since"), ("policy.toml", "this is not a plan file")):
        for command in (["show"], ["explain", iccid]):
            ended = desk.run("plan", *command, name)
            assert (ended.code, words in ended.err) == (2, True)
    assert "plan.jsonl is a file, and this command goes by a plan's id" in desk.run("status", "plan.jsonl").err
    assert "no such file" in desk.run("plan", "show", "none.jsonl").err
