"""What a program of the operator neither sees nor repeats: every secret that this tool may know."""

from pathlib import Path

import pytest

from migrator.inputs.settings.settings import load_settings
from migrator.receivers.command import run_program
from migrator.wiring.withheld import withheld, withheld_of

KEY = "s3cret/of+the receiver"


def test_no_variable_of_any_carrier_or_named_receiver_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ["HOLOGRAM_API_KEY", "ONENCE_CLIENT_SECRET_FILE", "ONOMONDO_API_KEY", "OUR_KEY", "OUR_KEY_FILE", "our_url"]
    for name in (*gone, "HOLOGRAM_ORG_ID"):
        monkeypatch.setenv(name, "98765")
    left = withheld(None, ["OUR_KEY", "OUR_URL"]).environment()
    assert [name for name in gone if name in left] == []
    assert left["HOLOGRAM_ORG_ID"] == "98765"


def test_what_a_program_says_is_told_without_the_secrets_however_it_came_to_know_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    (tmp_path / "url").write_text("https://hooks.example.com/T0/B0/abcdef\n")
    monkeypatch.setenv("OUR_URL_FILE", str(tmp_path / "url"))
    (tmp_path / "api").write_text("apikey-0123456789\n")
    monkeypatch.setenv("HOLOGRAM_API_KEY_FILE", str(tmp_path / "api"))
    monkeypatch.setenv("SHORT_KEY", "window")
    kept = withheld(None, ["OUR_KEY", "OUR_URL", "SHORT_KEY", "NOT_SET_ANYWHERE"])
    said = (
        f"{KEY} s3cret%2Fof%2Bthe%20receiver https://hooks.example.com/T0/B0/abcdef apikey-0123456789 window {'-' * 90}"
    )
    ended = run_program(
        ["/bin/echo", f"{said} {KEY}"], b"", environ=kept.environment(), timeout_s=20.0, struck=kept.struck
    )
    assert ended.words.startswith("*** *** *** *** window ---")
    assert ended.words.endswith("- ***")  # cut to its length only after that: no half of a secret is left


def test_a_secret_of_the_configuration_file_is_struck_too(tmp_path: Path) -> None:
    (tmp_path / "api").write_text("apikey-0123456789\n")
    (tmp_path / "migrator.toml").write_text('[hologram]\napi_key_file = "api"\n')
    settings = load_settings({}, tmp_path / "migrator.toml")
    assert withheld(settings).struck("with apikey-0123456789!") == "with ***!"


def test_secrets_of_every_account_are_withheld_and_so_are_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "hologram_api_key").write_text("apikey-of-acme")
    monkeypatch.setenv("MIGRATOR_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("MIGRATOR_SECRETS_COMMAND", "vault-read --token t")
    monkeypatch.setenv("ONENCE_CLIENT_SECRET__ACME", "secret-of-acme")
    monkeypatch.setenv("HOLOGRAM_API_KEY__OTHER", "apikey-of-other")
    monkeypatch.setenv("HOLOGRAM_API_KEY", "apikey-of-nobody")
    environ = {
        "MIGRATOR_ACCOUNT": "acme",
        "MIGRATOR_SECRETS_DIR": str(tmp_path),
        "ONENCE_CLIENT_SECRET__ACME": "secret-of-acme",
    }
    kept = withheld(load_settings(environ, None))
    left = kept.environment()
    assert [
        name for name in left if name.startswith(("MIGRATOR_SECRETS_", "ONENCE_CLIENT_SECRET", "HOLOGRAM_API_KEY"))
    ] == []
    said = "apikey-of-acme secret-of-acme apikey-of-other apikey-of-nobody"
    assert kept.struck(said) == "*** *** *** ***"


def test_passwords_of_the_store_are_neither_passed_on_nor_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever way PostgreSQL is given one; an address without one may be known."""
    monkeypatch.setenv("PGPASSWORD", "pg-password")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pass"))
    monkeypatch.setenv("PGHOST", "db")
    address = "postgresql://ada:in-the-address@db/fleet?sslpassword=of-the-key&sslmode=require"
    kept = withheld(load_settings({"MIGRATOR_STATE": "postgresql://ada:of%20the%20settings@db/fleet"}, None))
    monkeypatch.setenv("MIGRATOR_STATE", address)
    of_environment = withheld(None)
    for one in (kept, of_environment):
        left = one.environment()
        assert "PGHOST" in left
        assert not {"PGPASSWORD", "PGPASSFILE"} & left.keys()
        assert "pg-password" not in one.struck("it is pg-password")
    assert kept.struck("of the settings, of%20the%20settings") == "***, ***"
    assert "MIGRATOR_STATE" not in of_environment.environment()
    struck = of_environment.struck(f"{address} in-the-address of-the-key")
    assert "in-the-address" not in struck
    assert "of-the-key" not in struck
    for word in ("pass#word9", "ab?cdefghij", "pa[ssword99", "p%ssword-99"):  # the last one is no address
        address = f"postgresql://ada:{word}@db/fleet"
        monkeypatch.setenv("MIGRATOR_STATE", address)
        odd = withheld(None)
        assert "MIGRATOR_STATE" not in odd.environment()
        assert word not in odd.struck(f"in {address}")
    monkeypatch.setenv("MIGRATOR_STATE", "postgresql://ada@db/fleet")
    assert withheld(None).environment()["MIGRATOR_STATE"] == "postgresql://ada@db/fleet"


def test_secrets_of_one_account_are_found_also_where_its_settings_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "hologram_api_key").write_text("apikey-of-acme")
    monkeypatch.setenv("MIGRATOR_SECRETS_DIR", str(tmp_path))
    for rps in ("3", "many"):
        monkeypatch.setenv("HOLOGRAM_MAX_RPS", rps)
        assert withheld_of("acme", None).struck("refused: apikey-of-acme") == "refused: ***"
