"""Cutovers and rollbacks of older stores move into the one journal, and go on from where they stood."""

import gzip
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.core.cutover.plan import Direction
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import RequestOutcome
from migrator.engine.cutover.context import CutoverOptions
from migrator.errors import StoreError
from migrator.reports.evidence.check import evidence_problems
from migrator.store import Store
from migrator.workflows.evidence import gather
from tests.schema.older import BEFORE_ONE_JOURNAL, make_older
from tests.schema.test_schema import RELEASED, future, upgraded, version
from tests.store.store_kit import NOW, open_store
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import Crash, crash_at

WRITTEN_BY_0007 = Path(__file__).parent / "written_by_0007.sql.gz"
"""What the release of schema 0007 wrote: a finished cutover, and a rollback that died with pauses in flight."""

EVIDENCE_OF_0007 = Path(__file__).parent / "written_by_0007.zip"
"""The evidence of that store, written by that release."""

DEATHS = {
    "a cutover whose order is in flight": (Direction.CUTOVER, "after_effect", StepKind.SOURCE),
    "a cutover whose order may not have left": (Direction.CUTOVER, "after_intent", StepKind.SOURCE),
    "a rollback whose pause is in flight": (Direction.ROLLBACK, "after_effect", StepKind.PAUSE),
}


def began(folder: Path, direction: Direction, point: str, kind: StepKind) -> CutoverWorld:
    """A fleet whose cutover or rollback died at a point, with earlier orders proved and in doubt."""
    world = CutoverWorld(folder, sims=8, cutover_options=CutoverOptions(batch=3, workers=1))
    world.migrated()
    world.cutover_plan(waves=(2,))
    if direction is Direction.ROLLBACK:
        assert finished(world, Direction.CUTOVER) is ExitCode.DONE
        world.rollback_plan()
    with pytest.raises(Crash):
        world.carry_out(direction, hooks=crash_at(point, 2 if kind is StepKind.SOURCE else 1, kind))
    return world


def finished(world: CutoverWorld, direction: Direction) -> ExitCode:
    """Go on until there is nothing left to do, and note it."""
    result = world.carry_out(direction)
    for _ in range(8):
        if result.exit_code is not ExitCode.RESUMABLE:
            break
        world.elapsed_s += 700
        result = world.carry_out(direction)
    with world.store() as store:
        store.cutovers.finish(result.cutover_id, world.now().timestamp())
    return result.exit_code


def told(store: Store) -> dict[str, Any]:
    """All that is told of a store's plans, but for the numbers of runs and requests."""
    plan_id = store.plans.newest() or ""
    found: dict[str, Any] = {"newest": plan_id, "all": store.plans.list(), "off": store.cutovers.switched_off()}
    for one in store.cutovers.of_plan(plan_id):
        cutover_id = one["switch_id"]
        header, items = store.cutovers.stored(cutover_id)
        found[cutover_id] = {
            "plan": one,
            "header": header,
            "items": list(items),
            "steps": [{**step, "request_id": None} for step in store.cutovers.stored_steps(cutover_id)],
            "runs": [(run.state, run.owner, run.started_at, run.exit_code) for run in store.journal.runs(cutover_id)],
            "requests": [
                (one.kind, one.method, one.path, one.body, one.sims, one.outcome, one.intent_at, one.message)
                for one in store.journal.requests(cutover_id)
            ],
            "rolled_back": store.cutovers.rolled_back(),
        }
    of_migration = [plan_id, store.journal.runs(plan_id), store.journal.requests(plan_id)]
    return found | {"migration": [*of_migration, store.journal.step_codes(plan_id), store.journal.verdicts(plan_id)]}


@pytest.mark.share(3)
@pytest.mark.parametrize("released", BEFORE_ONE_JOURNAL)
@pytest.mark.parametrize("death", DEATHS)
def test_a_cutover_in_progress_is_moved_whole_and_goes_on(death: str, released: str, tmp_path: Path) -> None:
    direction, point, kind = DEATHS[death]
    world = began(tmp_path, direction, point, kind)
    file = tmp_path / "state.db"
    with world.store() as store:
        before = told(store)
    make_older(file, released)
    assert version(file) == released
    world.elapsed_s += 60
    with world.store() as store:
        assert told(store) == before
        assert list(store.audit.problems()) == []
    assert finished(world, direction) is ExitCode.DONE
    assert len(world.off()) == (0 if direction is Direction.ROLLBACK else 8)
    assert len(world.paused()) == (8 if direction is Direction.ROLLBACK else 0)
    world.check_values()
    with world.store() as store:
        assert list(store.audit.problems()) == []
        gather(store, store.plans.newest() or "", tmp_path / "evidence.zip", now=0.0)
    assert evidence_problems(tmp_path / "evidence.zip")[1] == []


@pytest.mark.share(2)
@pytest.mark.parametrize("released", BEFORE_ONE_JOURNAL[1:])
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE requests SET body = replace(body, 'Disabled', 'Enabled') WHERE kind = 'source'",
        "DELETE FROM requests WHERE request_id = (SELECT max(request_id) FROM requests)",
        "UPDATE plans SET header = replace(header, '\"count\":', '\"count\":1') WHERE kind = 'cutover'",
        "UPDATE changes SET wave = 'rest' WHERE position IS NOT NULL",
        "UPDATE events SET detail = replace(detail, '\"run_id\":', '\"run_id\":1') WHERE kind = 'journals.joined'",
    ],
)
def test_an_edit_of_what_was_moved_is_found(edit: str, released: str, tmp_path: Path) -> None:
    world = began(tmp_path, *DEATHS["a cutover whose order is in flight"])
    make_older(tmp_path / "state.db", released)
    world.store().close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain, plain:
        assert plain.execute(edit).rowcount
    with world.store() as store:
        assert list(store.audit.problems())


