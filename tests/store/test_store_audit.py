"""The audit log: any edit, removal or insertion is found."""

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.core.audit.chain import GENESIS, AuditEvent, chain_problems, digest_of, event_document
from migrator.core.plan.approvals import Approval
from migrator.core.run.control import Order, OrderKind, Selection
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.errors import InputError
from migrator.ports import Request
from migrator.reports.evidence.check import evidence_problems
from migrator.store import Store
from migrator.workflows.evidence import gather
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import Crash, World, crash_at

pytestmark = pytest.mark.files

Edit = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A plan that was applied through a crash."""
    world = World(tmp_path_factory.mktemp("applied"))
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 3))
    world.apply_until_quiet()
    return world


def problems(world: World, folder: Path, edit: Edit | None = None, *, head: str | None = None) -> list[str]:
    """What is found in a copy of the store, after somebody edited it."""
    copy = World(folder)
    with world.store() as store:
        store.backup(folder / "state.db")
    if edit is not None:
        with closing(sqlite3.connect(folder / "state.db")) as plain:
            edit(plain)
            plain.commit()
    with copy.store() as store:
        return list(store.audit.problems(head=head))


def test_a_log_that_nobody_touched_holds(applied: World, tmp_path: Path) -> None:
    assert problems(applied, tmp_path) == []


EDITS = {
    "an event was changed": "UPDATE events SET detail = replace(detail, 'accepted', 'refused') WHERE seq = "
    "(SELECT min(seq) FROM events WHERE detail LIKE '%accepted%')",
    "the time of an event was changed": "UPDATE events SET at = at + 1 WHERE seq = 4",
    "an event was removed": "DELETE FROM events WHERE seq = 5",
    "the first event was removed": "DELETE FROM events WHERE seq = 1",
    "two events were exchanged": "UPDATE events SET seq = 4 WHERE seq = 5",
    "an event was added": "INSERT INTO events (seq, at, kind, plan_id, detail, digest) "
    "SELECT max(seq) + 1, at, kind, plan_id, detail, digest FROM events",
    "the end of the log was removed": "DELETE FROM events WHERE seq > 8",
    "a request was changed": "UPDATE requests SET body = replace(body, '2096', '1') WHERE body LIKE '%2096%'",
    "a request was removed": "DELETE FROM requests WHERE request_id = (SELECT max(request_id) FROM requests)",
    "a request was added": "INSERT INTO requests (plan_no, run_id, kind, method, path, body, sims, intent_at, outcome, "
    "message) SELECT plan_no, run_id, kind, method, path, body, sims, intent_at, outcome, '' FROM requests LIMIT 1",
    "a plan was changed": "UPDATE changes SET document = replace(document, '\"live\"', '\"pause\"')",
}


@pytest.mark.parametrize("what", EDITS)
def test_it_is_found_when(what: str, applied: World, tmp_path: Path) -> None:
    def edit(plain: sqlite3.Connection) -> None:
        if "exchanged" in what:
            plain.execute("UPDATE events SET seq = -4 WHERE seq = 4")
        assert plain.execute(EDITS[what]).rowcount
        plain.execute("UPDATE events SET seq = 5 WHERE seq = -4")

    assert problems(applied, tmp_path, edit)


def test_a_log_that_was_written_anew_does_not_hold_the_head_that_was_noted(applied: World, tmp_path: Path) -> None:
    with applied.store() as store:
        head = store.audit.head()
    assert problems(applied, tmp_path, head=head) == []

    def forge(plain: sqlite3.Connection) -> None:
        rows = plain.execute("SELECT seq, at, kind, plan_id, detail FROM events ORDER BY seq").fetchall()
        before = GENESIS
        for seq, told_at, kind, plan_id, detail in rows:
            at = told_at + 1 if kind == "steps.moved" else told_at
            event = {"seq": seq, "at": at, "kind": kind, "plan_id": plan_id, "detail": json.loads(detail)}
            before = digest_of(before, event)
            plain.execute("UPDATE events SET at = ?, digest = ? WHERE seq = ?", (at, before, seq))

    (tmp_path / "forged").mkdir()
    assert problems(applied, tmp_path / "forged", forge) == []
    (tmp_path / "noted").mkdir()
    assert problems(applied, tmp_path / "noted", forge, head=head)


def test_an_event_is_not_there_without_what_it_tells(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    with world.store() as store:
        before = store.audit.head()
        with pytest.raises(InputError):
            store.journal.move("no such plan", "claim", "begin", {"1": ("", "")}, now=1.0)  # type: ignore[arg-type]  # never gets so far
        assert store.audit.head() == before


def test_a_chain_says_where_it_breaks() -> None:
    def event(seq: int, before: str) -> AuditEvent:
        bare = AuditEvent(seq, 1.0, "test", None, {}, "")
        return AuditEvent(seq, 1.0, "test", None, {}, digest_of(before, event_document(bare)))

    first = event(1, GENESIS)
    second = event(2, first.digest)
    assert list(chain_problems([first, second])) == []
    assert any("event 2" in words for words in chain_problems([first, event(2, GENESIS)]))
    assert any("missing" in words for words in chain_problems([second]))


# --- every event that matters -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def switched(tmp_path_factory: pytest.TempPathFactory) -> CutoverWorld:
    """A fleet that was cut over through a crash, and half of it rolled back."""
    world = CutoverWorld(tmp_path_factory.mktemp("switched"), sims=12)
    world.migrated()
    world.cutover_plan(waves=(3,))
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", 1))
    world.elapsed_s += 600
    for _ in range(5):
        if world.cut_over().exit_code is ExitCode.DONE:
            break
        world.elapsed_s += 600
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    return world


def test_a_log_of_switches_that_nobody_touched_holds(switched: CutoverWorld, tmp_path: Path) -> None:
    assert problems(switched, tmp_path) == []


CUTOVER_EDITS = {
    "a request was changed": "UPDATE requests SET body = replace(body, 'Disabled', 'Enabled') "
    "WHERE body LIKE '%Disabled%'",
    "a request was removed": "DELETE FROM requests WHERE request_id = "
    "(SELECT min(request_id) FROM requests WHERE kind = 'source')",
    "a request was added": "INSERT INTO requests (plan_no, run_id, kind, method, path, body, sims, intent_at, "
    "outcome, message) SELECT plan_no, run_id, kind, method, path, body, sims, intent_at, outcome, '' "
    "FROM requests WHERE kind = 'source' LIMIT 1",
    "a SIM was added to a plan": "UPDATE changes SET action = 'SWITCH_OFF' WHERE action <> 'SWITCH_OFF' "
    "AND position IS NOT NULL",
    "a SIM was moved to another wave": "UPDATE changes SET wave = 'first-3' WHERE wave = 'rest'",
    "two SIMs changed places": "UPDATE changes SET position = 1000 - position WHERE position IS NOT NULL",
    "a plan was changed": "UPDATE plans SET header = replace(header, '\"count\":', '\"count\":1') "
    "WHERE kind <> 'migrate'",
    "a plan was renamed": "UPDATE plans SET plan_id = 'c0' WHERE kind = 'cutover'",
    "a plan became one of another kind": "UPDATE plans SET kind = 'rollback' WHERE kind = 'cutover'",
    "a plan became a migration": "UPDATE plans SET kind = 'migrate' WHERE kind = 'cutover'",
    "a plan became one of no kind": "UPDATE plans SET kind = 'other' WHERE kind = 'cutover'",
    "a plan went to another migration": "UPDATE plans SET of_plan_no = NULL WHERE kind = 'cutover'",
}


@pytest.mark.parametrize("what", CUTOVER_EDITS)
def test_of_cutover_and_rollback_it_is_found_when(what: str, switched: CutoverWorld, tmp_path: Path) -> None:
    def edit(plain: sqlite3.Connection) -> None:
        assert plain.execute(CUTOVER_EDITS[what]).rowcount

    assert problems(switched, tmp_path, edit)


def test_each_step_of_a_cutover_is_an_event_under_the_plan_of_its_migration(switched: CutoverWorld) -> None:
    with switched.store() as store:
        told = [event for event in store.audit.events() if event.kind.startswith("switch.")]
        plan_id = store.plans.newest()
    assert {event.kind.partition(".")[2] for event in told} == {
        "made",
        "run_started",
        "run_ended",
        "run_took_over",
        "request_sent",
        "request_answered",
        "steps_moved",
    }
    assert {event.plan_id for event in told} == {plan_id}


def newest(store: Store) -> tuple[str, str | None, Mapping[str, Any]]:
    event = list(store.audit.events())[-1]
    return event.kind, event.plan_id, event.detail


def test_what_people_order_and_approve_is_told_with_their_names(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        store.approvals.add(plan_id, Approval("ada", 5.0, "f" * 64, "as agreed"))
        assert newest(store) == (
            "plan.approved",
            plan_id,
            {"by": "ada", "changes_sha256": "f" * 64, "note": "as agreed"},
        )
        store.steering.give(plan_id, Order(OrderKind.PAUSE, "bob", 6.0))
        assert newest(store) == ("order.given", plan_id, {"order": "pause", "by": "bob"})
        store.steering.withdraw(plan_id, by="eve", now=7.0)
        assert newest(store) == ("order.withdrawn", plan_id, {"order": "pause", "by": "eve"})
        store.steering.set_ceiling("hologram", 3.0, by="bob", now=8.0)
        assert newest(store) == ("rate.set", None, {"carrier": "hologram", "per_second": 3.0, "by": "bob"})
        assert list(store.audit.problems()) == []


def test_an_order_that_was_not_there_leaves_no_event(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    with world.store() as store:
        head = store.audit.head()
        store.steering.withdraw(store.plans.newest() or "", by="eve", now=7.0)
        assert store.audit.head() == head


def test_inventory_and_pairs_are_told_with_count_and_fingerprint(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    with world.store() as store:
        told = {event.kind: event.detail for event in store.audit.events()}
        summary = store.inventory.summary()
        assert told["inventory.completed"]["sims"] == summary["count"] == world.sims
        assert told["inventory.completed"]["fingerprint"] == summary["fingerprint"]
        assert told["inventory.completed"]["origin"] is None  # a pull
        assert told["pairs.changed"]["pairs"] == store.pairs.count()
        assert told["pairs.changed"]["fingerprint"] == store.pairs.fingerprint()
        head = store.audit.head()
        store.pairs.add(list(store.pairs.all()), replace=False, now=9.0)
        assert store.audit.head() == head, "nothing changed"


def test_a_plan_in_the_making_that_is_dropped_is_told(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with store.plans.draft(NOW) as draft:
            draft.add([change(1), change(2)])
        assert newest(store) == ("plan.discarded", None, {"changes": 2})


def test_retry_and_skip_are_told_and_the_steps_still_add_up(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1), change(2), change(3)])
        run = store.journal.start_run("p1", "me", NOW)
        keys = [key(1), key(2)]
        request = store.journal.begin(run, StepKind.CLAIM, keys, SENT, wave=None, now=NOW)
        store.journal.answered(request, RequestOutcome.REFUSED, now=NOW)
        store.journal.move("p1", StepKind.CLAIM, StepEvent.REFUSED_FOR_GOOD, dict.fromkeys(keys, ("no", "")), now=NOW)
        store.plans.finish("p1", NOW)
        store.interventions.retry("p1", Selection(), now=NOW)
        told = [event for event in store.audit.events() if event.kind == "steps.moved"]
        assert (told[-1].detail["event"], told[-1].detail["sims"]) == ("operator_retry", 2)
        assert newest(store)[0] == "plan.reopened"
        found = dict.fromkeys(keys, ("", ""))
        store.journal.move("p1", StepKind.CLAIM, StepEvent.PROBED_PRESENT, found, now=NOW)
        store.interventions.skip("p1", Selection(), now=NOW)
        assert newest(store)[2]["event"] == "operator_skip"
        assert list(store.audit.problems()) == []


# --- evidence -----------------------------------------------------------------------------------------------------


@pytest.fixture
def evidence(applied: World, tmp_path: Path) -> Path:
    with applied.store() as store:
        gather(store, store.plans.newest() or "", tmp_path / "evidence.zip", now=0.0)
    return tmp_path / "evidence.zip"


def rewritten(evidence: Path, name: str, edit: Callable[[str], str] | None, *, sums: bool = False) -> Path:
    """A copy of the zip in which somebody edited one member (or dropped it), and perhaps mended the checksum."""
    copy = evidence.with_name("edited.zip")
    with zipfile.ZipFile(evidence) as old, zipfile.ZipFile(copy, "w") as new:
        texts = {one: old.read(one).decode() for one in old.namelist()}
        if edit is None:
            del texts[name]
        else:
            assert edit(texts[name]) != texts[name]
            texts[name] = edit(texts[name])
        if sums:
            manifest = json.loads(texts["manifest.json"])
            data = texts[name].encode()
            manifest["members"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            texts["manifest.json"] = json.dumps(manifest)
        for one, text in texts.items():
            new.writestr(one, text)
    return copy


def test_evidence_is_checked_without_the_store(evidence: Path, applied: World) -> None:
    manifest, found = evidence_problems(evidence)
    assert found == []
    with applied.store() as store:
        assert manifest["head"] == store.audit.head()
    with zipfile.ZipFile(evidence) as archive:
        sims = [json.loads(line) for line in archive.read("sims.jsonl").splitlines()]
    assert len(sims) == applied.sims
    assert {sim["verdict"] for sim in sims if sim["action"] == "CLAIM"} == {"ok"}


@pytest.mark.parametrize(
    ("name", "edit", "sums"),
    [
        ("plan.jsonl", lambda text: text.replace('"live"', '"pause"'), False),
        ("plan.jsonl", lambda text: text.replace('"live"', '"pause"'), True),
        ("requests.jsonl", lambda text: text.replace("2096", "1"), True),
        ("requests.jsonl", lambda text: text.partition("\n")[2], True),
        ("events.jsonl", lambda text: text.replace("accepted", "refused", 1), True),
        ("events.jsonl", lambda text: text.partition("\n")[2], True),
        ("sims.jsonl", lambda text: text.replace("ok", "missing", 1), False),
        ("policy.toml", None, False),
    ],
)
def test_an_edit_of_the_evidence_is_found(
    evidence: Path, name: str, edit: Callable[[str], str] | None, *, sums: bool
) -> None:
    assert evidence_problems(rewritten(evidence, name, edit, sums=sums))[1]


@pytest.fixture
def evidence_of_cutovers(switched: CutoverWorld, tmp_path: Path) -> Path:
    copy = World(tmp_path)
    with switched.store() as store:
        store.backup(tmp_path / "state.db")
    with copy.store() as store:
        plan_id = store.plans.newest() or ""
        store.approvals.add(plan_id, Approval("ada", 5.0, "f" * 64, "as agreed"))
        gather(store, plan_id, tmp_path / "evidence.zip", now=0.0)
    return tmp_path / "evidence.zip"


def test_evidence_holds_approvals_and_what_was_switched(evidence_of_cutovers: Path, switched: CutoverWorld) -> None:
    assert evidence_problems(evidence_of_cutovers)[1] == []
    with zipfile.ZipFile(evidence_of_cutovers) as archive:
        held = {
            name: [json.loads(line) for line in archive.read(f"{name}.jsonl").splitlines()]
            for name in ("approvals", "switches", "switch_sims", "switch_requests")
        }
    assert [one["approved_by"] for one in held["approvals"]] == ["ada"]
    assert [one["direction"] for one in held["switches"]] == ["cutover", "rollback"]
    sent = [one["body"] for one in held["switch_requests"] if one["kind"] == "source"]
    arrived = [entry.body for entry in switched.source.writes]
    assert arrived
    assert all(body in sent for body in arrived)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("switches.jsonl", lambda text: text.replace('count\\":', 'count\\":1')),
        ("switches.jsonl", lambda text: text.partition("\n")[2]),
        ("switch_sims.jsonl", lambda text: text.replace('"wave":"rest"', '"wave":"first-3"')),
        ("switch_sims.jsonl", lambda text: text.partition("\n")[2]),
        ("switch_requests.jsonl", lambda text: text.replace("Disabled", "Enabled")),
        ("switch_requests.jsonl", lambda text: text.partition("\n")[2]),
    ],
)
def test_an_edit_of_what_was_switched_is_found_in_the_evidence(
    evidence_of_cutovers: Path, name: str, edit: Callable[[str], str]
) -> None:
    assert evidence_problems(rewritten(evidence_of_cutovers, name, edit, sums=True))[1]


def test_evidence_of_a_request_in_other_letters_than_ascii_holds(tmp_path: Path) -> None:
    request = Request("POST", SENT.path, {"name": "Pumpe S\u00fcd"})
    with open_store(tmp_path) as store:
        plan_id = planned(store, [change(1)]).plan_id
        run_id = store.journal.start_run(plan_id, "here", NOW)
        store.journal.begin(run_id, StepKind.CLAIM, [key(1)], request, wave=None, now=NOW)
        assert list(store.audit.problems()) == []
        _, head = gather(store, plan_id, tmp_path / "evidence.zip", now=NOW)
    assert evidence_problems(tmp_path / "evidence.zip", head=head)[1] == []


def test_a_manifest_that_was_mended_is_not_the_one_that_was_noted(evidence: Path) -> None:
    noted = evidence_problems(evidence)[0]["sha256"]
    assert evidence_problems(evidence, manifest_sha256=noted)[1] == []
    mended = rewritten(
        evidence, "sims.jsonl", lambda text: text.replace('"read_at":"20', '"read_at":"19', 1), sums=True
    )
    assert evidence_problems(mended)[1] == []
    assert evidence_problems(mended, manifest_sha256=noted)[1]


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all"])
def test_what_is_no_evidence_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InputError, match="no evidence"):
        evidence_problems(tmp_path / "x.zip")


def test_evidence_that_cannot_be_written_leaves_nothing_behind(applied: World, tmp_path: Path) -> None:
    with applied.store() as store, pytest.raises(InputError):
        gather(store, store.plans.newest() or "", tmp_path / "no" / "such.zip", now=0.0)
    assert list(tmp_path.iterdir()) == []
