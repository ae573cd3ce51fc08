"""The evidence: what contradicts the log beside it is found, also when the manifest was mended; damage is named."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.core.plan.approvals import Approval
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.reports.evidence.check import evidence_problems
from migrator.reports.evidence.file import ALWAYS, APPROVALS, CUTOVER_STEPS, MANIFEST, MEMBERS, RUNS, SIMS
from migrator.workflows import evidence as gathering
from migrator.workflows.evidence import gather
from tests.worlds.cutover_world import CutoverWorld

Edit = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> CutoverWorld:
    """A fleet that was migrated under an approval, cut over, and rolled back."""
    world = CutoverWorld(tmp_path_factory.mktemp("world"), sims=8)
    world.migrated()
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        store.approvals.add(plan_id, Approval("ada", 5.0, store.plans.header(plan_id).fingerprints.changes, "agreed"))
    assert world.cutover_plan(waves=(3,)).count
    assert world.cut_over().exit_code is ExitCode.DONE
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    return world


@pytest.fixture(scope="module")
def whole(world: CutoverWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("whole") / "evidence.zip"
    with world.store() as store:
        gather(store, store.plans.newest() or "", file, now=0.0)
    return file


def forged(whole: Path, folder: Path, edits: dict[str, Edit | None], *, mended: bool = True) -> Path:
    """A copy in which members were edited, dropped or added, with a manifest that knows of it."""
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop(MANIFEST))
    for name, edit in edits.items():
        if edit is None:
            del members[name]
        else:
            edited = edit(members.get(name, b""))
            assert edited != members.get(name)
            members[name] = edited
    if mended:
        manifest["members"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in members.items()
        }
    file = folder / "forged.zip"
    with zipfile.ZipFile(file, "w") as out:
        for name, data in {**members, MANIFEST: json.dumps(manifest).encode()}.items():
            out.writestr(name, data)
    return file


def line(number: int, **values: Any) -> Edit:
    """Change values of one line, as whoever knows the format would."""

    def edit(data: bytes) -> bytes:
        lines = data.splitlines()
        row = json.loads(lines[number]) | values
        lines[number] = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
        return b"\n".join(lines) + b"\n"

    return edit


def replacing(old: str, new: str) -> Edit:
    return lambda data: data.replace(old.encode(), new.encode(), 1)


def without(number: int) -> Edit:
    return lambda data: b"".join(one for at, one in enumerate(data.splitlines(keepends=True)) if at != number)


def plan_with_its_fingerprint(data: bytes) -> bytes:
    header, first, *rest = data.splitlines(keepends=True)
    lines = [first.replace(b'"name":"', b'"name":"HACKED'), *rest]
    values = json.loads(header)
    values["fingerprints"]["changes"] = hashlib.sha256(b"".join(lines)).hexdigest()
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode() + b"\n" + b"".join(lines)


FORGERIES: dict[str, tuple[dict[str, Edit | None], str]] = {
    "a value of the plan, with its fingerprint": (
        {"plan.jsonl": plan_with_its_fingerprint},
        "plan.jsonl is not what the log says was made",
    ),
    "the plan claims less": ({"plan.jsonl": line(0, claims=1)}, "plan.jsonl"),
    "the summary of the plan": ({"plan.jsonl": line(0, summary={})}, "the header in plan.jsonl is not what"),
    "the plan is of another account": ({"plan.jsonl": line(0, org_id=1)}, "another org_id"),
    "the policy": ({"policy.toml": lambda data: data + b"# agreed\n"}, "policy.toml"),
    "the policy as it was read": ({"policy.json": lambda _: b"{}\n"}, "policy.json"),
    "a request was dropped": ({"requests.jsonl": without(0)}, "not in the journal as they were sent: 1"),
    "a request was added": ({"requests.jsonl": lambda data: data + line(0, request_id=99)(data)}, "request 99 of plan"),
    "a cutover was dropped": ({"switches.jsonl": without(0)}, "is in the log alone"),
    "all cutovers were dropped": (
        {"switches.jsonl": None, "switch_sims.jsonl": None, "switch_requests.jsonl": None},
        "is in the log alone",
    ),
    "the body of a request": ({"requests.jsonl": line(0, body={})}, "request 1 of plan"),
    "the path of a switch": ({"switch_requests.jsonl": line(0, path="/")}, " of plan c"),
    "a switch is of another plan": ({"switch_requests.jsonl": line(0, switch_id="c0")}, "as they were sent: 1"),
    "the SIMs of a cutover": ({"switch_sims.jsonl": without(0)}, "is not what the log says was made"),
    "an event": ({"events.jsonl": line(3, detail=None)}, "event"),
    "an event without a digest": ({"events.jsonl": replacing('"digest"', '"dig"')}, "is no event"),
    "the end of the log": ({"events.jsonl": lambda data: b"".join(data.splitlines(keepends=True)[:-1])}, "the head"),
    "a line that is none": ({"requests.jsonl": lambda data: data + b"{\n"}, "is damaged, it is no JSON object"),
    "an empty plan": ({"plan.jsonl": lambda _: b""}, "plan.jsonl"),
    "an unknown member": ({"notes.txt": lambda _: b"all is well"}, "notes.txt is no part"),
}


IN_THE_LOG = {name for name in MEMBERS if name not in {RUNS, SIMS, APPROVALS, CUTOVER_STEPS}}
"""Members that the log in the zip vouches for; the manifest alone vouches for the others."""


def test_evidence_that_nobody_touched_holds(whole: Path) -> None:
    assert evidence_problems(whole)[1] == []


@pytest.mark.parametrize("what", FORGERIES)
def test_with_a_mended_manifest_it_is_found_that_somebody_changed(what: str, whole: Path, tmp_path: Path) -> None:
    edits, named = FORGERIES[what]
    found = evidence_problems(forged(whole, tmp_path, edits))[1]
    assert [words for words in found if named in words], found


@pytest.mark.parametrize("name", ALWAYS)
def test_a_member_that_is_always_there_cannot_be_dropped(name: str, whole: Path, tmp_path: Path) -> None:
    assert f"{name} is missing" in evidence_problems(forged(whole, tmp_path, {name: None}))[1]


@pytest.mark.parametrize("name", MEMBERS)
def test_an_empty_member_is_found(name: str, whole: Path, tmp_path: Path) -> None:
    assert evidence_problems(forged(whole, tmp_path, {name: lambda _: b""}, mended=name in IN_THE_LOG))[1]


@pytest.mark.parametrize("line_of", [b"[]\n", b"{}\n", b"null\n", b'{"plan_id":[],"request_id":{}}\n', b"\xff\n"])
@pytest.mark.parametrize("name", [*MEMBERS])
def test_no_line_can_hold_what_stops_the_check(name: str, line_of: bytes, whole: Path, tmp_path: Path) -> None:
    for edit in (lambda data: data + line_of, lambda data: line_of + data):
        assert evidence_problems(forged(whole, tmp_path, {name: edit}, mended=False))[1]
        found = evidence_problems(forged(whole, tmp_path, {name: edit}))[1]
        assert bool(found) == (name in IN_THE_LOG), found


@pytest.mark.parametrize("name", ["plan_id", "head", "members", "lineage"])
def test_a_manifest_that_lacks_something_is_a_finding(name: str, whole: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "x.zip", "w") as new:
        for one in old.namelist():
            data = old.read(one)
            if one == MANIFEST:
                data = json.dumps({key: value for key, value in json.loads(data).items() if key != name}).encode()
            new.writestr(one, data)
    assert f"manifest.json does not tell {name}" in evidence_problems(tmp_path / "x.zip")[1]


def test_a_byte_that_flipped_is_a_finding_or_changes_nothing_that_was_written(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    with zipfile.ZipFile(whole) as archive:
        written = {name: archive.read(name) for name in archive.namelist()}
    places = [*range(0, 200, 3), *range(200, len(data) - 1200, 97), *range(len(data) - 1200, len(data), 3)]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 0x10
        (tmp_path / "x.zip").write_bytes(flipped)
        found = evidence_problems(tmp_path / "x.zip")[1]
        if not found:  # a date, or a right, in the zip's own headers
            with zipfile.ZipFile(tmp_path / "x.zip") as archive:
                assert {name: archive.read(name) for name in archive.namelist()} == written


def test_a_damaged_member_is_named_and_the_others_are_checked(whole: Path, tmp_path: Path) -> None:
    file = forged(whole, tmp_path, {"switches.jsonl": without(0)})
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        place = archive.getinfo("requests.jsonl").header_offset + 100
    data[place] ^= 0xFF
    file.write_bytes(data)
    found = evidence_problems(file)[1]
    assert "requests.jsonl is damaged: it cannot be read (BadZipFile)" in found
    assert any("switches.jsonl: plan c" in words for words in found)
    assert not any("as they were sent" in words for words in found)


def test_a_member_that_is_there_twice_is_a_finding(whole: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "x.zip", "w") as new:
        for one in old.namelist():
            new.writestr(one, old.read(one))
        with pytest.warns(UserWarning, match="Duplicate name"):
            new.writestr("plan.jsonl", old.read("plan.jsonl"))
    assert "plan.jsonl is in it twice" in evidence_problems(tmp_path / "x.zip")[1]


def test_another_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as other:
        other.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="no evidence"):
        evidence_problems(tmp_path / "x.zip")


def test_evidence_is_of_one_moment_though_the_store_is_in_use(
    world: CutoverWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[None] = []
    true_plan = gathering._plan

    def slow_plan(store: Any, plan_id: str) -> Any:
        if not moved:  # somebody approves while the first member is written, and the head is known
            moved.append(None)
            store.approvals.add(plan_id, Approval("bob", 6.0, "f" * 64))
        return true_plan(store, plan_id)

    with world.store() as store:
        store.backup(tmp_path / "state.db")
    monkeypatch.setattr(gathering, "_plan", slow_plan)
    with CutoverWorld(tmp_path).store() as store:
        _, head = gather(store, store.plans.newest() or "", tmp_path / "evidence.zip", now=0.0)
        assert head == store.audit.head()
    assert moved
    assert evidence_problems(tmp_path / "evidence.zip", head=head)[1] == []


@pytest.mark.parametrize("text", ["", "a = 1", "a = 1\n", "a = 1\r\nb = 2\r\n", "# \u2028 \x0c é\n\n", "\n"])
def test_a_policy_is_kept_to_the_letter(text: str) -> None:
    lines = gathering._policy_lines(text)
    kept = "".join(f"{one}\n" for one in lines)
    assert text in {kept, kept.removesuffix("\n")}
