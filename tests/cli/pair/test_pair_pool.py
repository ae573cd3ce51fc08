"""`pair pool`: to whom new SIMs are dealt, so that none is spent on a SIM that stays behind."""

import json
from collections import Counter
from pathlib import Path

import pytest

from migrator.carriers.onence.simulator.model import SimStatus
from tests.cli.conftest import POLICY, Desk

LEFT = """\
[[rule]]
name = "the first label stays"
when = { label = "Unit*" }
[rule.status]
enabled = "skip"
"""


def fleet(desk: Desk) -> list[dict[str, str]]:
    """The SIMs of the inventory, some of them expired."""
    assert desk.run("inventory", "pull").code == 0
    return [json.loads(line) for line in desk.run("inventory", "export", "-").out.splitlines()]


def paired(desk: Desk) -> set[str]:
    """Source ICCIDs that have a new SIM."""
    return {line.partition(",")[0] for line in desk.run("pair", "export", "-").out.splitlines()[1:]}


@pytest.fixture
def aged(desk: Desk) -> Desk:
    """A desk where three SIMs are expired."""
    for number in (0, 5, 11):
        desk.rehearsal.onence.fleet[number].status = SimStatus.EXPIRED
    return desk


def test_a_pool_spares_sims_that_the_policy_skips(aged: Desk) -> None:
    sims = fleet(aged)
    statuses = Counter(sim["status"] for sim in sims)
    ended = aged.json("pair", "pool", aged.pool(), "--policy", aged.write("policy.toml", POLICY))
    assert ended.code == 0, ended.err
    assert ended.data["left_out"] == statuses["expired"] >= 3
    assert (ended.data["for_expired"], ended.data["unpaired"]) == (0, 0)
    assert paired(aged) == {sim["iccid"] for sim in sims if sim["status"] != "expired"}
    plan = aged.json("plan", "create", "--policy", "policy.toml").data
    assert plan["reasons"].get("no_pairing", 0) == 0


def test_a_pool_follows_the_rules_of_the_policy_too(aged: Desk) -> None:
    sims = fleet(aged)
    aged.run("pair", "pool", aged.pool(), "--policy", aged.write("policy.toml", POLICY + LEFT))
    stays = {s["iccid"] for s in sims if s["status"] == "enabled" and (s["label"] or "").startswith("Unit")}
    assert stays
    assert paired(aged) == {s["iccid"] for s in sims if s["status"] != "expired"} - stays


def test_a_pool_is_dealt_to_those_that_an_expression_picks(aged: Desk) -> None:
    sims = fleet(aged)
    ended = aged.json("pair", "pool", aged.pool(), "--where", 'status == "disabled" or iccid like "*1"')
    assert ended.code == 0, ended.err
    picked = {s["iccid"] for s in sims if s["status"] == "disabled" or s["iccid"].endswith("1")}
    assert paired(aged) == picked
    assert ended.data["left_out"] == len(sims) - len(picked)


def test_an_expression_and_a_policy_both_count(aged: Desk) -> None:
    sims = fleet(aged)
    aged.run("pair", "pool", aged.pool(), "--where", "not paired", "--policy", aged.write("policy.toml", POLICY))
    assert paired(aged) == {sim["iccid"] for sim in sims if sim["status"] != "expired"}


def test_a_pool_for_everybody_says_how_many_new_sims_went_to_expired_ones(aged: Desk) -> None:
    expired = sum(sim["status"] == "expired" for sim in fleet(aged))
    ended = aged.json("pair", "pool", aged.pool())
    assert ended.data["for_expired"] == expired
    assert f"of these pairs, {expired} for expired SIMs" in ended.err
    assert "--policy FILE" in ended.err


def test_what_is_left_of_a_pool_is_said_to_stand_in_its_file_alone(aged: Desk) -> None:
    fleet(aged)
    left = aged.run("pair", "pool", aged.pool(), "--where", 'status == "expired"')
    assert "The unused stand in pool.txt alone" in left.out
    assert "The unused" not in aged.run("pair", "pool", "pool.txt").out


