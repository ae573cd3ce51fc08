"""Where commands write to: files whole or not at all, through symlinks and devices, and one thing on stdout."""

import errno
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Desk

EXPORTS = (("inventory", "export"), ("pair", "export"), ("plan", "export"))
exports = pytest.mark.parametrize("export", EXPORTS, ids=" ".join)


def ready(desk: Desk) -> str:
    """A desk with something to export. Returns: the plan's id."""
    plan_id: str = desk.planned()["plan_id"]
    return plan_id


@exports
def test_a_symlink_is_followed_and_stays(desk: Desk, export: tuple[str, str]) -> None:
    ready(desk)
    folder = desk.folder / "elsewhere"
    folder.mkdir()
    (folder / "real").write_text("before", encoding="utf-8")
    link = desk.folder / "link.jsonl"
    link.symlink_to(folder / "real")
    assert desk.run(*export, "link.jsonl").code == 0
    assert link.is_symlink()
    assert len((folder / "real").read_text(encoding="utf-8").splitlines()) >= desk.sims
    assert [path.name for path in folder.iterdir()] == ["real"]


def test_a_symlink_to_nothing_makes_the_file_that_it_names(desk: Desk) -> None:
    ready(desk)
    (desk.folder / "link").symlink_to("there.jsonl")
    assert desk.run("inventory", "export", "link").code == 0
    assert (desk.folder / "link").is_symlink()
    assert len((desk.folder / "there.jsonl").read_text(encoding="utf-8").splitlines()) == desk.sims


def test_a_link_that_goes_round_in_a_circle_is_refused_in_words(desk: Desk) -> None:
    ready(desk)
    (desk.folder / "loop").symlink_to("loop")
    ended = desk.run("inventory", "export", "loop")
    assert (ended.code, ended.out) == (2, "")
    assert "loop cannot be written" in ended.err


@exports
def test_a_device_is_written_through_and_stays_a_device(desk: Desk, export: tuple[str, str]) -> None:
    ready(desk)
    os.mkfifo(desk.folder / "pipe")
    heard: list[str] = []
    listener = threading.Thread(
        target=lambda: heard.append((desk.folder / "pipe").read_text(encoding="utf-8")), daemon=True
    )
    listener.start()
    ended = desk.run(*export, "pipe")
    listener.join(timeout=10)
    assert ended.code == 0
    assert stat.S_ISFIFO((desk.folder / "pipe").stat().st_mode)
    assert len(heard[0].splitlines()) >= desk.sims


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_told_in_words(desk: Desk) -> None:
    ready(desk)
    ended = desk.run("inventory", "export", "/dev/full")
    assert ended.code == 2
    assert f"/dev/full cannot be written: {os.strerror(errno.ENOSPC)}" in ended.err


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="a name that Windows does not have")
@exports
def test_dev_stdout_is_stdout_and_nothing_but_the_export_goes_there(desk: Desk, export: tuple[str, str]) -> None:
    ready(desk)
    by_name = desk.run(*export, "/dev/stdout")
    assert by_name.code == 0
    assert by_name.out == desk.run(*export, "-").out
    assert len(by_name.out.splitlines()) >= desk.sims


def test_a_plan_that_is_made_onto_stdout_is_nothing_but_the_plan(desk: Desk) -> None:
    plan_id = ready(desk)
    out = desk.run("plan", "create", "--policy", "policy.toml", "--out", "-").out
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[0]["plan_id"], len(lines)) == (plan_id, desk.sims + 1)


@pytest.mark.parametrize("option", ["--json", "--events"])
@pytest.mark.parametrize(
    "words",
    [
        *((*export, "-") for export in EXPORTS),
        ("plan", "create", "--policy", "policy.toml", "--out", "-"),
        ("plan", "diff", "PLAN", "PLAN", "--out", "-"),
        ("apply", "--dry-run", "--requests", "-"),
    ],
    ids=" ".join,
)
def test_two_things_on_stdout_are_refused_with_one_document(desk: Desk, option: str, words: tuple[str, ...]) -> None:
    plan_id = ready(desk)
    ended = desk.run(option, *(plan_id if word == "PLAN" else word for word in words))
    assert (ended.code, ended.document["status"]) == (2, "error")
    assert option in ended.document["errors"][0]["message"]


