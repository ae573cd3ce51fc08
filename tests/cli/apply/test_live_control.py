"""`run`, `retry`, `skip` and `status --watch` on the command line, with good input and bad."""

import json
from collections.abc import Callable

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims
from migrator.store import Owner, Store
from migrator.wiring import SystemClock, operator, owner
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.cli.conftest import Desk

URL = "sqlite:///migrator.db"


def sent(desk: Desk) -> int:
    return len(desk.rehearsal.hologram.ledger.entries)


@pytest.fixture
def failed(make_desk: Callable[..., Desk]) -> Desk:
    """A finished plan, two SIMs of which Hologram did not know."""
    quick = HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0), claim_policy=MixedClaims.ALL_OR_NOTHING)
    desk = make_desk(behaviour=quick)
    desk.rehearsal.hologram.stock(pool_of(desk.sims)[2:])
    plan = desk.planned(POLICY)
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 3
    return desk


POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
[[waves]]
name = "all"
[gates]
max_failures = 100
max_failure_share = 1.0
"""


# --- orders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "past"), [("pause", "paused"), ("abort", "aborted")])
def test_an_order_holds_the_next_run_until_it_is_withdrawn(desk: Desk, order: str, past: str) -> None:
    plan = desk.planned()
    ended = desk.run("run", order)
    assert ended.code == 0
    assert "No run of it is alive" in ended.out
    before = sent(desk)
    held = desk.json("apply", "--confirm", str(plan["claims"]))
    assert held.code == 6
    (problem,) = held.document["errors"]
    assert problem["code"] == past
    assert operator() in problem["message"]
    assert "migrator run resume" in problem["hint"]
    assert sent(desk) == before
    status = desk.json("status").data
    assert status["order"]["kind"] == order
    assert "run resume" in status["next"]
    assert "go on" in desk.run("run", "resume").out
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0


def test_a_dry_run_of_a_held_plan_is_allowed(desk: Desk) -> None:
    desk.planned()
    desk.run("run", "pause")
    assert desk.run("apply", "--dry-run").code == 0


def test_resume_without_an_order_says_so(desk: Desk) -> None:
    desk.planned()
    ended = desk.run("run", "resume")
    assert ended.code == 0
    assert "no order in force" in ended.out


def test_a_finished_plan_has_no_run_to_pause(desk: Desk) -> None:
    plan = desk.applied()
    ended = desk.run("run", "pause", plan["plan_id"])
    assert ended.code == 2
    assert "finished" in ended.err


def test_a_plan_made_since_does_not_hide_the_one_that_was_begun(desk: Desk) -> None:
    """The next plan is made while the first is under way: bare words about runs mean the first, `apply` the newest."""
    first = desk.planned()
    desk.run("apply", "--confirm", str(first["claims"]), "--max-sims", "1")
    second = desk.json("plan", "create", "--policy", "policy.toml").data
    assert second["plan_id"] != first["plan_id"]
    asked = desk.json("apply")
    assert asked.code == 2
    assert f"migrator apply {first['plan_id']}" in asked.document["errors"][0]["hint"]
    assert desk.json("status").data["unfinished"] == first["plan_id"]
    assert desk.json("run", "pause").data["plan_id"] == first["plan_id"]
    with Store.open(URL, now=0.0) as store:
        now = SystemClock().now().timestamp()
        store.lease.acquire(owner(now), now, is_gone=lambda _owner: False)
    assert desk.json("status").data["plan_id"] == first["plan_id"]


@pytest.mark.parametrize(
    "command", [("run", "pause"), ("run", "resume"), ("retry", "--code", "x"), ("skip", "--code", "x")]
)
def test_without_a_plan_there_is_nothing_to_steer(desk: Desk, command: tuple[str, ...]) -> None:
    desk.run("inventory", "pull")
    assert desk.run(*command).code == 2


def test_a_pause_needs_no_lease(desk: Desk) -> None:
    desk.planned()
    with Store.open(URL, now=0.0) as store:
        now = SystemClock().now().timestamp()
        store.lease.acquire(owner(now), now, is_gone=lambda _: False)
        assert desk.run("run", "pause").code == 0


# --- rates --------------------------------------------------------------------------------------------------------


def test_a_rate_is_kept_shown_and_taken_away(desk: Desk) -> None:
    desk.planned()
    assert desk.json("run", "rate", "3.5").data["effective"] == 3.5
    assert desk.json("run", "rate", "2", "--carrier", "1nce").data["carrier"] == "1nce"
    rates = {rate["carrier"]: rate["ceiling"] for rate in desk.json("status").data["rates"]}
    assert rates == {"hologram": 3.5, "1nce": 2.0}
    assert "Requests a second" in desk.run("status").out
    assert desk.json("run", "rate", "auto").data["ordered"] is None
    assert desk.json("status").data["rates"][0]["carrier"] == "1nce"


def test_a_rate_above_the_setting_says_that_the_setting_counts(desk: Desk) -> None:
    desk.planned()
    ended = desk.run("run", "rate", "900")
    assert ended.code == 0
    assert "HOLOGRAM_MAX_RPS is 500" in ended.out
    assert desk.json("run", "rate", "900").data["effective"] == 500


@pytest.mark.parametrize("word", ["0", "-3", "fast", "1e9", "nan"])
def test_a_rate_that_is_none_is_refused(desk: Desk, word: str) -> None:
    desk.planned()
    assert desk.run("run", "rate", "--", word).code == 2


# --- retry and skip -----------------------------------------------------------------------------------------------


def test_retry_then_apply_claims_what_can_be_claimed_now(failed: Desk) -> None:
    codes = failed.json("status").data["failed"]
    code = next(iter(codes))
    assert failed.json("retry", "--code", code, "--dry-run").data["sims"] == 2
    ended = failed.run("retry", "--code", code, "--wave", "all")
    assert ended.code == 0
    assert "2 SIMs are to be tried again" in ended.out
    assert "migrator apply" in ended.out
    failed.rehearsal.hologram.stock(pool_of(failed.sims)[:2])
    assert failed.run("apply").code == 0
    assert set(failed.rehearsal.hologram.ledger.charges.values()) == {1}


def test_skipped_failures_leave_a_plan_that_is_done(failed: Desk) -> None:
    first, second = failed_sims()
    file = failed.write("sims.txt", f"source_iccid\n{first}  # on the roof\n\n{second}\n")
    assert failed.json("skip", "--iccids", file).data["sims"] == 2
    before = len(failed.rehearsal.hologram.ledger.requests("POST"))
    assert failed.run("apply").code == 0
    assert len(failed.rehearsal.hologram.ledger.requests("POST")) == before


def failed_sims() -> list[str]:
    with Store.open(URL, now=0.0) as store:
        items = store.journal.items(store.plans.newest() or "")
        return [item.change.source_iccid.digits for item in items if "failed" in {s.state for s in item.steps.values()}]


@pytest.mark.parametrize("command", ["retry", "skip"])
def test_without_a_selection_nothing_is_done(failed: Desk, command: str) -> None:
    ended = failed.run(command)
    assert ended.code == 2
    assert "--code" in ended.err


@pytest.mark.parametrize("command", ["retry", "skip"])
def test_bad_lines_of_a_list_are_all_named(failed: Desk, command: str) -> None:
    good = failed_sims()[0]
    file = failed.write("sims.txt", f"{good}\n12\n8.98823E+18\n")
    ended = failed.run(command, "--iccids", file)
    assert ended.code == 2
    assert "sims.txt:2" in ended.err
    assert "sims.txt:3" in ended.err
    unknown = failed.write("sims.txt", f"{good}\n8988228999999999999\n")
    ended = failed.run(command, "--iccids", unknown)
    assert ended.code == 2
    assert "sims.txt:2" in ended.err
    assert failed.run(command, "--iccids", "gone.txt").code == 2
    assert len(failed_sims()) == 2


@pytest.mark.parametrize("command", ["retry", "skip"])
def test_a_selection_that_fits_nothing_changes_nothing_and_says_so(failed: Desk, command: str) -> None:
    ended = failed.run(command, "--code", "no_such_code")
    assert ended.code == 0
    assert "0 SIMs" in ended.out
    assert failed.run(command, "--wave", "no_such_wave").code == 2


@pytest.mark.parametrize("command", ["retry", "skip"])
def test_while_a_run_is_alive_its_sims_are_left_to_it(failed: Desk, command: str) -> None:
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=0.0) as store:
        store.lease.acquire(Owner("elsewhere", 17, now), now, is_gone=lambda _: False)
    ended = failed.run(command, "--wave", "all")
    assert ended.code == 9
    assert "process 17 on elsewhere, started 20" in ended.err


# --- status -------------------------------------------------------------------------------------------------------


def test_watching_a_plan_that_nobody_works_on_ends_at_once(desk: Desk) -> None:
    desk.applied()
    ended = desk.run("status", "--watch", "--every", "1s")
    assert ended.code == 0
    assert ended.out.count("no run is alive") == 1
    events = desk.run("--events", "status", "--watch").out.splitlines()
    assert [json.loads(line)["event"] for line in events] == ["status", "result"]


@pytest.mark.parametrize("every", ["soon", "0s"])
def test_a_bad_interval_is_refused(desk: Desk, every: str) -> None:
    desk.planned()
    assert desk.run("status", "--watch", "--every", every).code == 2


def test_stuck_sims_are_told_with_what_to_do(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make_desk(sims=4, behaviour=HologramBehaviour(stuck_share=1.0))
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--wait", "0s").code == 7
    assert "Stuck" not in desk.run("status").out
    monkeypatch.setattr("migrator.store.journal.waiting.HALF_HOUR_S", -1.0)
    shown = desk.run("status")
    assert "write to its support" in shown.out
    assert desk.json("status").data["stuck"]["half_hour"] > 0
