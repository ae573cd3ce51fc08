"""`report` from the command line: whatever state the store is in, clear words and the right exit code."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.audit.chain import AuditEvent
from migrator.core.run.states import StepKind
from migrator.ports import Request
from migrator.store import Store
from migrator.store.audit import Audit
from tests.cli.conftest import POLICY, Desk


def folder_of(plan: dict[str, Any]) -> Path:
    return Path("reports") / str(plan["plan_id"])


def document(plan: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder_of(plan) / "reconciliation.json").read_text(encoding="utf-8"))
    return told


def page(plan: dict[str, Any]) -> str:
    return (folder_of(plan) / "reconciliation.html").read_text(encoding="utf-8")


def test_all_four_formats_are_written_unless_some_are_named(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("report").code == 0
    assert sorted(path.suffix for path in folder_of(plan).iterdir()) == [".csv", ".html", ".json", ".md"]
    assert desk.run("report", "--format", "md,html", "--out", "elsewhere").code == 0
    assert sorted(path.suffix for path in Path("elsewhere").iterdir()) == [".html", ".md"]


@pytest.mark.parametrize("formats", ["pdf", "html,pdf", ""])
def test_a_format_that_there_is_not_is_refused_with_those_that_there_are(desk: Desk, formats: str) -> None:
    desk.planned()
    ended = desk.run("report", "--format", formats)
    assert ended.code == 2
    assert "html, json, csv, md" in ended.err
    assert not Path("reports").exists()


def test_the_json_of_a_real_migration_is_as_the_schema_printed(desk: Desk) -> None:
    plan = desk.applied()
    assert desk.run("report").code == 0
    schema = json.loads(desk.run("report", "--schema").out)
    jsonschema.validate(document(plan), schema, jsonschema.Draft202012Validator)


def test_what_was_charged_is_what_the_carrier_charged(desk: Desk) -> None:
    plan = desk.applied()
    desk.run("report")
    told, ledger = document(plan), desk.rehearsal.hologram.ledger.as_dict()
    assert float(told["money"]["charged_so_far"]) == float(ledger["charged"])
    assert sum(float(job["charged"]) for job in told["jobs"] if job["kind"] == "claim") == float(ledger["charged"])
    assert {run["exit_code"] for run in told["runs"]} == {0}


def test_a_claim_that_was_lost_and_sent_again_is_charged_once(desk: Desk) -> None:
    plan = desk.planned()
    desk.rehearsal.hologram.faults = FaultPlan(
        scripted=[Fault.LOSE_BEFORE], scripted_for=lambda _method, path: path.endswith("bulkclaim")
    )
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    desk.run("report")
    claims = [job for job in document(plan)["jobs"] if job["kind"] == "claim"]
    assert sum(job["sims"] for job in claims) > plan["claims"]
    assert sum(job["sims_claimed"] for job in claims) == plan["claims"]


def test_who_approved_is_in_every_format_that_tells_of_people(desk: Desk) -> None:
    plan = desk.planned()
    with closing(sqlite3.connect("migrator.db")) as store, store:
        store.execute(
            "INSERT INTO approvals (plan_no, approved_by, approved_at, changes_sha256, note)"
            " SELECT plan_no, 'ada', 1764000000.0, 'other', 'on the phone' FROM plans"
        )
    desk.run("report")
    (given,) = document(plan)["approvals"]
    assert (given["approved_by"], given["is_of_this_plan"]) == ("ada", False)
    assert "ada" in page(plan)
    assert "other changes" in page(plan)
    assert "approved by ada" in (folder_of(plan) / "reconciliation.md").read_text(encoding="utf-8")


def test_a_plan_that_was_not_applied_yet_is_reported_with_the_command_that_does(desk: Desk) -> None:
    plan = desk.planned()
    ended = desk.json("report")
    assert ended.code == 0
    assert ended.data["buckets"]["pending"] == plan["claims"]
    assert "The plan was not applied yet" in page(plan)
    assert f"migrator apply {plan['plan_id']} --confirm {plan['claims']}" in page(plan)


def test_a_half_applied_plan_is_reported_with_what_is_left(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "5").code == 6
    ended = desk.json("report")
    assert ended.code == 0
    assert ended.data["buckets"]["verified"] == 5
    assert ended.data["buckets"]["pending"] == plan["claims"] - 5
    assert "The plan is half applied" in page(plan)
    assert f"<code>migrator apply {plan['plan_id']}</code> goes on" in page(plan)


def test_a_sim_that_came_later_is_excluded_and_the_buckets_still_sum(desk: Desk) -> None:
    late = desk.rehearsal.onence.fleet.pop()
    plan = desk.applied()
    desk.rehearsal.onence.fleet.append(late)
    desk.run("inventory", "pull")
    ended = desk.json("report")
    assert ended.code == 0
    assert ended.data["buckets"]["excluded"] == 1
    assert sum(ended.data["buckets"].values()) == ended.data["inventory_total"] == desk.sims
    (finding,) = [one for one in document(plan)["findings"] if one["code"] == "not_in_plan"]
    assert finding["samples"] == [late.iccid]


def test_a_sim_of_the_plan_that_left_the_inventory_makes_the_report_exit_1_and_say_so(desk: Desk) -> None:
    plan = desk.applied()
    del desk.rehearsal.onence.fleet[0]
    desk.run("inventory", "pull")
    ended = desk.json("report")
    assert ended.code == 1
    assert ended.document["errors"][0]["code"] == "buckets_do_not_sum"
    assert "not in the inventory any more" in ended.document["errors"][0]["message"]
    assert document(plan)["adds_up"] is False
    assert "This report does not add up" in page(plan)


def test_no_store_and_no_plan_are_exit_2_with_the_command_to_begin_with(desk: Desk) -> None:
    nothing = desk.run("report")
    assert nothing.code == 2
    assert "inventory pull" in nothing.err
    desk.run("inventory", "pull")
    ended = desk.run("report")
    assert ended.code == 2
    assert "plan create" in ended.err
    assert desk.run("report", "p0000000000").code == 2
    assert not Path("reports").exists()


def test_a_plan_file_names_its_plan_and_one_of_another_store_is_exit_5(desk: Desk) -> None:
    plan = desk.planned()
    desk.run("plan", "export", "plan.jsonl")
    assert desk.json("report", "plan.jsonl").data["plan_id"] == plan["plan_id"]
    Path("migrator.db").rename("other.db")
    desk.run("inventory", "pull")
    ended = desk.run("report", "plan.jsonl", "--out", "out")
    assert ended.code == 5
    assert "another store" in ended.err
    assert not Path("out").exists()


def test_a_file_in_the_place_of_the_folder_is_exit_2(desk: Desk) -> None:
    desk.planned()
    Path("taken").write_text("here first", encoding="utf-8")
    ended = desk.run("report", "--out", "taken")
    assert ended.code == 2
    assert "taken is a file" in ended.err
    assert Path("taken").read_text(encoding="utf-8") == "here first"


def test_a_label_that_is_a_script_stays_text_from_the_carrier_to_the_page(desk: Desk) -> None:
    desk.rehearsal.onence.fleet[0].label = "</script><script>alert(1)</script>"
    plan = desk.applied()
    desk.run("report")
    assert page(plan).count("<script") == 2
    names = [sim["name_planned"] for sim in document(plan)["sims"]]
    assert "</script><script>alert(1)</script>" in names


def test_the_policy_is_in_the_report_letter_by_letter(desk: Desk) -> None:
    text = POLICY + "# <as agreed> on & off\n"
    plan = desk.planned(text)
    desk.run("report")
    assert document(plan)["policy"] == text
    assert "# &lt;as agreed&gt; on &amp; off" in page(plan)


# --- evidence -----------------------------------------------------------------------------------------------------


def test_evidence_is_written_with_what_to_note_and_is_checked_without_a_store(desk: Desk) -> None:
    plan = desk.applied()
    made = desk.json("report", "--format", "md", "--evidence", "evidence.zip")
    assert made.code == 0
    noted = made.data["evidence"]
    again = desk.run("report", "--format", "md", "--evidence", "evidence.zip")
    assert "Note these elsewhere" in again.out
    assert noted["head"] in again.out
    checked = desk.json("audit", "verify", "evidence.zip", "--head", noted["head"], "--state", "sqlite:///not/there.db")
    assert (checked.code, checked.data["plan_id"]) == (0, plan["plan_id"])
    told = checked.data["manifest_sha256"]
    assert told in again.out
    assert (
        "Only the manifest holds answers, runs, approvals, steps, verdicts"
        in desk.run("audit", "verify", "evidence.zip").out
    )
    assert desk.run("audit", "verify", "evidence.zip", "--manifest", told).code == 0
    assert "It does not hold answers, runs, steps, verdicts, approvals" in desk.run("audit", "verify").out
    assert desk.run("audit", "verify", "evidence.zip", "--manifest", "0" * 64).code == 3


@pytest.mark.parametrize("place", ["no/such/evidence.zip", "."])
def test_evidence_for_which_there_is_no_place_is_refused_and_nothing_is_written(desk: Desk, place: str) -> None:
    desk.planned()
    before = sorted(Path().rglob("*"))
    refused = desk.run("report", "--evidence", place)
    assert refused.code == 2
    assert "cannot be written" in refused.err
    assert sorted(Path().rglob("*")) == before


def test_a_damaged_log_is_told_with_exit_code_3(desk: Desk) -> None:
    desk.paired()
    with sqlite3.connect(desk.folder / "migrator.db") as plain:
        plain.execute("UPDATE events SET detail = '{' WHERE seq = 1")
    checked = desk.run("audit", "verify")
    assert checked.code == 3
    assert "event 1 " in checked.err
    assert desk.run("audit", "log").code == 0


def test_a_run_at_work_is_no_edit_of_the_log(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is read before the tables: what is done in between is no row that the log does not know."""
    plan_id = desk.planned()["plan_id"]
    true_events, given = Audit.events, list[int]()

    def events(self: Audit) -> Iterator[AuditEvent]:
        yield from true_events(self)
        if not given:
            with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=5.0, create=False) as store:
                run_id = store.journal.start_run(plan_id, "me", 5.0)
                sims = [item.key for item in store.journal.items(plan_id)][:1]
                request = Request("POST", "/claim", {"sims": sims})
                given.append(store.journal.begin(run_id, StepKind.CLAIM, sims, request, wave=None, now=6.0))

    monkeypatch.setattr(Audit, "events", events)
    checked = desk.json("audit", "verify")
    assert given
    assert (checked.code, checked.data["problems"]) == (0, [])
    assert checked.data["head"] == desk.json("audit", "log").data["head"]
