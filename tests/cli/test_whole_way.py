"""The main job from the command line, over HTTP on loopback."""

import csv
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY, Desk

pytestmark = pytest.mark.loopback


def test_the_whole_way_charges_each_sim_once_and_accounts_for_every_one(desk: Desk) -> None:
    plan = desk.planned()
    done = desk.json("apply", "--confirm", str(plan["claims"]))
    assert done.code == 0, done.err
    assert done.document["status"] == "success"
    ledger = desk.rehearsal.hologram.ledger
    assert set(ledger.charges.values()) == {1}
    assert len(ledger.charges) == plan["claims"]
    report = desk.json("report")
    assert report.code == 0
    assert sum(report.data["buckets"].values()) == desk.sims
    assert report.data["buckets"]["verified"] == plan["claims"]


def contents() -> list[str]:
    """All that the store holds, but for who looked at which plan last."""
    with closing(sqlite3.connect("migrator.db")) as store:
        return [line for line in store.iterdump() if '"looks"' not in line]


def test_a_dry_run_prints_the_requests_and_sends_none(desk: Desk) -> None:
    plan = desk.planned()
    store = contents()
    outcome = desk.json("apply", "--dry-run")
    assert outcome.code == 0
    claims = [out for out in outcome.data["requests"] if out["path"].startswith("/links/cellular/bulkclaim")]
    assert sum(len(out["body"]["sims"]) for out in claims) == plan["claims"]
    assert [entry.method for entry in desk.rehearsal.hologram.ledger.entries if entry.method != "GET"] == []
    assert contents() == store


def test_what_the_dry_run_prints_is_what_apply_sends(desk: Desk) -> None:
    plan = desk.planned()
    dry = desk.json("apply", "--dry-run").data["requests"]
    desk.run("apply", "--confirm", str(plan["claims"]))
    sent = [entry for entry in desk.rehearsal.hologram.ledger.entries if entry.method != "GET"]
    assert [out["path"].split("?")[0] for out in dry if out["method"] == "POST"] == [
        entry.path.removeprefix("/api/1") for entry in sent if entry.method == "POST"
    ]
    names = [out["body"] for out in dry if out["method"] == "PUT"]
    assert sorted(json.dumps(body) for body in names) == sorted(
        json.dumps(entry.body) for entry in sent if entry.method == "PUT"
    )


def test_a_second_apply_sends_nothing_and_says_so(desk: Desk) -> None:
    desk.applied()
    before = len(desk.rehearsal.hologram.ledger.requests("POST")) + len(desk.rehearsal.hologram.ledger.requests("PUT"))
    again = desk.run("apply")
    assert again.code == 0
    assert "carried out before" in again.out
    after = len(desk.rehearsal.hologram.ledger.requests("POST")) + len(desk.rehearsal.hologram.ledger.requests("PUT"))
    assert after == before


def test_a_finished_plan_with_differences_ends_with_exit_3_and_advice(desk: Desk) -> None:
    desk.applied()
    link = next(iter(desk.rehearsal.hologram.sims.values()))
    link.name = "somebody renamed it"
    again = desk.run("apply")
    assert again.code == 3
    assert "make a new one" in again.err


def test_verify_finds_drift(desk: Desk) -> None:
    desk.applied()
    next(iter(desk.rehearsal.hologram.sims.values())).overage_limit = 7
    outcome = desk.json("verify")
    assert outcome.code == 3
    assert outcome.data["findings"] == {"wrong_overage_limit": 1}


