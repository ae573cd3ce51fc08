"""`apply` while another plan has a claim whose outcome nobody knows: its options hold from the first moment."""

from collections.abc import Callable

import pytest

from migrator.core.run.states import StepKind, StepState
from migrator.ports import Request
from migrator.store import Owner, Store
from migrator.wiring import SystemClock
from tests.cli.conftest import POLICY, Desk

URL = "sqlite:///migrator.db"


def lose_a_claim(plan_id: str) -> None:
    """A run of the plan died right before its first claim left."""
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=now) as store:
        first = next(store.journal.items(plan_id))
        run_id = store.journal.start_run(plan_id, "a process that died", now)
        sent = Request("POST", "links/cellular/bulkclaim", {})
        store.journal.begin(run_id, StepKind.CLAIM, [first.key], sent, wave=first.change.wave, now=now)


def is_in_doubt(plan_id: str) -> bool:
    with Store.open(URL, now=0.0) as store:
        return store.journal.step_counts(plan_id).get((StepKind.CLAIM, StepState.UNCERTAIN), 0) == 1


def test_max_duration_bounds_the_wait_for_claims_of_another_plan(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(sims=4)
    first = desk.planned()
    other = desk.write("other.toml", POLICY.replace("count = 3", "count = 2"))
    second = desk.json("plan", "create", "--policy", other).data
    lose_a_claim(first["plan_id"])
    monkeypatch.setenv("MIGRATOR_ABSENT_AFTER_S", "15")
    ended = desk.json("apply", second["plan_id"], "--confirm", str(second["claims"]), "--max-duration", "1s")
    assert ended.code == 7
    assert "--max-duration is over" in ended.data["reason"]
    assert is_in_doubt(first["plan_id"])
    assert desk.rehearsal.hologram.ledger.requests("POST", "bulkclaim") == []


def test_a_bad_duration_is_refused_before_the_store_is_asked_for(desk: Desk) -> None:
    plan = desk.planned()
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=now) as store:
        store.lease.acquire(Owner("elsewhere", 17, now), now, is_gone=lambda _owner: False)
    for option in ("--wait", "--max-duration"):
        ended = desk.run("apply", "--confirm", str(plan["claims"]), option, "soon")
        assert ended.code == 2
        assert option in ended.err
