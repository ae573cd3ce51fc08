"""The story of one unit, from the command line and over HTTP."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migrator import open_site, show
from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.cli.conftest import POLICY, Desk

FACTS = {"unit": "M-7", "site": "Well 3", "ticket": "T-55", "scanned_by": "kim"}


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A fleet of six that is planned and claimed, with facts about the unit of one."""
    made = make_desk(sims=6, onence=OnenceBehaviour(rate_limit=None, put_effect_s=0.0), epoch=datetime.now(UTC))
    made.applied()
    return made


def a_pair(desk: Desk) -> tuple[str, str]:
    """Old and new ICCID of the first SIM that is live."""
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        pairs = sorted((pair.source.digits, pair.target.digits) for pair in store.pairs.all())
    sims = desk.rehearsal.hologram.sims
    return next((old, new) for old, new in pairs if sims[new].state == "LIVE")


def noted(desk: Desk, old: str, **facts: Any) -> None:
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        key = next(sim.iccid.key for sim in store.inventory.sims() if sim.iccid.digits == old)
        store.unit_facts.put([UnitFacts(key, origin="field.csv:2", **(FACTS | facts))], datetime.now(UTC).timestamp())


def passes_data(desk: Desk, new: str, bytes_: int = 4096) -> None:
    hologram = desk.rehearsal.hologram
    hologram.add_session(new, hologram.now, bytes_, "352099001761481")


def asked(desk: Desk) -> int:
    return len(desk.rehearsal.hologram.ledger.entries) + len(desk.rehearsal.onence.ledger.entries)


# --- what is told -------------------------------------------------------------------------------------------------


def test_the_story_of_a_claimed_unit_is_told_without_asking_anybody(desk: Desk) -> None:
    old, new = a_pair(desk)
    noted(desk, old)
    before = asked(desk)
    told = desk.json("show", old)
    assert (told.code, asked(desk)) == (0, before)
    story = told.data
    assert story["asked"] == {"text": old, "found_by": ["old ICCID"]}
    assert {name: story["unit"][name] for name in FACTS} == FACTS
    assert (story["pair"]["source_iccid"], story["pair"]["target_iccid"]) == (old, new)
    assert (story["old_sim"]["status"], story["old_sim"]["is_listed"]) == ("enabled", True)
    assert (story["new_sim"]["state"], story["new_sim"]["is_claimed"]) == ("live", True)
    (plan,) = story["plans"]
    assert (plan["action"], plan["verdict"], plan["bucket"]) == ("CLAIM", "ok", "verified")
    assert [step["state"] for step in plan["steps"]] == ["done", "done"]
    assert [one["kind"] for one in story["requests"]] == ["claim", "name"]
    assert story["requests"][0]["outcome"] == "accepted"
    assert story["live"] is None


def test_the_end_of_a_test_mode_is_told_by_plan_status_and_show(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=2, onence=OnenceBehaviour(rate_limit=None), epoch=datetime.now(UTC))
    hologram, cards = desk.rehearsal.hologram, pool_of(2)
    hologram.stock_test_mode(cards, ends_in=timedelta(days=5))
    day = (hologram.now + timedelta(days=5)).date().isoformat()
    desk.planned(POLICY.replace('zone = "global"', 'zone = "global"\ntest_mode = "adopt_when_live"'))
    shown = desk.run("plan", "show")
    assert f"Test Mode ends at {day}T" in " ".join(shown.out.split())
    assert f"within 14 days: 2, the first at {day}T" in " ".join(shown.err.split())
    assert desk.run("apply").code == 7
    status = desk.json("status").data
    assert (status["test_mode"]["sims"], status["test_mode"]["soon"]) == (2, 2)
    words = " ".join(desk.run("status").out.split())
    assert f"In Test Mode: 2 SIMs; the first ends at {day}T" in words
    assert "Warning: SIMs whose Test Mode ends within 14 days: 2" in words
    assert desk.json("show", cards[0]).data["new_sim"]["test_ends_at"].startswith(day)
    assert f"Test Mode ends {day}T" in " ".join(desk.run("show", cards[0]).out.replace("│", " ").split())
    live = desk.json("show", cards[0], "--live").data["live"]["new_sim"]
    assert live["test_ends_at"].startswith(day)


def test_both_clocks_are_told_apart_and_the_life_is_in_order(desk: Desk) -> None:
    old, new = a_pair(desk)
    noted(desk, old, scanned_at=datetime.now(UTC).timestamp())
    life = desk.json("show", new).data["life"]
    assert {one["clock"] for one in life} == {"ours", "field", "1nce", "hologram"}
    assert [one["at"] for one in life] == sorted(one["at"] for one in life)
    claimed = next(one for one in life if one["what"] == "new SIM claimed")
    assert claimed["clock"] == "hologram"
    ours = [one["what"].split(":")[0] for one in life if one["clock"] == "ours"]
    for what in ("planned", "sent", "answered", "claim", "compared"):
        assert what in ours


