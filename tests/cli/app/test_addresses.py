"""An address that is not a carrier's own is told by every command that uses it."""

import pytest

from migrator.inputs.settings.addresses import telling_addresses, used_address, used_addresses
from tests.cli.conftest import POLICY, Desk

OURS = "(not the default address)"


def test_every_command_that_reaches_a_carrier_says_where(desk: Desk) -> None:
    onence, hologram = (
        desk.rehearsal.environment()["ONENCE_BASE_URL"],
        desk.rehearsal.environment()["HOLOGRAM_BASE_URL"],
    )
    at_onence, at_hologram = f"1NCE at {onence} {OURS}\n", f"Hologram at {hologram} {OURS}\n"
    pulled = desk.json("inventory", "pull")
    assert pulled.err.count(at_onence) == 1
    assert pulled.data["base_urls"] == {"1NCE": onence}
    desk.run("pair", "pool", desk.pool())
    planned = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY))
    assert planned.err.count(at_hologram) == 1
    assert planned.data["base_urls"] == {"Hologram": hologram}
    applied = desk.run("-q", "apply", "--confirm", str(planned.data["claims"]))
    assert applied.err.count(at_hologram) == 1
    assert desk.run("doctor").err.count(OURS) == 2
    assert desk.run("cutover", "plan").err.count(at_hologram) == 1
    refused = desk.json("verify", "--source")
    assert refused.err.count(OURS) == 2
    assert set(refused.data["base_urls"]) == {"1NCE", "Hologram"}


def test_a_command_that_reaches_no_carrier_says_nothing(desk: Desk) -> None:
    desk.run("inventory", "pull")
    shown = desk.json("inventory", "show")
    assert OURS not in shown.err
    assert "base_urls" not in shown.data


def test_it_is_told_although_the_login_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONENCE_CLIENT_SECRET", "another-one")
    ended = desk.json("inventory", "pull")
    assert ended.code == 4
    assert OURS in ended.err
    assert set(ended.data["base_urls"]) == {"1NCE"}


def test_a_carriers_own_address_is_not_told() -> None:
    said: list[str] = []
    with telling_addresses(said.append):
        used_address("1NCE", "https://own.example", "https://own.example")
        assert (said, used_addresses()) == ([], {})
        used_address("1NCE", "https://other.example", "https://own.example")
        used_address("1NCE", "https://other.example", "https://own.example")
        assert said == [f"1NCE at https://other.example {OURS}"]
    assert used_addresses() == {}
