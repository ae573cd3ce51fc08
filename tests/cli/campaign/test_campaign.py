"""Commands of a campaign, over HTTP."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.cli.conftest import CAMPAIGN, POLICY, Desk

BOUNDS = f"""{CAMPAIGN}approvals = 2
"""


def must_be_evidence(desk: Desk) -> None:
    """Written, and checked without the store."""
    written = desk.run("campaign", "report", "--evidence", "north.zip", "--format", "json")
    assert written.code == 0
    assert "`migrator audit verify north.zip` checks it" in written.out.replace("\n", " ")
    (desk.folder / "migrator.db").rename(desk.folder / "away.db")
    checked = desk.json("audit", "verify", "north.zip")
    assert (checked.code, checked.data["campaign"]["name"], checked.data["problems"]) == (0, "north", [])
    noted = ("--manifest", checked.data["manifest_sha256"], "--head", checked.data["head"])
    assert "The evidence of campaign north holds" in desk.run("audit", "verify", "north.zip", *noted).out
    assert desk.run("audit", "verify", "north.zip", "--manifest", "0" * 64).code == 3


def test_a_campaign_from_its_policy_to_its_end(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=8)
    desk.paired()
    made = desk.run("campaign", "create", "--policy", desk.write("policy.toml", POLICY + BOUNDS), "--name", "north")
    assert made.code == 0
    assert "campaign approve" in made.out
    again = desk.run("campaign", "create", "--policy", "policy.toml")
    assert again.code == 2
    assert "is not ended" in again.err
    fresh = desk.run("campaign", "status").out
    assert "Newest ticks" not in fresh  # no table without a row
    assert "Where the SIMs are" in fresh
    assert "Next: `migrator campaign approve`" in fresh
    assert desk.json("campaign", "approve", "--by", "ann").data["state"] == "made"
    assert desk.run("campaign", "run", "--once").code == 6
    assert not desk.rehearsal.hologram.ledger.charges
    seen = " ".join(desk.run("campaign", "approve", "--by", "ann").out.split())
    assert "pairs that the hardware settles ask" in seen
    assert "failures past 10 of the newest 200 units nothing is claimed" in seen
    approved = desk.json("campaign", "approve", "--by", "bob", "--ref", "CHG0042").data
    assert (approved["state"], approved["people"]) == ("approved", ["ann", "bob"])
    ran = desk.json("campaign", "run", "--once")
    charged = len(desk.rehearsal.hologram.ledger.charges)
    assert ran.code == 0
    assert ran.data["told"]["claimed"] == charged > 0
    told = desk.json("campaign", "status").data
    assert told["claims"]["so_far"] == charged
    assert [one["exit_code"] for one in told["ticks"]] == [0, 6]
    shown = desk.run("campaign", "status").out
    assert "50,000" in shown
    assert told["headline"] in shown.replace("\n", " ")
    assert f"Next: {told['next'][0]}".split("`")[0] in shown
    assert desk.run("pair", "export", "known.csv").code == 0
    assert "Next: the next `migrator campaign run`" in desk.run("pair", "correct", "known.csv", "--reason", "seen").out
    assert desk.run("campaign", "pause", "--by", "ann").code == 0
    held, idle = desk.run("campaign", "status").out.splitlines()[-2:]
    assert (held.split("`")[1], idle[:6]) == ("migrator campaign resume --by NAME", "Then: ")
    assert "Next: `migrator campaign run" not in desk.run("campaign", "approve", "--by", "ann").out, "it is paused"
    assert desk.run("campaign", "run", "--once").code == 6
    assert desk.run("campaign", "resume", "--by", "ann").code == 0
    assert desk.run("campaign", "retry", "--code", "claim_refused").code == 0
    assert desk.run("campaign", "end", "--by", "ann").code == 0
    ended = desk.run("campaign", "run", "--once")
    assert ended.code == 2
    assert "campaign 'north' is ended" in ended.err
    assert "campaign create" in ended.err
    last = desk.run("campaign", "status")
    assert last.code == 0
    assert "'north': ended at 20" in last.out
    must_be_evidence(desk)


def test_a_plan_of_a_campaign_goes_on_by_the_campaigns_command(make_desk: Callable[..., Desk]) -> None:
    """`apply` would go on past the campaign's bounds."""
    desk = make_desk(sims=4)
    desk.paired()
    desk.run("campaign", "create", "--policy", desk.write("policy.toml", POLICY + BOUNDS.replace("= 2\n", "= 1\n")))
    desk.run("campaign", "approve", "--by", "ann")
    plan_id = desk.json("campaign", "run", "--once").data["told"]["plans"][0]
    with closing(sqlite3.connect(desk.folder / "migrator.db")) as store, store:
        store.executescript("UPDATE plans SET state = 'started'; DELETE FROM steps; DELETE FROM verifications")

    def told() -> tuple[str, str, str]:
        desk.run("report", plan_id, "--out", "out")
        names = ("reconciliation.html", "reconciliation.md")
        return desk.json("status", plan_id).data["next"], *((desk.folder / "out" / name).read_text() for name in names)

    for words in told():
        assert "migrator campaign run --once" in words
        assert "migrator apply" not in words
    desk.run("campaign", "end", "--by", "ann")
    for words in told():
        assert f"migrator apply {plan_id}" in words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "say how often"),
        (("run", "--once", "--every", "15m"), "say how often"),
        (("retry",), "name the SIMs"),
        (("status",), "no campaign"),
        (("report", "--evidence", "x.zip"), "no campaign"),
        (("report", "--evidence", "x.zip", "--campaign", "north"), "no campaign 'north'"),
        (("report", "--campaign", "north"), "--evidence"),
    ],
)
def test_what_makes_no_sense_is_refused(make_desk: Callable[..., Desk], words: tuple[str, ...], told: str) -> None:
    desk = make_desk(sims=2)
    desk.run("inventory", "pull")
    ended = desk.run("campaign", *words)
    assert ended.code == 2
    assert told in ended.err


def test_a_policy_without_bounds_makes_no_campaign(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=2)
    ended = desk.run("campaign", "create", "--policy", desk.write("policy.toml", POLICY))
    assert ended.code == 2
    assert "[campaign]" in ended.err


def test_ticks_are_repeated_until_interrupted(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk, naps = make_desk(sims=2), list[float]()
    desk.run("campaign", "create", "--policy", desk.write("policy.toml", POLICY + BOUNDS))

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("migrator.cli.campaign.run.time.sleep", nap)
    ended = desk.run("campaign", "run", "--every", "15m")
    assert ended.code == 130
    assert naps == [900.0, 900.0]
    assert "tick 2: exit code 6" in ended.err


def test_a_days_bound_is_said_to_wait_and_is_no_error(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=8)
    desk.paired()
    bounds = "\n".join("claims_per_day = 2" if "claims_per_day" in line else line for line in CAMPAIGN.splitlines())
    desk.run("campaign", "create", "--policy", desk.write("policy.toml", f"{POLICY}{bounds}\n"), "--name", "north")
    desk.run("campaign", "approve", "--by", "ann")
    ran = desk.run("campaign", "run", "--once")
    assert (ran.code, len(desk.rehearsal.hologram.ledger.charges)) == (7, 2)
    assert "waits: [campaign] claims_per_day holds back what is due today" in ran.err
    assert "error:" not in ran.err
