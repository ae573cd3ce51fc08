"""Faults, pace and permissions of the simulated Hologram: what stands between a request and its effect."""

from typing import Any

import anyio
import httpx
import pytest
from starlette.types import Message

from migrator.carriers.hologram.simulator import HologramSimulator, Operation, Role
from migrator.carriers.simulation import Fault, FaultPlan, RateLimit
from tests.carriers.hologram.hologram_api import SIMS, A, Api, B, claimed, virtual, with_stock
from tests.support import run_virtual


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault.LOSE_BEFORE, set()),
        (Fault.LOSE_AFTER, {A}),
        (Fault.HANG_BEFORE, set()),
        (Fault.HANG_AFTER, {A}),
    ],
)
@virtual
async def test_a_lost_answer_says_nothing_about_the_charge(fault: Fault, done: set[str]) -> None:
    api = with_stock(faults=FaultPlan(scripted=[fault]))
    with pytest.raises(httpx.ReadError):
        await api.claim(A)
    assert claimed(api) == done
    entry = api.sim.ledger.entries[-1]
    assert (entry.status, entry.fault) == (None, fault)
    assert entry.body["sims"] == [A]


@virtual
async def test_a_client_that_gives_up_on_a_silent_carrier_leaves_its_trace() -> None:
    api = with_stock(faults=FaultPlan(scripted=[Fault.HANG_AFTER]))
    with anyio.move_on_after(5):
        await api.claim(A)
    assert claimed(api) == {A}
    assert len(api.sim.ledger.requests("POST", "bulkclaim")) == 1


@pytest.mark.parametrize(
    ("fault", "status", "is_json", "done"),
    [
        (Fault.SERVER_ERROR_BEFORE, 500, True, set()),
        (Fault.SERVER_ERROR_AFTER, 502, False, {A}),
        (Fault.HTML, 503, False, set()),
        (Fault.HTML_OK, 200, False, {A}),
        (Fault.TOO_MANY, 429, True, set()),
        (Fault.TOO_MANY_SILENT, 429, True, set()),
        (Fault.SLOW, 200, True, {A}),
    ],
)
@virtual
async def test_each_fault_answers_and_acts_as_it_is_named(
    *, fault: Fault, status: int, is_json: bool, done: set[str]
) -> None:
    api = with_stock(faults=FaultPlan(scripted=[fault]), slow_s=20, latency_s=1)
    reply = await api.claim(A)
    assert (reply.status_code, "json" in reply.headers["content-type"]) == (status, is_json)
    assert ("retry-after" in reply.headers) is (fault is Fault.TOO_MANY)
    assert anyio.current_time() == (21 if fault is Fault.SLOW else 1)
    assert claimed(api) == done


@pytest.mark.parametrize(("retry_after_s", "header"), [(3, "3"), (None, None)])
@virtual
async def test_the_hidden_limit_refuses_what_is_above_it_and_lets_the_rest_pass(
    retry_after_s: int | None, header: str | None
) -> None:
    api = with_stock(rate_limit=RateLimit(per_second=2, burst=2, retry_after_s=retry_after_s))
    replies = [await api.http.get("users/me") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].headers.get("retry-after") == header
    assert replies[2].json() == {"success": False, "error": "API rate limit exceeded"}
    await anyio.sleep(0.5)
    assert (await api.http.get("users/me")).status_code == 200


@virtual
async def test_every_kth_request_can_be_refused() -> None:
    api = with_stock(refuse_every=3)
    assert [(await api.http.get("users/me")).status_code for _ in range(6)] == [200, 200, 429, 200, 200, 429]


def test_time_and_pace_go_on_when_another_event_loop_takes_over() -> None:
    """A crash and its resume are two virtual clocks that both begin at zero."""
    api = with_stock(claim_pending_s=(30, 30), rate_limit=RateLimit(per_second=1, burst=1))

    async def crash() -> None:
        await anyio.sleep(100)
        await api.claim(A)
        await anyio.sleep(20)
        assert (await api.link(A))["state"] == "LIVE-PENDING"

    async def resume() -> None:
        assert (await api.link(A))["state"] == "LIVE-PENDING"
        await anyio.sleep(10)
        assert (await api.link(A))["state"] == "LIVE"

    run_virtual(crash)
    run_virtual(resume)
    assert api.sim.sims[A].state == "LIVE"


@virtual
async def test_a_wrong_key_is_refused_before_anything_else() -> None:
    api = with_stock()
    reply = await Api(api.sim, key="another-key").claim(A)
    assert reply.status_code == 401
    assert claimed(api) == set()
    assert "another-key" not in repr(api.sim.ledger)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"permissions": frozenset({"billing"})},
        {"role": Role.EDITOR},
        {"role": Role.VIEWER},
        {"denied": frozenset({Operation.CLAIM})},
    ],
    ids=["no activation permission", "editor", "viewer", "denied"],
)
@virtual
async def test_who_may_not_claim_gets_403_and_may_still_ask_who_they_are(behaviour: dict[str, Any]) -> None:
    api = with_stock(**behaviour)
    reply = await api.claim(A)
    assert (reply.status_code, reply.json()["error"]) == (403, "No permissions to perform operation")
    assert claimed(api) == set()
    assert (await api.get("users/me"))["data"]["id"] == api.sim.user_id


@virtual
async def test_the_organization_lists_our_permissions_and_features() -> None:
    api = with_stock(permissions=frozenset({"activation"}))
    organization = (await api.get(f"organizations/{api.sim.org_id}"))["data"]
    users = {user["id"]: user["permissions"] for user in organization["users"]}
    assert users[api.sim.user_id] == ["activation"]
    assert organization["features"] == ["bulk_rename"]
    assert (await api.http.get(f"organizations/{api.sim.other_org_id}")).status_code == 403


@virtual
async def test_balance_and_job_list_can_be_out_of_reach() -> None:
    api = with_stock(balance_forbidden=True, jobs_forbidden=True)
    for path in (f"organizations/{api.sim.org_id}/balance", "devices/batch/state"):
        assert (await api.http.get(path)).status_code == 403


@virtual
async def test_form_bodies_are_read_like_json() -> None:
    api = with_stock()
    form = {"sims[]": [A, B], "plan": "2096", "zone": "global"}
    await api.http.post("links/cellular/bulkclaim", data=form)
    assert claimed(api) == {A, B}


@pytest.mark.parametrize("content", ["{", "[1]", '"text"'])
@virtual
async def test_a_body_that_is_no_object_is_refused(content: str) -> None:
    reply = await with_stock().http.post("links/cellular/bulkclaim", content=content)
    assert reply.status_code == 400


@virtual
async def test_an_address_that_is_too_long_never_reaches_the_api() -> None:
    reply = await with_stock(max_url_bytes=200).http.get("links/cellular", params={"sims": ",".join(SIMS * 3)})
    assert (reply.status_code, "html" in reply.headers["content-type"]) == (414, True)


@virtual
async def test_a_server_can_start_and_stop_it() -> None:
    """Uvicorn announces both; an application that raises instead is logged as broken."""
    told: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        told.append(message["type"])

    await HologramSimulator()({"type": "lifespan"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