def test_many_problems_of_a_pool_are_all_in_a_file(aged: Desk) -> None:
    fleet(aged)
    bad = aged.write("bad.txt", "".join(f"no iccid {number}\n" for number in range(70)))
    ended = aged.run("pair", "pool", bad)
    assert ended.code == 2
    assert (ended.err.count("is not an ICCID"), "70 problems" in ended.err) == (50, True)
    assert "all are in" in ended.err
    assert len(Path("pool-problems.txt").read_text(encoding="utf-8").splitlines()) == 70


def test_the_problems_of_a_pool_go_where_they_were_asked_for(aged: Desk) -> None:
    sims = fleet(aged)
    ended = aged.run("pair", "pool", aged.write("own.txt", sims[0]["iccid"]), "--problems", "found.txt")
    assert ended.code == 2
    assert "the pool holds 1 SIM of the old fleet" in ended.err
    assert "is this the right file?" in ended.err
    (line,) = Path("found.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith(f"own.txt:1: {sims[0]['iccid']} is an old SIM of the inventory [target_is_source]")
    assert not Path("pool-problems.txt").exists()


def test_one_problem_of_a_pool_is_told_once_and_in_no_file(aged: Desk) -> None:
    fleet(aged)
    ended = aged.run("pair", "pool", aged.write("bad.txt", "hello\n"))
    assert (ended.code, ended.err.count("bad.txt")) == (2, 1)
    assert not Path("pool-problems.txt").exists()


def test_a_vendors_list_is_read_by_its_columns_and_its_secrets_stay_in_it(aged: Desk) -> None:
    sims = fleet(aged)
    new = Path(aged.pool()).read_text(encoding="utf-8").split()
    rows = "".join(f"{number};{iccid};4{number:03d};5550{number:04d}\n" for number, iccid in enumerate(new))
    ended = aged.json("pair", "pool", aged.write("vendor.csv", f"Delivery of May\n\nNo;Karte;PIN1;PUK1\n{rows}"))
    assert (ended.code, "5550" in ended.out + ended.err) == (2, False)
    ended = aged.json("pair", "pool", "vendor.csv", "--column", "iccid=Karte")
    assert (ended.code, ended.data["added"], ended.data["unused_columns"]) == (0, len(sims), ["No", "PIN1", "PUK1"])
    assert b"55500001" not in b"".join(path.read_bytes() for path in Path().iterdir() if path.name != "vendor.csv")


def test_a_delivery_note_is_dealt_when_its_quantity_agrees(aged: Desk) -> None:
    sims = fleet(aged)
    first, last = "8944501000000000001", f"89445010000000{len(sims):05d}"
    note = "ICCID FROM;ICCID TO;QTY\n{};{};{}\n"
    wrong = aged.json("pair", "pool", aged.write("note.csv", note.format(first, last, len(sims) + 1)))
    assert (wrong.code, wrong.document["errors"][0]["code"]) == (2, "wrong_quantity")
    right = aged.json("pair", "pool", aged.write("note.csv", note.format(first, last, len(sims))))
    assert (right.code, right.data["added"]) == (0, len(sims))


def test_pairs_are_read_from_the_columns_that_are_named(aged: Desk) -> None:
    sims = fleet(aged)
    new = Path(aged.pool()).read_text(encoding="utf-8").split()
    rows = "".join(f"{iccid},{sim['iccid']}\n" for iccid, sim in zip(new, sims, strict=True))
    file = aged.write("pairs.csv", f"ours,theirs\n{rows}")
    assert aged.run("pair", "import", file).code == 2
    assert aged.run("pair", "import", file, "--column", "nothing=1").code == 2
    words = ("--column", "source_iccid=theirs", "--column", "target_iccid=ours")
    assert aged.json("pair", "import", file, *words).data["added"] == len(sims)


@pytest.mark.parametrize("words", [("--where", "status = 3"), ("--policy", "none.toml")])
def test_what_cannot_be_read_changes_nothing(aged: Desk, words: tuple[str, str]) -> None:
    fleet(aged)
    assert aged.run("pair", "pool", aged.pool(), *words).code == 2
    assert not paired(aged)
    assert Path("migrator.db").exists()
