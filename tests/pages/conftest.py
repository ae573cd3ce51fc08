"""The pages in a headless Chromium, served over a socket as people have them."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request

from migrator.inputs.settings.settings import load_settings
from migrator.pages import kept
from migrator.pages.app import Pages
from migrator.pages.door.access import Access
from migrator.pages.server import ListenAddress, _bound, config_of
from tests.chromium import browser
from tests.store.store_kit import NOW, url_of

__all__ = ["Opened", "browser", "open_pages"]

START_S = 20.0


@dataclass(slots=True)
class Opened:
    """A page in the browser, with everything that it said and asked for."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of ours."""
        self.page.goto(self.base + path)


@pytest.fixture
def open_pages(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Opened]]:
    """Serve the store of this test, and open its pages; at the end they must have kept quiet, and to themselves."""
    monkeypatch.setattr(kept, "REST_SHARE", 1)  # on a busy machine a second's answer would rest for longer than we wait
    opened: list[Opened] = []
    ends: list[Callable[[], None]] = []

    def open_it(
        path: str = "/", *, access: Access | None = None, every_s: float | None = None, **options: Any
    ) -> Opened:
        base, end = _served(tmp_path, access)
        ends.append(end)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, **options)
        it = Opened(page, base)
        opened.append(it)

        def asked(request: Request) -> None:
            it.requests.append(request.url)

        def complain(said: ConsoleMessage | Error) -> None:
            it.complaints.append(said.text if isinstance(said, ConsoleMessage) else str(said))

        def refuse(dialog: Dialog) -> None:
            it.complaints.append(dialog.message)
            dialog.dismiss()

        page.on("request", asked)
        page.on("console", complain)
        page.on("pageerror", complain)
        page.on("dialog", refuse)
        if every_s is not None:  # a look every few seconds is too slow for a test
            page.add_init_script(
                f"const after = window.setTimeout; window.setTimeout = (what) => after(what, {every_s * 1000});"
            )
        it.go(path)
        return it

    yield open_it
    for it in opened:
        it.page.close()
        assert it.complaints == []
        assert all(url.startswith((it.base, "data:")) for url in it.requests), "nothing from anywhere else"
    for end in ends:
        end()


def _served(folder: Path, access: Access | None) -> tuple[str, Callable[[], None]]:
    """Serve the store in a folder. Returns: its address, and how to end it."""
    pages = Pages(url_of(folder), load_settings({}, None), access, now=lambda: NOW + 3600)
    bound = _bound(ListenAddress("127.0.0.1", 0))
    listener = bound.__enter__()
    server = uvicorn.Server(config_of(pages))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()

    def end() -> None:
        server.should_exit = True
        thread.join(START_S)
        bound.__exit__(None, None, None)
        pages.close()

    return f"http://127.0.0.1:{listener.getsockname()[1]}", end
