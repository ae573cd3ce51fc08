"""Writes to the simulated 1NCE take effect late or never, cost money when they should not be made, and get lost."""

from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.onence.simulator import (
    OmittedFields,
    OnenceBehaviour,
    OnenceSimulator,
    SimStatus,
    SimulatedSourceSim,
    UnknownSim,
)
from migrator.carriers.simulation import Fault, FaultPlan
from tests.carriers.onence.onence_api import FULL_UPDATE, ICCID, OTHER_ICCID, as_customer, fetch, of_one


def write_and_look(simulator: OnenceSimulator, method: str, path: str, body: Any, *, at_s: float) -> tuple[int, str]:
    """The status of a write, and what v2's single call says of the first SIM `at_s` seconds later."""

    async def act(http: httpx.AsyncClient) -> tuple[int, str]:
        reply = await http.request(method, path, json=body)
        await anyio.sleep(at_s)
        return reply.status_code, (await http.get(f"v2/sims/{ICCID}")).json()["status"]

    return as_customer(simulator, act)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "delay_s"),
    [
        ("PUT", f"v1/sims/{ICCID}", FULL_UPDATE, 200, 2),
        ("PUT", f"v2/sims/{ICCID}", {"status": "Disabled"}, 200, 2),
        ("POST", "v1/sims", [FULL_UPDATE], 201, 5),
    ],
)
def test_a_write_shows_only_after_a_while(method: str, path: str, body: Any, status: int, delay_s: float) -> None:
    assert write_and_look(of_one(), method, path, body, at_s=delay_s - 0.5) == (status, "Enabled")
    assert write_and_look(of_one(), method, path, body, at_s=delay_s + 0.5) == (status, "Disabled")


def test_a_write_sets_every_field_it_names() -> None:
    simulator = of_one(label="old")
    assert fetch(simulator, f"v1/sims/{ICCID}", method="PUT", json=FULL_UPDATE).content == b""
    sim = simulator.fleet[0]
    assert (sim.status, sim.label, sim.imei_lock) == (SimStatus.DISABLED, "new", True)


def test_a_write_can_be_accepted_and_never_applied() -> None:
    simulator = of_one(behaviour=OnenceBehaviour(writes_applied=False))
    assert write_and_look(simulator, "PUT", f"v1/sims/{ICCID}", FULL_UPDATE, at_s=3000) == (200, "Enabled")
    assert simulator.fleet[0].status is SimStatus.ENABLED


@pytest.mark.parametrize(
    ("choice", "version", "status", "lock"),
    [
        (OmittedFields.KEPT, "v1", SimStatus.DISABLED, True),
        (OmittedFields.DEFAULTED, "v1", SimStatus.ENABLED, False),
        (OmittedFields.DEFAULTED, "v2", SimStatus.DISABLED, True),
    ],
)
def test_a_label_change_may_enable_and_unlock_a_sim(
    choice: OmittedFields,
    version: str,
    status: SimStatus,
    lock: bool,  # noqa: FBT001
) -> None:
    """v1's contract has defaults for what an update leaves out; v2's has none."""
    simulator = of_one(status=SimStatus.DISABLED, imei_lock=True, behaviour=OnenceBehaviour(omitted_fields=choice))
    fetch(simulator, f"{version}/sims/{ICCID}", method="PUT", json={"label": "new"})
    sim = simulator.fleet[0]
    assert (sim.label, sim.status, sim.imei_lock) == ("new", status, lock)


def test_required_fields_can_be_enforced_in_v1() -> None:
    simulator = of_one(behaviour=OnenceBehaviour(required_fields_enforced=True))
    for body in ({"status": "Disabled"}, {"iccid": ICCID}):
        assert fetch(simulator, f"v1/sims/{ICCID}", method="PUT", json=body).status_code == 400
    assert fetch(simulator, "v1/sims", method="POST", json=[{"iccid": ICCID}]).status_code == 400
    assert fetch(simulator, f"v1/sims/{ICCID}", method="PUT", json=FULL_UPDATE).status_code == 200


@pytest.mark.parametrize("body", [{"status": "Activated"}, {"iccid": OTHER_ICCID}, ["not an object"]])
def test_a_senseless_write_is_refused_and_changes_nothing(body: Any) -> None:
    simulator = of_one()
    assert fetch(simulator, f"v2/sims/{ICCID}", method="PUT", json=body).json()["error_code"]
    assert simulator.fleet[0] == SimulatedSourceSim(ICCID)


def test_a_write_to_an_expired_sim_is_refused_with_422() -> None:
    simulator = of_one(status=SimStatus.EXPIRED)
    for version in ("v1", "v2"):
        reply = fetch(simulator, f"{version}/sims/{ICCID}", method="PUT", json=FULL_UPDATE)
        assert (reply.status_code, "expired" in reply.json()["message"]) == (422, True)
    assert simulator.fleet[0].status is SimStatus.EXPIRED


