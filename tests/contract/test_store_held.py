"""Every table that the log speaks of is held against it: rows that came, went or changed behind its back are found."""

import sqlite3
from pathlib import Path

import pytest

from migrator.bootstrap.rehearsal import pool_of
from migrator.core.approvals import Approval
from migrator.core.identifiers import Iccid
from migrator.core.orders import Order, OrderKind, Selection
from migrator.core.plan import Action
from migrator.core.results import ExitCode
from migrator.core.switch_plan import Require
from migrator.executor.switch_context import SwitchOptions
from tests.contract.test_store_audit import problems
from tests.simulation.switching import SwitchWorld


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
    assert world.cutover_plan(require=Require.VERIFIED).count
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
    "a SIM was set aside": "UPDATE switch_steps SET state = 'skipped' WHERE state = 'done'",
}


@pytest.mark.parametrize("what", EDITS)
def test_it_is_found_when(what: str, steered: SwitchWorld, tmp_path: Path) -> None:
    def edit(plain: sqlite3.Connection) -> None:
        assert plain.execute(EDITS[what]).rowcount

    assert problems(steered, tmp_path, edit)
