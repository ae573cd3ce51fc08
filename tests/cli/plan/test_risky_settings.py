"""A setting that may do harm is told of before there is a plan to confirm, and again before anything is sent."""

import pytest

from tests.cli.conftest import POLICY, Desk

RISK = "MIGRATOR_CLAIM_TIMEOUT_S is 60 s, below the usual 180 s"


def test_a_time_out_that_is_short_is_told_by_every_command_that_leads_to_a_claim(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATOR_CLAIM_TIMEOUT_S", "60")
    desk.paired()
    desk.write("policy.toml", POLICY)
    created = desk.run("plan", "create", "--policy", "policy.toml")
    dry = desk.run("apply", "--dry-run")
    applied = desk.run("apply", "--confirm", str(desk.json("plan", "show").data["claims"]))
    assert [RISK in ended.err for ended in (created, dry, applied)] == [True, True, True]
    monkeypatch.delenv("MIGRATOR_CLAIM_TIMEOUT_S")
    assert RISK not in desk.run("plan", "create", "--policy", "policy.toml").err
