"""What holds for all tests."""

import gc
import os

import pytest
from hypothesis import settings

from tests.quick import compile_once, spell_tables_once

os.umask(0o022)  # wherever they run: settings and policies that others may write are refused
settings.register_profile("untimed", deadline=None)  # machines are shared: time is measured in `bench`
settings.load_profile("untimed")
compile_once()
spell_tables_once()
gc.set_threshold(10_000, 20, 20)  # a search for cycles each 700 objects takes a twentieth of the time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for real processes: at the end they would run alone.

    What a run of all tests has no time for is left to a command of its own.
    """
    if "MIGRATOR_TEST_LONG" not in os.environ:
        for item in items:
            if item.get_closest_marker("long") is not None:
                item.add_marker(pytest.mark.skip(reason="it takes long: `make test-long` runs it"))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
