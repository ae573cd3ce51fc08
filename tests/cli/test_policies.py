"""Policies with rules, waves that select, and `plan explain`, from the command line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY, Desk

PLANS = Path(__file__).parents[2] / "plans"
RULED = (
    POLICY.replace("[[waves]]", '[[waves]]\nname = "bench"\niccids = "bench.txt"\n[[waves]]', 1)
    + """
[[rule]]
name = "tight"
when = { iccids = "bench.txt" }
[rule.data_limit]
maximum_mb = 2
"""
)


def sources(desk: Desk) -> list[str]:
    assert desk.run("inventory", "export", "sims.jsonl").code == 0
    lines = (desk.folder / "sims.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["iccid"] for line in lines]


def ruled(desk: Desk) -> list[str]:
    """A plan with a wave and a rule for two listed SIMs. Returns: their ICCIDs."""
    desk.paired()
    listed = sources(desk)[-2:]
    desk.write("bench.txt", "".join(f"{iccid}\n" for iccid in listed))
    assert desk.run("plan", "create", "--policy", desk.write("policy.toml", RULED)).code == 0
    return listed


def test_a_listed_sim_goes_with_its_wave_and_has_what_its_rule_gives(desk: Desk) -> None:
    listed = ruled(desk)
    sims = {sim["source_iccid"]: sim for sim in desk.json("plan", "show", "--sims", "100").data["sims"]}
    for iccid in listed:
        assert sims[iccid]["rule"] == "tight"
        if sims[iccid]["action"] == "CLAIM":
            assert (sims[iccid]["wave"], sims[iccid]["overage_limit_bytes"] <= 2 * 1_048_576) == ("bench", True)
    assert {sim["rule"] for iccid, sim in sims.items() if iccid not in listed} == {""}


def test_the_plan_is_carried_out_without_the_list_that_made_it(desk: Desk) -> None:
    """Between plan and apply somebody moved the policy and its list: the plan itself holds all that matters."""
    ruled(desk)
    claims = desk.json("plan", "list").data["plans"][0]["claims"]
    (desk.folder / "bench.txt").unlink()
    (desk.folder / "policy.toml").unlink()
    assert desk.run("apply", "--confirm", str(claims)).code == 0


def test_a_changed_list_makes_the_plan_stale(desk: Desk) -> None:
    listed = ruled(desk)
    claims = desk.json("plan", "list").data["plans"][0]["claims"]
    desk.write("bench.txt", listed[0])
    ended = desk.run("apply", "--confirm", str(claims))
    assert ended.code == 5
    assert "policy.toml was changed since" in ended.err


def test_explain_tells_each_value_and_who_gave_it(desk: Desk) -> None:
    iccid = ruled(desk)[0]
    told = desk.json("plan", "explain", iccid).data
    assert (told["source_iccid"], told["rule"]) == (iccid, "tight")
    limit = next(value for value in told["values"] if value["what"] == "data limit")
    assert {"section": "data_limit", "key": "maximum_mb", "value": "2", "rule": "tight"} in limit["given_by"]
    words = desk.run("plan", "explain", iccid, told["plan_id"])
    assert words.code == 0
    assert 'Rule "tight" fits it: listed in its file of ICCIDs.' in words.out
    assert 'rule "tight" [rule.data_limit] maximum_mb = 2' in words.out


@pytest.mark.parametrize("words", [("8988228999999999999",), ("12",), ("8988228999999999999", "p0")])
def test_explain_of_what_is_not_there_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    desk.planned()
    ended = desk.json("plan", "explain", *words)
    assert ended.code == 2
    assert ended.document["errors"][0]["hint"]


def test_the_plan_shows_what_each_wave_takes_and_each_rule_allows(desk: Desk) -> None:
    ruled(desk)
    shown = desk.run("plan", "show")
    assert "for a lifetime" in shown.out
    assert "largest bill per period" in shown.out
    assert "start anew every billing period" in shown.err
    told = desk.json("plan", "show").data
    assert [wave["wave"] for wave in told["by_wave"]] == ["bench", "canary", "rest"]
    assert {group["rule"] for group in told["groups"]} <= {"tight", "default"}
    assert sum(wave["claims"] for wave in told["by_wave"]) == told["claims"]


@pytest.mark.parametrize("name", ["default", "cautious", "fixed-cap", "remaining-quota"])
def test_every_policy_that_ships_makes_a_plan(desk: Desk, name: str) -> None:
    assert desk.run("inventory", "pull", "--quotas").code == 0
    assert desk.run("pair", "pool", desk.pool()).code == 0
    shutil.copy(PLANS / f"{name}.toml", desk.folder / "policy.toml")
    plan = desk.json("plan", "create", "--policy", "policy.toml")
    assert plan.code == 0, plan.err
    assert plan.data["claims"] > 0
    assert sum(plan.data["counts"].values()) == desk.sims
