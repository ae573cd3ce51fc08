"""A policy may ask for more than one pair of eyes: nothing goes out before they all have looked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.core.plan.approvals import Approval, approvers
from migrator.inputs.files.toml import TomlFile
from migrator.inputs.policy import file as policy_file
from migrator.store import Store
from tests.cli.conftest import POLICY, Desk

Requires = Callable[[int], None]


@pytest.fixture
def requires(monkeypatch: pytest.MonkeyPatch) -> Requires:
    """Have every policy that is read ask for so many approvals."""
    loaded = policy_file._loaded

    def require(people: int) -> None:
        def with_approvals(file: TomlFile, folder: Path | None) -> policy_file.LoadedPolicy:
            found = loaded(file, folder)
            return replace(found, policy=replace(found.policy, approvals=people))

        monkeypatch.setattr(policy_file, "_loaded", with_approvals)

    return require


def writes(desk: Desk) -> int:
    return sum(entry.method != "GET" for entry in desk.rehearsal.hologram.ledger.entries)


def approve(desk: Desk, name: str, claims: int, *words: str) -> int:
    return desk.run("plan", "approve", "--as", name, "--confirm", str(claims), *words).code


def test_nothing_is_sent_before_as_many_people_approved_as_the_policy_asks_for(desk: Desk, requires: Requires) -> None:
    requires(2)
    claims = desk.planned()["claims"]
    for name in (None, "ann"):
        if name:
            assert approve(desk, name, claims) == 0
        ended = desk.run("apply", "--confirm", str(claims))
        assert ended.code == 6
        assert "migrator plan approve" in ended.err
        assert writes(desk) == 0
    assert "has 1 (ann)" in ended.err
    assert approve(desk, "ben", claims) == 0
    assert desk.run("apply", "--confirm", str(claims)).code == 0


def test_the_policy_file_asks_for_them(desk: Desk) -> None:
    claims = desk.planned(POLICY + "[approvals]\nrequired = 1\n")["claims"]
    assert desk.run("apply", "--confirm", str(claims)).code == 6
    assert writes(desk) == 0
    assert approve(desk, "ann", claims) == 0
    assert desk.run("apply", "--confirm", str(claims)).code == 0


def test_one_person_counts_once_however_the_name_is_written(desk: Desk, requires: Requires) -> None:
    requires(2)
    claims = desk.planned()["claims"]
    for name in ("ann", "Ann", "  ANN "):
        assert approve(desk, name, claims) == 0
    assert desk.run("apply", "--confirm", str(claims)).code == 6
    assert desk.json("plan", "show").data["approvals"]["approvers"] == ["ann"]


def test_a_resume_needs_the_approvals_too(desk: Desk, requires: Requires) -> None:
    claims = desk.planned()["claims"]
    assert desk.run("apply", "--confirm", str(claims), "--max-sims", "3").code == 6
    before = writes(desk)
    requires(1)
    ended = desk.run("apply")
    assert ended.code == 6
    assert "approval" in ended.err
    assert writes(desk) == before
    assert approve(desk, "ann", claims) == 0
    assert desk.run("apply").code == 0


def test_an_approval_of_other_changes_does_not_count(desk: Desk, requires: Requires) -> None:
    requires(1)
    plan = desk.planned()
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        store.approvals.add(plan["plan_id"], Approval("ann", 0.0, "another hash"))
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 6
    assert writes(desk) == 0


def test_an_approval_does_not_pass_on_to_a_newer_plan(desk: Desk, requires: Requires) -> None:
    requires(1)
    assert approve(desk, "ann", desk.planned()["claims"]) == 0
    desk.rehearsal.onence.fleet[0].label = "renamed"
    desk.run("inventory", "pull")
    newer = desk.json("plan", "create", "--policy", "policy.toml").data
    assert desk.run("apply", "--confirm", str(newer["claims"])).code == 6


def test_an_approval_takes_the_number_of_claims(desk: Desk) -> None:
    claims = desk.planned()["claims"]
    assert desk.run("plan", "approve", "--as", "ann").code == 2
    assert approve(desk, "ann", claims + 1) == 2
    assert desk.json("plan", "show").data["approvals"]["given"] == []


def test_who_when_why_and_for_which_changes_is_shown(desk: Desk) -> None:
    plan = desk.planned()
    assert approve(desk, "ann", plan["claims"], "--note", "seen with finance") == 0
    (given,) = desk.json("plan", "show").data["approvals"]["given"]
    assert (given["approved_by"], given["note"]) == ("ann", "seen with finance")
    assert given["changes_sha256"] == plan["fingerprints"]["changes"]
    assert given["approved_at"]
    assert "seen with finance" in desk.run("plan", "show").out
    assert desk.json("plan", "list").data["plans"][0]["approvals"]["approvers"] == ["ann"]


def test_without_a_name_it_is_the_login_at_this_host(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "carla")
    monkeypatch.setattr("socket.gethostname", lambda: "desk9")
    claims = desk.planned()["claims"]
    assert desk.run("plan", "approve", "--confirm", str(claims)).code == 0
    assert desk.json("plan", "show").data["approvals"]["approvers"] == ["carla@desk9"]


@pytest.mark.parametrize("name", ["", "  ", "a\x1b[2Jb", "x" * 101, "ann\u202e"])
def test_a_name_that_nobody_could_read_later_is_refused(desk: Desk, name: str) -> None:
    assert approve(desk, name, desk.planned()["claims"]) == 2


def test_a_plan_file_can_be_approved_if_it_is_the_stored_plan(desk: Desk) -> None:
    claims = str(desk.planned()["claims"])
    desk.run("plan", "export", "plan.jsonl")
    assert desk.run("plan", "approve", "plan.jsonl", "--as", "ann", "--confirm", claims).code == 0


def test_the_exported_plan_does_not_change_with_its_approvals(desk: Desk) -> None:
    claims = desk.planned()["claims"]
    desk.run("plan", "export", "before.jsonl")
    approve(desk, "ann", claims)
    desk.run("plan", "export", "after.jsonl")
    assert (desk.folder / "before.jsonl").read_bytes() == (desk.folder / "after.jsonl").read_bytes()


def test_a_stale_plan_is_not_approved(desk: Desk) -> None:
    claims = desk.planned()["claims"]
    desk.rehearsal.onence.fleet[0].label = "renamed"
    desk.run("inventory", "pull")
    assert approve(desk, "ann", claims) == 5


def test_a_used_plan_is_not_approved(desk: Desk) -> None:
    assert approve(desk, "ann", desk.applied()["claims"]) == 2


def test_a_plan_whose_lines_were_changed_in_the_store_is_not_approved(desk: Desk) -> None:
    claims = desk.planned()["claims"]
    with Store.open("sqlite:///migrator.db", now=0.0) as store, store._db.write() as connection:
        connection.exec_driver_sql("UPDATE changes SET document = replace(document, 'from-1nce', 'from-2nce')")
    ended = desk.run("plan", "approve", "--as", "ann", "--confirm", str(claims))
    assert ended.code == 5
    assert "changed in the store" in ended.err


def test_approvers_are_told_in_the_order_of_their_first_approval() -> None:
    given = [Approval("ben", 1, "h"), Approval("ann", 2, "h"), Approval("BEN", 3, "h"), Approval("cy", 4, "other")]
    assert approvers(given, "h") == ("ben", "ann")


def test_a_policy_that_asks_for_nobody_needs_no_approval(desk: Desk) -> None:
    assert "[approvals]" not in POLICY
    assert desk.run("apply", "--confirm", str(desk.planned()["claims"])).code == 0
