"""What holds for all tests."""

import os

import pytest

os.umask(0o022)  # wherever they run: settings and policies that others may write are refused


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for real processes: at the end they would run alone."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
