"""Replies of Hologram's after a claim that are written as nobody expects."""

import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.results import ExitCode
from migrator.errors import WireMismatch
from tests.worlds.rewritten import RewrittenWorld, each_record
from tests.worlds.world import new_sims

SIMS = 6
ODD = new_sims(SIMS)[2]
HUGE = 2**63
AFTER_A_CLAIM = {ExitCode.DONE, ExitCode.ATTENTION, ExitCode.RESUMABLE}


def world_of(tmp_path: Path) -> RewrittenWorld:
    world = RewrittenWorld(tmp_path, sims=SIMS)
    world.ready()
    return world


def once_each(world: RewrittenWorld) -> None:
    """Every SIM was claimed, and asked for once."""
    world.check()
    asked = [iccid for _at, sims in world.claims_sent() for iccid in sims]
    assert sorted(asked) == new_sims(SIMS)


@pytest.mark.share(4)
@pytest.mark.parametrize("value", [HUGE, str(HUGE), -HUGE - 1, 10**30, "1e999999"])
@pytest.mark.parametrize(
    "field", ["deviceid", "id", "orgid", "overagelimit", "smslimit", "dataplansubscriptionid", "zone"]
)
def test_a_number_past_what_a_store_holds_is_one_sims_trouble(tmp_path: Path, field: str, value: Any) -> None:
    world = world_of(tmp_path)

    def odd(record: dict[str, Any]) -> None:
        if record.get("sim") == ODD and record.get("deviceid"):
            record[field] = value

    world.rewrite = lambda _request, body: each_record(body, odd)
    result = world.apply_until_quiet()
    assert result.exit_code in AFTER_A_CLAIM
    assert result.verdicts["ok"] >= SIMS - 1
    once_each(world)


@pytest.mark.share(3)
@pytest.mark.parametrize("charset", ["no-such-charset", "hex", "undefined", "utf-8\x00"])
@pytest.mark.parametrize("name", ["Zähler".encode("latin-1"), b"\xff\xfe" * 40, "Zähler".encode()])
def test_a_charset_that_does_not_exist_is_borne_after_a_claim(tmp_path: Path, charset: str, name: bytes) -> None:
    world = world_of(tmp_path)
    world.headers = {"Content-Type": f"application/json; charset={charset}"}

    def odd(_request: httpx.Request, body: Any) -> bytes:
        text = json.dumps(each_record(body, lambda record: record.update(note="NOTE")))
        return text.encode().replace(b"NOTE", name)

    world.rewrite = odd
    result = world.apply_until_quiet()
    assert result.exit_code in AFTER_A_CLAIM
    assert result.verdicts["ok"] == SIMS
    once_each(world)


def keyed(rows: list[Any]) -> Any:
    """As some writers of JSON write a list whose numbers have gaps."""
    return rows and {str(number + 3): row for number, row in enumerate(rows)}


READ = {"keyed": keyed, "under a name": lambda rows: {"results": rows, "total": len(rows)}}
"""Objects in place of a list that can be read as the list."""

UNREAD: dict[str, Any] = {
    "empty": lambda _rows: {},
    "a count": lambda rows: {"count": len(rows)},
    "an error": lambda _rows: {"error": {"message": "try again"}},
    "a text": lambda _rows: "no data",
    "a number": lambda _rows: 0,
    "texts in a list": lambda rows: ["row" for _ in rows] or ["none"],
    "two lists": lambda rows: {"a": rows, "b": rows},
    "an empty list of something": lambda _rows: {"errors": []},
    "a page with an id": lambda rows: {"id": 1, "devices": rows},
    "a named page": lambda rows: {"name": "page 1", "results": rows},
}


def in_place_of_lists(form: Any) -> Any:
    """Replies to look-ups whose list is written in another form."""

    def rewrite(request: httpx.Request, body: Any) -> Any:
        is_look_up = request.method == "GET" and request.url.path.endswith(("/links/cellular", "/devices"))
        return {**body, "data": form(body["data"])} if is_look_up else body

    return rewrite


@pytest.mark.parametrize("form", READ)
def test_an_object_in_place_of_a_list_is_read(tmp_path: Path, form: str) -> None:
    world = world_of(tmp_path)
    world.rewrite = in_place_of_lists(READ[form])
    result = world.apply_until_quiet()
    assert (result.exit_code, result.verdicts["ok"]) == (ExitCode.DONE, SIMS)
    once_each(world)


