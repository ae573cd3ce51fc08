"""Onomondo as a `SourceControl`, on the wire to the simulated Onomondo: what a look tells, and what an order sends."""

import json
from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.onomondo.control import OnomondoControl
from migrator.carriers.onomondo.simulator import BulkLine, KeyForm, OnomondoBehaviour, OnomondoTag
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.cutover.rules import Sighting
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceStatus
from migrator.errors import InputError, NotAuthorised, OutcomeUnknown, Permanent
from migrator.ports import Answer, SetSourceState, SourceSimState
from tests.carriers.onomondo.onomondo_source import OTHER, SIM, answered, of_one, with_control


def off(*iccids: Iccid) -> SetSourceState:
    return SetSourceState(
        [SourceSimState(iccid, enabled=False, label="not to be sent", imei_lock=True) for iccid in iccids]
    )


async def looked(control: OnomondoControl, *iccids: Iccid) -> None:
    for iccid in iccids:
        await control.look(iccid)


def bodies(carrier: Any) -> list[Any]:
    return [(entry.method, entry.path, entry.body) for entry in carrier.writes]


def test_an_order_names_the_sim_by_its_id_and_sends_the_status_alone() -> None:
    tags = (OnomondoTag("Supplier", can_write=False),)
    carrier = of_one(label="Zähler 7", imei_lock="861340049971524", tags=tags)
    before = [sim.as_dict() for sim in carrier.fleet]

    async def use(control: OnomondoControl) -> Answer:
        await looked(control, SIM)
        return await control.send(off(SIM))

    assert with_control(carrier, use) == Answer()
    sims = [{"id": "000002273", "activated": False}]
    assert bodies(carrier) == [("PATCH", "/sims/bulk", {"sims": sims})]
    assert [sim.as_dict() for sim in carrier.fleet] == [before[0] | {"activated": False}, before[1]]
    assert carrier.ledger.forbidden == []


def test_a_sim_that_was_not_looked_at_is_never_ordered() -> None:
    carrier = of_one()

    async def use(control: OnomondoControl) -> None:
        await looked(control, SIM)
        await control.send(off(SIM, OTHER))

    with pytest.raises(InputError) as refused:
        with_control(carrier, use)
    assert refused.value.code == "not_looked_at"
    assert not carrier.writes


@pytest.mark.parametrize("told", [2273, "2273", None, "00000227x", "0000022730"])
def test_a_sim_whose_id_lost_its_zeros_is_left_alone(told: Any) -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(said=((SIM.digits, "id", told),)))
    sight = with_control(carrier, lambda control: control.look(SIM))
    assert (sight.sighting, sight.sim) == (Sighting.UNREADABLE, None)


def test_the_record_of_another_sim_is_not_taken_for_this_one() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(single_reads_of_others=frozenset({SIM.digits})))
    assert with_control(carrier, lambda control: control.look(SIM)).sighting is Sighting.UNREADABLE


def test_a_status_that_cannot_be_read_is_unknown_and_not_off() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(said=((SIM.digits, "activated", "paused"),)))
    sim = with_control(carrier, lambda control: control.look(SIM)).sim
    assert sim is not None
    assert sim.status is SourceStatus.UNKNOWN


@pytest.mark.parametrize("odd", [BulkLine.FAILED, BulkLine.MISSING, BulkLine.DROPPED])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_line_is_told_of_the_sim_that_it_names_and_no_other(odd: BulkLine, *, is_reversed: bool) -> None:
    behaviour = OnomondoBehaviour(bulk_lines={SIM.digits: odd}, bulk_reversed=is_reversed)
    carrier = of_one(behaviour=behaviour)

    async def use(control: OnomondoControl) -> Answer:
        await looked(control, SIM, OTHER)
        return await control.send(off(SIM, OTHER))

    answer = with_control(carrier, use)
    assert set(answer.reasons) == {SIM.key}
    is_off = {sim.iccid: not sim.activated for sim in carrier.fleet}
    assert is_off == {SIM.digits: odd is BulkLine.MISSING, OTHER.digits: True}


def lines(*objects: Any, text: str = "") -> httpx.Response:
    content = "\n".join(json.dumps(one) for one in objects) + text
    return httpx.Response(200, content=content.encode(), headers={"content-type": "text/plain"})


