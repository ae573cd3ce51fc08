"""The page in a real browser: search, sort, filter, paging, print, and what a stranger's label may not do."""

import csv
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.reports.conftest import Opened
from tests.reports.samples import AWKWARD, awkward, iccid, reconciliation, row

TOP = Path(__file__).parents[2]
SCREENSHOT = TOP / "docs" / "report.png"
MOST_BYTES = 300_000
Open = Callable[..., Opened]

pytestmark = pytest.mark.slow


def test_the_summary_stands_first_and_every_chart_has_words_and_a_table(open_report: Open) -> None:
    page = open_report().page
    assert page.locator("main section").first.get_attribute("id") == "summary"
    assert "SIMs need a person" in page.locator(".verdict").inner_text()
    charts = page.locator("figure.chart")
    assert charts.count() == 4
    for number in range(4):
        chart = charts.nth(number)
        assert chart.locator("svg[role=img] > title").count() == 1
        assert chart.locator("svg[role=img] > desc").inner_html() != ""
        assert chart.locator("details table caption").count() == 1


def test_one_page_of_rows_is_shown_and_the_rest_is_a_button_away(open_report: Open) -> None:
    it = open_report()
    assert it.shown() == [iccid(number) for number in range(1, 51)]
    it.page.get_by_role("button", name="Next").click()
    assert it.shown() == [iccid(number) for number in range(51, 101)]
    it.page.get_by_role("button", name="Last", exact=True).click()
    assert it.shown() == [iccid(number) for number in range(101, 121)]
    assert it.page.get_by_role("button", name="Next").is_disabled()
    it.page.get_by_label("Rows").select_option("25")
    assert len(it.shown()) == 25


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (iccid(77), [77]),
        ("8944500000000000077", [77]),
        (f"'{iccid(77)}", [77]),
        ("meter 00077", [77]),
        ("CLAIMED_ELSEWHERE", [61, 111]),
        ("700077", [77]),
        (f"{iccid(3)}\n{iccid(9)}", [3, 9]),
        ("no such thing", []),
    ],
)
def test_search_finds_iccids_names_codes_and_devices(open_report: Open, text: str, numbers: list[int]) -> None:
    it = open_report()
    it.search(text)
    it.found("found among 120")
    assert it.shown() == [iccid(number) for number in numbers]


def test_a_filter_by_bucket_shows_its_sims_and_clear_shows_all(open_report: Open) -> None:
    it = open_report()
    it.page.locator("#bucket").select_option(label="unpaired")
    it.found("found among 120")
    assert set(it.shown(3)) == {"unpaired"}
    it.page.get_by_role("button", name="Clear").click()
    it.found("1 to 50 of 120 SIMs")


def test_a_finding_leads_to_its_sims(open_report: Open) -> None:
    it = open_report()
    it.page.locator("button[data-code=wrong_overage_limit]").click()
    it.found("found among 120")
    assert it.shown() == [iccid(67), iccid(117)]
    assert it.page.evaluate("document.activeElement.id") == "sims-h"


def test_sorting_works_with_the_keyboard_alone_and_is_told(open_report: Open) -> None:
    it = open_report()
    head = it.page.locator("#table th[data-key=overage_limit_planned]")
    head.get_by_role("button").focus()
    it.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert set(it.shown(8)) == {"50 MB", "100 MB", "250 MB"}
    it.page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert it.shown(8)[0] == "1,000 MB"
    assert it.page.locator("#table th[aria-sort]").count() == 1


def test_numbers_sort_as_numbers_and_the_unknown_comes_last(open_report: Open) -> None:
    limits = [9 * 1_048_576, None, -1, 100 * 1_048_576, 0]
    fleet = [row(number, overage_limit_planned=limit) for number, limit in enumerate(limits, 1)]
    it = open_report(reconciliation(5, rows=lambda: iter(fleet)))
    button = it.page.locator("#table th[data-key=overage_limit_planned] button")
    button.click()
    assert it.shown() == [iccid(number) for number in (5, 1, 4, 3, 2)]
    button.click()
    assert it.shown() == [iccid(number) for number in (3, 4, 1, 5, 2)]


