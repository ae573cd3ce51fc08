"""The simulated 1NCE keeps a ledger that can be trusted, makes the same fleet from the same seed, and can be served."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn

from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator, SimStatus, SimulatedSourceSim
from migrator.carriers.simulation import Fault, FaultPlan, serve_cuts
from tests.carriers.onence.onence_api import (
    FULL_UPDATE,
    GRANT,
    ICCID,
    OTHER_ICCID,
    fetch,
    log_in_with,
    of_one,
    stranger,
    walk,
)
from tests.support import run_virtual


def test_the_ledger_keeps_requests_but_neither_credentials_nor_tokens() -> None:
    simulator = OnenceSimulator(client_secret="top-secret-word")
    secrets = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
    reply = log_in_with(simulator, data=GRANT | secrets, params=secrets)
    fetch(simulator, "v1/sims", params={"page": 2})
    text = repr(simulator.ledger) + repr(simulator._tokens._latest)
    assert "top-secret-word" not in text
    assert reply.json()["access_token"] not in text
    entry = simulator.ledger.entries[-1]
    assert (entry.method, entry.path, entry.query, entry.status) == ("GET", "/v1/sims", {"page": "2"}, 200)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "v1/sims/topup", [ICCID]),
        ("POST", f"v1/sims/{ICCID}/topup", None),
        ("POST", f"v2/sims/{ICCID}/topup", None),
        ("POST", "v1/sims/extension", {"iccids": [ICCID], "productId": 1001}),
    ],
)
def test_what_costs_money_is_answered_charged_and_recorded(method: str, path: str, body: Any) -> None:
    simulator = of_one()
    reply = fetch(simulator, path, method=method, json=body)
    assert (reply.status_code, "/v1/orders/" in reply.headers["Location"]) == (201, True)
    assert simulator.ledger.charges == {ICCID: 1}
    assert simulator.ledger.forbidden == [f"{method} /{path}"]


@pytest.mark.parametrize(
    "call",
    [
        "POST v1/sims/limits",
        "POST v1/sims/autoTopup",
        "POST v1/sims/simTransfer",
        f"POST v1/sims/{ICCID}/reset",
        f"POST v1/sims/{ICCID}/sms",
        f"DELETE v1/sims/{ICCID}/sms/12",
        "POST v1/orders",
    ],
)
def test_calls_that_must_never_be_made_are_recorded_even_if_they_are_lost(call: str) -> None:
    """Sending them is the fault, whatever becomes of them."""
    method, path = call.split()
    kept = of_one()
    assert fetch(kept, path, method=method).status_code in {201, 404}
    assert kept.ledger.forbidden == [f"{method} /{path}"]
    plan = FaultPlan(scripted=[Fault.LOSE_BEFORE], scripted_for=lambda _method, path: not path.startswith("/oauth"))
    lost = of_one(faults=plan)
    with pytest.raises(httpx.ReadError):
        fetch(lost, path, method=method)
    assert lost.ledger.forbidden == [f"{method} /{path}"]


def test_reads_logins_and_updates_are_not_forbidden() -> None:
    simulator = of_one()
    fetch(simulator, "v1/sims")
    for method, path, body in (
        ("PUT", f"v1/sims/{ICCID}", FULL_UPDATE),
        ("PUT", f"v2/sims/{ICCID}", FULL_UPDATE),
        ("POST", "v1/sims", [FULL_UPDATE]),
    ):
        assert fetch(simulator, path, method=method, json=body).is_success
    assert simulator.ledger.forbidden == []
    assert [entry.method for entry in simulator.writes] == ["PUT", "PUT", "POST"]


def test_a_look_behind_the_scenes_needs_no_login_and_leaves_no_trace() -> None:
    simulator = OnenceSimulator(
        sims=3, faults=FaultPlan(rates={Fault.LOSE_BEFORE: 1.0}), behaviour=OnenceBehaviour(rate_limit=None)
    )

    async def main() -> tuple[Any, Any]:
        async with stranger(simulator) as http:
            truth = await http.get("https://simulated.example/_simulator/truth")
            return truth.json(), (await http.get("https://simulated.example/_simulator/ledger")).json()

    truth, ledger = run_virtual(main)
    assert [row["iccid"] for row in truth] == [sim.iccid for sim in simulator.fleet]
    assert truth[0]["data_remaining_mb"] == str(simulator.fleet[0].data_remaining_mb)
    assert ledger["requests"] == 0


def test_replies_are_compressed_for_clients_that_accept_it() -> None:
    def encoding(accepted: str, **behaviour: Any) -> str | None:
        simulator = OnenceSimulator(behaviour=OnenceBehaviour(**behaviour))
        reply = fetch(simulator, "v1/sims", headers={"Accept-Encoding": accepted})
        assert len(reply.json()) == 10
        encoding: str | None = reply.headers.get("Content-Encoding")
        return encoding

    assert encoding("gzip, deflate") == "gzip"
    assert encoding("identity") is None
    assert encoding("gzip", gzip=False) is None


def test_noise_headers_can_be_switched_off() -> None:
    noisy, quiet = (
        fetch(OnenceSimulator(behaviour=OnenceBehaviour(noise_headers=on)), "v1/sims").headers for on in (True, False)
    )
    for name in ("X-Amzn-Requestid", "Set-Cookie", "X-Cache", "Cache-Control"):
        assert name in noisy
        assert name not in quiet


def test_the_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    assert OnenceSimulator(seed=3, sims=300).fleet == OnenceSimulator(seed=3, sims=300).fleet
    theirs = {sim.iccid for sim in OnenceSimulator(seed=4, sims=300).fleet}
    assert theirs.isdisjoint(sim.iccid for sim in OnenceSimulator(seed=3, sims=300).fleet)


def test_sims_are_the_same_in_whatever_order_they_are_looked_at() -> None:
    forward, backward = OnenceSimulator(sims=50).fleet, OnenceSimulator(sims=50).fleet
    backwards = [backward[index] for index in reversed(range(50))]
    assert list(forward) == backwards[::-1]


def test_a_page_of_a_million_sims_makes_only_the_sims_on_it() -> None:
    simulator = OnenceSimulator(sims=1_000_000)
    reply = fetch(simulator, "v1/sims", params={"page": 5000, "pageSize": 100})
    assert (len(reply.json()), reply.headers["X-Total-Count"]) == (100, "1000000")
    assert len(simulator.fleet._made) == 100


def test_identifiers_have_their_digits_and_share_the_last_eight() -> None:
    """Line 26 of the checklist."""
    fleet = OnenceSimulator(sims=300).fleet
    for sim in fleet:
        assert (len(sim.iccid), len(sim.imsi), len(sim.msisdn)) == (19, 15, 15)
        assert sim.iccid.startswith("89882") and sim.imsi.startswith("901405") and sim.msisdn.startswith("882285")  # noqa: PT018
        assert sim.iccid[-8:] == sim.imsi[-8:] == sim.msisdn[-8:]
    assert len({sim.iccid for sim in fleet}) == len({sim.ip_address for sim in fleet}) == 300
    assert {len(sim.imei.rstrip("f")) for sim in fleet if sim.imei} == {15, 16}


@pytest.mark.parametrize("seed", [0, 7, 12345])
def test_a_small_fleet_shows_every_shape(seed: int) -> None:
    fleet = OnenceSimulator(seed=seed, sims=101).fleet
    labels = Counter(sim.label for sim in fleet)
    assert labels[None] and labels[""]  # noqa: PT018
    assert labels["Pump station"] > 1
    texts = [label for label in labels if label]
    for part in ("ä", "東", "ع", '"', ",", "'", "=HYPERLINK", "<script>", "🚜", "@SUM"):
        assert any(part in text for text in texts), part
    assert max(map(len, texts)) > 300
    assert set(SimStatus) == {sim.status for sim in fleet}
    assert {sim.imei is None for sim in fleet} == {sim.platform2 for sim in fleet} == {True, False}
    assert any(sim.imei and sim.imei.endswith("f") for sim in fleet)
    assert {500, 1000, 3000} <= {sim.data_quota_mb for sim in fleet}
    left = {sim.data_remaining_mb for sim in fleet}
    assert 0 in left and min(left) < 0  # noqa: PT018
    assert any(mb != round(mb, 5) for mb in left)


def test_only_expired_sims_are_past_their_expiry() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    for sim in OnenceSimulator(sims=300, epoch=now).fleet:
        assert (sim.expiry < now) is (sim.status is SimStatus.EXPIRED)


def test_a_sim_that_was_never_in_a_device_has_used_nothing() -> None:
    unused = [sim for sim in OnenceSimulator(sims=300).fleet if sim.imei is None]
    assert unused
    for sim in unused:
        assert sim.data_remaining_mb == (sim.data_since_top_up_mb or sim.data_quota_mb)


def test_a_given_fleet_is_listed_as_given() -> None:
    given = [SimulatedSourceSim(iccid, label=iccid[-1]) for iccid in (OTHER_ICCID, ICCID)]
    simulator = OnenceSimulator.from_fleet(given)
    assert walk(simulator) == [OTHER_ICCID, ICCID]
    with pytest.raises(ValueError, match=ICCID):
        OnenceSimulator.from_fleet([*given, SimulatedSourceSim(ICCID)])


def test_a_fleet_can_be_changed_like_a_list() -> None:
    fleet = OnenceSimulator(sims=5).fleet
    first, last = fleet[0], fleet[-1]
    fleet.remove(first)
    fleet[-1] = SimulatedSourceSim(ICCID)
    fleet.append(SimulatedSourceSim(OTHER_ICCID))
    assert [sim.iccid for sim in fleet[3:]] == [ICCID, OTHER_ICCID]
    assert fleet.find(first.iccid) is fleet.find(last.iccid) is None
    assert fleet.find(ICCID) is fleet[3]


class ReadyServer(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def served(simulator: OnenceSimulator) -> Iterator[str]:
    """The simulator on loopback: its base URL."""
    config = uvicorn.Config(serve_cuts(simulator), port=0, log_level="critical", ws="none")
    sockets = [config.bind_socket()]
    server = ReadyServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    try:
        assert server.ready.wait(10)
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/management-api/"
    finally:
        server.should_exit = True
        thread.join(10)
        sockets[0].close()


def test_a_cut_over_a_real_socket_is_a_broken_connection() -> None:
    """And the next request works again, and both are in the ledger."""
    plan = FaultPlan(scripted=[Fault.LOSE_AFTER], scripted_for=lambda _method, path: path == "/v1/sims")
    simulator = OnenceSimulator(sims=3, faults=plan)
    with served(simulator) as base_url, httpx.Client(base_url=base_url) as http:
        login = http.post("oauth/token", json=GRANT, auth=(simulator.client_id, simulator.client_secret))
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            http.get("v1/sims")
        assert len(http.get("v1/sims").json()) == 3
    assert [entry.status for entry in simulator.ledger.requests("GET")] == [None, 200]
