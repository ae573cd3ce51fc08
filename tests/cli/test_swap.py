"""`swap`: one unit on the bench, over the wire to the simulators."""

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrator.store import Owner, Store
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.builders import target_iccid
from tests.cli.conftest import POLICY, Desk, Ended

NAMED = POLICY + '[name]\ntemplate = "{unit}"\nwhen_missing = "{source_iccid}"\n'
QUICK = "import migrator.wiring as b; b.START_RPS = 500.0; from migrator.cli import main; main()"


@pytest.fixture
def bench(desk: Desk) -> Desk:
    """A desk with an inventory, and new SIMs that nobody paired or claimed."""
    desk.run("inventory", "pull")
    desk.pool()
    desk.write("p.toml", POLICY)
    return desk


def olds(desk: Desk) -> list[str]:
    return sorted(sim.iccid for sim in desk.rehearsal.onence.fleet if sim.status == "Enabled")


def news() -> list[str]:
    return list(pool_of(24))


def swap(desk: Desk, old: str, new: str, *options: str, policy: str = "p.toml") -> Ended:
    return desk.json("swap", old, new, "--policy", policy, "--confirm", "1", *options)


def charges(desk: Desk) -> int:
    return len(desk.rehearsal.hologram.ledger.charges)


def pairs() -> dict[str, str]:
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        return {one.source.digits: one.target.digits for one in store.pairs.all()}


def test_one_unit_is_paired_claimed_set_up_and_read_back(bench: Desk) -> None:
    old, new = olds(bench)[0], news()[0]
    bench.write("named.toml", NAMED)
    done = swap(bench, old, new, "--unit", "pump 1", "--ticket", "CHG1", "--site", "Hall 3", policy="named.toml")
    assert (done.code, done.data["live"], done.data["claimed"], done.data["name"]) == (0, True, 1, "pump 1"), done.err
    assert charges(bench) == 1
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        (facts,) = store.unit_facts.by_units(["pump 1"])["pump 1"]
        assert [store.plans.state(one["plan_id"]) for one in store.plans.list()] == ["finished"]
    assert (facts.unit, facts.site, facts.ticket) == ("pump 1", "Hall 3", "CHG1")
    assert facts.scanned_at is not None
    assert facts.scanned_by


def test_the_same_command_again_claims_nothing_and_says_live(bench: Desk) -> None:
    old, new = olds(bench)[0], news()[0]
    swap(bench, old, new)
    again = swap(bench, old, new)
    assert (again.code, again.data["live"], again.data["claimed"]) == (0, True, 0)
    assert swap(bench, old, new, "--unit", "pump 1").code == 0
    assert charges(bench) == 1


def test_a_plan_of_one_sim_says_nothing_of_the_others(bench: Desk) -> None:
    swap(bench, olds(bench)[0], news()[0])
    shown = bench.json("plan", "show").data
    assert sum(shown["counts"].values()) == 1
    bench.rehearsal.onence.fleet[-1].label = "another"
    bench.run("inventory", "pull")
    report = bench.json("report").data
    assert report["buckets"]["excluded"] == bench.sims - 1
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        assert store.plans.differences(shown["plan_id"]) == []


def test_without_a_confirmation_nothing_happens(bench: Desk) -> None:
    ended = bench.json("swap", olds(bench)[0], news()[0], "--policy", "p.toml")
    assert (ended.code, charges(bench), pairs()) == (2, 0, {})
    assert "--confirm 1" in ended.err
    refused = bench.json("swap", olds(bench)[0], news()[0], "--policy", "p.toml", "--confirm", "0")
    assert (refused.code, charges(bench)) == (2, 0)


def test_a_sim_that_is_ours_already_is_adopted(bench: Desk) -> None:
    old, new = olds(bench)[0], news()[0]
    swap(bench, old, new)
    Path("migrator.db").unlink()
    bench.run("inventory", "pull")
    adopted = bench.json("swap", old, new, "--policy", "p.toml", "--confirm", "0")
    assert (adopted.code, charges(bench)) == (0, 1), adopted.err


@pytest.mark.parametrize(
    ("sides", "code"),
    [
        (lambda old, new: (new[0], old[0]), "swapped"),
        (lambda old, _new: (old[0], old[1]), "target_is_source"),
        (lambda _old, new: (new[0], new[1]), "unknown_source"),
        (lambda old, _new: (old[0], "1234"), "not_an_iccid"),
    ],
)
def test_wrong_cards_are_refused_before_anything(bench: Desk, sides: Any, code: str) -> None:
    ended = swap(bench, *sides(olds(bench), news()))
    assert (ended.code, ended.document["errors"][0]["code"]) == (2, code)
    assert (charges(bench), pairs()) == (0, {})


def test_a_pair_is_never_changed_by_a_swap(bench: Desk) -> None:
    old, new = olds(bench), news()
    bench.run("pair", "import", bench.write("pairs.csv", f"{old[0]},{new[0]}\n"))
    for one, other in ((old[0], new[1]), (old[1], new[0])):
        ended = swap(bench, one, other)
        assert (ended.code, ended.document["errors"][0]["code"]) == (2, "contradicts_pair")
    assert swap(bench, old[0], new[0]).code == 0
    ended = swap(bench, old[0], new[1])
    assert (ended.code, ended.document["errors"][0]["code"]) == (2, "already_claimed")
    assert "migrator pair correct" in ended.err
    assert charges(bench) == 1


