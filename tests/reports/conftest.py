"""Reports in a headless Chromium."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Route

from migrator.reports.model import Reconciliation
from tests.chromium import browser
from tests.reports.samples import written

__all__ = ["Opened", "browser", "open_report"]


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
