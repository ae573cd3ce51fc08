"""The report over all plans, from what real runs leave in a store; no campaign is there."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from playwright.sync_api import Browser, sync_playwright

from migrator.carriers.onence.simulator.model import SimStatus
from migrator.core.campaign.life import ExceptionCode
from migrator.core.cutover.life import Life, Proof
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import Unit
from migrator.reports.campaign.documents import schema_text
from migrator.workflows.campaign.report import campaign_exceptions, campaign_report, fleet_report
from migrator.workflows.campaign.retire import RetireReason, retire_list
from tests.chromium import chromium
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.cutover_world import DAY_S, STRANGER


@pytest.fixture
def world(tmp_path: Path) -> CorrectedWorld:
    """Eight units: four cut over on one day, one of them taken back since; one in another unit; three never seen."""
    made = CorrectedWorld(tmp_path, sims=8)
    for number, sim in enumerate(made.source.fleet):
        sim.status, sim.label, sim.imei = SimStatus.ENABLED, f"=pump <{number}>", f"35300000{number:06d}17"
    made.ready()
    made.apply_until_quiet()
    olds = made.on()
    for old in olds[:5]:
        made.let_pass_data(made.pairs()[old], imei=STRANGER if old == olds[4] else None)
    made.wait(4 * DAY_S)
    made.proves_life()
    made.cutover_plan()
    made.cut_over()
    made.wait(DAY_S)
    made.rollback_plan(listed={Iccid.parse(olds[0]).key})
    made.roll_back()
    made.wait(3 * DAY_S)
    return made


def site(store: Any) -> Any:
    return SimpleNamespace(store=store, held_by=None)


def written(world: CorrectedWorld, folder: Path, *formats: str) -> Any:
    with world.store() as store:
        return campaign_report(site(store), formats or None, folder, now=world.now().timestamp())


def test_the_json_is_as_its_published_schema_says(world: CorrectedWorld, tmp_path: Path) -> None:
    told = written(world, tmp_path / "out")
    assert {path.name for path in told.files} == {f"campaign.{name}" for name in ("html", "json", "csv", "md")}
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads((tmp_path / "out" / "campaign.json").read_text())
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    assert document["headline"]["tone"] == "bad"
    assert document["headline"]["words"] == "1 SIM needs a person"
    assert document["lives"]["stages"]["cut_over"] == 3
    assert {one["code"] for one in document["exceptions"]} == {"rolled_back", "other_unit"}
    assert sum(document["lives"]["stages"].values()) == 8
    assert document["forecast"]["ends_on"] is None  # one day of work tells nothing
    assert [plan["kind"] for plan in document["plans"]] == ["rollback", "cutover", "migrate"]
    assert document["plans"][-1]["claimed"] == document["money"]["sims_claimed"] == 8


def test_every_sim_is_a_row_of_the_csv_and_no_label_is_a_formula(world: CorrectedWorld, tmp_path: Path) -> None:
    written(world, tmp_path / "out", "csv")
    with (tmp_path / "out" / "campaign.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["code"] or row["stage"] for row in rows) == {
        "cut_over": 3,
        "rolled_back": 1,
        "other_unit": 1,
        "claimed_silent": 3,
    }
    assert all(row["label"].startswith("'=") for row in rows)
    assert all(row["advice"] for row in rows if row["code"])


def test_the_page_says_first_whether_all_is_well_and_what_is_next(world: CorrectedWorld, tmp_path: Path) -> None:
    written(world, tmp_path / "out", "html", "md")
    page = (tmp_path / "out" / "campaign.html").read_text()
    assert page.index("1 SIM needs a person") < page.index("<code>migrator campaign exceptions</code>")
    assert page.index("<code>migrator campaign exceptions</code>") < page.index('id="charts"')
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<0>" not in page
    ticket = (tmp_path / "out" / "campaign.md").read_text()
    assert ticket.startswith("# The migration: 1 SIM needs a person\n")
    assert STRANGER not in ticket


def test_exceptions_are_listed_with_what_to_do(world: CorrectedWorld) -> None:
    now = world.now().timestamp()
    with world.store() as store:
        one = "".join(campaign_exceptions(site(store), form="json", code=ExceptionCode.OTHER_UNIT, now=now))
        rows = "".join(campaign_exceptions(site(store), now=now)).splitlines()
    (told,) = json.loads(one)
    assert "pair correct" in told["advice"]
    assert told["differs"] == ""
    assert len(rows) == 3


def test_idle_cards_cost_from_their_claim_on(world: CorrectedWorld) -> None:
    now = world.now().timestamp()
    with world.store() as store:
        meter = store.idle(now)
        cards = list(store.cards.never_seen())
        later = store.idle(now + 30 * DAY_S)
        price = cards[0].price
    assert price is not None
    assert meter.all.cards == 3
    assert meter.ages["7-29"].cards == 3  # type: ignore[index]  # an enumeration of texts
    assert meter.all.so_far == 3 * price
    assert meter.all.in_a_month == 6 * price == later.all.so_far
    assert meter.all.unpriced == 0


def test_a_card_that_usage_alone_showed_alive_is_not_idle(world: CorrectedWorld) -> None:
    """Its record may say nothing of a connection: then the proof of life is all that tells."""
    now = world.now().timestamp()
    with world.store() as store:
        card = next(store.cards.never_seen())
        proof = Proof(str(card.source_iccid), card.iccid, Life.ALIVE, Unit.NEVER_SEEN, since_s=now)
        store.proofs.keep(str(card.plan_id), [proof], now)
        assert store.idle(now).all.cards == 2
        assert card.key not in {one.key for one in store.cards.never_seen()}


def test_cards_that_only_deactivation_stops_charging(world: CorrectedWorld) -> None:
    """The one that was rolled back; and the card that lost its unit to another card."""
    now = world.now().timestamp()
    pairs = world.pairs()
    olds = sorted(pairs)
    world.corrected({olds[7]: world.spare()}, reason="the card was broken")
    with world.store() as store:
        listed = {card.target_iccid: card for card in retire_list(site(store), now=now)}
    assert {iccid: card.reason for iccid, card in listed.items()} == {
        pairs[olds[0]]: RetireReason.ROLLED_BACK,
        pairs[olds[7]]: RetireReason.TWO_CARDS,
    }
    assert listed[pairs[olds[0]]].device_id == world.target.sims[pairs[olds[0]]].device_id
    assert world.target.ledger.forbidden == []


def test_an_empty_store_says_what_to_do_first(tmp_path: Path) -> None:
    world = CorrectedWorld(tmp_path, sims=2)
    with world.store() as store:
        report = fleet_report(store, now=world.now().timestamp())
        told = campaign_report(site(store), None, tmp_path / "out", now=world.now().timestamp())
    assert report.counts.total == 0
    assert "inventory pull" in told.steps[0]


@pytest.fixture
def screens() -> Iterator[Browser]:
    """A browser, not before the world is done with its event loops."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: install it, or name one in MIGRATOR_TEST_CHROMIUM")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_asks_for_nothing_and_fits(
    world: CorrectedWorld, tmp_path: Path, screens: Browser, scheme: Any
) -> None:
    written(world, tmp_path / "out", "html")
    page = screens.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}).new_page()
    asked, said = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "out" / "campaign.html").as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator(".verdict .words").inner_text() == "1 SIM needs a person"
    if folder := os.environ.get("SCREENS"):
        page.screenshot(path=f"{folder}/{scheme}.png", full_page=True)
