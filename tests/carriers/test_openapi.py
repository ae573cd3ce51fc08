"""A whole migration, a cutover and the way back, exchange by exchange, held against the carriers' OpenAPI documents."""

import httpx
import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import ExpiredSims, StatusWords
from migrator.carriers.simulation import InProcessTransport
from migrator.core.run.results import ExitCode
from tests.carriers.openapi import FOLDER, Contract, Exchange
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import POLICY

if not FOLDER.is_dir():
    pytest.skip("the carriers' OpenAPI documents are not beside this checkout", allow_module_level=True)

HOLOGRAM, ONENCE = Contract(FOLDER / "hologram-openapi.yaml"), Contract(FOLDER / "1nce-openapi.yaml")
BASES = {"hologram.test": "/api/1", "onence.test": "/management-api"}
V1_ONLY = OnenceBehaviour(v2_available=False, v1_words=StatusWords.ENABLED, expired=ExpiredSims.UNLISTED)
TAGGED = POLICY.replace('zone = "global"', 'zone = "global"\ntag = "from-1nce"')


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Exchange]]:
    """Everything that went over the wire, by host: pull with quotas, plan, apply, cutover, rollback; no faults."""
    seen: dict[str, list[Exchange]] = {host: [] for host in BASES}
    send = InProcessTransport.handle_async_request

    async def noted(self: InProcessTransport, request: httpx.Request) -> httpx.Response:
        response = await send(self, request)
        await response.aread()
        seen[request.url.host].append(Exchange.of(request, response, BASES[request.url.host]))
        return response

    world = CutoverWorld(
        tmp_path_factory.mktemp("world"), sims=40, onence_behaviour=V1_ONLY, policy_text=TAGGED, api_version="v1"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InProcessTransport, "handle_async_request", noted)
        world.pull(quotas=True)
        world.migrated(silent=2)
        world.cutover_plan()
        assert world.cut_over().exit_code is ExitCode.DONE
        world.rollback_plan()
        assert world.roll_back().exit_code is ExitCode.DONE
    return seen


def of_v1(exchanges: dict[str, list[Exchange]]) -> list[Exchange]:
    """What 1NCE's document speaks of: it has no /v2, which `auto` asks for first."""
    return [one for one in exchanges["onence.test"] if not one.path.startswith("/v2/")]


def test_requests_to_hologram_are_those_that_its_document_has(exchanges: dict[str, list[Exchange]]) -> None:
    assert [words for one in exchanges["hologram.test"] for words in HOLOGRAM.wrong_with_request(one)] == []


def test_replies_of_the_simulated_hologram_are_those_that_its_document_has(
    exchanges: dict[str, list[Exchange]],
) -> None:
    assert [words for one in exchanges["hologram.test"] for words in HOLOGRAM.wrong_with_reply(one)] == []


def test_requests_to_1nce_are_those_that_its_document_has(exchanges: dict[str, list[Exchange]]) -> None:
    assert [words for one in of_v1(exchanges) for words in ONENCE.wrong_with_request(one)] == []


def test_replies_of_the_simulated_1nce_are_those_that_its_document_has(exchanges: dict[str, list[Exchange]]) -> None:
    assert [words for one in of_v1(exchanges) for words in ONENCE.wrong_with_reply(one)] == []


def test_every_kind_of_write_was_among_them(exchanges: dict[str, list[Exchange]]) -> None:
    writes = {one.path for host in exchanges for one in exchanges[host] if one.method == "POST"}
    assert {"/links/cellular/bulkclaim", "/devices/batch/state", "/devices/tags", "/v1/sims"} <= writes
    assert any(one.method == "PUT" for one in exchanges["hologram.test"])


def test_a_document_notices_a_field_a_parameter_and_a_type_that_it_does_not_have() -> None:
    body = {"sims": "8944500000000000018", "plan": 1, "zone": "global", "price": 3}
    wrong = Exchange("POST", "/links/cellular/bulkclaim", {"org": "1"}, body, 200, {"success": "yes"})
    words = " ".join(HOLOGRAM.wrong_with_request(wrong) + HOLOGRAM.wrong_with_reply(wrong))
    assert "no parameter 'org'" in words
    assert "no field 'price'" in words
    assert "is not of type 'array'" in words
    assert "not valid under any" in words
