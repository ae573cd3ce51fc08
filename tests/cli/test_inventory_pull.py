"""`inventory pull` says what 1NCE said where it cannot be read, as `inventory import` does."""

import json
from collections.abc import Callable

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour, V1Retired
from tests.cli.conftest import POLICY, Desk

SAID = (("current_quota", "unlimited"), ("current_quota", "1,000"), ("status", "Geparkt"), ("status", "Geparkt"))


@pytest.fixture
def odd(make_desk: Callable[..., Desk]) -> Desk:
    """A desk whose 1NCE tells four SIMs in other words."""
    plain = make_desk()
    said = tuple((sim.iccid, *words) for sim, words in zip(plain.rehearsal.onence.fleet, SAID, strict=False))
    return make_desk(onence=OnenceBehaviour(rate_limit=None, said=said))


def test_what_cannot_be_read_is_counted_with_its_words_and_exit_3(odd: Desk) -> None:
    pulled = odd.run("inventory", "pull")
    assert pulled.code == 3
    assert "2 SIMs with a status that is not known: 'Geparkt' (2)" in pulled.err
    assert "2 SIMs whose current_quota is no number; 1NCE says '1,000' (1), 'unlimited' (1)" in pulled.err
    data = odd.json("inventory", "pull").data
    assert data["unknown_statuses"] == {"Geparkt": 2}
    assert data["unread_volumes"] == {"current_quota": {"1,000": 1, "unlimited": 1}}


def test_an_import_says_the_same_of_the_same_status(odd: Desk) -> None:
    pulled = odd.run("inventory", "pull")
    lines = [json.loads(line) for line in odd.run("inventory", "export", "-").out.splitlines()]
    rows = "".join(f"{line['iccid']};{line['status_word']}\n" for line in lines)
    imported = odd.run("inventory", "import", odd.write("sims.csv", f"ICCID;Status\n{rows}"))
    (told,) = [line for line in pulled.err.splitlines() if "status that is not known" in line]
    assert (imported.code, told in imported.err) == (3, True)


def test_a_plan_does_not_say_that_1nce_gave_no_volume(odd: Desk) -> None:
    odd.run("inventory", "pull")
    odd.run("pair", "pool", odd.pool())
    odd.run("plan", "create", "--policy", odd.write("policy.toml", POLICY))
    shown = odd.run("plan", "show", "--action", "BLOCK")
    assert "that can be read" in " ".join(shown.out.split())


def test_a_fleet_that_is_read_whole_is_exit_0(make_desk: Callable[..., Desk]) -> None:
    pulled = make_desk().json("inventory", "pull")
    assert (pulled.code, pulled.data["unknown_statuses"], pulled.data["unread_volumes"]) == (0, {}, {})


def test_a_count_that_never_fits_is_an_inventory_with_exit_3(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(onence=OnenceBehaviour(rate_limit=None, told_too_many=1, listed_twice=2))
    pulled = desk.run("inventory", "pull")
    assert pulled.code == 3
    assert "they tell of 27 SIMs, and 24 were read (2 of its rows came more than once)" in pulled.err
    assert "in the portal" in pulled.err
    assert desk.run("pair", "pool", desk.pool()).code == 0


def test_caps_that_1nce_does_not_tell_are_to_be_stated_and_then_a_plan_goes_by_them(
    make_desk: Callable[..., Desk],
) -> None:
    """After the end of v1 no call tells them."""
    desk = make_desk(onence=OnenceBehaviour(rate_limit=None, v1_retired=V1Retired.GONE))
    pulled = desk.run("inventory", "pull", "--limits")
    assert pulled.code == 0
    assert "[data_limit] monthly_cap_mb" in pulled.err
    assert desk.run("pair", "pool", desk.pool()).code == 0
    policy = POLICY + '[data_limit]\nbasis = "monthly_limit"\n'
    blocked = desk.json("plan", "create", "--policy", desk.write("policy.toml", policy)).data
    assert blocked["reasons"]["limit_unknown"] > 0
    stated = desk.json("plan", "create", "--policy", desk.write("policy.toml", policy + "monthly_cap_mb = 25\n")).data
    assert "limit_unknown" not in stated["reasons"]
    shown = desk.run("plan", "explain", next(iter(desk.rehearsal.onence.fleet)).iccid).out
    assert "monthly_cap_mb = 25" in shown


def test_caps_that_1nce_tells_need_no_words(make_desk: Callable[..., Desk]) -> None:
    pulled = make_desk().run("inventory", "pull", "--limits")
    assert "monthly_cap_mb" not in pulled.err