@pytest.mark.parametrize("form", UNREAD)
def test_a_list_that_cannot_be_read_is_never_no_such_sim(tmp_path: Path, form: str) -> None:
    """Before a claim nothing is claimed on such a word, and after it nothing is claimed again."""
    world = world_of(tmp_path)
    world.rewrite = in_place_of_lists(UNREAD[form])
    with pytest.raises(WireMismatch, match="something we cannot read"):
        world.plan()
    assert world.apply().exit_code is not ExitCode.DONE
    assert not world.claims_sent()


@pytest.mark.parametrize("form", UNREAD)
def test_after_a_lost_claim_a_list_that_cannot_be_read_claims_nothing_again(tmp_path: Path, form: str) -> None:
    world = world_of(tmp_path)
    world.target.faults = FaultPlan(
        scripted=[Fault.LOSE_AFTER], scripted_for=lambda _method, path: path.endswith("bulkclaim")
    )
    odd = in_place_of_lists(UNREAD[form])

    def rewrite(request: httpx.Request, body: Any) -> Any:
        return odd(request, body) if world.claims_sent() else body

    world.rewrite = rewrite
    for _ in range(4):
        world.apply()
        world.wait(600)
    assert len(world.claims_sent()) == 1
    world.rewrite = None
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    once_each(world)


@pytest.mark.parametrize("sim", [None, "", "?", 17, "absent"])
def test_a_record_that_names_no_sim_is_no_word_that_the_sim_is_not_there(tmp_path: Path, sim: Any) -> None:
    """Whichever SIM was asked for and not named may be the one: what is not there is claimed again."""
    world = world_of(tmp_path)
    world.target.faults = FaultPlan(
        scripted=[Fault.LOSE_AFTER], scripted_for=lambda _method, path: path.endswith("bulkclaim")
    )

    def odd(record: dict[str, Any]) -> None:
        if record.get("sim") == ODD and record.get("deviceid"):
            record["sim"] = sim
            if sim == "absent":
                del record["sim"]

    world.rewrite = lambda _request, body: each_record(body, odd)
    for _ in range(4):
        assert "names no SIM" in world.apply().reason
        world.wait(600)
    assert len(world.claims_sent()) == 1
    world.rewrite = None
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    once_each(world)


@pytest.mark.parametrize(
    ("odd", "keeps_the_good_one"),
    [
        pytest.param(None, True, marks=pytest.mark.long),
        pytest.param({}, True, marks=pytest.mark.long),
        ({"sim": None}, True),
        (None, False),
    ],
)
def test_a_device_list_that_hides_sims_does_not_make_them_absent(
    tmp_path: Path, odd: Any, *, keeps_the_good_one: bool
) -> None:
    """The list alone would be read for so many; what it lacks is looked up by its ICCID before it is claimed again."""
    world = RewrittenWorld(tmp_path, sims=260)
    world.ready()
    world.target.faults = FaultPlan(
        scripted=[Fault.LOSE_AFTER], scripted_for=lambda _method, path: path.endswith("bulkclaim")
    )

    def hide(request: httpx.Request, body: Any) -> Any:
        if request.url.path.endswith("/devices") and world.claims_sent():
            for device in body["data"]:
                good = device["links"]["cellular"]
                device["links"]["cellular"] = [*good, odd] if keeps_the_good_one else [odd]
        return body

    world.rewrite = hide
    for _ in range(4):
        world.apply()
        world.wait(600)
    world.check()
    asked = [iccid for _at, sims in world.claims_sent() for iccid in sims]
    assert len(asked) == len(set(asked))


def test_a_certificate_that_changes_before_a_claim_ends_the_run_at_once(tmp_path: Path) -> None:
    """Nothing left us, and no further try mends a certificate."""
    world = world_of(tmp_path)
    tries: list[str] = []

    def imposter(request: httpx.Request) -> None:
        if request.url.path.endswith("bulkclaim"):
            tries.append(request.url.path)
            raise httpx.ConnectError("refused") from ssl.SSLCertVerificationError("unknown issuer")

    world.instead = imposter
    begun = world.now()
    result = world.apply()
    assert (result.exit_code, len(tries)) == (ExitCode.REFUSED, 1)
    assert "certificate" in result.reason
    assert (world.now() - begun).total_seconds() < 5
    world.instead = None
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    once_each(world)
