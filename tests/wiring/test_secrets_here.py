"""Secrets of many accounts are looked for at the same time, and a command that hangs is a word, not a wait."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest

from migrator.core.accounts.records import Account, SecretsHere
from migrator.core.accounts.turns import AccountState, Turn
from migrator.inputs.settings import account_secrets
from migrator.wiring.fleet.secrets_here import AT_ONCE, secrets_here

pytestmark = pytest.mark.skipif(os.name != "posix", reason="programs of POSIX")
SECRET = "s3cret-of-a-vault"


def accounts(count: int) -> list[Account]:
    turn = Turn(AccountState.READY, 0.0)
    bare = Account("", "1nce", "", None, turn, False, None, 900.0, None, None, 0.0, "")  # noqa: FBT003 - held
    return [replace(bare, name=f"a{n}") for n in range(count)]


@pytest.fixture(name="log")
def a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Log of a command that prints secrets."""
    for name in [name for name in os.environ if name.startswith(("MIGRATOR_", "HOLOGRAM_", "ONENCE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATOR_SECRETS_COMMAND", "/bin/sh ./tell.sh")
    return tmp_path / "log"


def tell(log: Path, body: str) -> None:
    log.with_name("tell.sh").write_text(f'echo "+ $1 $2" >> log\n{body}\necho "- $1 $2" >> log\necho {SECRET}\n')


def looked(count: int) -> tuple[dict[str, SecretsHere], float]:
    began = time.monotonic()
    return dict(secrets_here(accounts(count))), time.monotonic() - began


def test_a_command_is_asked_once_for_each_secret_and_for_some_accounts_at_a_time(log: Path) -> None:
    tell(log, "sleep 0.1")
    found, _ = looked(20)
    assert found == {one.name: SecretsHere() for one in accounts(20)}
    lines = log.read_text().split("\n")[:-1]
    begun = [line for line in lines if line[0] == "+"]
    assert sorted(begun) == sorted(
        f"+ {one.name} {name}" for one in accounts(20) for name in ("hologram_api_key", "onence_client_secret")
    )
    most = max(accumulate(1 if line[0] == "+" else -1 for line in lines))
    assert AT_ONCE // 2 < most <= AT_ONCE


def test_a_command_that_hangs_for_all_is_waited_for_once(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(account_secrets, "COMMAND_S", 0.3)
    monkeypatch.setenv("ONENCE_CLIENT_SECRET__A39", "here")
    monkeypatch.setenv("HOLOGRAM_API_KEY__A39", "here")
    tell(log, f"echo {SECRET}; sleep 60")
    found, took_s = looked(40)
    assert took_s < 3 * 0.3 + 2.0
    assert len(log.read_text().splitlines()) < 2 * AT_ONCE, "it is not asked again and again"
    assert found["a39"] == SecretsHere(), "what is at another place needs no command"
    told = {name: one for name, one in found.items() if name != "a39"}
    assert all(one.missing for one in told.values())
    assert "did not end within 0.3 s" in found["a0"].trouble
    assert "hangs for other accounts, and was not asked" in found["a38"].missing[0]
    assert found["a38"].trouble == "", "it is told for those that were asked"
    assert SECRET not in repr(found) + "".join(capsys.readouterr())


def test_an_account_whose_command_hangs_keeps_no_other_one_waiting(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_secrets, "COMMAND_S", 1.0)
    tell(log, '[ "$1" != a0 ] || sleep 60\n[ "$1" != a1 ] || exit 3')
    found: Sequence[tuple[str, SecretsHere]] = list(secrets_here(accounts(20)))
    assert found[-1][0] == "a0", "each is told as it is known"
    assert "did not end within 1 s" in found[-1][1].trouble
    assert "ended with exit code 3" in dict(found)["a1"].trouble
    assert [name for name, one in found if one.missing] == ["a1", "a0"]


def test_an_account_that_the_settings_here_do_not_fit_is_left_to_others(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn of it here would end at once, and keep it from the machines that could serve it."""
    tell(log, ":")
    monkeypatch.setenv("HOLOGRAM_ORG_ID", "1")
    first, second = (replace(one, organization=number) for one, number in zip(accounts(2), (1, 98765), strict=True))
    found = dict(secrets_here([first, second]))
    assert found[first.name] == SecretsHere((), "")
    assert "HOLOGRAM_ORG_ID is 1 here" in found[second.name].trouble
    assert found[second.name].missing
