"""Bad input and trouble: the right exit code, one clear message with the remedy, and nothing changed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.errors import Interrupted
from migrator.store import Store
from migrator.wiring import SystemClock, owner
from tests.cli.conftest import POLICY, Desk


def writes(desk: Desk) -> int:
    return sum(entry.method != "GET" for entry in desk.rehearsal.hologram.ledger.entries)


def test_missing_settings_are_all_named_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONENCE_CLIENT_ID")
    monkeypatch.delenv("ONENCE_CLIENT_SECRET")
    ended = desk.run("inventory", "pull")
    assert ended.code == 2
    assert "ONENCE_CLIENT_ID" in ended.err
    assert "ONENCE_CLIENT_SECRET" in ended.err
    assert not Path("migrator.db").exists()


def test_a_refused_login_is_exit_4_with_the_carriers_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONENCE_CLIENT_SECRET", "not-the-secret")
    ended = desk.json("inventory", "pull")
    assert ended.code == 4
    assert ended.document["status"] == "error"
    assert "password" in ended.out.lower()
    assert "not-the-secret" not in ended.out + ended.err


def test_a_refused_key_is_exit_4(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.paired()
    monkeypatch.setenv("HOLOGRAM_API_KEY", "wrong-key")
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY))
    assert ended.code == 4
    assert "wrong-key" not in ended.out + ended.err


def test_a_carrier_that_cannot_be_reached_is_exit_7(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.paired()
    monkeypatch.setenv("HOLOGRAM_BASE_URL", "http://127.0.0.1:9/api/1")
    monkeypatch.setattr("migrator.carriers.http.ATTEMPTS", 1)
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY))
    assert ended.code == 7
    assert "cannot be reached" in ended.err


@pytest.mark.parametrize(
    ("old", "new", "known"),
    [("2096", "9999", "2096"), ('"global"', '"mars"', "'global'")],
)
def test_an_unknown_plan_or_zone_lists_what_there_is(desk: Desk, old: str, new: str, known: str) -> None:
    desk.paired()
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY.replace(old, new)))
    assert ended.code == 2
    assert known in ended.err
    assert desk.json("plan", "list").data["plans"] == []


def test_a_wrong_organization_lists_those_that_the_key_sees(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.paired()
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "12")
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY))
    assert ended.code in {2, 4}
    assert str(desk.rehearsal.hologram.org_id) in ended.err


def test_an_empty_fleet_leaves_no_inventory(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=0)
    assert desk.run("inventory", "pull").code == 2
    assert desk.run("inventory", "show").code == 2


def test_every_violation_of_a_pair_file_is_listed_with_its_line(desk: Desk) -> None:
    desk.run("inventory", "pull")
    known = desk.rehearsal.onence.fleet[0].iccid
    lines = [
        "source_iccid;target_iccid",
        f"{known};89445000000000000018",
        "8.98823E+18;89445000000000000026",
        "8988228066600000000;89445000000000000034",
        "123;89445000000000000042",
        f"{desk.rehearsal.onence.fleet[1].iccid};89445000000000000018",
        "8988228999999999999;",
    ]
    Path("pairs.csv").write_text("\r\n".join(lines), encoding="utf-16")
    ended = desk.json("pair", "import", "pairs.csv")
    assert ended.code == 2
    told = [problem["message"] for problem in ended.document["errors"]]
    for number in (3, 4, 5, 6, 7):
        assert any(f"pairs.csv:{number}:" in message for message in told), (number, told)
    assert desk.json("pair", "check").data["paired"] == 0


def test_a_sim_that_was_migrated_keeps_its_pair_even_against_replace(desk: Desk) -> None:
    """Its claim is paid: another pair would claim a second SIM for it."""
    desk.applied()
    desk.run("pair", "export", "pairs.csv")
    _, first, second, *_ = (desk.folder / "pairs.csv").read_text().splitlines()
    (one, its, *_), (other, others, *_) = first.split(","), second.split(",")
    swapped = "\n".join(["source_iccid,target_iccid", f"{one},{others}", f"{other},{its}"])
    ended = desk.json("pair", "import", desk.write("swapped.csv", swapped), "--replace")
    assert ended.code == 2
    assert {error["code"] for error in ended.document["errors"]} == {"already_claimed"}
    desk.run("pair", "export", "again.csv")
    assert (desk.folder / "again.csv").read_text() == (desk.folder / "pairs.csv").read_text()


def test_a_pool_smaller_than_the_fleet_changes_nothing(desk: Desk) -> None:
    desk.run("inventory", "pull")
    ended = desk.run("pair", "pool", desk.write("few.txt", "89445000000000000018\n"))
    assert ended.code == 2
    assert "too few" in ended.err
    assert desk.json("pair", "check").data["paired"] == 0


def test_a_policy_with_unknown_keys_is_refused_with_their_lines(desk: Desk) -> None:
    desk.paired()
    bad = POLICY.replace('zone = "global"', 'zone = "global"\nzoom = 3') + "\n[gatez]\nx = 1\n"
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", bad))
    assert ended.code == 2
    assert re.search(r"p\.toml:5\b.*zoom", ended.err)
    assert "gatez" in ended.err


def test_apply_needs_the_right_count(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("apply", "--no-input").code == 2
    assert desk.run("apply", "--confirm", str(plan["claims"] + 1)).code == 2
    assert writes(desk) == 0


@pytest.mark.parametrize("change", ["label", "status", "quota", "gone"])
def test_a_plan_is_stale_when_the_fleet_changed(desk: Desk, change: str) -> None:
    plan = desk.planned()
    fleet = desk.rehearsal.onence.fleet
    if change == "label":
        fleet[0].label = "renamed"
    elif change == "status":
        fleet[0].status = type(fleet[0].status)("Disabled")
    elif change == "quota":
        fleet[0].data_quota_mb = fleet[0].data_quota_mb + 1
    else:
        del fleet[0]
    desk.run("inventory", "pull")
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 5
    assert fleet[0].iccid in ended.err or change == "gone"
    assert writes(desk) == 0


def test_a_plan_is_not_stale_when_a_pull_finds_the_same(desk: Desk) -> None:
    plan = desk.planned()
    desk.run("inventory", "pull")
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0


def test_a_plan_of_another_store_is_refused(desk: Desk) -> None:
    desk.planned()
    desk.run("plan", "export", "plan.jsonl")
    Path("migrator.db").rename("other.db")
    desk.run("inventory", "pull")
    ended = desk.run("apply", "plan.jsonl", "--confirm", "24")
    assert ended.code == 5
    assert writes(desk) == 0


def test_an_edited_plan_file_is_refused(desk: Desk) -> None:
    desk.planned()
    desk.run("plan", "export", "plan.jsonl")
    text = Path("plan.jsonl").read_text(encoding="utf-8")
    Path("plan.jsonl").write_text(text.replace('"sms_limit":100', '"sms_limit":90'), encoding="utf-8")
    ended = desk.run("apply", "plan.jsonl", "--confirm", "23")
    assert ended.code == 2
    assert "changed since it was written" in ended.err


HEADER_EDITS = {
    "claims": ('"claims":', '"claims":1'),
    "org_id": ('"org_id":', '"org_id":1'),
    "summary.warnings": ('"warnings":["', '"warnings":["not at all: '),
    "summary.approvals_required": ('"approvals_required":0', '"approvals_required":1'),
    "summary.money.balance": ('"balance":"', '"balance":"9'),
    "how it is written": ('{"claims"', '{ "claims"'),
}


@pytest.mark.parametrize("what", HEADER_EDITS)
@pytest.mark.parametrize("command", ["apply PLAN --dry-run", "plan approve PLAN --as ann --confirm", "report PLAN"])
def test_a_plan_file_whose_header_was_edited_is_refused(desk: Desk, what: str, command: str) -> None:
    """It is what a second pair of eyes looks at, and nothing in the file has its fingerprint."""
    plan = desk.planned()
    desk.run("plan", "export", "plan.jsonl")
    header, lines = Path("plan.jsonl").read_text(encoding="utf-8").split("\n", 1)
    edited = header.replace(*HEADER_EDITS[what], 1)
    assert edited != header
    Path("plan.jsonl").write_text(f"{edited}\n{lines}", encoding="utf-8")
    words = command.replace("PLAN", "plan.jsonl").split()
    ended = desk.run(*words, *([str(plan["claims"])] if "--confirm" in words else []))
    assert ended.code == 2
    assert f"other there: {what}\n" in ended.err
    assert desk.json("plan", "show").data["approvals"]["given"] == []


def test_a_second_run_is_refused_while_one_holds_the_store(desk: Desk) -> None:
    plan = desk.planned()
    store = Store.open("sqlite:///migrator.db", now=0.0)
    now = SystemClock().now().timestamp()
    store.lease.acquire(owner(now), now, is_gone=lambda _owner: False)
    store.close()
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 9
    assert writes(desk) == 0


def test_caps_stop_before_anything_is_sent(desk: Desk) -> None:
    plan = desk.planned(POLICY + "\n[caps]\nmax_spend_now = 5.00\n")
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 6
    assert "max_spend_now" in ended.err
    assert desk.rehearsal.hologram.ledger.requests("POST", "bulkclaim") == []


def test_a_wave_that_does_not_verify_keeps_the_next_one_closed(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(behaviour=HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0), max_name=3))
    plan = desk.planned()
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 6
    assert len(desk.rehearsal.hologram.ledger.charges) == 3


def test_an_account_that_may_not_set_limits_on_the_claim_is_told_the_key(make_desk: Callable[..., Desk]) -> None:
    flags = frozenset({"bmp_feature_lite_data_usage_limits"})
    desk = make_desk(behaviour=HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0), features=flags))
    plan = desk.planned()
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 6
    assert 'limits = "after_claim"' in ended.err
    assert desk.rehearsal.hologram.ledger.requests("POST", "bulkclaim") == []


def test_limits_after_the_claim_work_for_such_an_account(make_desk: Callable[..., Desk]) -> None:
    flags = frozenset({"bmp_feature_lite_data_usage_limits"})
    desk = make_desk(behaviour=HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0), features=flags))
    plan = desk.planned(POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"'))
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0


def test_a_report_folder_that_cannot_be_written_leaves_nothing_half_done(desk: Desk) -> None:
    desk.planned()
    Path("taken").write_text("a file", encoding="utf-8")
    ended = desk.run("report", "--out", "taken")
    assert ended.code == 2
    assert Path("taken").read_text(encoding="utf-8") == "a file"


@pytest.mark.parametrize(
    "words", [("plan", "show"), ("apply",), ("status",), ("verify",), ("report",), ("jobs", "list")]
)
def test_without_a_plan_the_remedy_is_named(desk: Desk, words: tuple[str, ...]) -> None:
    desk.run("inventory", "pull")
    ended = desk.run(*words)
    assert ended.code == 2
    assert "plan create" in ended.err


@pytest.mark.parametrize("words", [("plan", "list"), ("pair", "check"), ("status",), ("inventory", "show")])
def test_without_a_store_none_is_made(desk: Desk, words: tuple[str, ...]) -> None:
    ended = desk.run(*words)
    assert ended.code == 2
    assert not Path("migrator.db").exists()


def test_a_file_that_is_no_store_is_told_apart(desk: Desk) -> None:
    desk.write("migrator.db", "these are my notes, do not lose them\n" * 40)
    ended = desk.run("inventory", "show")
    assert ended.code in {1, 2}
    assert "notes" in Path("migrator.db").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", [("applly",), ("plan", "make"), ("apply", "--confirm", "many"), ("report", "--format", "pdf")]
)
def test_usage_errors_are_exit_2_and_keep_the_envelope(desk: Desk, words: tuple[str, ...]) -> None:
    ended = desk.run("--json", *words)
    assert ended.code == 2
    assert json.loads(ended.out)["exit_code"] == 2


def test_a_new_plan_first_learns_what_the_old_one_left_uncertain(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim was not answered, then the inventory changed: the new plan must adopt its SIMs, not claim them."""
    plan = desk.planned()
    desk.rehearsal.hologram.faults = FaultPlan(
        scripted=[Fault.LOSE_AFTER], scripted_for=lambda _method, path: path.endswith("bulkclaim")
    )
    with monkeypatch.context() as patch:
        patch.setattr("migrator.engine.apply.claim.settle_claims", _interrupted)
        assert desk.run("apply", "--confirm", str(plan["claims"])).code == 130
    desk.rehearsal.onence.fleet[20].label = "renamed meanwhile"
    desk.run("inventory", "pull")
    assert desk.run("apply").code == 5
    again = desk.json("plan", "create", "--policy", "policy.toml").data
    assert again["counts"].get("CLAIM") == plan["claims"] - 3
    assert desk.run("apply", "--confirm", str(again["claims"])).code == 0
    assert set(desk.rehearsal.hologram.ledger.charges.values()) == {1}


