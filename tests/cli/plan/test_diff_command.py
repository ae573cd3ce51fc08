"""`plan diff`: what changed between two plans, from the store or from files."""

import json
from pathlib import Path

from tests.cli.conftest import POLICY, Desk

PAUSED = POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n')


def two_plans(desk: Desk) -> tuple[str, str]:
    """A plan, and one of another policy after a SIM was renamed."""
    desk.paired()
    first = desk.json("plan", "create", "--policy", desk.write("one.toml", POLICY), "--out", "one.jsonl").data
    desk.rehearsal.onence.fleet[0].label = "renamed"
    desk.run("inventory", "pull")
    second = desk.json("plan", "create", "--policy", desk.write("two.toml", PAUSED), "--out", "two.jsonl").data
    return first["plan_id"], second["plan_id"]


def test_a_plan_and_its_own_file_have_no_differences(desk: Desk) -> None:
    plan = desk.planned()["plan_id"]
    desk.run("plan", "export", "plan.jsonl")
    for sides in ((plan, plan), (plan, "plan.jsonl"), ("plan.jsonl", plan), ("plan.jsonl", "plan.jsonl")):
        ended = desk.run("plan", "diff", *sides, "--exit-code")
        assert ended.code == 0
        assert "no differences" in ended.out


def test_ids_and_files_in_any_mixture_tell_the_same_of_the_sims(desk: Desk) -> None:
    first, second = two_plans(desk)
    told = [
        desk.json("plan", "diff", *sides, "--all").data
        for sides in ((first, second), ("one.jsonl", second), (first, "two.jsonl"), ("one.jsonl", "two.jsonl"))
    ]
    assert all(one["sims"] == told[0]["sims"] and one["fields"] == told[0]["fields"] for one in told)
    assert [one["header"] for one in told[:3]] == [told[0]["header"]] * 3
    assert told[0]["header"]["policy.status.enabled"] == {"before": "live", "after": "pause"}


def test_values_are_told_before_and_after(desk: Desk) -> None:
    first, second = two_plans(desk)
    data = desk.json("plan", "diff", first, second, "--all").data
    renamed = [one for one in data["sims"] if one["fields"].get("source.label", {}).get("after") == "renamed"]
    assert [one["source_iccid"] for one in renamed] == [desk.rehearsal.onence.fleet[0].iccid]
    assert data["kinds"] == {"changed": data["differing"]}
    assert data["fields"]["state"] == sum("state" in one["fields"] for one in data["sims"])


def test_plans_that_differ_exit_with_0_and_with_3_when_asked(desk: Desk) -> None:
    first, second = two_plans(desk)
    assert desk.run("plan", "diff", first, second).code == 0
    assert desk.run("plan", "diff", first, second, "--exit-code").code == 3


def test_added_and_removed_sims_are_told(desk: Desk) -> None:
    desk.paired()
    desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY), "--out", "one.jsonl")
    gone = desk.rehearsal.onence.fleet.pop()
    desk.run("inventory", "pull")
    desk.run("plan", "create", "--policy", "p.toml", "--out", "two.jsonl")
    ended = desk.run("plan", "diff", "one.jsonl", "two.jsonl")
    assert f"removed {gone.iccid}: action" in ended.out
    assert desk.json("plan", "diff", "two.jsonl", "one.jsonl").data["kinds"]["added"] == 1


def test_every_difference_goes_into_a_file_line_by_line(desk: Desk) -> None:
    first, second = two_plans(desk)
    count = desk.json("plan", "diff", first, second, "--out", "diff.jsonl").data["differing"]
    told = [json.loads(line) for line in Path("diff.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(told) == count > 1
    assert desk.run("plan", "diff", first, second, "--all").out.count("changed 8988") == count


def test_two_files_need_no_store(desk: Desk) -> None:
    two_plans(desk)
    Path("migrator.db").unlink()
    assert desk.run("plan", "diff", "one.jsonl", "two.jsonl").code == 0


def test_an_edited_file_or_an_unknown_plan_is_exit_2(desk: Desk) -> None:
    two_plans(desk)
    desk.write("edited.jsonl", Path("one.jsonl").read_text(encoding="utf-8").replace("CLAIM", "NO_OP"))
    assert desk.run("plan", "diff", "edited.jsonl", "two.jsonl").code == 2
    assert desk.run("plan", "diff", "p0", "two.jsonl").code == 2
