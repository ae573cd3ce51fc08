"""A run is somebody's: the person stands beside the process, in the log, in reports and in the evidence."""

import json
import socket
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.cli.cutover.test_cutover import QUICK, alive, cut_over


@pytest.fixture
def desk(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A fleet that Carla has migrated and cut over."""
    monkeypatch.setattr("getpass.getuser", lambda: "carla")
    made = make_desk(onence=QUICK, epoch=datetime.now(UTC))
    alive(made)
    cut_over(made)
    return made


def test_who_ran_is_told_by_reports_jobs_the_log_and_the_evidence(desk: Desk) -> None:
    host = socket.gethostname()
    me = f"carla@{host}, process "
    assert desk.run("report", "--out", "r", "--evidence", "e.zip").code == 0
    told = json.loads(Path("r", "reconciliation.json").read_text(encoding="utf-8"))
    owner = told["runs"][0]["owner"]
    assert owner.startswith(me)
    assert f" on {host}" in owner
    assert told["switches"][0]["ran_by"][0].startswith(me)
    for name in ("reconciliation.md", "reconciliation.html"):
        assert Path("r", name).read_text(encoding="utf-8").count(me) >= 2, name
    with zipfile.ZipFile("e.zip") as evidence:
        for member in ("runs.jsonl", "switches.jsonl", "events.jsonl"):
            assert me in evidence.read(member).decode(), member
    assert desk.json("jobs", "list").data["runs"][0]["owner"] == owner
    assert desk.run("audit", "verify").code == 0
    assert desk.run("audit", "verify", "e.zip").code == 0


def test_where_nobody_knows_the_login_name_the_process_is_told_alone(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    desk = make_desk()
    desk.applied()
    assert desk.json("jobs", "list").data["runs"][0]["owner"].startswith("process ")
