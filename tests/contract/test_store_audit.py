"""The audit log: any edit, removal or insertion is found."""

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from migrator.bootstrap.evidence import gather
from migrator.core.audit import GENESIS, AuditEvent, chain_problems, digest_of, event_document
from migrator.errors import InputError
from migrator.reports.evidence import evidence_problems
from tests.simulation.world import Crash, World, crash_at

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
    "the outcome of a request was changed": "UPDATE requests SET outcome = 'refused' WHERE request_id = 1",
    "a request was added": "INSERT INTO requests (plan_no, run_id, kind, method, path, body, sims, intent_at, outcome, "
    "message) SELECT plan_no, run_id, kind, method, path, body, sims, intent_at, outcome, '' FROM requests LIMIT 1",
    "a step was set back": "UPDATE steps SET state = 'pending' WHERE kind = 'claim' AND source_key = "
    "(SELECT min(source_key) FROM steps)",
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
        for seq, at, kind, plan_id, detail in rows:
            event = {"seq": seq, "at": at + 1, "kind": kind, "plan_id": plan_id, "detail": json.loads(detail)}
            before = digest_of(before, event)
            plain.execute("UPDATE events SET at = ?, digest = ? WHERE seq = ?", (at + 1, before, seq))

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
            manifest["members"][name]["sha256"] = hashlib.sha256(texts[name].encode()).hexdigest()
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


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all"])
def test_what_is_no_evidence_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InputError, match="no evidence"):
        evidence_problems(tmp_path / "x.zip")


def test_evidence_that_cannot_be_written_leaves_nothing_behind(applied: World, tmp_path: Path) -> None:
    with applied.store() as store, pytest.raises(InputError):
        gather(store, store.plans.newest() or "", tmp_path / "no" / "such.zip", now=0.0)
    assert list(tmp_path.iterdir()) == []