def test_the_whole_page_can_be_walked_by_keyboard(open_report: Open) -> None:
    it = open_report()
    it.page.keyboard.press("Tab")
    assert it.page.evaluate("document.activeElement.className") == "skip"
    for _ in range(60):
        it.page.keyboard.press("Tab")
        if it.page.evaluate("document.activeElement.id") == "search":
            break
    it.page.keyboard.type("state_pending")
    it.found("found among 120")
    outline = it.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_awkward_labels_stay_text(open_report: Open) -> None:
    """No dialog, no console message and no request: the fixture looks at the end."""
    it = open_report(reconciliation(len(AWKWARD), rows=lambda: iter(awkward()), policy_text="".join(AWKWARD)))
    assert [text.split() for text in it.shown(6)] == [text.split() for text in AWKWARD]
    assert it.page.locator("img").count() == 0
    assert it.page.locator("script").count() == 2
    findings = it.page.locator("#findings").inner_text()
    assert "<script>alert(1)</script>" in findings
    it.search("</script>")
    it.found("found among")
    assert it.shown() == [iccid(1), iccid(2)]


def test_a_hundred_thousand_sims_are_searched_and_only_a_page_of_them_is_drawn(open_report: Open) -> None:
    it = open_report(reconciliation(100_000))
    drawn = it.page.locator("#table tbody tr")
    assert drawn.count() == 50
    it.search("meter 099")
    it.found("found among 100,000")
    assert drawn.count() == 50
    assert it.shown()[0] == iccid(99)
    it.page.locator("#table th[data-key=name_planned] button").click()
    assert drawn.count() == 50
    it.search(iccid(99_999))
    it.found("1 to 1 of 1 SIMs")
    assert it.shown() == [iccid(99_999)]


def test_the_download_holds_the_sims_found_and_is_safe_for_spreadsheets(open_report: Open, tmp_path: Path) -> None:
    fleet = [row(1, name_planned="=1+1"), row(2, name_planned="0012"), row(3, name_planned='a "b", c')]
    it = open_report(reconciliation(3, rows=lambda: iter(fleet)))
    with it.page.expect_download() as begun:
        it.page.get_by_role("button", name="Download CSV").click()
    begun.value.save_as(tmp_path / "found.csv")
    found = list(csv.DictReader((tmp_path / "found.csv").read_text(encoding="utf-8").splitlines()))
    assert [one["source_iccid"] for one in found] == [f"'{iccid(number)}" for number in (1, 2, 3)]
    assert [one["name_planned"] for one in found] == ["'=1+1", "'0012", 'a "b", c']


def test_dark_and_light_follow_the_system(open_report: Open) -> None:
    colours = {
        scheme: open_report(color_scheme=scheme).page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        for scheme in ("light", "dark")
    }
    assert colours["light"][0] != colours["dark"][0]
    assert colours["light"][1] != colours["dark"][1]


def test_a_print_has_the_summary_and_the_first_rows_and_says_so(open_report: Open) -> None:
    page = open_report(color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.locator(".verdict").is_visible()
    assert page.locator("#table tbody tr").first.is_visible()
    assert page.locator("#printed").inner_text().startswith("Printed: SIMs 1 to 50 of 120 SIMs.")
    assert not page.locator(".filters").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_javascript_summary_and_findings_stand_and_the_table_is_excused(open_report: Open) -> None:
    page = open_report(java_script_enabled=False).page
    assert page.locator(".verdict").is_visible()
    assert page.locator("#findings li.card").first.is_visible()
    assert not page.locator("#table").is_visible()
    assert not page.get_by_role("button", name="Show in the table").first.is_visible()
    assert page.locator("noscript .note").is_visible()


def test_nothing_sticks_out_of_a_phone(open_report: Open) -> None:
    page = open_report().page
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_controls_have_names_and_headings_do_not_jump(open_report: Open) -> None:
    page = open_report().page
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select')]"
        ".filter((it) => !(it.textContent.trim() || it.labels?.length)).length"
    )
    assert nameless == 0
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((it) => Number(it.tagName[1]))")
    assert levels[0] == 1
    assert all(later - former <= 1 for former, later in pairwise(levels))
    assert page.locator("main").count() == page.locator("h1").count() == 1


def test_the_picture_of_the_documentation_can_be_taken(open_report: Open) -> None:
    """`make screenshot` puts it into docs/."""
    picture = open_report(reconciliation(2400)).page.screenshot()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < MOST_BYTES
    if os.environ.get("UPDATE_GOLDEN"):
        SCREENSHOT.write_bytes(picture)
