"""Each page by its address: what it tells, what it escapes, and that nothing but reads is answered."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator import wiring
from migrator.core.campaign.life import LifeStage
from migrator.core.plan.plan import Action
from migrator.pages import app
from migrator.pages.picture import picture_of
from migrator.pages.runs import PlanCounts, plan_counts
from migrator.pages.sims import Filter, sims_page
from migrator.store import Store
from tests.builders import source_iccid, target, target_iccid
from tests.pages.kit import HOSTILE, Browser, browsing, fleet
from tests.store.store_kit import NOW, change, open_store, planned

PAGES = ("/", "/sims", "/sims?stage=exception", "/runs", "/runs/p1", "/find", "/find?q=unit+1", "/metrics", "/healthz")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The pages of a store that no test of this module writes to."""
    folder = tmp_path_factory.mktemp("pages")
    fleet(folder)
    with browsing(folder) as opened:
        yield opened


def relabelled(folder: Path, text: str, *labels: str) -> None:
    """Give the old SIMs of some labels another one."""
    with open_store(folder) as store:
        for label in labels:
            store._db._driver_connection().execute("UPDATE source_sims SET label = ? WHERE label = ?", (text, label))


def test_the_overview_says_how_it_stands_and_what_is_next(browser: Browser) -> None:
    text = browser.counted("/").text
    assert "3 SIMs need a person" in text
    assert "0 of 8 units are cut over" in text
    assert 'href="/sims?stage=exception"' in text
    assert "Nobody is at work." in text


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_leaves_with_the_headers_that_shut_it_in(browser: Browser, path: str) -> None:
    answer = browser.ask(path)
    assert answer.status_code == 200
    rules = dict(rule.strip().partition(" ")[::2] for rule in answer.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_reads_are_answered(browser: Browser) -> None:
    for path in PAGES:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert browser.ask(path, method=method).status_code == 405, (method, path)


def test_a_look_at_the_headers_alone_has_no_body(browser: Browser) -> None:
    for path in (*PAGES, "/sims.csv"):
        answer = browser.ask(path, method="HEAD")
        assert (answer.status_code, answer.content) == (200, b""), path


def test_a_hostile_label_stays_text_on_every_page(browser: Browser) -> None:
    for path in (
        "/sims",
        "/sims?stage=exception",
        f"/find?q={source_iccid(5)}",
        "/find?q=%3Cscript%3Ealert(1)%3C/script%3E",
    ):
        text = browser.counted(path).text
        assert "<script>alert(1)</script>" not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in browser.ask(f"/find?q={source_iccid(5)}").text


def test_sims_are_chosen_by_stage_and_code(browser: Browser) -> None:
    def listed(query: str) -> list[int]:
        text = browser.counted(f"/sims{query}").text
        return [number for number in range(1, 9) if f">{source_iccid(number)}</a>" in text]

    assert listed("") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert listed("?stage=exception") == [3, 4, 5]
    assert listed("?stage=exception&code=refused") == [4]
    assert listed("?code=blocked") == [3]
    assert listed("?stage=claimed_silent") == [1, 2, 6, 7, 8]
    assert listed("?stage=cut_over") == []


@pytest.mark.parametrize("query", ["?stage=nonsense", "?code=%00", "?page=-1", "?page=99999999999999999999", "?page=x"])
def test_an_address_that_makes_no_sense_shows_all(browser: Browser, query: str) -> None:
    assert "8 SIMs, counted at" in browser.counted(f"/sims{query}").text


def test_a_hundred_sims_are_a_page_and_the_next_is_a_link_away(tmp_path: Path) -> None:
    fleet(tmp_path, 230)
    with browsing(tmp_path) as browser:
        text = browser.counted("/sims?stage=claimed_silent&page=2").text
        assert "101 to 200 of 227 SIMs" in text
        assert 'href="/sims?stage=claimed_silent&amp;page=3"' in text
        last = browser.counted("/sims?stage=claimed_silent&page=999").text
        assert "201 to 227 of 227 SIMs" in last


def test_a_late_page_of_the_stock_costs_no_more_queries_than_the_first(tmp_path: Path) -> None:
    cards = [target_iccid(number) for number in range(1, 351)]
    with open_store(tmp_path) as store:
        store.stock.add([(card, "cards.csv") for card in cards], NOW)
        store.journal.observed([target(number) for number in range(1, 351)], [], now=NOW)
        picture, asked = picture_of(store, NOW), list[str]()
        store._db._driver_connection().set_trace_callback(asked.append)
        pages, costs = [], []
        for number in (1, 4, 99):
            asked.clear()
            pages.append(sims_page(store, picture, Filter(stage=LifeStage.IN_STOCK, page=number), NOW))
            costs.append(len(asked))
    assert [(page["span"], page["page"], page["pages"], page["total"]) for page in pages] == [
        ((1, 100), 1, 4, 350),
        ((301, 350), 4, 4, 350),
        ((301, 350), 4, 4, 350),
    ]
    shown = [card.digits for card in sorted(cards, key=lambda card: card.key)]
    assert [row["iccid"] for row in pages[0]["rows"]] == shown[:100]
    assert [row["iccid"] for row in pages[1]["rows"]] == shown[300:]
    assert len(set(costs)) == 1


def test_counts_of_many_plans_are_kept_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"p{number}" for number in range(1, 31)]
    counted: list[str] = []

    def noted(store: Store, plan_id: str, now: float) -> PlanCounts:
        counted.append(plan_id)
        return plan_counts(store, plan_id, now)

    monkeypatch.setattr(app, "plan_counts", noted)
    fleet(tmp_path)
    with open_store(tmp_path) as store:
        for name in names[1:]:
            planned(store, [change(1, Action.SKIP)], plan_id=name)
    with browsing(tmp_path) as browser:
        for name in (*names, *names):
            assert name in browser.counted(f"/runs/{name}").text
    assert counted == names


