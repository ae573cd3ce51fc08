"""1NCE as a `SourceControl`, on the wire to the simulated 1NCE: what a look tells, and what an order sends."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import httpx
import pytest

from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.client import OnenceClient
from migrator.carriers.onence.control import OnenceControl
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.carriers.onence.simulator.choices import ExpiredSims, UnknownSim
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport
from migrator.core.cutover.rules import Sighting
from migrator.core.fleet.sims import SourceStatus
from migrator.errors import InputError, NotAuthorised, OutcomeUnknown, Permanent, Transient
from migrator.ports import SetSourceState, SourceSimState
from tests.carriers.onence.onence_source import BASE_URL, SIM, UNKNOWN_SIM, of_one
from tests.support import run_virtual

T = TypeVar("T")
ONE_OFF = SourceSimState(SIM, enabled=False, label="Zähler 7", imei_lock=True)
OFF = SetSourceState([ONE_OFF])
UPDATE = {"iccid": SIM.digits, "status": "Disabled", "label": "Zähler 7", "imei_lock": True}


def with_control(
    carrier: OnenceSimulator, use: Callable[[OnenceControl], Awaitable[T]], *, version: Any = "v2", **settings: Any
) -> T:
    async def main() -> T:
        async with httpx.AsyncClient(transport=InProcessTransport(carrier), base_url=BASE_URL) as http:
            known = {"client_id": carrier.client_id, "client_secret": carrier.client_secret}
            control = OnenceControl(http, pacer=Pacer(8.0), api_version=version, **(known | settings))
            await control.open()
            return await use(control)

    return run_virtual(main)


def test_the_reader_of_1nce_has_no_way_to_write() -> None:
    for reader in (OnenceSource, OnenceClient):
        assert not {"send", "switch", "put", "post"} & set(dir(reader))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_look_brings_status_label_and_lock_as_they_are(version: str) -> None:
    carrier = of_one(status=SimStatus.ENABLED, label="  two spaces  ", imei_lock=True)
    sim = with_control(carrier, lambda control: control.look(SIM), version=version).sim
    assert sim is not None
    assert (sim.status, sim.label, sim.imei_lock) == (SourceStatus.ENABLED, "  two spaces  ", True)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("answer", list(UnknownSim))
def test_a_sim_that_1nce_does_not_know_is_gone_however_it_says_so(version: str, answer: UnknownSim) -> None:
    carrier = of_one(behaviour=OnenceBehaviour(unknown_sim=answer))
    assert with_control(carrier, lambda control: control.look(UNKNOWN_SIM), version=version).sighting is Sighting.GONE


@pytest.mark.parametrize("expired", [ExpiredSims.READABLE, ExpiredSims.UNREADABLE])
def test_an_expired_sim_is_told_whether_by_its_word_or_by_422(expired: ExpiredSims) -> None:
    carrier = of_one(status=SimStatus.EXPIRED, behaviour=OnenceBehaviour(expired=expired))
    assert with_control(carrier, lambda control: control.look(SIM)).sighting is Sighting.EXPIRED


def test_an_answer_that_never_comes_is_no_answer_about_the_sim() -> None:
    carrier = of_one()

    async def use(control: OnenceControl) -> None:
        carrier.faults = FaultPlan({Fault.SERVER_ERROR_BEFORE: 1.0})
        await control.look(SIM)

    with pytest.raises(Transient):
        with_control(carrier, use)


def test_a_login_that_is_refused_is_everybodys_trouble() -> None:
    with pytest.raises(NotAuthorised):
        with_control(of_one(), lambda control: control.look(SIM), client_secret="wrong")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_one_sim_goes_out_as_a_put_with_all_its_fields(version: str) -> None:
    carrier = of_one(label="Zähler 7", imei_lock=True)

    async def use(control: OnenceControl) -> None:
        await control.send(OFF)
        await anyio.sleep(60)
        sight = await control.look(SIM)
        assert sight.sim is not None
        assert sight.sim.status is SourceStatus.DISABLED

    with_control(carrier, use, version=version)
    (entry,) = carrier.writes
    assert (entry.method, entry.path) == ("PUT", f"/{version}/sims/{SIM.digits}")
    assert entry.body == UPDATE


def test_a_sim_without_a_label_goes_out_with_an_empty_one() -> None:
    carrier = of_one()
    bare = SourceSimState(SIM, enabled=True, label=None, imei_lock=False)
    with_control(carrier, lambda control: control.send(SetSourceState([bare])))
    assert carrier.writes[0].body == {"iccid": SIM.digits, "status": "Enabled", "label": "", "imei_lock": False}


def test_what_is_announced_is_what_is_sent() -> None:
    carrier = of_one()

    async def use(control: OnenceControl) -> Any:
        await control.send(OFF)
        return control.request(OFF)

    announced = with_control(carrier, use)
    (entry,) = carrier.writes
    assert (announced.method, announced.body) == (entry.method, entry.body)
    assert entry.path.endswith(announced.path)


def test_lists_are_modest_in_v1_and_unknown_to_v2() -> None:
    async def most(control: OnenceControl) -> int:
        with pytest.raises(InputError):
            control.request(SetSourceState([ONE_OFF] * (control.most + 1)))
        return control.most

    assert with_control(of_one(), most, version="v1") == 50
    assert with_control(of_one(), most, version="v2") == 1


def test_an_expired_sim_refuses_its_order_with_a_code_of_its_own() -> None:
    with pytest.raises(Permanent) as refused:
        with_control(of_one(status=SimStatus.EXPIRED), lambda control: control.send(OFF))
    assert refused.value.code == "expired"


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.HANG_AFTER, Fault.SERVER_ERROR_AFTER, Fault.HTML_OK])
def test_an_order_without_a_readable_answer_is_sent_once_and_unknown(fault: Fault) -> None:
    faults = FaultPlan(scripted=[fault], scripted_for=lambda method, _path: method == "PUT")
    carrier = of_one(faults=faults)
    with pytest.raises(OutcomeUnknown):
        with_control(carrier, lambda control: control.send(OFF))
    assert len(carrier.writes) == 1


def test_an_order_that_was_held_back_by_the_rate_limit_is_sent_again() -> None:
    faults = FaultPlan(scripted=[Fault.TOO_MANY], scripted_for=lambda method, _path: method == "PUT")
    carrier = of_one(faults=faults)
    with_control(carrier, lambda control: control.send(OFF))
    assert [entry.status for entry in carrier.writes] == [429, 200]


def test_a_token_that_ends_under_an_order_is_replaced_and_the_order_sent_again() -> None:
    carrier = of_one(behaviour=OnenceBehaviour(token_revoked_after=1))
    with_control(carrier, lambda control: control.send(OFF))
    assert [entry.status for entry in carrier.writes] == [401, 200]