def test_the_csv_has_the_columns_and_a_row_for_every_sim(desk: Desk) -> None:
    plan = desk.applied()
    desk.run("report")
    with (Path("reports") / plan["plan_id"] / "reconciliation.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == desk.sims
    assert list(rows[0])[:5] == ["source_iccid", "target_iccid", "device_id", "bucket", "code"]
    assert all(len(row["source_iccid"].removeprefix("'")) == 19 for row in rows)


def test_a_label_that_is_a_formula_cannot_run_in_a_spreadsheet(desk: Desk) -> None:
    plan = desk.applied()
    desk.run("report")
    text = (Path("reports") / plan["plan_id"] / "reconciliation.csv").read_text(encoding="utf-8")
    values = [value for row in csv.reader(text.splitlines()[1:]) for value in row]
    assert not [value for value in values if value[:1] in {"=", "+", "@"}]


def test_jobs_are_recorded_with_the_carriers_ids(desk: Desk) -> None:
    plan = desk.planned(POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n'))
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    listed = desk.json("jobs", "list").data
    assert [run["exit_code"] for run in listed["runs"]] == [0]
    jobs = {job["kind"]: job["job_id"] for job in listed["requests"]}
    assert jobs["state"]
    assert desk.json("jobs", "show", jobs["state"]).data["requests"][0]["kind"] == "state"
    assert [desk.json("jobs", "show", one).data["requests"][0]["kind"] for one in "12"] == ["tag", "claim"]


def test_status_tells_where_the_plan_stands_and_what_comes_next(desk: Desk) -> None:
    plan = desk.planned()
    before = desk.json("status").data
    command = f"`migrator apply {plan['plan_id']}"
    assert before["state"] == "created"
    assert before["next"] == f"{command} --dry-run`, then {command} --confirm {plan['claims']}`"
    desk.run("apply", "--confirm", str(plan["claims"]))
    assert desk.json("status").data["state"] == "finished"


def test_max_sims_stops_and_the_same_command_goes_on(desk: Desk) -> None:
    plan = desk.planned()
    first = desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "5")
    assert first.code == 6
    assert len(desk.rehearsal.hologram.ledger.charges) == 5
    assert desk.run("apply").code == 0


def test_the_same_plan_is_made_twice_byte_for_byte(desk: Desk) -> None:
    desk.paired()
    policy = desk.write("policy.toml", POLICY)
    desk.run("plan", "create", "--policy", policy, "--out", "one.jsonl")
    desk.run("plan", "create", "--policy", policy, "--out", "two.jsonl")
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    assert len(desk.json("plan", "list").data["plans"]) == 1


def test_a_plan_file_can_be_applied(desk: Desk) -> None:
    plan = desk.planned()
    desk.run("plan", "export", "plan.jsonl")
    assert desk.run("apply", "plan.jsonl", "--confirm", str(plan["claims"])).code == 0


def test_pairs_travel_through_export_and_import(desk: Desk) -> None:
    desk.paired()
    desk.run("pair", "export", "pairs.csv")
    outcome = desk.json("pair", "import", "pairs.csv")
    assert outcome.code == 0
    counts = {name: outcome.data[name] for name in ("added", "replaced", "unchanged", "completed")}
    assert counts == {"added": 0, "replaced": 0, "unchanged": desk.sims, "completed": 0}


def test_pair_check_exits_3_until_every_sim_has_a_target(desk: Desk) -> None:
    desk.run("inventory", "pull")
    assert desk.json("pair", "check").code == 3
    desk.run("pair", "pool", desk.pool())
    assert desk.json("pair", "check").data["unpaired"] == 0


def test_the_inventory_export_holds_every_sim(desk: Desk) -> None:
    desk.run("inventory", "pull")
    lines = desk.run("inventory", "export", "-").out.splitlines()
    assert len([line for line in lines if line.startswith("{")]) == desk.sims


def test_one_sim_can_be_shown_by_either_form_of_its_iccid(desk: Desk) -> None:
    desk.run("inventory", "pull")
    iccid = desk.rehearsal.onence.fleet[0].iccid
    assert desk.json("inventory", "show", iccid).data["sim"]["iccid"] == iccid


def test_the_store_is_for_its_owner_alone(desk: Desk) -> None:
    desk.run("inventory", "pull")
    assert stat.S_IMODE(Path("migrator.db").stat().st_mode) == 0o600


def test_no_secret_and_no_pin_is_in_the_store_or_the_reports(desk: Desk) -> None:
    plan = desk.applied()
    desk.run("report")
    secrets = [desk.rehearsal.onence.client_secret, desk.rehearsal.hologram.api_key]
    secrets += [link.puk for link in desk.rehearsal.hologram.sims.values()]
    files = [Path("migrator.db"), *Path("reports", plan["plan_id"]).iterdir()]
    held = b"".join(path.read_bytes() for path in files)
    assert [secret for secret in secrets if secret.encode() in held] == []


def test_options_are_taken_before_and_after_the_command(desk: Desk) -> None:
    desk.run("inventory", "pull")
    before, after = desk.run("--json", "inventory", "show"), desk.run("inventory", "show", "--json")
    assert before.document == after.document


def test_events_are_one_json_object_a_line_and_end_with_the_result(desk: Desk) -> None:
    lines = [json.loads(line) for line in desk.run("inventory", "pull", "--events").out.splitlines()]
    assert {"page", "result"} <= {line["event"] for line in lines}
    assert lines[-1]["exit_code"] == 0