@pytest.mark.parametrize(("strict", "status", "label"), [(False, 201, "new"), (True, 404, None)])
def test_an_unknown_sim_in_a_bulk_write_is_passed_over_or_refuses_all(
    strict: bool,  # noqa: FBT001
    status: int,
    label: str | None,
) -> None:
    behaviour = OnenceBehaviour(bulk_all_or_nothing=strict, unknown_sim=UnknownSim.EMPTY_404)
    simulator = of_one(behaviour=behaviour)
    body = [FULL_UPDATE, FULL_UPDATE | {"iccid": OTHER_ICCID}]
    assert fetch(simulator, "v1/sims", method="POST", json=body).status_code == status
    assert simulator.fleet[0].label == label


def test_an_expired_sim_in_a_bulk_write_is_passed_over_or_refuses_all() -> None:
    for strict, status in ((False, 201), (True, 422)):
        simulator = of_one(status=SimStatus.EXPIRED, behaviour=OnenceBehaviour(bulk_all_or_nothing=strict))
        assert fetch(simulator, "v1/sims", method="POST", json=[FULL_UPDATE]).status_code == status
        assert simulator.fleet[0].label is None


def test_a_bulk_write_of_anything_but_objects_is_refused() -> None:
    for body in (FULL_UPDATE, [ICCID]):
        assert fetch(of_one(), "v1/sims", method="POST", json=body).status_code == 400


def test_an_empty_label_clears_it() -> None:
    simulator = of_one(label="old")
    fetch(simulator, f"v2/sims/{ICCID}", method="PUT", json={"label": ""})
    assert simulator.fleet[0].label is None


def faulty(fault: Fault, **behaviour: Any) -> OnenceSimulator:
    """A simulator of one SIM whose first PUT goes wrong."""
    plan = FaultPlan(scripted=[fault], scripted_for=lambda method, _path: method == "PUT")
    return of_one(faults=plan, behaviour=OnenceBehaviour(**behaviour))


@pytest.mark.parametrize(
    ("fault", "is_applied"),
    [
        (Fault.LOSE_BEFORE, False),
        (Fault.LOSE_AFTER, True),
        (Fault.HANG_BEFORE, False),
        (Fault.HANG_AFTER, True),
    ],
)
def test_a_broken_connection_says_nothing_of_what_was_done(fault: Fault, is_applied: bool) -> None:  # noqa: FBT001
    simulator = faulty(fault)
    with pytest.raises(httpx.ReadError):
        fetch(simulator, f"v1/sims/{ICCID}", method="PUT", json=FULL_UPDATE)
    assert (simulator.fleet[0].label == "new") is is_applied
    entry = simulator.ledger.requests("PUT")[0]
    assert (entry.status, entry.fault, entry.body) == (None, fault, FULL_UPDATE)


@pytest.mark.parametrize(
    ("fault", "status", "is_json", "is_applied"),
    [
        (Fault.SERVER_ERROR_BEFORE, 500, True, False),
        (Fault.SERVER_ERROR_AFTER, 502, True, True),
        (Fault.HTML, 503, False, False),
        (Fault.HTML_OK, 200, False, True),
        (Fault.TOO_MANY, 429, True, False),
        (Fault.TOO_MANY_SILENT, 429, True, False),
    ],
)
def test_a_fault_answers_as_it_is_named(fault: Fault, status: int, is_json: bool, is_applied: bool) -> None:  # noqa: FBT001
    simulator = faulty(fault)
    reply = fetch(simulator, f"v1/sims/{ICCID}", method="PUT", json=FULL_UPDATE)
    assert (reply.status_code, reply.headers["Content-Type"] == "text/html") == (status, not is_json)
    assert ("Retry-After" in reply.headers) is (fault is Fault.TOO_MANY)
    assert (simulator.fleet[0].label == "new") is is_applied


@pytest.mark.parametrize(
    ("fault", "seconds"), [(Fault.NONE, 0.25), (Fault.SLOW, 30.25), (Fault.HANG_BEFORE, 900), (Fault.LOSE_AFTER, 0.25)]
)
def test_replies_take_the_time_that_was_chosen(fault: Fault, seconds: float) -> None:
    simulator = faulty(fault, latency_s=0.25, slow_s=30, hang_s=900)

    async def act(http: httpx.AsyncClient) -> float:
        start = anyio.current_time()
        with suppress(httpx.ReadError):
            await http.put(f"v1/sims/{ICCID}", json=FULL_UPDATE)
        return anyio.current_time() - start

    assert as_customer(simulator, act) == pytest.approx(seconds)
