"""`advance` with a file, as cron calls it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from migrator.store import Owner, Store
from migrator.store.control.given import Given
from tests.cli.conftest import CAMPAIGN, POLICY, Desk

IN_A_STAGE = """\
import os, signal, sys
from contextlib import contextmanager
from migrator import cli
from migrator.workflows.campaign.tick import Tick
doomed, stage = sys.argv[1], Tick.stage

@contextmanager
def reached(tick, name):
    with stage(tick, name):
        if name == doomed:
            os.kill(os.getpid(), signal.SIGTERM)
            sum(range(1000))
        yield

Tick.stage = reached
sys.argv[1:] = ["--json", "advance"]
cli.main()
"""


def test_it_leaves_alone_what_nobody_ordered(desk: Desk) -> None:
    plan = desk.planned()
    told = desk.json("advance")
    assert (told.code, told.data["did"], told.data["words"]) == (0, [], "nothing is due")
    count = str(plan["claims"])
    assert desk.run("apply", "--confirm", count, "--max-sims", "2").code == 6
    told = desk.json("advance")
    assert (told.code, told.data["did"], told.data["not_ordered"]) == (0, [], [plan["plan_id"]]), told.err
    assert f"`migrator apply {plan['plan_id']}` goes on" in desk.run("advance").out
    assert len(desk.rehearsal.hologram.ledger.charges) == 2


def test_a_store_that_is_held_is_tried_again_once_its_holder_may_be_dead(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "2").code == 6
    now = time.time()
    with Store.open(f"sqlite:///{desk.folder / 'migrator.db'}", now=now) as store:
        store.given.keep(plan["plan_id"], Given(now, None, None, 2))
        store.lease.acquire(Owner("elsewhere", 1, now), now - 20.0, is_gone=lambda _owner: False)
    told = desk.json("advance")
    assert told.code == 9
    again_at = datetime.fromisoformat(told.data["again_at"]).astimezone(UTC).timestamp()
    assert again_at == pytest.approx(now + 41.0, abs=5.0)


def test_work_needs_a_register(desk: Desk) -> None:
    told = desk.run("work", "--once")
    assert (told.code, "PostgreSQL" in told.err) == (2, True)
    told = desk.run("--account", "acme", "work")
    assert (told.code, "--accounts" in told.err) == (2, True)


@pytest.mark.loopback
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_turn_that_is_told_to_end_between_two_stages_gives_the_lease_back(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=4)
    desk.paired()
    policy = desk.write("policy.toml", POLICY + CAMPAIGN)
    assert desk.run("campaign", "create", "--policy", policy).code == 0
    told = subprocess.run(
        [sys.executable, "-c", IN_A_STAGE, "report"], capture_output=True, text=True, timeout=30.0, check=False
    )
    assert (told.returncode, '"interrupted"' in told.stdout) == (130, True), told.stderr
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        assert store.lease.holder() is None
        (tick,) = store.ticks.list()
        assert (tick.exit_code, tick.reason) == (130, "interrupted"), "it did not die"
        assert store.outbox.newest(9) == []
    assert desk.run("advance").code == 6, "the campaign is not approved"
