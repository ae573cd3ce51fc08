"""Each test has an empty folder to work in, and a keyring of its own."""

import sys
from pathlib import Path

import pytest

from tests.inputs.settings.settings_api import FakeKeyring


@pytest.fixture(autouse=True)
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return fake


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty current directory: no `migrator.toml` is found by accident."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
