"""A headless Chromium for the tests of the page; they are skipped where there is none."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Route, sync_playwright

from migrator.reports.model import Reconciliation
from tests.reports.samples import written

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The browser of this machine: the one that MIGRATOR_TEST_CHROMIUM names, or the first on the path."""
    found = (shutil.which(name) for name in NAMES)
    return os.environ.get("MIGRATOR_TEST_CHROMIUM") or next(filter(None, found), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module; each has a page of its own.

    Never for longer: an event loop runs in this thread as long as it lives, and other tests start one of their own.
    """
    path = chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: install it, or name one in MIGRATOR_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # as root there is no sandbox
        yield opened
        opened.close()


@dataclass(slots=True)
class Opened:
    """A report in the browser, with everything that it said and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def shown(self, column: int = 1) -> list[str]:
        """What stands in a column of the page of the table."""
        return self.page.locator(f"#table tbody td:nth-child({column})").all_inner_texts()

    def found(self, words: str) -> None:
        """Wait until the count of SIMs found ends so."""
        self.page.locator("#count", has_text=words).wait_for()

    def search(self, text: str) -> None:
        """Type into the search box."""
        self.page.get_by_label("Search").fill(text)


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Open a report from its file, with nothing else to be had; at the end it must have kept quiet."""
    opened: list[Opened] = []

    def open_it(report: Reconciliation | None = None, **options: Any) -> Opened:
        written(tmp_path, report, "html")
        file = (tmp_path / "reconciliation.html").as_uri()
        page = browser.new_page(viewport={"width": 1280, "height": 900}, **options)
        it = Opened(page)
        opened.append(it)

        def route(asked: Route) -> None:
            it.requests.append(asked.request.url)
            if asked.request.url == file:
                asked.continue_()
            else:
                asked.abort()

        def complain(said: ConsoleMessage | Error) -> None:
            it.complaints.append(str(said))

        def refuse(dialog: Dialog) -> None:
            it.complaints.append(dialog.message)
            dialog.dismiss()

        page.route("**/*", route)
        page.on("console", complain)
        page.on("pageerror", complain)
        page.on("dialog", refuse)
        page.goto(file)
        return it

    yield open_it
    for it in opened:
        it.page.close()
        assert it.complaints == []
        assert len(it.requests) == 1, "one file, and nothing beside it"
