"""An account in a database, by the command line: its own secrets, the whole way, and no other account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY, Desk
from tests.server import MISSING, Kept, kept_there, running, sql

SECRETS = ("ONENCE_CLIENT_SECRET", "HOLOGRAM_API_KEY")


@pytest.fixture
def account(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An account of the shared server, with its secrets."""
    if running() is None:
        pytest.skip(MISSING)
    with kept_there():
        assert Kept.accounts is not None
        name = Kept.accounts.of(desk.folder)
        monkeypatch.setenv("MIGRATOR_STATE", Kept.accounts.url)
        monkeypatch.setenv("MIGRATOR_ACCOUNT", name)
        for secret in SECRETS:
            monkeypatch.setenv(f"{secret}__{name.upper()}", desk.rehearsal.environment()[secret])
            monkeypatch.delenv(secret)
        yield name


def test_an_account_goes_the_whole_way_in_a_database(desk: Desk, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.planned(POLICY)
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    assert desk.run("verify").code == 0
    assert desk.run("report", "--out", "report").code == 0
    held = desk.json("state", "info").data
    assert (held["account"], held["pairs rows"]) == (account, desk.sims)
    assert desk.run("audit", "verify").code == 0
    charged = desk.rehearsal.hologram.ledger.charges
    assert (len(charged), set(charged.values())) == (plan["claims"], {1})

    refused = desk.run("stock", "import", desk.write("bad.txt", "8988228066600000000x\n"))
    assert refused.code == 2
    assert "bad.txt" in refused.err
    assert not list(Path().glob("*.db"))

    monkeypatch.setenv("MIGRATOR_ACCOUNT", "another")
    nobody = desk.run("status")
    assert nobody.code == 2
    assert "there is no account another" in nobody.err


def test_an_account_goes_from_its_file_into_a_database_and_claims_there_alone(
    desk: Desk, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Kept.accounts is not None
    database = Kept.accounts.url.replace("owner@", "owner:sesame@")
    sql(Kept.accounts.url, f"DROP SCHEMA IF EXISTS a_{account} CASCADE")
    file = f"sqlite:///{desk.folder / 'migrator.db'}"
    monkeypatch.delenv("MIGRATOR_ACCOUNT")
    for secret in SECRETS:
        monkeypatch.setenv(secret, desk.rehearsal.environment()[secret])
    monkeypatch.setenv("MIGRATOR_STATE", file)
    plan = desk.planned(POLICY)

    unnamed = desk.run("state", "copy", file, database)
    assert (unnamed.code, "--account" in unnamed.err) == (2, True)
    named_twice = desk.run("--account", account, "--state", file, "state", "copy", file, database)
    assert (named_twice.code, "--state" in named_twice.err) == (2, True)
    moved = desk.run("--account", account, "state", "copy", file, database)
    assert moved.code == 0, moved.err
    assert f"account {account} in postgresql://" in moved.out

    for words in (("apply", "--confirm", str(plan["claims"])), ("status",), ("report",), ("state", "info")):
        refused = desk.run(*words)
        assert (refused.code, f"account {account} in" in refused.err) == (2, True), words
        assert "sesame" not in moved.out + refused.err
    assert not desk.rehearsal.hologram.ledger.charges

    monkeypatch.setenv("MIGRATOR_STATE", database)
    monkeypatch.setenv("MIGRATOR_ACCOUNT", account)
    for secret in SECRETS:
        monkeypatch.setenv(f"{secret}__{account.upper()}", desk.rehearsal.environment()[secret])
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
    assert set(desk.rehearsal.hologram.ledger.charges.values()) == {1}
