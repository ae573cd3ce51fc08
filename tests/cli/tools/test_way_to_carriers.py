"""What stands between this machine and the carriers is told: proxies and certificates."""

from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.worlds.loopback import refusing_proxy, untrusted


def test_a_command_ends_at_once_with_exit_4(tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with untrusted(tmp_path) as (url, received):
        monkeypatch.setenv("ONENCE_BASE_URL", url)
        pulled = desk.run("inventory", "pull")
        assert (pulled.code, received) == (4, [b""])
    assert "certificate" in pulled.err


def test_doctor_shows_the_proxy_and_not_its_password(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_proxy() as (address, _asked):
        monkeypatch.setenv("HTTPS_PROXY", address)
        monkeypatch.setenv("ONENCE_BASE_URL", "https://carrier.invalid/api")
        monkeypatch.setattr("migrator.carriers.http.ATTEMPTS", 1)
        ended = desk.json("doctor")
    told = {one["check"]: one["told"] for one in ended.data["checks"]}
    assert told["proxy"] == f"1NCE by http://***@{address.rpartition('@')[2]}, Hologram directly"
    assert "s3cret" not in ended.out + ended.err
