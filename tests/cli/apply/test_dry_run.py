"""`apply --dry-run`: the very requests, wave by wave, and a connection that proves that none went out."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.dryrun import DryRunTarget
from migrator.carriers.readonly import ReadOnlyTransport
from migrator.cli.apply.dry_run import SHOWN, Unsent
from migrator.errors import IllegalTransition
from migrator.ports import Claim, MakeTag, Request, SetName, TargetOrder
from tests.cli.conftest import Desk


def writes(desk: Desk) -> list[Any]:
    return [entry for entry in desk.rehearsal.hologram.ledger.entries if entry.method != "GET"]


@pytest.mark.parametrize("leak", [MakeTag, Claim, SetName])
def test_a_write_that_leaks_is_refused_by_the_connection_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, leak: type[TargetOrder]
) -> None:
    desk.planned()

    send = DryRunTarget.send

    async def leaking(self: DryRunTarget, order: TargetOrder, **options: Any) -> Any:
        if isinstance(order, leak):
            return await self.inner.send(order, **options)
        return await send(self, order, **options)

    monkeypatch.setattr(DryRunTarget, "send", leaking)
    ended = desk.run("apply", "--dry-run")
    assert ended.code == 1
    assert "a run that only reads tried to send" in ended.err
    assert writes(desk) == []
    assert desk.rehearsal.hologram.ledger.charges == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "get"])
def test_nothing_but_get_passes(method: str) -> None:
    passed: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        passed.append(request)
        return httpx.Response(200)

    async def ask() -> None:
        inner = httpx.MockTransport(answer)
        await ReadOnlyTransport(inner).handle_async_request(httpx.Request("GET", "https://carrier.test/"))
        request = httpx.Request(method, "https://carrier.test/")
        request.method = method
        await ReadOnlyTransport(inner).handle_async_request(request)

    with pytest.raises(IllegalTransition):
        anyio.run(ask)
    assert [request.method for request in passed] == ["GET"]


def test_requests_are_told_wave_by_wave_in_the_order_of_their_sending(desk: Desk) -> None:
    desk.planned()
    data = desk.json("apply", "--dry-run").data
    waves = [out["wave"] for out in data["requests"]]
    assert list(dict.fromkeys(waves)) == ["before the waves", "canary", "rest"]
    assert waves == sorted(waves, key=["before the waves", "canary", "rest"].index)
    assert [out["number"] for out in data["requests"]] == list(range(1, data["writes"] + 1))
    first = next(out for out in data["requests"] if "bulkclaim" in out["path"])
    assert len(first["body"]["sims"]) == 3
    assert sum(one["requests"] for one in data["by_wave"]) == data["writes"]


def test_every_request_goes_into_a_file_as_json_lines(desk: Desk) -> None:
    desk.planned()
    ended = desk.run("apply", "--dry-run", "--requests", "requests.jsonl")
    assert ended.code == 0
    lines = [json.loads(line) for line in Path("requests.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == desk.json("apply", "--dry-run").data["requests"]
    out = desk.run("apply", "--dry-run", "--requests", "-").out
    assert [json.loads(line) for line in out.splitlines()] == lines


def test_requests_go_with_a_dry_run_only(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--requests", "requests.jsonl").code == 2
    assert writes(desk) == []


def test_a_dry_run_of_a_partly_applied_plan_shows_only_the_rest(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "5").code == 6
    before = len(writes(desk))
    charged = set(desk.rehearsal.hologram.ledger.charges)
    requests = desk.json("apply", "--dry-run").data["requests"]
    claimed = [iccid for out in requests if "bulkclaim" in out["path"] for iccid in out["body"]["sims"]]
    assert len(claimed) == plan["claims"] - 5
    assert charged.isdisjoint(claimed)
    assert not [out for out in requests if out["path"].startswith("/devices/tags")]
    assert len(writes(desk)) == before
    desk.run("apply")
    assert len(writes(desk)) - before == len(requests)


def test_a_dry_run_of_a_finished_plan_has_nothing_to_send(desk: Desk) -> None:
    desk.applied()
    before = len(writes(desk))
    assert desk.run("apply", "--dry-run").code == 0
    assert len(writes(desk)) == before


def test_a_long_dry_run_keeps_only_what_it_shows() -> None:
    sent = Unsent(keep_all=False)
    for number in range(1000):
        sent.append(Request("PUT", f"/devices/{number}", {"name": "x"}))
    assert sent.total == 1000
    assert len(sent.kept) == SHOWN
    assert dict(sent.counts) == {("before the waves", "PUT", "/devices/{id}"): 1000}