def test_the_log_tells_by_how_much_the_numbers_grew(tmp_path: Path) -> None:
    world = began(tmp_path, *DEATHS["a rollback whose pause is in flight"])
    make_older(tmp_path / "state.db", "0007")
    with world.store() as store:
        (event,) = [event for event in store.audit.events() if event.kind == "journals.joined"]
        added = event.detail["added_to_switch_numbers"]
        sent = [one.detail for one in store.audit.events() if one.kind == "switch.request_sent"]
        digests = {one["request_id"]: one["sims"] for one in sent}
        requests = [
            one
            for plan in store.cutovers.of_plan(store.plans.newest() or "")
            for one in store.journal.requests(plan["switch_id"])
        ]
        assert {one.request_id - added["request_id"]: one.sims for one in requests} == digests
        assert {one["run_id"] + added["run_id"] for one in sent} == {one.run_id for one in requests}
        assert event.at == world.now().timestamp()


def test_every_sim_that_an_older_request_names_is_one_of_its_sims(tmp_path: Path) -> None:
    """A step named its last request alone."""
    world = began(tmp_path, *DEATHS["a rollback whose pause is in flight"])
    with world.store() as store:
        plans = [one["switch_id"] for one in store.cutovers.of_plan(store.plans.newest() or "")]
        requests = [one for cutover_id in plans for one in store.journal.requests(cutover_id)]
        before = [(one.kind, store.journal.request_keys(one.request_id)) for one in requests]
    make_older(tmp_path / "state.db", "0007")
    with world.store() as store:
        requests = [one for cutover_id in plans for one in store.journal.requests(cutover_id)]
        assert [(one.kind, store.journal.request_keys(one.request_id)) for one in requests] == before


def test_a_store_without_cutovers_gets_no_event(tmp_path: Path) -> None:
    world = CutoverWorld(tmp_path, sims=4)
    world.migrated()
    with world.store() as store:
        head = store.audit.head()
    make_older(tmp_path / "state.db", "0007")
    with world.store() as store:
        assert store.audit.head() == head


def test_an_upgrade_that_fails_after_the_move_leaves_the_older_store_whole(tmp_path: Path) -> None:
    world = began(tmp_path, *DEATHS["a cutover whose order is in flight"])
    file = tmp_path / "state.db"
    make_older(file, "0007")
    with closing(sqlite3.connect(file)) as plain:
        before = list(plain.iterdump())
    with pytest.raises(StoreError):
        upgraded(file, future(tmp_path, more='op.execute("INSERT INTO pairs SELECT * FROM nowhere")'))
    with closing(sqlite3.connect(file)) as plain:
        assert list(plain.iterdump()) == before
    for backup in tmp_path.glob("state.db.backup-*"):
        backup.unlink()
    assert finished(world, Direction.CUTOVER) is ExitCode.DONE


def test_what_the_release_before_wrote_is_read_to_the_letter(tmp_path: Path) -> None:
    """Not made by a test from the tables of today, but by the commands of that release."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain:
        plain.executescript(gzip.decompress(WRITTEN_BY_0007.read_bytes()).decode())
    with open_store(tmp_path) as store:
        assert list(store.audit.problems()) == []
        plan_id = store.plans.newest() or ""
        cutover, rollback = [one["switch_id"] for one in store.cutovers.of_plan(plan_id)]
        assert (store.cutovers.state(cutover), store.cutovers.state(rollback)) == ("finished", "started")
        assert store.cutovers.newest() == rollback
        assert len(store.cutovers.switched_off()) == 8
        steps = store.journal.step_counts(rollback)
        assert steps[StepKind.PAUSE, StepState.IN_FLIGHT] == 3
        outcomes = Counter(one.outcome for one in store.journal.requests(rollback))
        assert outcomes == {RequestOutcome.ACCEPTED: 8, RequestOutcome.SENT: 1}
        assert store.journal.reclaim_in_flight(rollback, NOW) == 3
        gather(store, plan_id, tmp_path / "evidence.zip", now=0.0)
        assert list(store.audit.problems()) == []
    assert evidence_problems(tmp_path / "evidence.zip")[1] == []


def test_evidence_of_the_release_before_is_still_checked(tmp_path: Path) -> None:
    """It names requests of a cutover by their former numbers, and steps by their last request."""
    assert evidence_problems(EVIDENCE_OF_0007)[1] == []
    edited = tmp_path / "edited.zip"
    with zipfile.ZipFile(EVIDENCE_OF_0007) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            new.writestr(name, text.replace("Disabled", "Enabled") if name == "switch_requests.jsonl" else text)
    found = evidence_problems(edited)[1]
    assert any(words.startswith("request ") and "is not in the log" in words for words in found), found


def test_every_release_before_is_tried() -> None:
    """Revisions 0008 and 0009 come in one release with the one journal."""
    assert [one for one in RELEASED if "0004" <= one < "0008"] == list(BEFORE_ONE_JOURNAL)
