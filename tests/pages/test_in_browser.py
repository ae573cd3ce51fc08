"""The pages in a real browser: live without reloading, by keyboard, light and dark, narrow, and shut to strangers."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from migrator.core.run.states import RunEvent
from migrator.inputs.settings.secrets import Secret
from migrator.pages.door.access import Access
from tests.builders import sim, source_iccid
from tests.pages.conftest import Opened
from tests.pages.kit import HOSTILE, fleet
from tests.store.store_kit import NOW, open_store, pulled

Open = Callable[..., Opened]
TOKEN = "5f0b6d1f9a1f4c3cae0e7ac5ab3f86d0"
QUICK_S = 0.1

pytestmark = pytest.mark.slow


def test_what_a_run_does_appears_without_a_reload_and_the_focus_stays(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    it = open_pages("/runs", every_s=QUICK_S)
    it.page.evaluate("window.isTheSame = true")
    it.page.locator("#runs a", has_text="p1").first.focus()
    with open_store(tmp_path) as store:
        run = store.journal.start_run("p1", "ops@here", NOW + 100)
        store.journal.end_run(run, RunEvent.HALT, exit_code=6, reason="the caps are used up", now=NOW + 110)
    it.page.get_by_text("the caps are used up").first.wait_for()
    assert it.page.evaluate("window.isTheSame"), "it was not loaded again"
    assert it.page.evaluate("document.activeElement.textContent") == "p1"
    assert it.page.locator("#live").inner_text() == "live"


def test_a_table_that_is_open_stays_open_while_its_numbers_change(open_pages: Open, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
    it = open_pages("/", every_s=QUICK_S)
    it.page.locator("#funnel summary").click()
    with open_store(tmp_path) as store:
        pulled(store, [sim(1), sim(2), sim(3)])
    it.page.locator("#funnel", has_text="3 old SIMs").wait_for()
    assert it.page.locator("#funnel table").is_visible()


def test_a_store_that_goes_and_comes_is_told_and_shown_again(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    it = open_pages("/", every_s=QUICK_S)
    it.page.get_by_text("3 SIMs need a person").wait_for()
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    it.page.get_by_text("there is no state store at").wait_for()
    assert "the store cannot be read" in it.page.locator("#live").inner_text()
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    it.page.get_by_text("3 SIMs need a person").wait_for()
    assert it.page.locator("#live").inner_text() == "live"
    it.complaints[:] = [one for one in it.complaints if "503" not in one]  # the browser's own word for it


def test_a_hostile_label_stays_text(open_pages: Open, tmp_path: Path) -> None:
    """No dialog, no console message and no request to anybody: the fixture looks at the end."""
    fleet(tmp_path)
    it = open_pages("/sims?stage=exception", every_s=QUICK_S)
    it.page.get_by_text(HOSTILE).first.wait_for()
    it.go(f"/find?q={source_iccid(5)}")
    it.page.get_by_text(HOSTILE).first.wait_for()
    assert it.page.locator("img").count() == 0
    assert it.page.locator("script").count() == 1


def test_the_search_is_one_key_away_and_the_filter_needs_no_button(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    it = open_pages("/sims")
    it.page.locator("#stage").select_option("exception")
    it.page.locator("#count", has_text="of 3 SIMs").wait_for()
    it.page.locator("#code").select_option("refused")
    it.page.locator("#count", has_text="of 1 SIMs").wait_for()
    it.page.keyboard.press("Escape")
    it.page.locator("#main").focus()
    it.page.keyboard.press("/")
    it.page.keyboard.type("unit 1")
    it.page.keyboard.press("Enter")
    it.page.get_by_text("found by label of the old SIM").wait_for()
    assert it.page.locator("#q").input_value() == "unit 1"


def test_the_first_key_skips_to_the_content_and_each_stop_is_seen(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    it = open_pages("/runs")
    it.page.keyboard.press("Tab")
    assert it.page.evaluate("document.activeElement.className") == "skip"
    for _ in range(10):
        it.page.keyboard.press("Tab")
        assert it.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_dark_and_light_follow_the_system(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    colours = {
        scheme: open_pages("/", color_scheme=scheme).page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        for scheme in ("light", "dark")
    }
    assert colours["light"][0] != colours["dark"][0]
    assert colours["light"][1] != colours["dark"][1]


def test_nothing_sticks_out_of_a_phone_and_headings_do_not_jump(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    it = open_pages("/")
    it.page.set_viewport_size({"width": 360, "height": 700})
    for path in ("/", "/sims", "/runs", "/runs/p1", "/find?q=unit+1"):
        it.go(path)
        assert it.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        levels = it.page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((it) => Number(it.tagName[1]))")
        assert levels[0] == 1
        assert all(later - former <= 1 for former, later in pairwise(levels)), path
        nameless = it.page.evaluate(
            "[...document.querySelectorAll('button, input, select')]"
            ".filter((it) => !(it.textContent.trim() || it.labels?.length)).length"
        )
        assert nameless == 0
        twice = it.page.evaluate(
            "[...document.querySelectorAll('[id]')].map((it) => it.id).filter((id, at, all) => all.indexOf(id) !== at)"
        )
        assert twice == []


def test_without_javascript_the_page_stands_and_says_that_it_does_not_move(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    page = open_pages("/runs", java_script_enabled=False).page
    assert page.get_by_text("some SIMs need attention").first.is_visible()
    assert page.locator("noscript .note").is_visible()


def test_a_login_leads_to_the_page_that_was_asked_for(open_pages: Open, tmp_path: Path) -> None:
    fleet(tmp_path)
    it = open_pages("/find?q=unit+1", access=Access("127.0.0.1", Secret(TOKEN)))
    it.page.get_by_label("Token").fill(TOKEN)
    it.page.get_by_role("button", name="Log in").click()
    it.page.get_by_text("found by label of the old SIM").wait_for()
    assert it.page.evaluate("document.cookie") == ""
    assert not any(TOKEN in url for url in it.requests)
    it.complaints[:] = [one for one in it.complaints if "401" not in one]  # the browser's own word for it
