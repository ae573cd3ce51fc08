"""The way of a team: `fleet init` makes all that `work` needs, and a campaign of an account is called by its worker."""

from pathlib import Path

import pytest

from tests.cli.campaign.test_campaign import BOUNDS
from tests.cli.conftest import POLICY, Desk
from tests.server import sql


@pytest.mark.loopback
def test_a_worker_calls_the_campaign_of_an_account_in_a_folder_of_its_own(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATOR_ACCOUNT", registered)
    desk.paired()
    policy = desk.write("policy.toml", POLICY + BOUNDS.replace("approvals = 2", "approvals = 1"))
    assert desk.run("campaign", "create", "--policy", policy).code == 0
    assert desk.run("campaign", "approve", "--by", "ann").code == 0
    monkeypatch.delenv("MIGRATOR_ACCOUNT")
    refused = desk.json("fleet", "go", registered, "--plan", "p1", "--confirm", "1")
    assert (refused.code, refused.document["errors"][0]["code"]) == (2, "campaign_open")
    assert "campaign end" in refused.document["errors"][0]["hint"]
    worked = desk.run("work", "--once")
    assert worked.code == 0, worked.err
    assert set(desk.rehearsal.hologram.ledger.charges.values()) == {1}
    assert Path(f"campaign/{registered}/report/campaign.html").is_file()
    ((state, waits_s),) = sql(url, "SELECT state, due_at - extract(epoch FROM clock_timestamp()) FROM fleet.accounts")
    assert (state, 600 < waits_s <= 900) == ("ready", True), "its next call is a quarter of an hour later"