def test_a_unit_is_shown_by_each_of_its_names(desk: Desk) -> None:
    old, new = a_pair(desk)
    noted(desk, old)
    document = desk.json("show", old).data
    device_id = str(document["new_sim"]["device_id"])
    printed = document["old_sim"]["iccid_with_check_digit"]
    imsi = str(desk.rehearsal.hologram.sims[new].imsi)
    for name in (printed, f"{new}F", "m-7", "T-55", device_id, document["old_sim"]["imsi"], imsi):
        assert desk.json("show", name).data["pair"]["source_iccid"] == old, name


def test_words_for_people_name_the_next_step_and_fit_a_terminal(desk: Desk) -> None:
    old, new = a_pair(desk)
    noted(desk, old)
    words = desk.run("show", old)
    assert words.code == 0
    for part in (old, new, "unit M-7", "site Well 3", "Its life (times in UTC)", "Requests that named it", "Next: "):
        assert part in words.out
    assert max(len(line) for line in words.out.splitlines()) <= 120


def test_neither_pin_nor_key_is_in_the_story(desk: Desk) -> None:
    _, new = a_pair(desk)
    link = desk.rehearsal.hologram.sims[new]
    for told in (desk.json("show", new, "--live").out, desk.run("show", new, "--live").out):
        assert f'"{link.puk}"' not in told
        assert "puk" not in told.lower()
        assert desk.rehearsal.hologram.api_key not in told


# --- no such SIM, or several --------------------------------------------------------------------------------------


def test_a_name_of_nobody_is_refused_with_what_was_looked_through(desk: Desk) -> None:
    ended = desk.run("show", "no such thing")
    assert ended.code == 2
    for kind in ("ICCIDs", "IMEIs", "device ids", "labels", "units", "tickets"):
        assert kind in ended.err


def test_several_sims_of_one_name_are_listed_with_what_tells_them_apart(desk: Desk) -> None:
    one, two, *_ = desk.rehearsal.onence.fleet
    one.label = two.label = "Pump station"
    assert desk.run("inventory", "pull").code == 0
    ended = desk.json("show", "Pump station")
    assert ended.code == 2
    assert {hit["old_iccid"] for hit in ended.data["hits"]} == {one.iccid, two.iccid}
    assert {hit["label"] for hit in ended.data["hits"]} == {"Pump station"}
    for words in (one.iccid, two.iccid, "label Pump station"):
        assert words in ended.err


# --- what is next -------------------------------------------------------------------------------------------------


def test_the_next_step_is_told_from_the_pull_to_the_last_cutover(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=3, onence=OnenceBehaviour(rate_limit=None, put_effect_s=0.0), epoch=datetime.now(UTC))
    old = min(sim.iccid for sim in desk.rehearsal.onence.fleet)

    def command() -> str | None:
        found: str | None = desk.json("show", old).data["next"]["command"]
        return found

    assert desk.run("inventory", "pull").code == 0
    assert command() == "migrator pair import FILE"
    assert desk.run("pair", "pool", desk.pool()).code == 0
    assert command() == "migrator plan create"
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    assert command() == f"migrator apply {plan['plan_id']}"
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    assert command() == f"migrator verify --traffic --old-silent {plan['plan_id']}"
    for new in desk.rehearsal.hologram.sims:
        passes_data(desk, new)
    desk.run("verify", "--traffic")
    assert command() == "migrator cutover plan"
    cutover = desk.json("cutover", "plan", "--rest", "0s", "--old-sim", "not_asked", "--accept-other-units").data
    assert command() == f"migrator cutover apply {cutover['switch_id']}"
    assert desk.run("cutover", "apply", "--confirm", str(cutover["count"])).code == 0
    assert desk.run("inventory", "pull").code == 0
    story = desk.json("show", old).data
    assert (story["next"]["command"], story["old_sim"]["status"]) == (None, "disabled")
    assert f"cutover {cutover['switch_id']}" in story["old_sim"]["switched_off"]
    assert [one["kind"] for one in story["requests"]][-1] == "source"
    assert story["requests"][-1]["of"] == cutover["switch_id"]
    back = desk.json("rollback", "plan").data
    assert command() == f"migrator rollback apply {back['switch_id']}"
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    story = desk.json("show", old).data
    assert story["next"] == {
        "command": None,
        "words": "Nothing: a rollback took it back to its old SIM, and paused the new one.",
    }
    assert [one["kind"] for one in story["requests"]][-2:] == ["source", "pause"]
    assert [one["direction"] for one in story["switches"]] == ["cutover", "rollback"]