RECORD = httpx.Response(200, json={"id": "000002273", "iccid": SIM.digits, "activated": True})
MINE = {"id": "000002273", "success": True}


@pytest.mark.parametrize(
    ("answer", "is_told"),
    [
        (lines(MINE), False),
        (lines({"id": "000000001", "success": True}, MINE), False),
        (lines([MINE]), False),
        (lines({"sims": [MINE]}), False),
        (lines(MINE, text="\n\nnot JSON\n"), False),
        (lines(MINE | {"success": "true"}), False),
        (lines(MINE | {"success": None}), True),
        (lines(MINE | {"success": False, "error": "locked"}), True),
        (lines({"id": 2273, "success": True}), True),
        (lines({"message": "ok"}), True),
        (httpx.Response(200), True),
    ],
)
def test_only_a_success_of_this_very_sim_leaves_nothing_to_say(answer: httpx.Response, *, is_told: bool) -> None:
    async def use(control: OnomondoControl) -> Answer:
        await looked(control, SIM)
        return await control.send(off(SIM))

    assert bool(answered(use, RECORD, answer).reasons) == is_told


def test_words_of_a_line_are_shortened_and_without_the_key() -> None:
    words = "Authorization: Bearer onok_invented " + "x " * 500

    async def use(control: OnomondoControl) -> Answer:
        await looked(control, SIM)
        return await control.send(off(SIM))

    (said,) = answered(use, RECORD, lines(MINE | {"success": False, "error": words})).reasons.values()
    assert "onok_invented" not in said
    assert len(said) < 300


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.HANG_AFTER, Fault.SERVER_ERROR_AFTER, Fault.HTML_OK])
def test_an_order_without_a_readable_answer_is_sent_once_and_unknown(fault: Fault) -> None:
    carrier = of_one()

    async def use(control: OnomondoControl) -> None:
        await looked(control, SIM)
        carrier.faults = FaultPlan(scripted=[fault])
        await control.send(off(SIM))

    with pytest.raises(OutcomeUnknown):
        with_control(carrier, use)
    assert len(carrier.writes) == 1


@pytest.mark.parametrize("fault", [Fault.TOO_MANY, Fault.TOO_MANY_SILENT])
def test_an_order_that_surely_did_nothing_is_sent_again(fault: Fault) -> None:
    carrier = of_one()

    async def use(control: OnomondoControl) -> None:
        await looked(control, SIM)
        carrier.faults = FaultPlan(scripted=[fault, fault])
        await control.send(off(SIM))

    with_control(carrier, use)
    assert [entry.status for entry in carrier.writes] == [429, 429, 200]


def test_an_order_goes_out_with_the_form_of_the_key_that_was_taken() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(key_form=KeyForm.BARE))

    async def use(control: OnomondoControl) -> None:
        await looked(control, SIM)
        await control.send(off(SIM))

    with_control(carrier, use)
    assert [entry.status for entry in carrier.writes] == [200]


def test_a_key_that_is_revoked_under_way_ends_the_run_and_the_order_did_nothing() -> None:
    carrier = of_one()

    async def use(control: OnomondoControl) -> None:
        await looked(control, SIM)
        carrier.api_key = "onok_another"
        await control.send(off(SIM))

    with pytest.raises(NotAuthorised):
        with_control(carrier, use)
    assert [entry.status for entry in carrier.writes] == [401]


def test_a_list_that_is_refused_whole_is_told_as_such() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(bulk_refused=True))

    async def use(control: OnomondoControl) -> None:
        await looked(control, SIM, OTHER)
        carrier.fleet.remove(carrier.fleet[1])
        await control.send(off(SIM, OTHER))

    with pytest.raises(Permanent) as refused:
        with_control(carrier, use)
    assert not refused.value.halts_run
    assert carrier.fleet[0].activated


def test_an_order_shows_when_the_carrier_gets_to_it() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(effect_s=30))

    async def use(control: OnomondoControl) -> Sequence[Any]:
        await looked(control, SIM)
        await control.send(off(SIM))
        soon = await control.look(SIM)
        await anyio.sleep(40)
        return [soon, await control.look(SIM)]

    seen = [sight.sim.status for sight in with_control(carrier, use)]
    assert seen == [SourceStatus.ENABLED, SourceStatus.DISABLED]
