"""Hooks, notices and references at the command line: real programs, a real receiver, no secret anywhere."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrator.core.campaign.notices import DeliveryState
from migrator.store import Store
from migrator.wiring import SystemClock
from tests.cli.conftest import POLICY, Desk
from tests.worlds.receiving import Receiving, receiving

KEY = "t0p-s3cret-of-the-webhook"
NOTICES = """
[[notify]]
to = "webhook"
url_from = "OUR_URL"
secret_from = "OUR_KEY"
on = ["needs_attention", "stopped", "wave_done", "drift", "silent", "cutover_done"]
"""
HOOK = '\n[hooks]\nbefore_claim = ["./window.sh", "a b"]\ntimeout = "{timeout}"\n'


@pytest.fixture
def desk(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("OUR_KEY", KEY)
    return make_desk(sims=6)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiving]:
    with receiving() as opened:
        monkeypatch.setenv("OUR_URL", opened.url)
        yield opened


def script(desk: Desk, text: str) -> None:
    path = Path(desk.write("window.sh", f"#!/bin/sh\n{text}\n"))
    path.chmod(stat.S_IRWXU)


def told(there: Receiving) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in there.got]


def open_store(desk: Desk) -> Store:
    return Store.open(f"sqlite:///{desk.folder / 'migrator.db'}", now=0.0)


def must_hold_no_secret(desk: Desk, there: Receiving, *outputs: str) -> None:
    """Neither the store's bytes nor anything that was said or sent holds a secret, nor any ICCID what was sent."""
    stored = b"".join(path.read_bytes() for path in desk.folder.glob("migrator.db*"))
    secrets = [KEY, there.url, desk.rehearsal.hologram.api_key, desk.rehearsal.onence.client_secret]
    for secret in secrets:
        assert secret.encode() not in stored
        assert all(secret not in text for text in outputs)
        assert all(secret.encode() not in one.body for one in there.got)
    iccids = [*desk.rehearsal.hologram.sims, *(str(sim.iccid) for sim in desk.rehearsal.onence.fleet)]
    assert all(iccid[:18].encode() not in one.body for one in there.got for iccid in iccids)


