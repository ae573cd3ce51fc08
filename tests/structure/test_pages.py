"""Pages for contributors: every file and folder that they name is there."""

import re
from pathlib import Path

import pytest

from tests.structure.sources import ROOT

TOP = ROOT.parent
PAGES = ("docs/architecture.md", "CONTRIBUTING.md", "docs/library.md")
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml))")
PLACES = (ROOT, TOP)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page: str) -> None:
    text = (TOP / page).read_text(encoding="utf-8")
    missing = [name for name in NAMED.findall(text) if not _is_placeholder(name) and not _is_there(name)]
    assert not missing


def _is_placeholder(name: str) -> bool:
    return "NAME" in name or "/" not in name


def _is_there(name: str) -> bool:
    return any((place / Path(name)).exists() for place in PLACES)