def test_a_failed_claim_is_told_with_the_carriers_words_and_what_to_do(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=6)
    desk.planned()
    old, new = a_pair_of(desk)
    link = desk.rehearsal.hologram.sims[new]
    link.org_id, link.state = 90_001, "LIVE"  # somebody else claimed it meanwhile
    count = desk.json("plan", "show").data["claims"]
    desk.run("apply", "--confirm", str(count))
    story = desk.json("show", old).data
    (plan,) = story["plans"]
    assert plan["bucket"] == "failed"
    assert story["next"]["words"] == plan["remedy"]
    failed = next(step for step in plan["steps"] if step["state"] == "failed")
    assert failed["message"]


def a_pair_of(desk: Desk) -> tuple[str, str]:
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        return min((pair.source.digits, pair.target.digits) for pair in store.pairs.all())


def test_a_corrected_pair_is_told_with_who_and_why(desk: Desk) -> None:
    old, new = a_pair(desk)
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        pair = next(pair for pair in store.pairs.all() if pair.source.digits == old)
    was = Iccid.parse("89445000000000999979")
    values = (pair.source.key, old, was.key, was.digits, pair.target.key, new)
    with closing(sqlite3.connect(desk.folder / "migrator.db")) as connection, connection:
        connection.execute(
            "INSERT INTO pair_versions "
            "VALUES (?, 2, ?, ?, ?, 'p:1', ?, ?, 'fix.csv:2', 'IMEI', 'crossed', 'kim', 1.8e9)",
            values,
        )
    for name in (old, new, was.digits):
        story = desk.json("show", name).data
        assert story["pair"]["target_iccid"] == new
        (one,) = story["earlier_pairs"]
        assert (one["was_target_iccid"], one["corrected_by"], one["reason"]) == (was.digits, "kim", "crossed")


# --- both carriers now --------------------------------------------------------------------------------------------


def test_live_asks_both_carriers_about_one_sim_and_writes_nothing(desk: Desk) -> None:
    old, new = a_pair(desk)
    passes_data(desk, new, bytes_=0)
    before = json.dumps(desk.json("show", old).data)
    first = len(desk.rehearsal.hologram.ledger.entries), len(desk.rehearsal.onence.ledger.entries)
    told = desk.json("show", old, "--live")
    assert told.code == 0
    live = told.data["live"]
    assert (live["new_sim"]["state"], live["silence"]) == ("live", "zero_bytes")
    assert [one["bytes"] for one in live["new_sim"]["sessions"]] == [0]
    assert live["old_sim"]["status"] == "enabled"
    assert live["old_sim"]["session"] in {"ATTACHED", "OFFLINE"}
    assert live["old_sim"]["days_told"] >= 30
    at_hologram = desk.rehearsal.hologram.ledger.entries[first[0] :]
    at_1nce = desk.rehearsal.onence.ledger.entries[first[1] :]
    assert {entry.method for entry in at_hologram} == {"GET"}
    assert {entry.path.rpartition("/")[2] for entry in at_1nce if entry.method == "POST"} <= {"token"}
    assert len(at_hologram) <= 5
    assert len(at_1nce) <= 6
    assert json.dumps(desk.json("show", old).data) == before


def test_a_carrier_that_does_not_answer_leaves_the_rest_of_the_story(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = a_pair(desk)
    monkeypatch.setenv("HOLOGRAM_API_KEY", "another-key")
    told = desk.json("show", old, "--live")
    assert told.code == 4
    assert told.data["live"]["new_sim"] is None
    assert told.data["live"]["old_sim"]["status"] == "enabled"
    assert told.data["pair"]["source_iccid"] == old
    assert "Hologram did not answer" in told.err


def test_the_old_sim_that_talks_is_told_live(desk: Desk) -> None:
    old, new = a_pair(desk)
    hologram, unit = desk.rehearsal.hologram, desk.rehearsal.onence.fleet.find(old)
    assert unit is not None
    hologram.sims[new].claimed_at = hologram.now - timedelta(days=5)
    unit.imei, unit.used_on = "8600000000000104", (hologram.now.date(), hologram.now.date() - timedelta(days=1))
    live = desk.json("show", old, "--live").data["live"]
    assert live["silence"] == "old_sim_talks"
    assert live["old_sim"]["used_on"][-1] == hologram.now.date().isoformat()


def test_the_library_tells_the_same_story(desk: Desk) -> None:
    old, _ = a_pair(desk)
    with open_site(f"sqlite:///{desk.folder}/migrator.db") as site:
        story = show(site, old)
    told = desk.json("show", old).data
    told.pop("base_urls", None)
    assert json.loads(json.dumps(story.document)) == told