async def _interrupted(*_: object) -> None:
    raise Interrupted("interrupted", 130)


def test_a_plan_is_stale_when_its_policy_file_says_something_else(desk: Desk) -> None:
    plan = desk.planned()
    desk.write("policy.toml", POLICY + "# only a remark\n")
    assert desk.run("apply", "--dry-run").code == 0
    desk.write("policy.toml", POLICY.replace('disabled = "pause"', 'disabled = "skip"'))
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 5
    assert "policy.toml" in ended.err
    assert writes(desk) == 0


def test_a_plan_that_cannot_be_written_is_not_made(desk: Desk) -> None:
    desk.paired()
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY), "--out", "nowhere/plan.jsonl")
    assert ended.code == 2
    assert desk.json("plan", "list").data["plans"] == []


@pytest.mark.parametrize("option", ["-v", "-vv"])
def test_every_request_is_told_when_asked_and_no_secret_with_it(desk: Desk, option: str) -> None:
    desk.run("inventory", "pull")
    desk.run("pair", "pool", desk.pool())
    quiet = desk.run("plan", "create", "--policy", desk.write("policy.toml", POLICY))
    told = [
        desk.run(option, *words)
        for words in (
            ("inventory", "pull"),
            ("plan", "create", "--policy", "policy.toml"),
            ("apply", "--confirm", str(desk.json("plan", "show").data["claims"])),
            ("doctor",),
        )
    ]
    assert "GET" not in quiet.err
    assert "1NCE GET" in told[0].err
    assert "Hologram POST /links/cellular/bulkclaim -> 200" in told[2].err
    environment = desk.rehearsal.environment()
    secrets = {environment["ONENCE_CLIENT_SECRET"], environment["HOLOGRAM_API_KEY"], "Bearer", "apikey", "Basic"}
    assert not [secret for secret in secrets for ended in told if secret in ended.out + ended.err]


@pytest.mark.parametrize(
    ("words", "meant"), [(("inventry", "pull"), "inventory"), (("plan", "creat"), "create"), (("Status",), "status")]
)
def test_a_mistyped_command_is_answered_with_the_one_that_is_meant(
    desk: Desk, words: tuple[str, ...], meant: str
) -> None:
    ended = desk.json(*words)
    assert ended.code == 2
    assert f"Did you mean '{meant}'?" in ended.document["errors"][0]["message"]
