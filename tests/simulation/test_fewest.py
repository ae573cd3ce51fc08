"""The bench's yardstick, held against sums that were done by hand."""

import pytest

from bench.fewest import Kind, Planned, kind_of, to_apply, to_plan, to_pull
from bench.measures import Measure


def sims(count: int, *, wave: str = "all", name: str = "", limits: int = 500, is_paused: bool = False) -> list[Planned]:
    """SIMs with names of their own, unless they share one."""
    return [Planned(wave, name or f"{wave} {limits} {number}", (limits,), is_paused) for number in range(count)]


def test_a_pull_logs_in_once_and_reads_every_page_of_a_hundred() -> None:
    assert to_pull(201) == {Kind.LOGIN: 1, Kind.LIST: 3}


def test_a_plan_looks_up_what_our_own_list_does_not_show() -> None:
    account = {Kind.ACCOUNT: 2, Kind.DATA_PLANS: 1, Kind.BALANCE: 1}
    assert to_plan(201) == {**account, Kind.RECORD: 3}
    assert to_plan(1500, devices=1400) == {**account, Kind.RECORD: 3}


def test_one_sim_of_its_own_takes_a_claim_two_reads_and_a_name() -> None:
    """Beside what every run takes: account, prices, tag, and a look beforehand."""
    needed = to_apply(sims(1))
    assert needed == {
        Kind.ACCOUNT: 2,
        Kind.DATA_PLANS: 2,
        Kind.TAGS: 2,
        Kind.BALANCE: 1,
        Kind.CLAIM: 1,
        Kind.RECORD: 3,
        Kind.NAME: 1,
    }


def test_each_wave_is_claimed_and_verified_for_itself() -> None:
    """A wave opens when the one before is verified, so nobody can share a request between two."""
    needed = to_apply([*sims(10, wave="canary"), *sims(2501, wave="rest")])
    assert needed[Kind.CLAIM] == needed[Kind.BALANCE] == 1 + 2
    assert needed[Kind.DATA_PLANS] == 1 + (1 + 2)
    assert needed[Kind.RECORD] == 1 + (1 + 1) + (3 + 1 + 3)


def test_the_limits_of_one_set_ride_on_each_claim() -> None:
    needed = to_apply([*sims(600, limits=500), *sims(501, limits=1000), *sims(3, limits=3000)])
    assert needed[Kind.LIMITS] == 2 + 1
    assert to_apply(sims(4000))[Kind.LIMITS] == 0


def test_a_shared_name_is_one_request_for_five_hundred_devices() -> None:
    needed = to_apply([*sims(3), *sims(501, name="Spare")])
    assert (needed[Kind.NAME], needed[Kind.NAMES]) == (3, 2)


def test_pauses_go_out_five_hundred_at_a_time() -> None:
    assert to_apply(sims(501, is_paused=True))[Kind.STATE] == 2


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/oauth/token", Kind.LOGIN),
        ("GET", "/v2/sims", Kind.LIST),
        ("GET", "/api/1/organizations/7", Kind.ACCOUNT),
        ("GET", "/api/1/organizations/7/balance", Kind.BALANCE),
        ("POST", "/api/1/devices/tags", Kind.TAGS),
        ("PUT", "/api/1/devices/12", Kind.NAME),
        ("POST", "/api/1/devices/names", Kind.NAMES),
        ("GET", "/api/1/devices/batch/state", Kind.JOBS),
        ("POST", "/api/1/devices/batch/state", Kind.STATE),
        ("GET", "/api/1/usage/data", Kind.OTHER),
    ],
)
def test_every_request_has_its_kind(method: str, path: str, kind: Kind) -> None:
    assert kind_of(method, path) is kind


def test_a_ratio_past_its_bar_is_called_missed() -> None:
    """A bench that calls everything met would hide what it is for."""
    assert Measure(what="", value=106, against=100, most=1.05).verdict == "MISSED"
    assert Measure(what="", value=105, against=100, most=1.05).verdict == "met"
    assert Measure(what="", value=0.4, against=1, least=0.5).verdict == "MISSED"
    assert Measure(what="", value=1, most=0).verdict == "MISSED"
    assert Measure(what="", value=1).verdict == ""
