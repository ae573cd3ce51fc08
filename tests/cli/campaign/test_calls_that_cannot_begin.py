"""Calls of a campaign whose settings cannot be used, as cron makes them: its receivers hear of it, once a day."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.store import Owner, Store
from tests.cli.conftest import CAMPAIGN, POLICY, Desk

BOUNDS = f"""{CAMPAIGN}[[notify]]
to = "command"
command = ["sh", "-c", "test ! -e away || exit 1; cat >>told.txt; echo >>told.txt; env >environment.txt"]
"""
SYNTAX = "[hologram]\nmax_rps = = 3\n"


@pytest.fixture(name="campaign")
def a_campaign(make_desk: Callable[..., Desk]) -> Desk:
    """A campaign that is approved and waits for its first call."""
    desk = make_desk(sims=2)
    desk.paired()
    assert desk.run("campaign", "create", "--policy", desk.write("policy.toml", POLICY + BOUNDS)).code == 0
    assert desk.run("campaign", "approve", "--by", "ann").code == 0
    return desk


def told(desk: Desk) -> list[dict[str, Any]]:
    """What came to the receiver."""
    file = desk.folder / "told.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOLOGRAM_ORG_ID", "abc"),
        ("ONENCE_BASE_URL", "ftp://elsewhere"),
        ("", SYNTAX),
    ],
)
@pytest.mark.parametrize("command", [("campaign", "run", "--once"), ("advance",)])
def test_settings_that_cannot_be_used_are_told_once_a_day(
    campaign: Desk,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    variable: str,
    value: str,
) -> None:
    words = variable or "migrator.toml:2"
    with monkeypatch.context() as cron:
        if variable:
            cron.setenv(variable, value)
        else:
            campaign.write("migrator.toml", value)
        before = campaign.run("status")
        first, second = campaign.run(*command), campaign.run(*command)
    assert (first.code, second.code, first.err) == (2, 2, second.err)
    assert first.err == before.err, "what the command says itself is as it was"
    (body,) = told(campaign)
    assert (body["event"], body["told"]["exit_code"], words in body["told"]["reason"]) == ("stopped", 2, True)
    assert body["told"]["campaign"] == "policy"
    assert "HOLOGRAM_API_KEY" not in (campaign.folder / "environment.txt").read_text()
    (campaign.folder / "migrator.toml").unlink(missing_ok=True)
    shown = campaign.json("campaign", "status").data
    assert [one["exit_code"] for one in shown["ticks"]] == [2, 2]
    assert words in shown["ticks"][0]["reason"]
    assert shown["headline"].startswith("The last call was held up")
    assert campaign.run("campaign", "run", "--once").code == 0
    assert len(told(campaign)) == 1


def test_a_secret_where_another_setting_belongs_is_told_to_nobody(
    campaign: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "the-secret-of-acme"
    monkeypatch.setenv("ONENCE_CLIENT_SECRET__ACME", secret)
    campaign.write("migrator.toml", f"[hologram]\n{secret} = 1\n")
    failed = campaign.run("campaign", "run", "--once")
    assert (failed.code, secret in failed.err) == (2, True), "whoever calls it sees what is wrong"
    (body,) = told(campaign)
    assert "***" in body["told"]["reason"]
    assert secret not in json.dumps(body)
    assert secret.encode() not in b"".join(path.read_bytes() for path in campaign.folder.glob("migrator.db*"))


def test_the_store_is_the_one_that_the_broken_file_names(campaign: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("migrator.db").rename("elsewhere.db")
    campaign.write("migrator.toml", f'[state]\nurl = "sqlite:///elsewhere.db"\n{SYNTAX}')
    assert campaign.run("campaign", "run", "--once").code == 2
    assert len(told(campaign)) == 1
    Path("elsewhere.db").rename("migrator.db")
    for unclear in ("[state]\nurl = = \n", 'state.url = "sqlite:///elsewhere.db"\n', "[state]\nurl = 7\n"):
        campaign.write("migrator.toml", f"{unclear}{SYNTAX}")
        assert campaign.run("campaign", "run", "--once").code == 2
        assert len(told(campaign)) == 1, "nobody knows which store is meant"
    monkeypatch.setenv("MIGRATOR_STATE", "sqlite:///migrator.db")
    assert campaign.run("campaign", "run", "--once").code == 2
    with closing(sqlite3.connect("migrator.db")) as store:
        assert store.execute("SELECT count(*) FROM ticks").fetchone() == (2,)


def test_a_store_that_is_not_there_is_not_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "abc")
    assert desk.run("campaign", "run", "--once").code == 2
    assert list(desk.folder.iterdir()) == []


def test_without_a_campaign_nobody_is_told(campaign: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert campaign.run("campaign", "end", "--by", "ann").code == 0
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "abc")
    assert campaign.run("campaign", "run", "--once").code == 2
    assert told(campaign) == []


def test_other_commands_tell_nobody(campaign: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "abc")
    assert campaign.run("campaign", "status").code == 2
    assert told(campaign) == []


def test_beside_another_call_at_work_nothing_is_noted(campaign: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """That call takes the newest tick for its own."""
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "abc")
    now = 4e9
    with Store.open("sqlite:///migrator.db", now=now) as store:
        store.lease.acquire(Owner("elsewhere", 1, now), now, is_gone=lambda _owner: False)
    assert campaign.run("campaign", "run", "--once").code == 2
    assert told(campaign) == []
    with closing(sqlite3.connect("migrator.db")) as opened:
        assert opened.execute("SELECT count(*) FROM ticks").fetchone() == (0,)


def test_a_receiver_in_trouble_changes_nothing(campaign: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "abc")
    said = campaign.run("status")
    Path("told.txt").mkdir()
    failed = campaign.run("campaign", "run", "--once")
    assert (failed.code, failed.err) == (2, said.err)
    with closing(sqlite3.connect("migrator.db")) as opened, opened:
        opened.execute("DROP TABLE notices")
    failed = campaign.run("campaign", "run", "--once")
    assert (failed.code, failed.err) == (2, said.err)


def test_what_a_receiver_did_not_take_is_delivered_by_the_next_call_that_finds_it_due(
    campaign: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign.write("away", "")
    with monkeypatch.context() as cron:
        cron.setenv("HOLOGRAM_ORG_ID", "abc")
        assert campaign.run("campaign", "run", "--once").code == 2
    (campaign.folder / "away").unlink()
    with closing(sqlite3.connect("migrator.db")) as store, store:
        store.execute("UPDATE deliveries SET next_at = 0")
    campaign.run("campaign", "run", "--once")
    body = told(campaign)[0]
    assert "HOLOGRAM_ORG_ID" in body["told"]["reason"]
    assert "account" not in body["told"]
    assert "--account" not in str(body)


def test_each_call_of_a_loop_is_told_of(campaign: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "abc")

    def nap(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        if seconds == 900.0:
            raise KeyboardInterrupt
        sleep(seconds)  # the receiver is waited for

    monkeypatch.setattr("migrator.cli.campaign.run.time.sleep", nap)
    assert campaign.run("campaign", "run", "--every", "15m").code == 130
    assert len(told(campaign)) == 1


@pytest.mark.parametrize(
    "text",
    [
        '[stat]\nurl = "sqlite:///real.db"\n[hologram]\nmax_rps = "x"\n',
        '[state]\nulr = "sqlite:///real.db"\n',
        '[state]\nurl = "sqlite:///real.db"\n[state]\nurl = "sqlite:///other.db"\n',
        '[stat]\nurl = "sqlite:///real.db"\n' + SYNTAX,
    ],
)
def test_a_settings_file_that_may_name_another_store_tells_nobody_of_this_one(campaign: Desk, text: str) -> None:
    """The call would be noted, and told, in a store that has nothing to do with it."""
    before = (campaign.folder / "migrator.db").read_bytes()
    campaign.write("migrator.toml", text)
    assert campaign.run("campaign", "run", "--once").code == 2
    assert told(campaign) == []
    assert (campaign.folder / "migrator.db").read_bytes() == before
