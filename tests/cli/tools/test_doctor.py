"""`doctor`: what is not in place is named before it costs anything."""

import resource
import shutil
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from tests.cli.conftest import Desk, Ended


def found(ended: Ended) -> dict[str, str]:
    """Each check and how it stands."""
    return {one["check"]: one["result"] for one in ended.data["checks"]}


def test_everything_in_place_is_said_and_nothing_is_changed(desk: Desk) -> None:
    ended = desk.json("doctor")
    assert ended.code == 0
    assert set(found(ended).values()) == {"good"}
    assert not (desk.folder / "migrator.db").exists()
    assert all(entry.method == "GET" for entry in desk.rehearsal.hologram.ledger.entries)


def test_data_plans_are_listed_as_a_policy_names_them(desk: Desk) -> None:
    told = {one["check"]: one["told"] for one in desk.json("doctor").data["checks"]}
    assert "data_plan_id = 2096 (" in told["data plans"]
    assert 'zone = "global"' in told["data plans"]


def test_a_wrong_key_is_refused_and_the_other_carrier_is_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOGRAM_API_KEY", "wrong")
    ended = desk.json("doctor")
    assert ended.code == 4
    assert found(ended)["1NCE login"] == "good"
    assert found(ended)["Hologram key and organization"] == "bad"
    assert "wrong" not in ended.out


def test_a_key_that_may_not_claim_is_told_before_the_first_claim(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(behaviour=HologramBehaviour(permissions=frozenset({"billing_visible"})))
    ended = desk.json("doctor")
    assert (ended.code, found(ended)["Hologram key and organization"]) == (4, "bad")


def test_what_is_unusual_is_a_warning(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(behaviour=HologramBehaviour(jobs_forbidden=True, balance_forbidden=True, features=frozenset()))
    ended = desk.run("doctor")
    assert ended.code == 0
    assert "one by one" in ended.out


def test_a_missing_setting_and_a_dead_carrier_are_told_side_by_side(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONENCE_CLIENT_ID")
    ended = desk.json("doctor")
    assert ended.code == 2
    assert found(ended)["1NCE login"] == "bad"
    assert found(ended)["data plans"] == "good"


def test_a_full_disk_is_not_in_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim of money whose answer cannot be noted is the last that anybody wants."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=1024**2))
    ended = desk.json("doctor")
    assert (ended.code, found(ended)["store"]) == (1, "bad")
    assert "1 MiB free" in ended.err
    assert found(ended)["1NCE login"] == "good"


def test_a_disk_with_little_room_is_a_warning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=500 * 1024**2))
    ended = desk.json("doctor")
    assert (ended.code, found(ended)["store"]) == (0, "look")


def test_a_disk_that_shows_room_and_takes_nothing_is_not_in_place(desk: Desk) -> None:
    """As with a quota of one's own, which the disk's free bytes do not show."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    try:
        ended = desk.json("doctor")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found(ended)["store"] == "bad"
    assert ended.code == 1
    assert list(desk.folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_before_the_first_command_needs_it(desk: Desk) -> None:
    ended = desk.json("--state", "sqlite:///nowhere/migrator.db", "doctor")
    assert (ended.code, found(ended)["store"]) == (2, "bad")
    assert "mkdir -p nowhere" in ended.err
