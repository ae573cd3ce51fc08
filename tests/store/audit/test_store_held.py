"""Every table that the log speaks of is held against it: rows that came, went or changed behind its back are found."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrator.core.audit.chain import GENESIS, digest_of
from migrator.core.cutover.plan import Require
from migrator.core.fleet.identifiers import Iccid
from migrator.core.plan.approvals import Approval
from migrator.core.plan.plan import Action
from migrator.core.policy.policy import OldSim
from migrator.core.run.control import Order, OrderKind, Selection
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome, Verdict, Verified
from migrator.engine.cutover.context import SwitchOptions
from migrator.wiring.rehearsal import pool_of
from tests.store.audit.test_store_audit import problems
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned
from tests.worlds.auditing import check_audit
from tests.worlds.cutover_world import SwitchWorld, switch_crash_at
from tests.worlds.world import Crash, crash_at


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> SwitchWorld:
    """A fleet with everything in its store that people order: approvals, an order, a rate, a skip, a cutover."""
    world = SwitchWorld(tmp_path_factory.mktemp("steered"), sims=12)
    world.ready()
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        aside = next(store.plans.changes(plan_id, actions={Action.CLAIM})).source_iccid.key
        assert store.interventions.skip(plan_id, Selection(keys=frozenset({aside})), now=9.0).sims == 1
    world.apply_until_quiet()
    assert world.cutover_plan(require=Require.VERIFIED, old_sim=OldSim.NOT_ASKED).count
    assert world.cut_over(options=SwitchOptions(batch=4)).exit_code is ExitCode.DONE
    with world.store() as store:
        sha256 = store.plans.header(plan_id).fingerprints.changes
        store.approvals.add(plan_id, Approval("ada", 5.0, sha256, "as agreed"))
        store.approvals.add(plan_id, Approval("bob", 6.0, sha256))
        store.steering.give(plan_id, Order(OrderKind.PAUSE, "bob", 7.0))
        store.steering.set_ceiling("hologram", 3.0, by="bob", now=8.0)
    return world


def test_what_nobody_touched_holds(steered: SwitchWorld, tmp_path: Path) -> None:
    assert problems(steered, tmp_path) == []


def test_keys_that_lack_more_than_a_check_digit_are_what_they_should_be(tmp_path: Path) -> None:
    """In one ICCID of ten the digit before the check digit is right by chance, and is not in the key either."""
    short = [new for new in pool_of(300) if len(new) - len(Iccid.parse(new).key) > 1][:6]
    world = SwitchWorld(tmp_path, sims=6)
    world.pull()
    world.target.stock(short)
    world.pair(short)
    world.plan()
    with world.store() as store:
        assert list(store.audit.problems()) == []
        with store._db.write() as connection:
            cut = "UPDATE changes SET target_key = substr(target_key, 1, 17) WHERE target_key IS NOT NULL"
            edited = connection.exec_driver_sql(cut).rowcount
        (problem,) = store.audit.problems()
    assert f"{edited} SIMs have another action, wave or target" in problem


EDITS = {
    "an approval was added": "INSERT INTO approvals (plan_no, approved_by, approved_at, changes_sha256, note) "
    "SELECT plan_no, 'eve', approved_at, changes_sha256, note FROM approvals WHERE approval_id = 1",
    "an approval was added with an old date": "INSERT INTO approvals (plan_no, approved_by, approved_at, "
    "changes_sha256, note) SELECT plan_no, 'eve', 0, changes_sha256, note FROM approvals WHERE approval_id = 1",
    "an approval was given twice": "INSERT INTO approvals (plan_no, approved_by, approved_at, changes_sha256, note) "
    "SELECT plan_no, approved_by, approved_at, changes_sha256, note FROM approvals WHERE approval_id = 1",
    "an approval was given to another person": "UPDATE approvals SET approved_by = 'eve' WHERE approval_id = 1",
    "an approval was moved to other changes": "UPDATE approvals SET changes_sha256 = 'f' WHERE approval_id = 1",
    "the note of an approval was changed": "UPDATE approvals SET note = '' WHERE approval_id = 1",
    "an approval was removed": "DELETE FROM approvals WHERE approval_id = 2",
    "an order was removed": "DELETE FROM orders",
    "an order was changed": "UPDATE orders SET kind = 'abort'",
    "an order is somebody else's": "UPDATE orders SET given_by = 'eve'",
    "a rate was changed": "UPDATE rates SET ceiling = 300.0 WHERE carrier = 'hologram'",
    "a rate was removed": "DELETE FROM rates WHERE carrier = 'hologram'",
    "a pair was changed": "UPDATE pairs SET target_key = '8' || target_key WHERE source_key = "
    "(SELECT min(source_key) FROM pairs)",
    "a pair was removed": "DELETE FROM pairs WHERE source_key = (SELECT min(source_key) FROM pairs)",
    "a SIM left the inventory": "DELETE FROM source_sims WHERE key = (SELECT min(key) FROM source_sims)",
    "a label of the inventory was changed": "UPDATE source_sims SET label = 'another'",
    "a plan was added": "INSERT INTO plans (plan_no, plan_id, made_no, state, header, policy_text, policy_json, "
    "created_at) SELECT 9, 'p9', 9, state, header, policy_text, policy_json, created_at FROM plans",
    "a plan is in use again": "UPDATE plans SET state = 'created' WHERE plan_no = 1",
    "a plan claims more": "UPDATE plans SET header = replace(header, '\"claims\":', '\"claims\":1') WHERE plan_no = 1",
    "the policy of a plan was changed": "UPDATE plans SET policy_text = replace(policy_text, '1000', '1001')",
    "a SIM was put into another wave": "UPDATE changes SET wave = 'canary' WHERE wave IS NOT NULL",
    "a SIM is to be left alone": "UPDATE changes SET action = 'NO_OP' WHERE action = 'CLAIM'",
    "a SIM has another target": "UPDATE changes SET target_key = '1' || target_key WHERE target_key IS NOT NULL",
    "a cutover is in use again": "UPDATE switch_plans SET state = 'created'",
    "a run was removed": "DELETE FROM runs",
    "a run has another owner": "UPDATE runs SET owner = 'eve'",
    "a run ended otherwise": "UPDATE runs SET exit_code = 7",
    "the reason of a run was changed": "UPDATE switch_runs SET reason = 'as ordered'",
    "a request names another SIM": "UPDATE request_items SET source_key = '9' || source_key WHERE source_key = "
    "(SELECT min(source_key) FROM request_items)",
    "a request has another job": "UPDATE requests SET job_id = 'x' WHERE outcome = 'accepted'",
    "a request is for more SIMs": "UPDATE switch_requests SET sims = sims + 1",
    "a skip was taken back": "DELETE FROM steps WHERE state = 'skipped'",
    "a verdict was changed": "UPDATE verifications SET verdict = 'mismatch' WHERE source_key = "
    "(SELECT min(source_key) FROM verifications)",
    "a verdict was removed": "DELETE FROM verifications WHERE source_key = (SELECT max(source_key) FROM verifications)",
    "what was found was changed": 'UPDATE verifications SET findings = \'[["wrong_name","a","b"]]\'',
    "a verdict is of another day": "UPDATE verifications SET verified_at = verified_at + 86400",
    "a step has another code": "UPDATE steps SET code = 'x' WHERE source_key = (SELECT min(source_key) FROM steps)",
    "a step has other words": "UPDATE steps SET message = 'x' WHERE source_key = (SELECT min(source_key) FROM steps)",
    "a step was done at another time": "UPDATE steps SET since = since + 1",
    "a step was tried more often": "UPDATE steps SET attempts = attempts + 1",
    "what an old SIM was before its order": "UPDATE switch_steps SET before = replace(before, 'label', 'lable')",
    "a switch has another code": "UPDATE switch_steps SET code = 'x' WHERE state = 'done'",
    "a switch is of another request": "UPDATE switch_steps SET request_id = 1 WHERE request_id = 2",
    "a cutover is of another plan": "UPDATE switch_plans SET plan_no = 2",
    "a cutover is a rollback": "UPDATE switch_plans SET direction = 'rollback'",
    "a cutover began at another time": "UPDATE switch_plans SET started_at = started_at + 1",
    "a plan began at another time": "UPDATE plans SET started_at = started_at + 1 WHERE plan_no = 1",
    "a plan was made at another time": "UPDATE plans SET created_at = created_at + 1 WHERE plan_no = 1",
    "a run began at another time": "UPDATE runs SET started_at = started_at + 1",
    "a run ended at another time": "UPDATE runs SET ended_at = ended_at + 1",
    "a run ended in another state": "UPDATE runs SET state = 'halted' WHERE state <> 'halted'",
    "a switch run began at another time": "UPDATE switch_runs SET started_at = started_at + 1",
    "a request was sent at another time": "UPDATE requests SET intent_at = intent_at + 1",
    "a request was answered at another time": "UPDATE requests SET outcome_at = outcome_at + 1",
    "a request has other words": "UPDATE requests SET message = 'x'",
    "a request is of another wave": "UPDATE requests SET wave = 'x'",
    "a request is of another run": "UPDATE requests SET run_id = run_id + 1",
    "a switch was sent at another time": "UPDATE switch_requests SET intent_at = intent_at + 1",
    "a switch has other words": "UPDATE switch_requests SET message = 'x'",
    "a wave rests since another time": "UPDATE wave_gates SET reached_at = reached_at - 3600",
    "a wave no longer rests": "DELETE FROM wave_gates",
    "a wave rests that never did": "INSERT INTO wave_gates (plan_no, wave, reached_at) VALUES (1, 'x', 0)",
    "a SIM has another reason": "UPDATE changes SET reason = 'x'",
    "a SIM has another ICCID": "UPDATE changes SET source_iccid = source_iccid || '0'",
    "a SIM was set aside": "UPDATE switch_steps SET state = 'skipped' WHERE state = 'done'",
}


@pytest.mark.parametrize("what", EDITS)
def test_it_is_found_when(what: str, steered: SwitchWorld, tmp_path: Path) -> None:
    def edit(plain: sqlite3.Connection) -> None:
        assert plain.execute(EDITS[what]).rowcount

    assert problems(steered, tmp_path, edit)


NEWER = {
    "request.sent": {"run_id", "wave"},
    "request.answered": {"message"},
    "switch.request_sent": {"run_id"},
    "switch.request_answered": {"message"},
    "run.ended": {"state"},
    "switch.run_ended": {"state"},
}
"""What an older version did not tell, beside the tallies."""


def as_an_older_version_wrote_it(plain: sqlite3.Connection) -> None:
    """Take out of a log what an older version did not tell, and hash it anew."""
    rows = plain.execute("SELECT at, kind, plan_id, detail FROM events ORDER BY seq").fetchall()
    plain.execute("DELETE FROM events")
    plain.execute("DELETE FROM meta WHERE name LIKE 'tally:%'")
    seq, before = 0, GENESIS
    for at, kind, plan_id, text in rows:
        if kind.startswith(("verdicts.", "wave.")):
            continue
        newer = {"steps_sha256", "verdicts_sha256", *NEWER.get(kind, ())}
        detail = {name: value for name, value in json.loads(text).items() if name not in newer}
        seq += 1
        before = digest_of(before, {"seq": seq, "at": at, "kind": kind, "plan_id": plan_id, "detail": detail})
        plain.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", (seq, at, kind, plan_id, json.dumps(detail), before)
        )


def check(world: SwitchWorld) -> None:
    with world.store() as store:
        check_audit(store, store.plans.newest() or "", world.folder)


def older(world: SwitchWorld) -> None:
    with closing(sqlite3.connect(world.folder / "state.db")) as plain, plain:
        as_an_older_version_wrote_it(plain)
    check(world)


def test_a_store_of_an_older_version_goes_on_without_a_false_alarm(tmp_path: Path) -> None:
    """Whatever it was at: nothing of what only a newer version tells is missed in rows that are older."""
    world = SwitchWorld(tmp_path, sims=12)
    world.ready()
    older(world)
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 3))
    older(world)
    world.apply_until_quiet()
    check(world)
    older(world)
    world.cutover_plan(require=Require.VERIFIED, old_sim=OldSim.NOT_ASKED)
    with pytest.raises(Crash):
        world.cut_over(hooks=switch_crash_at("after_effect", 1))
    older(world)
    for _ in range(5):
        world.elapsed_s += 600
        if world.cut_over().exit_code is ExitCode.DONE:
            break
    check(world)
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    check(world)
    older(world)


@pytest.mark.parametrize("table", ["steps", "switch_steps"])
def test_an_edit_stays_found_though_the_row_was_written_since(table: str, tmp_path: Path) -> None:
    """The tally goes on from what was told: a row that was edited and then written again does not come to rights."""
    world = SwitchWorld(tmp_path, sims=6)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 3))
    world.elapsed_s += 600
    if table == "switch_steps":
        world.apply_until_quiet()
        world.cutover_plan(require=Require.VERIFIED, old_sim=OldSim.NOT_ASKED)
        with pytest.raises(Crash):
            world.cut_over(hooks=switch_crash_at("after_effect", 1))
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain, plain:
        plain.execute(f"UPDATE {table} SET since = since - 1")  # noqa: S608 - our own name
    world.apply_until_quiet()
    for _ in range(3):
        world.elapsed_s += 600
        if table != "switch_steps" or world.cut_over().exit_code is ExitCode.DONE:
            break
    with world.store() as store:
        assert [words for words in store.audit.problems() if "its steps are not what the log tells" in words]


def test_an_edited_verdict_stays_found_though_the_sim_was_judged_since(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1), change(2)])
        judged = [Verified(key(1), Verdict.PENDING, ()), Verified(key(2), Verdict.OK, ())]
        store.journal.verified("p1", judged, now=NOW)
        store.journal.verified("p1", judged[:1], now=NOW + 1)
        assert list(store.audit.problems()) == []
        with store._db.write() as connection:
            connection.exec_driver_sql("UPDATE verifications SET verdict = 'ok'")
        store.journal.verified("p1", judged, now=NOW + 2)
        assert list(store.audit.problems()) == ["plan p1: its verdicts are not what the log tells"]


def test_which_plan_is_the_newest_is_held_against_the_log(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for name in ("p1", "p2", "p1", "p3"):
            planned(store, [change(1)], plan_id=name)
        assert list(store.audit.problems()) == []
        with store._db.write() as connection:
            connection.exec_driver_sql("UPDATE plans SET made_no = 9 WHERE plan_id = 'p2'")
        (problem,) = store.audit.problems()
    assert "plan p2 is not the newest by the log" in problem


def test_verdicts_that_a_retry_drops_are_told(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1), change(2)])
        run = store.journal.start_run("p1", "me", NOW)
        request = store.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave=None, now=NOW)
        store.journal.answered(request, RequestOutcome.REFUSED, now=NOW, message="half an emoji \ud83d")
        store.journal.move("p1", StepKind.CLAIM, StepEvent.REFUSED_FOR_GOOD, {key(1): ("no", "\ud83d")}, now=NOW)
        store.journal.verified("p1", [Verified(key(1), Verdict.MISMATCH, ())], now=NOW)
        store.journal.verified("p1", [], now=NOW)
        assert store.interventions.retry("p1", Selection(), now=NOW + 1).sims == 1
        kinds = [event.kind for event in store.audit.events()]
        assert (kinds.count("verdicts.kept"), kinds.count("verdicts.dropped")) == (1, 1)
        assert list(store.audit.problems()) == []
