"""A register in the shared server, and a desk whose account stands in it."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import Desk
from tests.server import MISSING, Kept, kept_there, running, sql

SECRETS = ("ONENCE_CLIENT_SECRET", "HOLOGRAM_API_KEY")
BOUND = ("ONENCE_CLIENT_ID", "HOLOGRAM_ORG_ID")


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without a register, as the settings name it."""
    server = running()
    if server is None:
        pytest.skip(MISSING)
    sql(server.url(), "DROP SCHEMA IF EXISTS fleet CASCADE", "DROP SCHEMA IF EXISTS queue CASCADE")
    monkeypatch.setenv("MIGRATOR_STATE", server.url())
    with kept_there():
        yield server.url()
    sql(server.url(), "DROP SCHEMA IF EXISTS fleet CASCADE", "DROP SCHEMA IF EXISTS queue CASCADE")


@pytest.fixture
def account(url: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an account whose secrets are here, and whose other settings are with the register alone."""
    assert Kept.accounts is not None
    name = Kept.accounts.of(desk.folder)
    sql(url, f"DROP SCHEMA IF EXISTS a_{name} CASCADE")  # nothing was ever done for it
    monkeypatch.setenv("MIGRATOR_STATE", Kept.accounts.url)
    for secret in SECRETS:
        monkeypatch.setenv(f"{secret}__{name.upper()}", desk.rehearsal.environment()[secret])
        monkeypatch.delenv(secret)
    for setting in BOUND:
        monkeypatch.delenv(setting)
    assert desk.run("fleet", "init").code == 0
    return name


@pytest.fixture
def registered(account: str, desk: Desk) -> str:
    """The same, registered as it is."""
    told = desk.rehearsal.environment()
    words = ("--onence-client-id", told["ONENCE_CLIENT_ID"], "--hologram-org", told["HOLOGRAM_ORG_ID"])
    assert desk.run("fleet", "add", account, *words, "--by", "ada").code == 0
    return account
