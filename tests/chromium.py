"""A headless Chromium for the tests of pages; they are skipped where there is none."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

__all__ = ["browser", "chromium"]

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