def test_a_card_that_the_carrier_does_not_know_is_not_live(bench: Desk) -> None:
    ended = swap(bench, olds(bench)[0], target_iccid(999).digits)
    assert ended.code != 0
    assert (ended.data["live"], charges(bench)) == (False, 0)
    assert ended.data["reason"]


def test_the_caps_of_the_policy_hold(bench: Desk) -> None:
    bench.write("capped.toml", POLICY + "[caps]\nmax_sims = 1\n")
    old, new = olds(bench), news()
    assert swap(bench, old[0], new[0], policy="capped.toml").code == 0
    stopped = swap(bench, old[1], new[1], policy="capped.toml")
    assert (stopped.code, charges(bench)) == (6, 1)


# --- killed -------------------------------------------------------------------------------------------------------


def killed(desk: Desk, at: str, old: str, new: str) -> int:
    """The return code of a `swap` that kills itself at a point."""
    words = ["--json", "swap", old, new, "--policy", "p.toml", "--confirm", "1"]
    environment = {**os.environ, "MIGRATOR_CRASH_AT": at}
    command = [sys.executable, "-c", QUICK, *words]
    return subprocess.run(
        command, env=environment, cwd=desk.folder, capture_output=True, timeout=120, check=False
    ).returncode


@pytest.mark.loopback
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["claim", "name"])
@pytest.mark.parametrize("point", ["after_intent", "after_effect", "after_outcome"])
def test_a_killed_swap_goes_on_by_the_same_command_and_never_claims_twice(bench: Desk, point: str, kind: str) -> None:
    old, new = olds(bench)[0], news()[0]
    assert killed(bench, f"{point}:{kind}:1", old, new) == -signal.SIGKILL
    done = swap(bench, old, new)
    assert (done.code, done.data["live"]) == (0, True), done.err
    assert charges(bench) == 1


@pytest.mark.loopback
@pytest.mark.slow
def test_a_killed_swap_whose_plan_is_stale_by_now_adopts_what_it_claimed(bench: Desk) -> None:
    old, new = olds(bench)[0], news()[0]
    assert killed(bench, "after_effect:claim:1", old, new) == -signal.SIGKILL
    bench.write("p.toml", NAMED)
    done = swap(bench, old, new, "--unit", "pump 1")
    assert (done.code, done.data["live"], done.data["name"]) == (0, True, "pump 1"), done.err
    assert charges(bench) == 1


@pytest.mark.parametrize("step", ["plan_held", "carry_out_held"])
def test_a_swap_that_is_interrupted_between_its_steps_goes_on(
    bench: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    old, new = olds(bench)[0], news()[0]
    with monkeypatch.context() as patch:
        patch.setattr(f"migrator.workflows.field.swap.{step}", interrupted)
        assert swap(bench, old, new).code == 130
    assert (pairs(), charges(bench)) == ({old: new}, 0)
    assert swap(bench, old, new).code == 0
    assert charges(bench) == 1


def test_another_run_that_holds_the_store_keeps_a_swap_out(bench: Desk) -> None:
    now = datetime.now(UTC).timestamp()
    with Store.open("sqlite:///migrator.db", now=now) as store:
        store.lease.acquire(Owner("elsewhere", 1, now), now, is_gone=lambda _owner: False)
        assert swap(bench, olds(bench)[0], news()[0]).code == 9
    assert (pairs(), charges(bench)) == ({}, 0)


def test_a_swap_that_ended_after_the_pair_goes_on(bench: Desk) -> None:
    old, new = olds(bench)[0], news()[0]
    bench.run("pair", "import", bench.write("pairs.csv", f"{old},{new}\n"))
    bench.run("plan", "create", "--policy", "p.toml", "--where", f'iccid == "{old}"')
    assert swap(bench, old, new).code == 0
    assert charges(bench) == 1


# --- a scanner ----------------------------------------------------------------------------------------------------


def scan(desk: Desk, monkeypatch: pytest.MonkeyPatch, *lines: str, confirm: int = 9) -> Ended:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return desk.json("swap", "--scan", "--policy", "p.toml", "--confirm", str(confirm), "--ticket", "CHG1")


def test_two_scans_are_one_unit_in_either_order(bench: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = olds(bench), news()
    ended = scan(bench, monkeypatch, old[0], new[0], new[1], old[1])
    assert (ended.code, ended.data["live"], ended.data["not_live"]) == (0, 2, 0), ended.err
    assert pairs() == {old[0]: new[0], old[1]: new[1]}
    assert ended.err.count(": LIVE") == 2


def test_wrong_scans_are_told_and_the_next_unit_goes_on(bench: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = olds(bench), news()
    lines = [old[0], old[1], new[5], new[6], "garbage", old[0], old[0], "garbage", new[0], old[2]]
    ended = scan(bench, monkeypatch, *lines)
    assert (ended.code, ended.data["live"], ended.data["not_live"]) == (3, 1, 5)
    assert pairs() == {old[0]: new[0]}
    assert "both old SIMs" in ended.err
    assert "no second card" in ended.err


def test_undo_drops_the_first_scan(bench: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = olds(bench), news()
    ended = scan(bench, monkeypatch, old[3], "UNDO", old[0], new[0])
    assert (ended.code, pairs()) == (0, {old[0]: new[0]})


def test_no_more_are_claimed_than_confirmed(bench: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = olds(bench), news()
    ended = scan(bench, monkeypatch, old[0], new[0], old[1], new[1], confirm=1)
    assert (ended.code, ended.data["live"], charges(bench)) == (3, 1, 1)
