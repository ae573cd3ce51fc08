"""The simulated Onomondo as the vendor's pages describe the true one, and what it keeps of the requests."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from migrator.carriers.onomondo.simulator import OnomondoSimulator, OnomondoTag
from migrator.carriers.simulation import InProcessTransport
from migrator.core.fleet.identifiers import luhn_digit
from tests.carriers.onomondo.onomondo_source import OTHER, SIM, of_one, simulator
from tests.support import run_virtual

T = TypeVar("T")


def asked(carrier: OnomondoSimulator, use: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    async def main() -> T:
        headers = {"Authorization": f"Bearer {carrier.api_key}"}
        transport = InProcessTransport(carrier)
        async with httpx.AsyncClient(transport=transport, base_url="https://o.example", headers=headers) as http:
            return await use(http)

    return run_virtual(main)


def test_a_seed_makes_the_same_fleet_of_every_kind_each_time() -> None:
    one, again = simulator(sims=200), simulator(sims=200)
    assert [sim.as_dict() for sim in one.fleet] == [sim.as_dict() for sim in again.fleet]
    assert all(sim.iccid[-1] == luhn_digit(sim.iccid[:-1]) and sim.iccid[10:19] == sim.sim_id for sim in one.fleet)
    assert {sim.limit_type for sim in one.fleet} == {"monthly", "daily", "hourly"}
    assert {sim.activated for sim in one.fleet} == {True, False}
    assert {sim.label is None for sim in one.fleet} == {sim.imei is None for sim in one.fleet} == {True, False}


def test_an_update_of_one_sim_answers_with_its_record_and_is_none_that_we_may_send() -> None:
    carrier = of_one(label="old")
    reply = asked(carrier, lambda http: http.patch("/sims/000002273", json={"label": "new", "activated": False}))
    assert (reply.json()["label"], reply.json()["activated"]) == ("new", False)
    assert carrier.ledger.forbidden == ["PATCH /sims/000002273"]


def test_a_tag_that_may_not_be_written_stays() -> None:
    tags = (OnomondoTag("Supplier", can_write=False), OnomondoTag("Ours"))
    carrier = of_one(tags=tags)
    refused = asked(carrier, lambda http: http.patch(f"/sims/{SIM}", json={"tags": []}))
    kept = asked(carrier, lambda http: http.patch(f"/sims/{SIM}", json={"tags": [tags[0].tag_id]}))
    assert (refused.status_code, [tag["name"] for tag in kept.json()["tags"]]) == (403, ["Supplier"])


@pytest.mark.parametrize(
    ("sims", "is_allowed"),
    [
        ([{"id": "000002273", "activated": False}], True),
        ([{"id": "000002273", "activated": False, "label": None}], False),
        ([{"id": "000002273", "tags": []}], False),
        (None, False),
    ],
)
def test_only_updates_of_the_status_alone_are_allowed(sims: Any, *, is_allowed: bool) -> None:
    carrier = of_one()
    asked(carrier, lambda http: http.patch("/sims/bulk", json={"sims": sims}))
    assert (carrier.ledger.forbidden == []) == is_allowed


def test_a_bulk_update_takes_twenty_sims_and_answers_a_line_for_each() -> None:
    carrier = simulator(sims=21)
    sims = [{"id": sim.sim_id, "activated": False} for sim in carrier.fleet]
    twenty = asked(carrier, lambda http: http.patch("/sims/bulk", json={"sims": sims[:20]}))
    more = asked(carrier, lambda http: http.patch("/sims/bulk", json={"sims": sims}))
    assert (twenty.headers["content-type"].split(";")[0], len(twenty.text.splitlines())) == ("text/plain", 20)
    assert more.status_code == 400


def test_sims_are_found_by_a_part_of_id_or_label_or_a_whole_iccid() -> None:
    carrier = of_one(label="pump")

    async def found(http: httpx.AsyncClient) -> list[list[str]]:
        replies = [
            await http.get("/sims/find", params={"search": text}) for text in ("2273", "ump", OTHER.digits, "894")
        ]
        return [[sim["id"] for sim in reply.json()["sims"]] for reply in replies]

    assert asked(carrier, found) == [["000002273"], ["000002273"], ["000002418"], []]


def test_usage_of_all_sims_is_paged_and_complete() -> None:
    carrier = simulator(sims=40, usage_page_rows=7, rate_limit=None)

    async def all_rows(http: httpx.AsyncClient) -> list[Any]:
        rows, query = [], {"filter": "time:2026-11-10"}
        while True:
            body = (await http.get("/usage", params=query)).json()
            rows += body["usage"]
            if not body["pagination"]["has_more"]:
                return rows
            query["next_page"] = body["pagination"]["next_page"]

    rows = asked(carrier, all_rows)
    assert {row["iccid"] for row in rows} <= {sim.iccid for sim in carrier.fleet}
    assert {row["time"][:10] for row in rows} == {"2026-11-10"}
    assert len(rows) > 7
