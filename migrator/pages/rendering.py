"""Pages as HTML: every value is escaped, and nothing is fetched elsewhere."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from migrator.reports.formats.page_kit import TEMPLATES as OF_REPORTS
from migrator.reports.formats.page_kit import page_environment
from migrator.version import VERSION

__all__ = ["asset", "rendered"]

TEMPLATES = Path(__file__).with_name("templates")
ASSETS = {
    "/watch.css": ("text/css", (OF_REPORTS / "page.css", TEMPLATES / "watch.css")),
    "/watch.js": ("text/javascript", (TEMPLATES / "watch.js",)),
}
"""Files beside the pages: their kind, and what they are made of.

The style is that of the report, and what only pages need.
"""


def rendered(template: str, **values: Any) -> str:
    """Return a page as HTML."""
    return _environment().get_template(template).render(tool=f"migrator {VERSION}", **values)


@cache
def asset(path: str) -> tuple[str, str]:
    """Return a file beside the pages: its kind and its text."""
    kind, files = ASSETS[path]
    return kind, "\n".join(file.read_text(encoding="utf-8") for file in files)


@cache
def _environment() -> jinja2.Environment:
    return page_environment(TEMPLATES, OF_REPORTS)
