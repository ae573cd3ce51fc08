"""What `verify` proves beyond the record, from the command line and over HTTP."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour, SimStatus
from migrator.store import Store
from tests.cli.conftest import POLICY, Desk

SKIPPING = POLICY.replace('disabled = "pause"', 'disabled = "skip"\nexpired = "skip"')


def pairs(desk: Desk) -> dict[str, str]:
    """New ICCID by old one."""
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        return {pair.source.digits: pair.target.digits for pair in store.pairs.all()}


def claimed(desk: Desk) -> list[tuple[str, str]]:
    """Old and new ICCID of each SIM that was claimed and is to be live."""
    sims = desk.rehearsal.hologram.sims
    return [
        (old, new)
        for old, new in sorted(pairs(desk).items())
        if sims[new].device_id is not None and sims[new].state == "LIVE"
    ]


def pass_data(desk: Desk, new: str, imei: str, *, after_s: int = 0) -> None:
    link = desk.rehearsal.hologram.sims[new]
    assert link.claimed_at is not None
    desk.rehearsal.hologram.add_session(new, link.claimed_at + timedelta(seconds=after_s), 1024, imei)


def writes(desk: Desk) -> list[str]:
    return [entry.path for entry in desk.rehearsal.hologram.ledger.entries if entry.method != "GET"]


# --- the source side ----------------------------------------------------------------------------------------------


def test_what_changed_at_1nce_since_the_plan_is_told_by_kind(desk: Desk) -> None:
    desk.applied()
    fleet = list(desk.rehearsal.onence.fleet)
    enabled = [sim for sim in fleet if sim.status is SimStatus.ENABLED]
    enabled[0].status = SimStatus.DISABLED
    enabled[1].label = "somebody renamed it"
    enabled[2].data_quota_mb += 500
    del desk.rehearsal.onence.fleet[fleet.index(enabled[3])]
    before = desk.json("inventory", "show").data
    outcome = desk.json("verify", "--source")
    assert outcome.code == 3
    assert outcome.data["source"]["by_change"] == {"gone": 1, "label": 1, "quota": 1, "status": 1}
    assert {one["source_iccid"]: one["codes"] for one in outcome.data["source"]["sims"]} == {
        enabled[0].iccid: ["status"],
        enabled[1].iccid: ["label"],
        enabled[2].iccid: ["quota"],
        enabled[3].iccid: ["gone"],
    }
    assert desk.json("inventory", "show").data == before


def test_a_1nce_side_that_stayed_as_it_was_is_told_so_and_nothing_is_written(desk: Desk) -> None:
    desk.applied()
    sent = writes(desk)
    outcome = desk.run("verify", "--source")
    assert outcome.code == 0, outcome.err
    assert "SIMs are as the plan used them." in outcome.out
    assert writes(desk) == sent
    assert desk.rehearsal.onence.writes == []


def test_sims_that_our_own_cutover_switched_off_did_not_change(make_desk: Callable[..., Desk]) -> None:
    behaviour = OnenceBehaviour(rate_limit=None, put_effect_s=0.0, bulk_effect_s=0.0)
    desk = make_desk(onence=behaviour, epoch=datetime.now(UTC))
    desk.applied()
    for _, new in claimed(desk):
        pass_data(desk, new, "352099001761481")
    assert desk.json("cutover", "plan").data["reasons"]["other_unit"] > 10
    count = str(desk.json("cutover", "plan", "--accept-other-units", "--old-sim", "not_asked").data["count"])
    assert desk.run("cutover", "apply", "--confirm", count).code == 0
    told = desk.json("verify", "--source").data["source"]
    assert (told["changed"], str(told["switched_off_by_us"])) == (0, count)
    assert f"but that a cutover of this plan switched {count} of them off" in desk.run("verify", "--source").out


# --- devices that nobody planned ----------------------------------------------------------------------------------


def test_a_device_with_the_plans_tag_that_no_plan_put_there_is_unexpected(desk: Desk) -> None:
    desk.planned(POLICY.replace('zone = "global"', 'zone = "global"\ntag = "from-1nce"'))
    assert desk.run("apply", "--confirm", str(desk.json("plan", "show").data["claims"])).code == 0
    hologram = desk.rehearsal.hologram
    hologram.stock_claimed(["8944500999999999001", "8944500999999999002"], name="a stranger")
    ours = hologram.sims[claimed(desk)[0][1]]
    hologram.sims["8944500999999999001"].tag_ids = ours.tag_ids
    outcome = desk.json("verify", "--thorough")
    assert outcome.code == 3
    told = outcome.data["unexpected"]
    assert told["whole_list"] is True
    assert [(one["target_iccid"], one["reason"]) for one in told["devices"]] == [("8944500999999999001", "tagged")]


def test_the_target_of_a_skipped_sim_that_somebody_claimed_is_unexpected(desk: Desk) -> None:
    desk.rehearsal.onence.fleet[0].status = SimStatus.DISABLED
    plan = desk.planned(SKIPPING)
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    left = desk.rehearsal.onence.fleet[0].iccid
    new = pairs(desk)[left]
    assert desk.json("verify", "--thorough").data["unexpected"]["count"] == 0
    link = desk.rehearsal.hologram.sims[new]
    link.device_id, link.state = desk.rehearsal.hologram._world.new_device_id(link), "LIVE"
    link.link_id = link.link_id or desk.rehearsal.hologram._world.new_link_id(link)
    outcome = desk.json("verify", "--thorough")
    assert outcome.code == 3
    told = outcome.data["unexpected"]["devices"]
    assert [(one["target_iccid"], one["reason"]) for one in told] == [(new, "not_to_be_claimed")]


# --- proof of life ------------------------------------------------------------------------------------------------


def test_new_sims_are_alive_or_silent_and_units_matched_or_moved(desk: Desk) -> None:
    desk.applied()
    sims = {sim.iccid: sim for sim in desk.rehearsal.onence.fleet}
    seen = [(old, new) for old, new in claimed(desk) if sims[old].imei is not None]
    (matched, one), (moved, two), *rest = seen
    pass_data(desk, one, str(sims[matched].imei)[:14] + "0")
    pass_data(desk, two, "352099001761481")
    for _, new in rest:
        pass_data(desk, new, "490154203237518", after_s=-3600)  # before the claim: no sign of life, and no unit
    outcome = desk.json("verify", "--traffic")
    assert outcome.code == 3
    proofs = {one["source_iccid"]: (one["new_sim"], one["unit"]) for one in outcome.data["traffic"]["proofs"]}
    assert proofs[matched] == ("alive", "matched")
    assert proofs[moved] == ("alive", "moved")
    assert {proofs[old] for old, _ in rest} == {("silent", "never_seen")}
    assert outcome.data["traffic"]["new_sim"]["alive"] == 2


def test_the_report_and_the_evidence_tell_sim_by_sim_what_proof_of_life_found(desk: Desk) -> None:
    desk.applied()
    sims = {sim.iccid: sim for sim in desk.rehearsal.onence.fleet}
    (old, new), *_ = [pair for pair in claimed(desk) if sims[pair[0]].imei is not None]
    pass_data(desk, new, "352099001761481")
    found = desk.json("verify", "--traffic", "--old-silent").data["traffic"]
    assert desk.run("report", "--format", "json", "--out", "r", "--evidence", "evidence.zip").code == 0
    told = json.loads((desk.folder / "r" / "reconciliation.json").read_text(encoding="utf-8"))
    assert told["proof_of_life"]["sims_asked"] == found["sims"]
    assert told["proof_of_life"]["unit_moved"] == found["unit"]["moved"] == 1
    (row,) = [sim for sim in told["sims"] if sim["source_iccid"] == old]
    assert (row["new_sim"], row["unit"], row["target_imei"]) == ("alive", "moved", "352099001761481")
    assert row["alive_at"] <= row["proved_at"]
    assert row["old_sim"] in {"silent", "talks", "unknown"}
    with zipfile.ZipFile(desk.folder / "evidence.zip") as archive:
        sims_told = [json.loads(line) for line in archive.read("sims.jsonl").splitlines()]
    (sim,) = [sim for sim in sims_told if sim["source_iccid"] == old]
    assert sim["life"] == {name: row[name] for name in sim["life"]}
    assert len(sim["life"]) == 9
    assert desk.run("audit", "verify", "evidence.zip").code == 0


def test_usage_is_asked_only_for_sims_whose_record_shows_no_connection(desk: Desk) -> None:
    desk.applied()
    sims = claimed(desk)
    for _, new in sims[1:]:
        pass_data(desk, new, "352099001761481")
    told = desk.json("verify", "--traffic").data["traffic"]
    assert told["new_sim"]["alive"] == len(sims) - 1
    asked = desk.rehearsal.hologram.ledger.requests("GET", "/usage/data")
    assert len(asked) == 1
    assert str(desk.rehearsal.hologram.sims[sims[0][1]].link_id) in asked[0].query["linkid"]


def test_the_old_sims_are_asked_for_usage_only_where_that_is_asked_for(desk: Desk) -> None:
    desk.applied()
    assert "old_sim" not in desk.json("verify", "--traffic").data["traffic"]
    told = desk.json("verify", "--traffic", "--old-silent").data["traffic"]
    assert sum(told["old_sim"].values()) == told["sims"]


def test_options_that_say_nothing_together_are_refused(desk: Desk) -> None:
    for words in (("--watch", "--traffic"), ("--for", "1m"), ("--old-silent",), ("--keep-going",)):
        assert desk.run("verify", *words).code == 2


# --- watching -----------------------------------------------------------------------------------------------------


def test_a_watch_ends_with_3_at_the_first_drift_and_tells_a_line_for_it(desk: Desk) -> None:
    desk.applied()
    old, new = claimed(desk)[0]
    desk.rehearsal.hologram.sims[new].overage_limit = 7
    outcome = desk.run("verify", "--watch", "--every", "1h")
    assert outcome.code == 3
    (line,) = outcome.out.splitlines()
    assert f"{old} wrong_overage_limit" in line


def test_a_watch_without_drift_ends_with_0_when_its_time_is_over(desk: Desk) -> None:
    desk.applied()
    outcome = desk.json("verify", "--watch", "--every", "0.1s", "--for", "1s")
    assert outcome.code == 0, outcome.err
    assert outcome.data["rounds"] >= 2
    assert outcome.data["drift_seen"] is False


@pytest.mark.loopback
def test_ctrl_c_ends_a_watch_with_what_was_seen(desk: Desk) -> None:
    desk.applied()
    old, new = claimed(desk)[0]
    desk.rehearsal.hologram.sims[new].name = "drifted"
    words = [sys.executable, "-m", "migrator", "--events", "verify", "--watch", "--every", "1h", "--keep-going"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        event: dict[str, Any] = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert (event["event"], event["source_iccid"], event["code"]) == ("drift", old, "wrong_name")
    assert process.returncode == 3
    assert json.loads(rest.splitlines()[-1])["data"]["drift_now"] == 1