def test_the_old_file_is_whole_when_the_new_one_is_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(desk)
    (desk.folder / "fleet.jsonl").write_text("as it was", encoding="utf-8")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    ended = desk.run("inventory", "export", "fleet.jsonl")
    assert ended.code == 2
    assert (desk.folder / "fleet.jsonl").read_text(encoding="utf-8") == "as it was"
    assert not list(desk.folder.glob(".fleet*"))


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o777])
def test_a_file_keeps_its_rights_and_a_new_one_is_private_whatever_the_umask(desk: Desk, umask: int) -> None:
    """A plan names every unit; and a file without rights for its owner would be of no use."""
    ready(desk)
    (desk.folder / "theirs").write_text("", encoding="utf-8")
    (desk.folder / "theirs").chmod(0o640)
    calls = {
        "theirs": ("plan", "export", "theirs"),
        "export.jsonl": ("plan", "export", "export.jsonl"),
        "plan.jsonl": ("plan", "create", "--policy", "policy.toml", "--out", "plan.jsonl"),
        "fleet.jsonl": ("inventory", "export", "fleet.jsonl"),
    }
    before = os.umask(umask)
    try:
        assert [desk.run(*words).code for words in calls.values()] == [0] * len(calls)
    finally:
        os.umask(before)
    rights = [stat.S_IMODE((desk.folder / name).stat().st_mode) for name in calls]
    assert rights == [0o640, 0o600, 0o600, 0o600]


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o777])
def test_the_folders_of_a_report_are_private_whatever_the_umask(desk: Desk, umask: int) -> None:
    plan_id = ready(desk)
    before = os.umask(umask)
    try:
        assert desk.run("report").code == 0
    finally:
        os.umask(before)
    folder = desk.folder / "reports" / plan_id
    assert [stat.S_IMODE(place.stat().st_mode) for place in (folder.parent, folder)] == [0o700, 0o700]
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_folder_that_was_there_keeps_its_rights(desk: Desk) -> None:
    ready(desk)
    (desk.folder / "ours").mkdir(mode=0o750)
    (desk.folder / "ours").chmod(0o750)
    assert desk.run("report", "--out", "ours/new").code == 0
    assert [stat.S_IMODE((desk.folder / name).stat().st_mode) for name in ("ours", "ours/new")] == [0o750, 0o700]


LONG = "x" * 300
TOO_LONG = (
    ("--state", f"sqlite:///{LONG}", "state", "info"),
    ("--state", f"sqlite:///{LONG}", "inventory", "pull"),
    ("--state", f"sqlite:///{LONG}", "doctor"),
    ("--state", f"sqlite:////tmp/{'long/' * 2000}migrator.db", "state", "info"),
    ("--config", LONG, "state", "info"),
    ("inventory", "import", LONG),
    ("inventory", "export", LONG),
    ("pair", "import", LONG),
    ("pair", "pool", LONG),
    ("pair", "export", f"{LONG}/pairs.csv"),
    ("plan", "create", "--policy", LONG),
    ("plan", "create", "--policy", "policy.toml", "--out", LONG),
    ("plan", "show", LONG),
    ("plan", "diff", LONG, LONG),
    ("apply", LONG),
    ("apply", "--dry-run", "--requests", LONG),
    ("status", LONG),
    ("verify", LONG),
    ("retry", "--iccids", LONG),
    ("skip", "--iccids", LONG),
    ("report", "--out", LONG),
    ("report", "--evidence", LONG),
    ("cutover", "plan", "--out", LONG),
    ("cutover", "apply", LONG),
    ("cutover", "show", LONG),
    ("rollback", "plan", LONG),
    ("rollback", "apply", LONG),
    ("state", "backup", LONG),
    ("audit", "verify", LONG),
    ("demo", "--dir", LONG),
)


def test_a_path_that_is_too_long_is_wrong_usage_and_no_crash(desk: Desk) -> None:
    ready(desk)
    ended = {words: desk.run(*words) for words in TOO_LONG}
    assert {words: one.err for words, one in ended.items() if one.code != 2 or "-vv" in one.err} == {}


def test_a_name_as_long_as_a_name_may_be_is_written(desk: Desk) -> None:
    ready(desk)
    assert desk.run("inventory", "export", "a" * 255).code == 0


@pytest.mark.parametrize(
    ("place", "why"), [("folder", "it is a directory"), ("none/fleet.jsonl", "there is no folder")]
)
def test_a_place_that_cannot_be_is_refused_with_the_reason(desk: Desk, place: str, why: str) -> None:
    ready(desk)
    (desk.folder / "folder").mkdir()
    ended = desk.run("inventory", "export", place)
    assert ended.code == 2
    assert why in ended.err
