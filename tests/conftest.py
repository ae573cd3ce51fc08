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
    for item in items:
        if not _is_of_share(item):
            item.add_marker("long")
    if "MIGRATOR_TEST_LONG" not in os.environ:
        for item in items:
            if item.get_closest_marker("long") is not None:
                item.add_marker(pytest.mark.skip(reason="it takes long: `make test-long` runs it"))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _is_of_share(item: pytest.Item) -> bool:
    """True unless a test's marker leaves this case out.

    The cases of a grid are numbered row by row: a share that does not divide the row's length tries each column, too.
    """
    share, case = item.get_closest_marker("share"), getattr(item, "callspec", None)
    return share is None or case is None or next(iter(case.indices.values())) % share.args[0] == 0