def test_the_csv_has_what_the_filter_shows_and_runs_nothing_in_a_spreadsheet(tmp_path: Path) -> None:
    fleet(tmp_path)
    relabelled(tmp_path, "=cmd|calc!A1", "unit 4")
    with browsing(tmp_path) as browser:
        answer = browser.ask("/sims.csv?stage=exception")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="sims-exception.csv"'
    rows = {row["source_iccid"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    blocked, refused, stray = (rows.pop(f"'{source_iccid(number)}") for number in (3, 4, 5))
    assert not rows
    assert [row["code"] for row in (blocked, refused, stray)] == ["blocked", "refused", "mismatch"]
    assert refused["label"] == "'=cmd|calc!A1"
    assert stray["label"] == HOSTILE


def test_any_name_leads_to_the_story_of_its_unit(browser: Browser) -> None:
    for name in (source_iccid(1).digits, target_iccid(1).digits, "unit 1", "UNIT 1", "1001"):
        answer = browser.ask("/find", params={"q": name})
        assert answer.status_code == 200
        assert source_iccid(1).digits in answer.text
        assert target_iccid(1).digits in answer.text
        assert "claim: done" in answer.text


def test_a_name_that_nothing_has_is_told_with_what_was_looked_through(browser: Browser) -> None:
    answer = browser.ask("/find?q=nobody")
    assert answer.status_code == 404
    assert "nothing here is named" in answer.text
    assert browser.ask("/find", params={"q": "9" * 3000}).status_code == 404


def test_several_units_of_a_name_are_a_choice(tmp_path: Path) -> None:
    fleet(tmp_path)
    relabelled(tmp_path, "twin", "unit 1", "unit 2")
    with browsing(tmp_path) as browser:
        answer = browser.ask("/find?q=twin")
    assert answer.status_code == 200
    for number in (1, 2):
        assert f'href="/find?q={source_iccid(number)}"' in answer.text


def test_a_plan_tells_its_waves_runs_requests_and_caps(browser: Browser) -> None:
    text = browser.counted("/runs/p1").text
    assert "all: 5 verified" in text
    assert "some SIMs need attention" in text
    assert "SIMs against the cap" in text
    assert "migrator apply p1" in text
    assert "refused" in text


@pytest.mark.parametrize("path", ["/runs/p2", "/runs/%3Cscript%3E", "/nothing", "/runs/p1/more"])
def test_what_is_not_there_is_404(browser: Browser, path: str) -> None:
    answer = browser.ask(path)
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_no_page_asks_for_anything_but_its_own_files(browser: Browser) -> None:
    for path in PAGES[:7]:
        text = browser.counted(path).text
        marks = ('src="', '<link rel="stylesheet" href="')
        assert {part.split('"')[0] for mark in marks for part in text.split(mark)[1:]} == {"/watch.js", "/watch.css"}
        assert "style=" not in text
    for path in ("/watch.js", "/watch.css"):
        assert "://" not in browser.ask(path).text


def test_a_run_at_work_is_shown_with_its_pace_and_looked_at_more_often(tmp_path: Path) -> None:
    fleet(tmp_path)
    with browsing(tmp_path, now=NOW + 30) as browser:
        assert 'data-every="10"' in browser.counted("/").text
        with open_store(tmp_path) as store:
            me = wiring.owner(NOW + 20)
            store.lease.acquire(me, NOW + 20, is_gone=lambda _one: True)
            run = store.journal.start_run("p1", "ops@here", NOW + 20)
            text = browser.ask("/").text
            assert f"run {run}" in text
            assert "heard of 10 s ago" in text
            assert "1 claim accepted" in text
            assert 'data-every="3"' in text
