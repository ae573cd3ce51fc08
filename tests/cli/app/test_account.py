"""Account of a command: its secrets, and the store that has it."""

from pathlib import Path

import pytest

from migrator import wiring
from migrator.errors import InputError
from migrator.inputs.settings.account_names import at_account
from migrator.store import Store
from migrator.workflows.site import open_site
from tests.cli.conftest import Desk

COMMANDS = [
    ("status",),
    ("inventory", "pull"),
    ("inventory", "show"),
    ("campaign", "status"),
    ("state", "info"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("has_store", [False, True], ids=["no store", "store"])
def test_a_file_has_no_account_to_choose(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], *, has_store: bool
) -> None:
    monkeypatch.setenv("ONENCE_CLIENT_SECRET__ACME", "of-acme")
    if has_store:
        with wiring.open_file(Path("migrator.db"), create=True):
            pass
    ended = desk.run("--account", "acme", *command)
    assert ended.code == 2
    assert "account acme was chosen, and a SQLite file is one account" in ended.err
    assert Path("migrator.db").exists() is has_store
    assert desk.rehearsal.hologram.ledger.entries == []


def test_pages_of_a_file_have_none_either(tmp_path: Path) -> None:
    with wiring.open_file(tmp_path / "own.db", create=True), pytest.raises(InputError, match="is one account"):
        Store.look(f"sqlite:///{tmp_path / 'own.db'}", account="acme")


def test_the_choice_may_stand_behind_the_command_or_in_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "account acme was chosen" in desk.run("status", "--account", "acme").err
    monkeypatch.setenv("MIGRATOR_ACCOUNT", "other")
    assert "account other was chosen" in desk.run("status").err
    assert "account acme was chosen" in desk.run("--account", "acme", "status").err
    ended = desk.run("--account", "../acme", "status")
    assert ended.code == 2
    assert "--account: a text of 7 characters is no name of an account" in ended.err
    with wiring.open_file(Path("own.db"), create=True) as store:  # as the demo does
        assert store.info()["counts"]["plans"] == 0


def test_a_choice_ends_with_its_command(desk: Desk) -> None:
    desk.run("--account", "acme", "status")
    assert "account" not in desk.run("status").err
    with pytest.raises(Exception, match="account acme was chosen"), open_site(account="acme"):
        pass
    assert wiring.settings(None).account is None


def test_carriers_are_asked_with_the_secrets_of_the_account(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is refused, as it is a file; the logins are those of the account."""
    secrets = Path("secrets/acme")
    secrets.mkdir(parents=True)
    environ = desk.rehearsal.environment()
    for name in ("ONENCE_CLIENT_SECRET", "HOLOGRAM_API_KEY"):
        (secrets / name.lower()).write_text(environ[name] + "\n")
        monkeypatch.setenv(name, "of-nobody")
    monkeypatch.setenv("MIGRATOR_SECRETS_DIR", "secrets")
    found = {one["check"]: one["exit_code"] for one in desk.json("doctor", "--account", "acme").data["checks"]}
    assert [found.pop("store")] == [2]
    assert set(found.values()) == {0}
    assert desk.json("doctor").code == 4


def test_a_missing_secret_is_told_with_the_account_before_anything_is_asked(desk: Desk) -> None:
    with at_account("acme"):
        settings = wiring.settings(None)
    with pytest.raises(Exception, match="HOLOGRAM_API_KEY of account acme is not set"):
        settings.hologram()
    assert desk.rehearsal.hologram.ledger.entries == []