def test_a_veto_stops_the_claims_and_is_told_and_the_reference_goes_everywhere(
    desk: Desk, there: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_ANOTHER_PLAN", "not-for-programs")
    desk.planned(POLICY + '[[notify]]\nto = "slack"\nurl_from = "OF_ANOTHER_PLAN"\n')
    plan = desk.planned(POLICY + HOOK.format(timeout="30s") + NOTICES)
    script(desk, f'env > env.txt; cat > asked.json; echo "$1 {KEY}"; echo the window is closed >&2; exit 7')
    writes = desk.rehearsal.hologram.ledger.requests("POST")
    ended = desk.run("apply", "--confirm", str(plan["claims"]), "--ref", "CHG0042")
    assert ended.code == 6
    assert "[hooks] before_claim vetoes, and nothing is sent: ./window.sh ended with 7: a b ***" in ended.err
    assert desk.rehearsal.hologram.ledger.requests("POST") == writes
    asked = json.loads((desk.folder / "asked.json").read_text())
    assert (asked["schema"], asked["hook"], asked["plan_id"]) == (1, "before_claim", plan["plan_id"])
    assert (asked["ref"], asked["counts"]["left"], asked["money"]["price"]) == ("CHG0042", plan["claims"], "1.00")
    assert (asked["store"], asked["wave"]) == ("migrator.db", "canary")
    environment = (desk.folder / "env.txt").read_text()
    assert "HOLOGRAM_API_KEY" not in environment
    assert "ONENCE_CLIENT_SECRET" not in environment
    assert "OUR_" not in environment
    assert "not-for-programs" not in environment
    assert f"PATH={os.environ['PATH']}" in environment
    (notice,) = told(there)
    assert (notice["event"], notice["told"]["exit_code"], notice["told"]["ref"]) == ("stopped", 6, "CHG0042")
    assert (notice["told"]["store"], notice["told"]["next"]) == ("migrator.db", f"migrator apply {plan['plan_id']}")

    (desk.folder / "window.sh").unlink()
    gone = desk.run("apply")
    assert gone.code == 6
    assert "gave no answer, and nothing is sent without: ./window.sh: cannot be started" in gone.err
    assert desk.rehearsal.hologram.ledger.requests("POST") == writes

    script(desk, "exit 0")
    done = desk.run("apply", "--ref", "CHG0043")
    assert done.code == 0
    assert [one["event"] for one in told(there)] == ["stopped", "stopped", "wave_done", "wave_done"]
    status = desk.json("status").data
    assert status["last_run"]["ref"] == "CHG0043"
    assert status["notices"] == {"delivered": 4}
    assert "CHG0042" in desk.run("status").out
    assert desk.run("report", "--out", "out", "--evidence", "evidence.zip").code == 0
    report = json.loads((desk.folder / "out" / "reconciliation.json").read_text())
    assert [run["ref"] for run in report["runs"]] == ["CHG0042", "", "CHG0043"]
    assert "CHG0042" in (desk.folder / "out" / "reconciliation.html").read_text()
    log = [
        event for event in desk.json("audit", "log", "--last", "9999").data["events"] if event["kind"] == "run.started"
    ]
    assert [event["detail"].get("ref") for event in log] == ["CHG0042", None, "CHG0043"]
    must_hold_no_secret(desk, there, ended.out, ended.err, gone.err, done.out, done.err)


def test_a_receiver_in_trouble_is_no_trouble_of_the_run_and_gets_its_notice_later(
    desk: Desk, there: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.status = 503
    desk.applied(POLICY + NOTICES)
    assert "503" in desk.run("notify", "list").out
    shown = desk.run("status")
    assert "Notices: 2 not delivered yet, 0 given up; `migrator notify list` says why." in shown.out
    assert desk.run("notify", "deliver").code == 3  # the second one is due, and fails like the first
    there.status = 200
    assert desk.run("notify", "deliver").code == 0  # neither is due yet
    monkeypatch.setattr(SystemClock, "now", lambda _self: datetime.fromtimestamp(4e9, UTC))
    with open_store(desk) as store, store._db.write() as connection:
        connection.exec_driver_sql("UPDATE notices SET made_at = 4e9")
    assert desk.run("notify", "deliver").code == 0
    with open_store(desk) as store:
        assert store.outbox.counts() == {DeliveryState.DELIVERED: 2}
    numbers = [one["notice"] for one in told(there)]
    assert numbers[2:] == numbers[:2]
    assert len(set(numbers)) == 2


def test_a_receiver_that_is_silent_for_a_week_is_given_up(
    desk: Desk, there: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.status = 500
    desk.applied(POLICY + NOTICES)
    monkeypatch.setattr(SystemClock, "now", lambda _self: datetime.fromtimestamp(4e9, UTC))
    assert desk.run("notify", "deliver").code == 3
    assert desk.run("notify", "deliver").code == 3
    assert "0 not delivered yet, 2 given up" in desk.run("status").out
    before = len(there.got)
    assert desk.run("notify", "deliver").code == 0
    assert len(there.got) == before


def test_a_test_says_what_each_receiver_answered(desk: Desk, there: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    more = (
        '[[notify]]\nto = "slack"\nurl_from = "NOT_SET"\n'
        '[[notify]]\nto = "command"\ncommand = ["/bin/sh", "-c", "cat > got.json; echo no; exit 2"]\n'
    )
    policy = desk.write("policy.toml", POLICY + NOTICES + more)
    ended = desk.json("notify", "test", "--policy", policy)
    assert ended.code == 3
    assert [(one["to"], one["ok"], one["trouble"]) for one in ended.data["receivers"]] == [
        ("webhook", True, ""),
        ("slack", False, "NOT_SET is not set: set NOT_SET, or NOT_SET_FILE, or run: keyring set migrator NOT_SET"),
        ("command", False, "exit 2: no"),
    ]
    assert json.loads((desk.folder / "got.json").read_text())["event"] == "test"
    assert told(there)[0]["event"] == "test"
    (desk.folder / "url.txt").write_text(f"{there.url}\n")
    monkeypatch.setenv("NOT_SET_FILE", "url.txt")
    assert desk.run("notify", "test", "--policy", policy, "--to", "2").code == 0
    assert desk.run("notify", "test", "--policy", policy, "--to", "4").code == 2
    assert len(there.got) == 2


def test_drift_and_silence_are_told_once_for_the_same_sims(desk: Desk, there: Receiving) -> None:
    desk.applied(POLICY + NOTICES)
    before = len(there.got)
    link = next(iter(desk.rehearsal.hologram.sims.values()))
    link.name = "somebody else's"
    assert desk.run("verify", "--traffic").code == 3
    assert desk.run("verify").code == 3
    found = told(there)[before:]
    assert sorted(one["event"] for one in found) == ["drift", "silent"]
    drift = next(one["told"] for one in found if one["event"] == "drift")
    assert drift["reason"] == "1 finding on 1 SIM not as planned"
    assert "sims" not in drift
    link.name = "yet another"
    assert desk.run("verify").code == 3
    assert len(there.got) == before + 2  # the same SIM differs in the same way
    must_hold_no_secret(desk, there)


def test_a_cutover_asks_its_own_hook_and_tells_its_end(desk: Desk, there: Receiving) -> None:
    desk.applied(POLICY + '\n[hooks]\nbefore_cutover = ["./window.sh"]\n' + NOTICES)
    planned = desk.json("cutover", "plan", "--require", "verified", "--accept-silent-units", "--old-sim", "not_asked")
    confirm = ("--confirm", str(planned.data["count"]))
    script(desk, "cat > asked.json; echo no ticket; exit 1")
    puts = desk.rehearsal.onence.ledger.requests("PUT")
    ended = desk.run("cutover", "apply", *confirm, "--ref", "CHG0044")
    assert ended.code == 6
    assert "[hooks] before_cutover vetoes, and nothing is sent: ./window.sh ended with 1: no ticket" in ended.err
    assert desk.rehearsal.onence.ledger.requests("PUT") == puts
    asked = json.loads((desk.folder / "asked.json").read_text())
    assert (asked["hook"], asked["direction"], asked["ref"]) == ("before_cutover", "cutover", "CHG0044")
    script(desk, "exit 0")
    assert desk.run("cutover", "apply").code == 0
    assert told(there)[-1]["event"] == "cutover_done"
    assert desk.json("status").data["switches"][0]["refs"] == ["CHG0044"]
